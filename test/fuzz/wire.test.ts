// Any bytes at all into every reader of src/wire, whose answer may depend on [off, end) alone: run twice with other neighbours.
import { describe, expect, it } from 'vitest'
import * as arp from '../../src/wire/arp.ts'
import * as ethernet from '../../src/wire/ethernet.ts'
import * as flow from '../../src/wire/flow.ts'
import * as icmp from '../../src/wire/icmp.ts'
import * as ipv4 from '../../src/wire/ipv4.ts'
import * as ipv6 from '../../src/wire/ipv6.ts'
import * as print from '../../src/wire/print.ts'
import * as vxlan from '../../src/wire/vxlan.ts'
import { place, untouched } from '../support/bytes.ts'
import { frames } from '../support/packets.ts'
import { generator, seed } from '../support/seed.ts'

const ROUNDS = 20_000

type Reader = (buf: Uint8Array, off: number, end: number) => unknown

const readers: Record<string, Reader> = {
  vxlan: (b, o, e) => vxlan.check(b, o, e) || vxlan.vni(b, o),
  ethernet: (b, o, e) => ethernet.check(b, o, e) || [ethernet.etherType(b, o), ethernet.headerLen(b, o, e)],
  arp: (b, o, e) => arp.check(b, o, e) || [arp.senderLo(b, o), arp.targetIp(b, o)],
  ipv4: (b, o, e) => ipv4.check(b, o, e) || [ipv4.totalLen(b, o), ipv4.headerLen(b, o), ipv4.src(b, o), ipv4.dst(b, o)],
  ipv6: (b, o, e) =>
    ipv6.check(b, o, e) || [ipv6.upper(b, o, e), ipv6.upperProtocol(b, o, e), ipv6.isFragment(b, o, e)],
  'flow, layer 2': (b, o, e) => ethernet.check(b, o, e) || [flow.hash(b, o, e, true, 1), flow.hosts(b, o, e, true, 1)],
  'print, layer 2': (b, o, e) => print.line(b, o, e, true),
  'print, layer 3': (b, o, e) => print.line(b, o, e, false),
  'too big': (b, o, e) => {
    const out = new Uint8Array(2048)
    const n = icmp.writeTooBig(out, 0, b, o, e, true, 1400)
    return [n, Buffer.from(out.subarray(0, Math.max(n, 0))).toString('hex')]
  },
}

describe('any bytes', () => {
  const samples = Object.values(frames)
  for (const [name, read] of Object.entries(readers)) {
    it(`${name}: reads nothing outside, never throws`, () => {
      const random = generator(seed ^ name.length)
      for (let round = 0; round < ROUNDS; round++) {
        const bytes = mutated(samples[random() % samples.length]!, random)
        const one = place(bytes, 0x00)
        const two = place(bytes, 0xff)
        const answer = read(one.buf, one.off, one.end)
        expect(read(two.buf, two.off, two.end)).toEqual(answer)
        expect(untouched(one.buf, one.off, one.end, 0x00)).toBe(true)
      }
    })
  }
})

// A frame with some bytes changed, at times from the middle on, at times cut or prolonged.
function mutated(sample: Uint8Array, random: () => number): Uint8Array {
  const from = random() % 3 === 0 ? random() % sample.length : random() % 2 === 0 ? 14 % sample.length : 0
  const length = random() % 4 === 0 ? random() % 100 : sample.length - from
  const bytes = new Uint8Array(length)
  bytes.set(sample.subarray(from, from + length))
  for (let n = random() % 6; n > 0 && length > 0; n--) bytes[random() % length] = random() & 255
  return bytes
}
