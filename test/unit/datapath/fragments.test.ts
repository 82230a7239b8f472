// What the walk from a device cuts: IPv4 packets that are too big for the path and may be cut.
import { describe, expect, test } from 'vitest'
import { COPIES } from '../../../src/counters.ts'
import { finish, pseudo4, sum } from '../../../src/wire/checksum.ts'
import { hex, text } from '../../support/bytes.ts'
import { vtep } from '../../support/far-station.ts'
import { holds } from '../../support/law.ts'
import { far } from '../../support/vtep.ts'

const A = far('198.18.0.2')
const B = far('198.18.0.3')
const C = far('198.18.0.4')

describe('an IPv4 packet without DF that the path does not carry', () => {
  /** UDP with 1000 bytes from 10.42.0.1 to 10.42.0.2, its checksum left to whom it is handed over; behind a tag if there is one. */
  function udp(tag: readonly number[] = []): { bytes: Uint8Array; sum: number } {
    const udpLen = 1008
    const ip = [0x45, 0, 4, 4, 0x12, 0x34, 0, 0, 64, 17, 0, 0, 10, 42, 0, 1, 10, 42, 0, 2]
    const header = finish(sum(Uint8Array.from(ip), 0, 20, 0))
    ip.splice(10, 2, header >> 8, header & 255)
    const pseudo = ~finish(pseudo4(Uint8Array.from(ip), 0, 17, udpLen)) & 0xffff
    const l4 = [0x1b, 0x58, 0x1b, 0x59, udpLen >> 8, udpLen & 255, pseudo >> 8, pseudo & 255]
    const front = [...hex('020000000002 020000000001'), ...tag, 8, 0]
    const bytes = Uint8Array.from([...front, ...ip, ...l4, ...new Array(1000).fill(7)])
    return { bytes, sum: ((front.length + 20) << 16) | 6 }
  }

  test.each([[[]], [[0x81, 0, 0, 7]]])('goes out in pieces that fit, with its checksum (tag %j)', (tag) => {
    const { v, ids } = vtep([far('198.18.0.2', { mtu: 600 })], { keepVlan: true, dscp: 46 << 2 })
    const frame = udp(tag)
    const sent = v.out(frame)
    const front = 8 + 14 + tag.length
    expect(sent).toHaveLength(2)
    expect(sent.every((s) => s.bytes.length + 28 <= 600 && s.sum === 0 && s.segment === 0)).toBe(true)
    for (const s of sent) {
      expect(text(s.bytes.subarray(0, 20 + tag.length))).toBe(
        `0800000000002a00${text(frame.bytes.subarray(0, 12 + tag.length))}`,
      )
      expect(s).toMatchObject({ peer: ids[0], tos: 46 << 2 })
    }
    const payload = sent.flatMap((s) => [...s.bytes.subarray(front + 20)])
    expect(payload).toHaveLength(1008)
    expect(finish(sum(Uint8Array.from(payload), 0, 1008, pseudo4(sent[0]!.bytes, front, 17, 1008)))).toBe(0)
    // The flow keeps its port.
    expect(sent[0]!.port).toBe(sent[1]!.port)
    expect(v.drops()).toEqual({})
    holds(v)
  })

  test('is cut for each peer whose path is narrow, and for no other; nothing is said to its sender', () => {
    const { v } = vtep([A, far('198.18.0.3', { mtu: 600 }), C])
    const { bytes } = udp()
    bytes.set(hex('01005e010203'), 0)
    const sent = v.out({ bytes, sum: (34 << 16) | 6 })
    expect(sent.map((s) => s.bytes.length)).toEqual([1050, 42 + 528, 42 + 480, 1050])
    expect(v.device.take()).toEqual([])
    expect(v.counters.network(0, COPIES)).toBe(3)
    expect(v.drops()).toEqual({})
    holds(v)
  })

  test('is not overtaken by what comes behind it, however much that is', () => {
    const { v } = vtep([far('198.18.0.2', { mtu: 600 }), B])
    const small = udp().bytes.slice(0, 500)
    small.set([0x40, 0], 20)
    const other = small.slice()
    other.set(hex('ffffffffffff'), 0)
    const frames = Array.from({ length: 200 }, (_, k) => (k % 2 === 0 ? udp() : k % 4 === 1 ? small : other))
    const lengths = v.out(...frames).map((s) => s.bytes.length)
    const each = [570, 522, 508, 570, 522, 508, 508]
    expect(lengths).toEqual(Array.from({ length: 50 }, () => each).flat())
    expect(v.drops()).toEqual({})
    holds(v)
  })

  test('is dropped as a train, with DF, or with a wrong header', () => {
    const { v } = vtep([far('198.18.0.2', { mtu: 600 })])
    const df = udp().bytes
    df[20] = 0x40
    const wrong = udp().bytes
    wrong[24]! ^= 1
    const train = { ...udp(), segment: 700, header: 42, kind: 5 }
    expect(v.out(df, wrong, train)).toEqual([])
    expect(v.drops()).toEqual({ 'too-big': 4 })
    holds(v)
  })
})
