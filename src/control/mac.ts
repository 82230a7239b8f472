// MAC addresses as text.
import { createHash } from 'node:crypto'

const MAC = /^[0-9a-f]{2}([:-])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}$/i

/** Six pairs of hexadecimal digits, for JSON Schema. */
export const MAC_PATTERN = '^[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}$'

/** Lower case with colons, or null when the text is no MAC address. */
export function parseMac(text: string): string | null {
  return MAC.test(text) ? text.toLowerCase().replaceAll('-', ':') : null
}

/** Whether a parsed MAC names a group of stations. */
export function isGroupMac(mac: string): boolean {
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1
}

/** Whether a parsed MAC is 00:00:00:00:00:00, which is nobody's. */
export function isZeroMac(mac: string): boolean {
  return mac === '00:00:00:00:00:00'
}

/** Usual text of six bytes. */
export function macText(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join(':')
}

/** Locally administered, and the same for the same text. */
export function hashedMac(text: string): string {
  const hash = createHash('sha256').update(text).digest()
  const first = (hash[0]! & 0xfc) | 2
  return [first, ...hash.subarray(1, 6)].map((b) => b.toString(16).padStart(2, '0')).join(':')
}

/** What is wrong with the MAC of a station as somebody typed it; null: nothing. */
export function stationFault(text: string): string | null {
  const mac = parseMac(text)
  if (mac === null) return `want six pairs of hexadecimal digits, got "${text}"`
  return isGroupMac(mac) || isZeroMac(mac) ? `${mac} is not the address of one station` : null
}
