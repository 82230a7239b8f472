// What one header costs: reads over frames of a batch's size, writes into its headroom.
import * as ecn from '../src/wire/ecn.ts'
import * as ethernet from '../src/wire/ethernet.ts'
import * as flow from '../src/wire/flow.ts'
import * as icmp from '../src/wire/icmp.ts'
import * as ipv4 from '../src/wire/ipv4.ts'
import * as vxlan from '../src/wire/vxlan.ts'
import { SEGMENT, station, TCP_HEADERS, writeTcp } from './frames.ts'
import { line, time } from './timing.ts'

/** Frames in turn, so that their headers come from the first-level cache about as often as in a walk. */
const FRAMES = 64
const STRIDE = 2048
const HEADROOM = 128
const LEN = TCP_HEADERS + SEGMENT
const SEED = 0x5eed1234
const VNI = 42

export function codec(): void {
  const buf = new Uint8Array(FRAMES * STRIDE)
  for (let i = 0; i < FRAMES; i++) writeTcp(buf, at(i), SEGMENT, i * SEGMENT, station(1, i), station(2, i))
  const out = new Uint8Array(icmp.MAX_ANSWER)

  each('vxlan.write', (off) => {
    vxlan.write(buf, off - vxlan.LEN, VNI)
    return 0
  })
  each('vxlan.check + vni', (off) => vxlan.check(buf, off - vxlan.LEN, off + LEN) + vxlan.vni(buf, off - vxlan.LEN))
  each('ethernet.check + both MACs + type', (off) => {
    const macs =
      ethernet.dstHi(buf, off) + ethernet.dstLo(buf, off) + ethernet.srcHi(buf, off) + ethernet.srcLo(buf, off)
    return ethernet.check(buf, off, off + LEN) + macs + ethernet.etherType(buf, off)
  })
  each('ethernet.write', (off, k) => {
    ethernet.write(buf, off - vxlan.LEN - ethernet.LEN, 0x0200, k, 0x0201, k, ethernet.IPV4)
    return 0
  })
  each('ipv4.check + addresses', (off) => {
    const ip = off + ethernet.LEN
    return ipv4.check(buf, ip, off + LEN) + ipv4.src(buf, ip) + ipv4.dst(buf, ip)
  })
  each('ipv4.setEcn', (off, k) => {
    ipv4.setEcn(buf, off + ethernet.LEN, k & 1 ? ecn.CE : ecn.ECT0)
    return 0
  })
  each('ecn.decapsulate', (_off, k) => ecn.decapsulate(k & 3, (k >>> 2) & 3))
  each('flow.hash, TCP over IPv4', (off) => flow.hash(buf, off, off + LEN, true, SEED))
  each('icmp.writeTooBig, IPv4', (off) => icmp.writeTooBig(out, 0, buf, off, off + LEN, true, 1400))
}

function each(name: string, operation: (off: number, k: number) => number): void {
  const run = (n: number): number => {
    let sum = 0
    for (let k = 0; k < n; k++) sum ^= operation(at(k & (FRAMES - 1)), k)
    return sum
  }
  line(name, time(run))
}

function at(i: number): number {
  return i * STRIDE + HEADROOM
}
