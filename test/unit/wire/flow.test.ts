import { describe, expect, it } from 'vitest'
import * as flow from '../../../src/wire/flow.ts'
import { place } from '../../support/bytes.ts'
import { frames } from '../../support/packets.ts'

const SEED = 0x5eed

function hash(frame: Uint8Array, seed = SEED, neighbour = 0xa5): number {
  const { buf, off, end } = place(frame, neighbour)
  return flow.hash(buf, off, end, true, seed)
}

function hosts(frame: Uint8Array): number {
  const { buf, off, end } = place(frame)
  return flow.hosts(buf, off, end, true, SEED)
}

/** A frame with one byte, counted from its start, turned over. */
function changed(frame: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(frame)
  copy[at]! ^= 0x01
  return copy
}

describe('VX11: a flow keeps its hash', () => {
  it.each([
    ['IPv4: MACs', frames.udp4, 5],
    ['IPv4: TOS', frames.udp4, 15],
    ['IPv4: id', frames.udp4, 19],
    ['IPv4: TTL', frames.udp4, 22],
    ['IPv4: payload', frames.udp4, 42],
    ['IPv4: TCP sequence number', frames.tcp4, 41],
    ['IPv6: hop limit', frames.udp6, 21],
    ['IPv6: flow label', frames.udp6, 17],
    ['IPv6: payload', frames.udp6, 62],
    ['ICMP: sequence number', frames.echo4, 41],
    ['ARP: what it asks for', frames.arpRequest, 41],
  ])('whatever else changes: %s', (_name, frame, at) => expect(hash(changed(frame, at))).toBe(hash(frame)))

  it('whatever lies around it', () => {
    for (const frame of Object.values(frames)) expect(hash(frame, SEED, 0x00)).toBe(hash(frame, SEED, 0xff))
  })

  it('for all its fragments', () => {
    expect(hash(frames.firstFragment4)).toBe(hash(frames.nextFragment4))
    expect(hash(frames.firstFragment6)).toBe(hash(frames.nextFragment6))
  })

  it('with a VLAN tag and without', () => {
    const [tagged, bare] = [frames.vlan, frames.udp4]
    expect(hash(tagged)).toBe(hash(bare))
  })

  it('behind extension headers and without', () => {
    expect(hash(frames.extensions6)).toBe(hash(frames.udp6))
    expect(hash(frames.atomicFragment6)).toBe(hash(frames.udp6))
  })

  it('as a frame and as a packet', () => {
    for (const frame of [frames.tcp4, frames.udp6, frames.echo4]) {
      const { buf, off, end } = place(frame.subarray(14))
      expect(flow.hash(buf, off, end, false, SEED)).toBe(hash(frame))
    }
  })
})

describe('VX11: other flows get other hashes', () => {
  it.each([
    ['IPv4: source', frames.udp4, 29],
    ['IPv4: destination', frames.udp4, 33],
    ['IPv4: source port', frames.udp4, 35],
    ['IPv4: destination port', frames.udp4, 37],
    ['IPv6: source', frames.udp6, 37],
    ['IPv6: destination', frames.udp6, 53],
    ['IPv6: source port', frames.udp6, 55],
    ['IPv6: source port behind extension headers', frames.extensions6, 95],
    ['not IP: source MAC', frames.arpRequest, 11],
    ['not IP: type', frames.arpRequest, 13],
    ['ICMP: destination', frames.echo4, 33],
  ])('%s', (_name, frame, at) => expect(hash(changed(frame, at))).not.toBe(hash(frame)))

  it('by protocol', () => expect(hash(frames.tcp4)).not.toBe(hash(frames.udp4)))
  it('by seed', () => expect(hash(frames.udp4, 1)).not.toBe(hash(frames.udp4, 2)))
  it('in both directions: the hash is not symmetric, and need not be', () => {
    expect(hash(frames.arpRequest)).not.toBe(hash(frames.arpReply))
  })
})

it('the lower bits choose evenly among 64 sockets', () => {
  const counts = new Array<number>(64).fill(0)
  const frame = Uint8Array.from(frames.udp4)
  for (let port = 0; port < 6400; port++) {
    frame[34] = port >>> 8
    frame[35] = port
    counts[hash(frame) & 63]!++
  }
  // 100 each on average, standard deviation 10.
  expect(Math.min(...counts)).toBeGreaterThan(50)
  expect(Math.max(...counts)).toBeLessThan(160)
})

describe('hosts', () => {
  it('is the same for all flows between two hosts', () => {
    expect(hosts(frames.udp4)).toBe(hosts(frames.tcp4))
    expect(hosts(frames.udp6)).toBe(hosts(frames.extensions6))
  })

  it.each([
    ['IPv4 source', frames.udp4, 29],
    ['IPv4 destination', frames.udp4, 33],
    ['IPv6 source', frames.udp6, 37],
    ['MACs of what is not IP', frames.arpRequest, 11],
  ])('differs by %s', (_name, frame, at) => expect(hosts(changed(frame, at))).not.toBe(hosts(frame)))
})

it('a packet too short for ports goes by its addresses', () => {
  for (const total of [20, 21, 23]) {
    const frame = frames.udp4.slice(0, 14 + total)
    frame[17] = total
    expect(hash(frame, SEED, 0x00)).toBe(hash(frame, SEED, 0xff))
  }
})

it('bytes that are no packet have a hash too', () => {
  const { buf, off } = place(frames.udp4)
  for (let n = 0; n < 14; n++) expect(flow.hash(buf, off, off + n, true, SEED)).toBe(flow.hash(buf, 0, n, true, SEED))
  expect(flow.hash(buf, off, off, false, SEED)).toBe(flow.hash(buf, off + 1, off + 5, false, SEED))
})
