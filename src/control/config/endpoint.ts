// Where a peer or a listener is: `host`, `host:port`, bare IPv6, `[IPv6]:port`. Names are looked up by the agent, not here.
import { addressText, parseAddress } from '../cidr.ts'

export interface Endpoint {
  /** An address in canonical form, or a host name in lower case. */
  readonly host: string
  /** null: none was given. */
  readonly port: number | null
}

/** null when the text is none of the four forms. */
export function parseEndpoint(text: string): Endpoint | null {
  const address = parseAddress(text)
  if (address) return { host: addressText(address), port: null }
  const bracketed = /^\[([^\]]*)\](?::(\d+))?$/.exec(text)
  if (bracketed) {
    const inside = parseAddress(bracketed[1]!)
    return inside?.v6 ? withPort(addressText(inside), bracketed[2]) : null
  }
  const parts = /^([^:]+)(?::(\d+))?$/.exec(text)
  const host = parts && hostOf(parts[1]!)
  return host ? withPort(host, parts[2]) : null
}

/** `address:port`, as `parseEndpoint` reads it. */
export function endpointText(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

function withPort(host: string, digits: string | undefined): Endpoint | null {
  if (digits === undefined) return { host, port: null }
  const port = Number(digits)
  return port >= 1 && port <= 65535 ? { host, port } : null
}

// RFC 1123 §2.1 names, with the underscore that many sites use. One whose last label is a number is an address gone wrong.
function hostOf(text: string): string | null {
  const address = parseAddress(text)
  if (address) return addressText(address)
  if (text.length > 253 || !/^[a-z0-9]/i.test(text)) return null
  const labels = text.replace(/\.$/, '').split('.')
  if (!labels.every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(label))) return null
  return /^(\d+|0x[0-9a-f]*)$/i.test(labels.at(-1)!) ? null : text.toLowerCase()
}
