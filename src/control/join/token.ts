// An invitation as one line to type: who invites whom to what, where the host is, and the keys of a tunnel to it that is good for
// one exchange (docs/command-line.md). Whoever holds it may use it once. Altered anywhere, it is none: a checksum stands at the end, and
// there is one text only for the same bytes.
//
//   vtepd1- base64url( expiry 6 │ private key 32 │ public key of the host 32 │ preshared key 32 │ VNI 3
//                      │ network │ name │ host       a length byte and as many bytes of ASCII each
//                      │ endpoints                   a count; each: 4, 6 or 0, then the address, or a length and a name; port 2
//                      │ checksum 6                  the first bytes of SHA-256 over all before, the prefix included )
import { createHash } from 'node:crypto'
import { isIP } from 'node:net'
import { addressText, parseAddress } from '../cidr.ts'
import { type Endpoint, parseEndpoint } from '../config/endpoint.ts'
import { isZeroKey, KEY_LEN } from '../key.ts'
import { Secret } from '../secret.ts'

const PREFIX = 'vtepd1-'
const CHECKSUM = 6
/** Characters; the longest that `encodeToken` makes is a fourth of it. */
const LENGTH_MAX = 8192
export const ENDPOINTS_MAX = 8
/** A host's or a network's name, which is also part of a file's name. */
export const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/

export interface Token {
  /** Seconds since 1970, by the clock of the host that invites. */
  readonly expires: number
  /** The one-time key; its public half is what the host lists. */
  readonly privateKey: Secret
  /** Of the host that invites. */
  readonly publicKey: Uint8Array
  readonly presharedKey: Secret
  readonly network: string
  readonly vni: number
  /** What the invited host is to be called. */
  readonly name: string
  /** What the host that invites is called. */
  readonly host: string
  /** Where it is; the port is never null. */
  readonly endpoints: readonly Endpoint[]
}

/** Why a text is no token, and what to do. */
export class TokenError extends Error {}

export function encodeToken(t: Token): string {
  const head = Buffer.alloc(6 + 3 * KEY_LEN + 3)
  const [privateKey, presharedKey] = [t.privateKey.copy(), t.presharedKey.copy()]
  head.writeUIntBE(t.expires, 0, 6)
  head.set(privateKey, 6)
  head.set(t.publicKey, 6 + KEY_LEN)
  head.set(presharedKey, 6 + 2 * KEY_LEN)
  head.writeUIntBE(t.vni, 6 + 3 * KEY_LEN, 3)
  privateKey.fill(0)
  presharedKey.fill(0)
  const names = [t.network, t.name, t.host].map(short)
  const body = Buffer.concat([head, ...names, Uint8Array.of(t.endpoints.length), ...t.endpoints.map(endpointBytes)])
  const whole = Buffer.concat([body, checksum(body)])
  const text = PREFIX + whole.toString('base64url')
  for (const bytes of [head, body, whole]) bytes.fill(0)
  return text
}

/** Throws TokenError. Blanks and line ends, which a terminal may have put in, do not count. */
export function decodeToken(given: string): Token {
  const text = given.replaceAll(/\s+/g, '')
  if (text.length > LENGTH_MAX || !text.startsWith(PREFIX)) throw new TokenError(notOne(text))
  const bytes = Buffer.from(text.slice(PREFIX.length), 'base64url')
  try {
    // Node steps over strange characters, and over the stray bits of the last one.
    const body = bytes.subarray(0, Math.max(0, bytes.length - CHECKSUM))
    const same = bytes.toString('base64url') === text.slice(PREFIX.length)
    if (!same || !checksum(body).equals(bytes.subarray(body.length))) {
      throw new TokenError('the token is damaged: its checksum is wrong; copy it again, whole')
    }
    return new Reader(body).token()
  } finally {
    bytes.fill(0)
  }
}

function notOne(text: string): string {
  if (text === '') return 'there is no token; give the line that `vtepd invite` printed on the first host'
  if (/^vtepd\d+-/.test(text)) return 'the token was made by another version of vtepd; bring both hosts to one'
  return 'this is no token; want the line that `vtepd invite` printed on the first host, from vtepd1- on'
}

function checksum(body: Uint8Array): Buffer {
  return createHash('sha256').update(PREFIX).update(body).digest().subarray(0, CHECKSUM)
}

function short(text: string): Buffer {
  return Buffer.from([text.length, ...Buffer.from(text, 'ascii')])
}

function endpointBytes({ host, port }: Endpoint): Buffer {
  const kind = isIP(host)
  const name = kind === 0 ? short(host) : Buffer.from(addressBytes(host))
  return Buffer.concat([Uint8Array.of(kind), name, Uint8Array.of(port! >> 8, port! & 0xff)])
}

function addressBytes(text: string): number[] {
  const { v6, value } = parseAddress(text)!
  const length = v6 ? 16 : 4
  return Array.from({ length }, (_, i) => Number((value >> BigInt(8 * (length - 1 - i))) & 0xffn))
}

// The checksum was right: who made it knew the form. What does not fit it all the same was made by somebody with other ideas.
class Reader {
  private readonly bytes: Buffer
  private at = 0

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  token(): Token {
    const expires = this.number(6)
    const privateKey = new Secret(this.key())
    const publicKey = Uint8Array.from(this.key())
    const presharedKey = new Secret(this.key())
    const vni = this.number(3)
    const [network, name, host] = [this.name(), this.name(), this.name()]
    const count = this.number(1)
    if (count < 1 || count > ENDPOINTS_MAX) throw malformed()
    const endpoints = Array.from({ length: count }, () => this.endpoint())
    if (this.at !== this.bytes.length) throw malformed()
    return { expires, privateKey, publicKey, presharedKey, network, vni, name, host, endpoints }
  }

  private take(n: number): Buffer {
    const end = this.at + n
    if (end > this.bytes.length) throw malformed()
    const part = this.bytes.subarray(this.at, end)
    this.at = end
    return part
  }

  private number(n: number): number {
    return this.take(n).readUIntBE(0, n)
  }

  private key(): Buffer {
    const key = this.take(KEY_LEN)
    if (isZeroKey(key)) throw malformed()
    return key
  }

  private text(): string {
    return this.take(this.number(1)).toString('ascii')
  }

  private name(): string {
    const name = this.text()
    if (!NAME.test(name)) throw malformed()
    return name
  }

  private endpoint(): Endpoint {
    const kind = this.number(1)
    let host: string
    if (kind === 0) host = this.text()
    else if (kind === 4 || kind === 6) {
      const value = this.take(kind === 4 ? 4 : 16).reduce((n, byte) => (n << 8n) | BigInt(byte), 0n)
      host = addressText({ v6: kind === 6, value, length: kind === 4 ? 32 : 128 })
    } else throw malformed()
    const port = this.number(2)
    // It will be written into a configuration.
    const known = parseEndpoint(host)
    if (known?.port !== null || port === 0) throw malformed()
    return { host: known.host, port }
  }
}

function malformed(): TokenError {
  return new TokenError('the token was made by something that is no vtepd of this version; make it anew there')
}
