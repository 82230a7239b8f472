// What flow.hash promises, spelled out: the words that make a flow, then MurmurHash3 (x86, 32 bits) in BigInt, where nothing
// overflows by accident.
import { parse } from './packet.ts'

const PORTS = [6, 17, 132]

/** Hash of the flow; `bytes` is the frame or packet and nothing else. */
export function hash(bytes: readonly number[], l2: boolean, seed: number): number {
  const packet = parse(bytes, l2)
  if (packet === null) return murmur(l2 ? ethernet(bytes) : [], seed)
  const addresses = [...words(packet.src), ...words(packet.dst)]
  if (packet.fragment) return murmur([...addresses, packet.first], seed)
  // An extension header that is cut leaves no protocol: -1, like NONE.
  const protocol = packet.protocol ?? -1
  const upper = packet.upper ?? []
  const ports = PORTS.includes(protocol) && upper.length >= 4 ? words(upper.slice(0, 4)) : []
  return murmur([...addresses, protocol, ...ports], seed)
}

/** Hash of the pair of hosts. */
export function hosts(bytes: readonly number[], l2: boolean, seed: number): number {
  const packet = parse(bytes, l2)
  if (packet === null) return murmur(l2 ? ethernet(bytes) : [], seed)
  return murmur([...words(packet.src), ...words(packet.dst)], seed)
}

/** Low words of the MACs, high words together, type. */
function ethernet(bytes: readonly number[]): number[] {
  if (bytes.length < 14) return []
  const [dstLo, srcLo] = [bytes.slice(2, 6), bytes.slice(8, 12)]
  const high = [...bytes.slice(0, 2), ...bytes.slice(6, 8)]
  return [...words(dstLo), ...words(srcLo), ...words(high), bytes[12]! * 256 + bytes[13]!]
}

function words(bytes: readonly number[]): number[] {
  const out: number[] = []
  for (let k = 0; k < bytes.length; k += 4) {
    out.push(((bytes[k]! * 256 + bytes[k + 1]!) * 256 + bytes[k + 2]!) * 256 + bytes[k + 3]!)
  }
  return out
}

const U32 = 0x1_0000_0000n

function murmur(keys: readonly number[], seed: number): number {
  let h = modulo(BigInt(seed))
  for (const key of keys) {
    let k = modulo(BigInt(key) * 0xcc9e2d51n)
    k = modulo(rotate(k, 15n) * 0x1b873593n)
    h = modulo(rotate(h ^ k, 13n) * 5n + 0xe6546b64n)
  }
  h ^= h >> 16n
  h = modulo(h * 0x85ebca6bn)
  h ^= h >> 13n
  h = modulo(h * 0xc2b2ae35n)
  return Number(BigInt.asIntN(32, h ^ (h >> 16n)))
}

function modulo(x: bigint): bigint {
  return ((x % U32) + U32) % U32
}

function rotate(x: bigint, by: bigint): bigint {
  return modulo((x << by) | (x >> (32n - by)))
}
