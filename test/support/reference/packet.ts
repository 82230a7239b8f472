// An Ethernet frame or IP packet taken apart the plain way: arrays of bytes, slices, objects. The twin of what src/wire's
// readers say about the same bytes; written from RFC 791, RFC 8200, RFC 4302 and RFC 6946.

export interface Packet {
  /** MACs, VLAN tags and type; empty without Ethernet. */
  readonly ethernet: readonly number[]
  readonly version: 4 | 6
  readonly src: readonly number[]
  readonly dst: readonly number[]
  /** Number in the fixed header. */
  readonly first: number
  /** Number behind all extension headers; null: cut, or not there in this fragment. */
  readonly protocol: number | null
  /** From the upper header to the packet's end; null like `protocol`. */
  readonly upper: readonly number[] | null
  readonly fragment: boolean
  /** Not the first fragment. */
  readonly later: boolean
  /** From the IP header to the end that the length field gives. */
  readonly bytes: readonly number[]
}

const TAGS = [0x8100, 0x88a8, 0x9100]
const EXTENSIONS = [0, 43, 44, 51, 60, 135]

/** The packet in `bytes`, or null when it is no whole IPv4 or IPv6 packet. */
export function parse(bytes: readonly number[], l2: boolean): Packet | null {
  if (!l2) return ip([], bytes, bytes[0] === undefined ? 0 : bytes[0] >> 4)
  if (bytes.length < 14) return null
  const header = ethernetLen(bytes)
  const type = u16(bytes, header - 2)
  const version = type === 0x0800 ? 4 : type === 0x86dd ? 6 : 0
  return ip(bytes.slice(0, header), bytes.slice(header), version)
}

/** Bytes up to the payload, at most two whole VLAN tags included. */
export function ethernetLen(bytes: readonly number[]): number {
  if (!TAGS.includes(u16(bytes, 12)) || bytes.length < 18) return 14
  return TAGS.includes(u16(bytes, 16)) && bytes.length >= 22 ? 22 : 18
}

function ip(ethernet: readonly number[], bytes: readonly number[], version: number): Packet | null {
  if (bytes[0] === undefined || bytes[0] >> 4 !== version) return null
  if (version === 4) return ip4(ethernet, bytes)
  return version === 6 ? ip6(ethernet, bytes) : null
}

function ip4(ethernet: readonly number[], bytes: readonly number[]): Packet | null {
  if (bytes.length < 20) return null
  const header = (bytes[0]! & 15) * 4
  const total = u16(bytes, 2)
  if (header < 20 || total < header || total > bytes.length) return null
  const more = (bytes[6]! & 0x20) !== 0
  const offset = u16(bytes, 6) % 0x2000
  const packet = bytes.slice(0, total)
  return {
    ethernet,
    version: 4,
    src: bytes.slice(12, 16),
    dst: bytes.slice(16, 20),
    first: bytes[9]!,
    protocol: bytes[9]!,
    upper: packet.slice(header),
    fragment: more || offset !== 0,
    later: offset !== 0,
    bytes: packet,
  }
}

function ip6(ethernet: readonly number[], bytes: readonly number[]): Packet | null {
  if (bytes.length < 40) return null
  const total = 40 + u16(bytes, 4)
  if (total > bytes.length) return null
  const packet = bytes.slice(0, total)
  return {
    ethernet,
    version: 6,
    src: bytes.slice(8, 24),
    dst: bytes.slice(24, 40),
    first: bytes[6]!,
    ...behindExtensions(bytes[6]!, packet.slice(40)),
    bytes: packet,
  }
}

type Upper = Pick<Packet, 'protocol' | 'upper' | 'fragment' | 'later'>

/** At most eight headers are looked through; whether this is a fragment the first fragment header says. */
function behindExtensions(kind: number, rest: readonly number[], split: boolean | null = null, depth = 0): Upper {
  const fragment = split ?? false
  if (!EXTENSIONS.includes(kind)) return { protocol: kind, upper: rest, fragment, later: false }
  const len = kind === 44 ? 8 : kind === 51 ? ((rest[1] ?? 0) + 2) * 4 : ((rest[1] ?? 0) + 1) * 8
  if (depth === 8 || rest.length < 8 || rest.length < len) {
    return { protocol: null, upper: null, fragment, later: false }
  }
  if (kind !== 44) return behindExtensions(rest[0]!, rest.slice(len), split, depth + 1)
  const offset = u16(rest, 2) >> 3
  const more = (rest[3]! & 1) === 1
  const part = split ?? (more || offset !== 0)
  if (offset !== 0) return { protocol: null, upper: null, fragment: part, later: true }
  return behindExtensions(rest[0]!, rest.slice(len), part, depth + 1)
}

export function u16(bytes: readonly number[], at: number): number {
  return (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0)
}
