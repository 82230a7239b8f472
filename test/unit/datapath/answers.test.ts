// "Too big" as a host on our side sees it: which frames are answered, with what, how often.
import { describe, expect, test } from 'vitest'
import { hex, text } from '../../support/bytes.ts'
import { bigTcp4, bigTcp6, frames, tooBig4, tooBig6 } from '../../support/packets.ts'
import { far, type Sent, Vtep } from '../../support/vtep.ts'

// 8 VXLAN, 8 UDP, 20 IP in front of the frame, 14 Ethernet in front of the packet.
const ROOM = 36 + 14

/** A network whose only path carries packets of `mtu`. */
function vtep(mtu: number, layer2 = true): Vtep {
  const v = new Vtep()
  const route = (v6: boolean) => ({ words: [0, 0, 0, 0], v6, length: 0 })
  const peer = far('198.18.0.2', { mtu: mtu + ROOM, prefixes: layer2 ? [] : [route(false), route(true)] })
  v.network(3, 42, [peer], {}, layer2)
  return v
}

function answers(v: Vtep, ...list: Uint8Array[]): Sent[] {
  v.out(...list.map((bytes) => ({ bytes, link: 3 })))
  const [given, told] = v.law()
  expect(given).toBe(told)
  return v.device.take()
}

/** The big segment between other hosts: 10.42.0.n to 10.42.0.2. */
function from(n: number): Uint8Array {
  const copy = bigTcp4.slice()
  copy[29] = n
  return copy
}

describe('the answer', () => {
  test("over IPv4 comes from the packet's own destination and names the MTU that is left", () => {
    const [answer] = answers(vtep(1000), bigTcp4)
    const want = tooBig4.slice()
    // The MTU of the recorded answer is 1400: another, and the checksum that goes with it.
    want.set([0x03, 0xe8], 40)
    want.set(checksum(want.subarray(34)), 36)
    expect(text(answer!.bytes)).toBe(text(want))
    expect(answer).toMatchObject({ link: 3, segment: 0 })
  })

  test('over IPv6', () => {
    const [answer] = answers(vtep(1380), bigTcp6)
    expect(text(answer!.bytes)).toBe(text(tooBig6))
  })

  test.each([
    [bigTcp4, tooBig4.length],
    [bigTcp6, tooBig6.length],
  ])('of layer 3 is the packet alone', (frame, length) => {
    const [answer] = answers(vtep(frame === bigTcp4 ? 1000 : 1380, false), frame.subarray(14))
    expect(answer!.bytes).toHaveLength(length - 14)
    expect(answer!.bytes[0]! >> 4).toBe(frame[14]! >> 4)
  })

  test('behind a VLAN tag leaves room for the tag and carries it', () => {
    const v = new Vtep()
    v.network(3, 42, [far('198.18.0.2', { mtu: 1000 + ROOM })], { keepVlan: true })
    const tagged = Uint8Array.from([...bigTcp4.subarray(0, 12), ...hex('8100 0007'), ...bigTcp4.subarray(12)])
    const [answer] = answers(v, tagged)
    expect(text(answer!.bytes.subarray(0, 18))).toBe('020000000001020000000002810000070800')
    expect((answer!.bytes[44]! << 8) | answer!.bytes[45]!).toBe(996)
  })

  test.each([
    ['a broadcast', 20, frames.arpRequest],
    ['a multicast', 40, frames.neighbourSolicitation],
    ['a fragment other than the first', 20, frames.nextFragment4],
    ['what is not IP', 20, frames.arpReply],
    ['IPv6 on a path below its least MTU', 1000, bigTcp6],
    ['an ICMP error', 500, tooBig4],
  ])('is not given to %s, which is counted all the same', (_title, mtu, frame) => {
    const v = vtep(mtu)
    expect(answers(v, frame)).toEqual([])
    expect(v.drops()).toEqual({ 'too-big': 1 })
  })
})

describe('the rate limit', () => {
  test('ten a second to one pair of hosts, and ten more in the next', () => {
    const v = vtep(1000)
    const list = new Array(25).fill(bigTcp4)
    expect(answers(v, ...list)).toHaveLength(10)
    v.tables.now = 999
    expect(answers(v, bigTcp4)).toHaveLength(0)
    v.tables.now = 1000
    expect(answers(v, ...list)).toHaveLength(10)
    expect(v.drops()).toEqual({ 'too-big': 51 })
  })

  test('never keeps back the first answer to a pair, whatever else goes on', () => {
    const v = vtep(1000)
    // More answers at once than the batch holds; every host gets its own.
    for (let n = 1; n < 250; n++) {
      if (n !== 2) expect(answers(v, from(n), from(n)).length, `host ${n}`).toBeGreaterThanOrEqual(1)
    }
  })

  test('more answers in one crossing than a batch holds all come', () => {
    const hosts = Array.from({ length: 100 }, (_, n) => from(n + 3))
    const got = answers(vtep(1000), ...hosts)
    expect(got.map((s) => s.bytes[33])).toEqual(hosts.map((f) => f[29]))
  })

  test('what gets no answer uses up none', () => {
    const v = vtep(1000)
    const later = bigTcp4.slice()
    later.set([0x20, 0x05], 20)
    expect(answers(v, ...new Array(30).fill(later))).toHaveLength(0)
    expect(answers(v, ...new Array(12).fill(bigTcp4))).toHaveLength(10)
  })
})

function checksum(icmp: Uint8Array): number[] {
  const copy = icmp.slice()
  copy.set([0, 0], 2)
  let sum = 0
  for (let i = 0; i < copy.length; i += 2) sum += (copy[i]! << 8) | (copy[i + 1] ?? 0)
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16)
  return [(~sum >> 8) & 0xff, ~sum & 0xff]
}
