// The answer to a packet that is too big, put together field by field as RFC 1191 §4 and RFC 4443 §3.2 draw it.
import { checksum } from './checksum.ts'
import { type Packet, parse } from './packet.ts'

/** Bytes of the answer, or null when none is due. */
export function tooBig(bytes: readonly number[], l2: boolean, mtu: number): number[] | null {
  const packet = parse(bytes, l2)
  if (packet === null || packet.later) return null
  const macs = packet.ethernet
  if (l2 && (macs[0]! % 2 === 1 || macs[6]! % 2 === 1)) return null
  if (!isHost(packet.src) || !isHost(packet.dst)) return null
  const answer = packet.version === 4 ? answer4(packet, mtu) : answer6(packet, mtu)
  return answer && [...macs.slice(6, 12), ...macs.slice(0, 6), ...macs.slice(12), ...answer]
}

function isHost(address: readonly number[]): boolean {
  const text = address.join('.')
  if (address.length === 4) {
    if (text === '255.255.255.255' || address[0] === 0 || address[0] === 127) return false
    return address[0]! < 224 || address[0]! > 239
  }
  const loopback = [...new Array<number>(15).fill(0), 1].join('.')
  return address[0] !== 255 && text !== loopback && address.some((byte) => byte !== 0)
}

function answer4(packet: Packet, mtu: number): number[] | null {
  if (mtu < 68) return null
  if (packet.protocol === 1 && [undefined, 3, 4, 5, 11, 12].includes(packet.upper![0])) return null
  const body = [3, 4, 0, 0, 0, 0, ...be16(Math.min(mtu, 65535)), ...packet.bytes.slice(0, 548)]
  body.splice(2, 2, ...be16(checksum(body)))
  const header = [0x45, 0, ...be16(20 + body.length), 0, 0, 0x40, 0, 64, 1, 0, 0, ...packet.dst, ...packet.src]
  header.splice(10, 2, ...be16(checksum(header)))
  return [...header, ...body]
}

function answer6(packet: Packet, mtu: number): number[] | null {
  if (mtu < 1280 || packet.upper === null) return null
  const type = packet.upper[0] ?? 0
  if (packet.protocol === 58 && (type < 128 || type === 137)) return null
  const body = [2, 0, 0, 0, ...be32(mtu), ...packet.bytes.slice(0, 1232)]
  const pseudo = [...packet.dst, ...packet.src, ...be32(body.length), 0, 0, 0, 58]
  body.splice(2, 2, ...be16(checksum([...pseudo, ...body])))
  return [0x60, 0, 0, 0, ...be16(body.length), 58, 64, ...packet.dst, ...packet.src, ...body]
}

function be16(n: number): number[] {
  return [n >> 8, n % 256]
}

function be32(n: number): number[] {
  return [...be16(Math.floor(n / 65536)), ...be16(n % 65536)]
}
