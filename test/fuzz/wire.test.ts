// Any bytes at all into every reader of src/wire, whose answer may depend on [off, end) alone: run twice with other neighbours.
import { describe, expect, it } from 'vitest'
import * as arp from '../../src/wire/arp.ts'
import * as ethernet from '../../src/wire/ethernet.ts'
import * as flow from '../../src/wire/flow.ts'
import * as icmp from '../../src/wire/icmp.ts'
import * as igmp from '../../src/wire/igmp.ts'
import * as ipv4 from '../../src/wire/ipv4.ts'
import * as ipv6 from '../../src/wire/ipv6.ts'
import * as mld from '../../src/wire/mld.ts'
import * as nd from '../../src/wire/nd.ts'
import * as print from '../../src/wire/print.ts'
import * as vxlan from '../../src/wire/vxlan.ts'
import { place, untouched } from '../support/bytes.ts'
import { igmpFrames, mldFrames } from '../support/group-packets.ts'
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
  igmp: (b, o, e) => igmp.check(b, o, e) || [igmp.group(b, o), igmp.membershipSec(b, o, e)],
  // Whatever the checksum says: nearly all of these are wrong.
  'igmp, records': (b, o, e) =>
    e - o < igmp.LEN || walked(igmp.firstRecord(o), igmp.records(b, o), (at) => igmp.nextRecord(b, at, e)),
  mld: (b, o, e) =>
    mld.check(b, o, e) ||
    [mld.type(b, o) === mld.REPORT_V2 || [mld.groupWord(b, o, 3), mld.membershipSec(b, o, e)]].concat(
      walked(mld.firstRecord(o), mld.records(b, o), (at) => mld.nextRecord(b, at, e)),
    ),
  nd: (b, o, e) => nd.check(b, o, e) || [nd.linkAddress(b, o, e, 1), nd.linkAddress(b, o, e, 2)],
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
  const groups = [...Object.values(igmpFrames), ...Object.values(mldFrames)]
  // Whole frames, and what stands in them behind the headers.
  const samples = [...Object.values(frames), ...groups, ...groups.flatMap((f) => [f.subarray(38), f.subarray(62)])]
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

function walked(first: number, count: number, next: (at: number) => number): number[] {
  const seen: number[] = []
  for (let at = first, n = 0; n < count && at >= 0; n++) {
    at = next(at)
    seen.push(at)
  }
  return seen
}

// A frame with some bytes changed, at times from the middle on, at times cut or prolonged.
function mutated(sample: Uint8Array, random: () => number): Uint8Array {
  const from = random() % 3 === 0 ? random() % sample.length : random() % 2 === 0 ? 14 % sample.length : 0
  const length = random() % 4 === 0 ? random() % 100 : sample.length - from
  const bytes = new Uint8Array(length)
  bytes.set(sample.subarray(from, from + length))
  for (let n = random() % 6; n > 0 && length > 0; n--) bytes[random() % length] = random() & 255
  return bytes
}
