// Route netlink messages as bytes: what netdev.ts asks and how the answers read. Numbers are in host order. Cold.
// rtnetlink(7), linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h.
import { isIPv4 } from 'node:net'
import { endianness } from 'node:os'

export const RTM_NEWLINK = 16
export const RTM_DELLINK = 17
export const RTM_GETLINK = 18
export const RTM_NEWADDR = 20
export const RTM_DELADDR = 21
export const RTM_GETADDR = 22
export const RTM_NEWROUTE = 24
export const RTM_DELROUTE = 25
export const RTM_GETROUTE = 26

export const NLM_F_REQUEST = 1
export const NLM_F_ACK = 4
export const NLM_F_DUMP = 0x300
export const NLM_F_EXCL = 0x200
export const NLM_F_CREATE = 0x400

export const AF_INET = 2
export const AF_INET6 = 10

const LITTLE = endianness() === 'LE'
const HEADER = 16

export interface Attribute {
  readonly type: number
  readonly value: Uint8Array
}

/** One request: header, the family's fixed part, attributes. */
export function message(type: number, flags: number, fixed: Uint8Array, attributes: readonly Attribute[]): Uint8Array {
  const body = Buffer.concat([pad(fixed), ...attributes.map(attribute)])
  const out = new Uint8Array(HEADER + body.length)
  const view = new DataView(out.buffer)
  view.setUint32(0, out.length, LITTLE)
  view.setUint16(4, type, LITTLE)
  view.setUint16(6, flags | NLM_F_REQUEST, LITTLE)
  view.setUint32(8, 1, LITTLE)
  out.set(body, HEADER)
  return out
}

/** A message of an answer: its type, its fixed part of `size` bytes, its attributes by type. */
export function parse(
  bytes: Uint8Array,
  size: number,
): { type: number; fixed: DataView; attributes: Map<number, Uint8Array> } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const fixed = new DataView(bytes.buffer, bytes.byteOffset + HEADER, size)
  return { type: view.getUint16(4, LITTLE), fixed, attributes: attributesIn(bytes.subarray(HEADER + align(size))) }
}

/** Attributes in a run of bytes; nested ones are read by calling it again. */
export function attributesIn(bytes: Uint8Array): Map<number, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const out = new Map<number, Uint8Array>()
  for (let at = 0; at + 4 <= bytes.length; ) {
    const len = view.getUint16(at, LITTLE)
    if (len < 4 || at + len > bytes.length) break
    out.set(view.getUint16(at + 2, LITTLE) & 0x3fff, bytes.subarray(at + 4, at + len))
    at += align(len)
  }
  return out
}

export function u32(value: number): Uint8Array {
  const out = new Uint8Array(4)
  new DataView(out.buffer).setUint32(0, value, LITTLE)
  return out
}

export function readU32(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, LITTLE)
}

export function text(value: string): Uint8Array {
  return Buffer.from(`${value}\0`)
}

export function readText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8').replace(/\0+$/, '')
}

export function nested(type: number, attributes: readonly Attribute[]): Attribute {
  return { type, value: Buffer.concat(attributes.map(attribute)) }
}

/** ifinfomsg. */
export function ifinfo(index: number, flags = 0, change = 0): Uint8Array {
  const out = new Uint8Array(16)
  const view = new DataView(out.buffer)
  view.setInt32(4, index, LITTLE)
  view.setUint32(8, flags, LITTLE)
  view.setUint32(12, change, LITTLE)
  return out
}

/** ifaddrmsg. */
export function ifaddr(family: number, length: number, index: number): Uint8Array {
  const out = new Uint8Array(8)
  out[0] = family
  out[1] = length
  new DataView(out.buffer).setUint32(4, index, LITTLE)
  return out
}

/** rtmsg for a unicast route in the main table. */
export function rtmsg(family: number, length: number, protocol: number, scope: number): Uint8Array {
  const RT_TABLE_MAIN = 254
  const RTN_UNICAST = 1
  return Uint8Array.of(family, length, 0, 0, RT_TABLE_MAIN, protocol, scope, RTN_UNICAST, 0, 0, 0, 0)
}

/** Host order of a fixed part's numbers. */
export const littleEndian = LITTLE

/** 4 or 16 bytes of a numeric address. */
export function addressBytes(address: string): Uint8Array {
  if (isIPv4(address)) return Uint8Array.from(address.split('.'), Number)
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address)
  const hex = dotted
    ? `${dotted[1]}${pair(dotted[2]!, dotted[3]!)}:${pair(dotted[4]!, dotted[5]!)}`
    : address.split('%')[0]!
  const [left, right] = hex.split('::') as [string, string | undefined]
  const head = left === '' ? [] : left.split(':')
  const tail = right === undefined || right === '' ? [] : right.split(':')
  const groups = [...head, ...new Array<string>(8 - head.length - tail.length).fill('0'), ...tail]
  return Uint8Array.from(groups.flatMap((g) => [Number.parseInt(g, 16) >> 8, Number.parseInt(g, 16) & 255]))
}

/** Usual text of 4 or 16 bytes. */
export function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  const groups: string[] = []
  for (let k = 0; k < 16; k += 2) groups.push(((bytes[k]! << 8) | bytes[k + 1]!).toString(16))
  return compress(groups)
}

// RFC 5952 §4.2: the longest run of two or more zero groups, the first of equals, becomes `::`.
function compress(groups: string[]): string {
  let best = 0
  let from = -1
  for (let k = 0; k < 8; k++) {
    let n = 0
    while (k + n < 8 && groups[k + n] === '0') n++
    if (n > best && n > 1) {
      best = n
      from = k
    }
  }
  if (from < 0) return groups.join(':')
  return `${groups.slice(0, from).join(':')}::${groups.slice(from + best).join(':')}`
}

function pair(a: string, b: string): string {
  return ((Number(a) << 8) | Number(b)).toString(16)
}

function attribute(a: Attribute): Uint8Array {
  const out = new Uint8Array(align(4 + a.value.length))
  const view = new DataView(out.buffer)
  view.setUint16(0, 4 + a.value.length, LITTLE)
  view.setUint16(2, a.type, LITTLE)
  out.set(a.value, 4)
  return out
}

function pad(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(align(bytes.length))
  out.set(bytes)
  return out
}

function align(n: number): number {
  return (n + 3) & ~3
}
