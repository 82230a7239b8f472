// IGMP and MLD that pass by: who listens to what, and where queriers are. Read RFC 4541 §2.1.1 first: what is malformed is
// carried like anything else and teaches nothing. A listener on our own side is nobody's business here: its own reports tell
// the far ends. Temperature: hot by form; it runs for IGMP and MLD alone.
import * as drop from '../drop.ts'
import { LOCAL, type Snoop, V4, V6 } from '../overlay/snoop.ts'
import * as ethernet from '../wire/ethernet.ts'
import * as igmp from '../wire/igmp.ts'
import * as ipv4 from '../wire/ipv4.ts'
import * as ipv6 from '../wire/ipv6.ts'
import * as mld from '../wire/mld.ts'

const MAPPED = 0xffff

/** A group whose streams are steered: not 224.0.0.0/24, which every host may listen to unasked (RFC 4541 §2.1.2 (2)). */
export function isStream4(group: number): boolean {
  return group >>> 28 === 0xe && group >>> 8 !== 0xe00000
}

/** The same by the first word: not ff02::/16, nor what stays within a host (RFC 4541 §3). */
export function isStream6(word: number): boolean {
  return word >>> 24 === 0xff && ((word >>> 16) & 15) > 2
}

/** The message in the IPv4 packet at `ip` of the frame at `off`: 0, or REPORT_KEPT when it is not for our side. */
export function hearIgmp(
  snoop: Snoop,
  vtep: number,
  bytes: Uint8Array,
  off: number,
  ip: number,
  end: number,
  tick: number,
): number {
  const at = ip + ipv4.headerLen(bytes, ip)
  if (igmp.check(bytes, at, end) !== 0) return 0
  const type = igmp.type(bytes, at)
  if (type === igmp.QUERY) {
    snoop.query(V4, vtep, igmp.membershipSec(bytes, at, end), ipv4.src(bytes, ip) !== 0, tick)
    return 0
  }
  if (vtep === LOCAL) return 0
  if (type === igmp.REPORT_V3) {
    hearRecords4(snoop, vtep, bytes, off, at, end, tick)
    return 0
  }
  const isJoin = type !== igmp.LEAVE
  change4(snoop, vtep, igmp.group(bytes, at), isJoin, macOf(bytes, off), tick)
  return isJoin && snoop.withholds(V4, tick) ? drop.REPORT_KEPT : 0
}

/** The ICMPv6 message at `at` of the frame at `off`, whose checksum is right: as above. */
export function hearMld(
  snoop: Snoop,
  vtep: number,
  bytes: Uint8Array,
  off: number,
  at: number,
  end: number,
  tick: number,
): number {
  const ip = off + ethernet.LEN
  if (ipv6.hopLimit(bytes, ip) !== mld.HOP_LIMIT) return 0
  const type = mld.type(bytes, at)
  if (type === mld.QUERY) {
    snoop.query(V6, vtep, mld.membershipSec(bytes, at, end), ipv6.srcWord(bytes, ip, 0) !== 0, tick)
    return 0
  }
  if (vtep === LOCAL) return 0
  if (type === mld.REPORT_V2) {
    hearRecords6(snoop, vtep, bytes, off, at, end, tick)
    return 0
  }
  const isJoin = type !== mld.DONE
  const mac = macOf(bytes, off)
  const a = mld.groupWord(bytes, at, 0)
  const b = mld.groupWord(bytes, at, 1)
  const c = mld.groupWord(bytes, at, 2)
  const d = mld.groupWord(bytes, at, 3)
  change6(snoop, vtep, a, b, c, d, isJoin, mac, tick)
  return isJoin && isStream6(a) && snoop.withholds(V6, tick) ? drop.REPORT_KEPT : 0
}

function hearRecords4(
  snoop: Snoop,
  vtep: number,
  bytes: Uint8Array,
  off: number,
  at: number,
  end: number,
  tick: number,
): void {
  const mac = macOf(bytes, off)
  let record = igmp.firstRecord(at)
  for (let n = igmp.records(bytes, at); n > 0; n--) {
    const next = igmp.nextRecord(bytes, record, end)
    if (next === drop.NONE) return
    const kind = bytes[record]!
    const sources = igmp.sources(bytes, record)
    const isJoin = igmp.joins(kind, sources)
    if (isJoin || igmp.leaves(kind, sources)) {
      change4(snoop, vtep, igmp.recordGroup(bytes, record), isJoin, mac, tick)
    }
    record = next
  }
}

function hearRecords6(
  snoop: Snoop,
  vtep: number,
  bytes: Uint8Array,
  off: number,
  at: number,
  end: number,
  tick: number,
): void {
  const mac = macOf(bytes, off)
  let record = mld.firstRecord(at)
  for (let n = mld.records(bytes, at); n > 0; n--) {
    const next = mld.nextRecord(bytes, record, end)
    if (next === drop.NONE) return
    const kind = bytes[record]!
    const sources = mld.sources(bytes, record)
    const isJoin = igmp.joins(kind, sources)
    if (isJoin || igmp.leaves(kind, sources)) {
      const a = mld.recordWord(bytes, record, 0)
      const b = mld.recordWord(bytes, record, 1)
      const c = mld.recordWord(bytes, record, 2)
      change6(snoop, vtep, a, b, c, mld.recordWord(bytes, record, 3), isJoin, mac, tick)
    }
    record = next
  }
}

function change4(snoop: Snoop, vtep: number, group: number, isJoin: boolean, mac: number, tick: number): void {
  if (!isStream4(group)) return
  if (isJoin) snoop.joined(0, 0, MAPPED, group, vtep, mac, tick)
  else snoop.left(0, 0, MAPPED, group, vtep, mac, tick)
}

function change6(
  snoop: Snoop,
  vtep: number,
  a: number,
  b: number,
  c: number,
  d: number,
  isJoin: boolean,
  mac: number,
  tick: number,
): void {
  if (!isStream6(a)) return
  if (isJoin) snoop.joined(a, b, c, d, vtep, mac, tick)
  else snoop.left(a, b, c, d, vtep, mac, tick)
}

// The frame's source folded into a number that makes no garbage: two of one VTEP that meet in it count as one listener.
function macOf(bytes: Uint8Array, off: number): number {
  return ((ethernet.srcHi(bytes, off) << 14) ^ ethernet.srcLo(bytes, off)) & 0x3fffffff
}
