// WireGuard's configuration protocol (https://www.wireguard.com/xplatform/#configuration-protocol) as text in and out: what
// wg(8) says to a device's socket and what it is answered. Pure; uapi-socket.ts has the socket. A request is taken as it comes,
// section by section (the device's keys, then one peer at a time), so that one of any size needs little memory. Cold.
//
//   get=1 \n \n                        → the device, errno=0
//   set=1 \n key=value … \n \n         → errno=0, or minus the number of the first fault; what stood before it is done
import { KEY_LEN } from '../key.ts'
import { DeviceSection, keyOf, PeerSection, textOf } from './uapi-section.ts'

/** errno(3), as Linux numbers them; UNKNOWN is wireguard-go's word for a fault without a number. */
export const ENODEV = 19
export const EINVAL = 22
export const EPROTO = 71
export const EADDRINUSE = 98
export const UNKNOWN = 55

/** Bytes of a line without its end; the longest that means anything has 86. */
export const LINE_MAX = 256
/** Allowed-ips after which a peer's section is delivered in parts. */
export const PART_MAX = 8192

/** Why a change is refused: a number of errno(3), positive. */
export class UapiError extends Error {
  readonly errno: number

  constructor(errno: number, message: string) {
    super(message)
    this.errno = errno
  }
}

export interface UapiEndpoint {
  /** A numeric address, canonical; a link-local one perhaps with its zone, a name or an index. */
  readonly address: string
  readonly port: number
}

/** One section of a set. null and false: not named, stays as it is. The keys are the taker's to keep or to zero. */
export interface DeviceChange {
  /** 32 bytes; all zero: none. */
  readonly privateKey: Uint8Array | null
  /** 0: by chance. */
  readonly listenPort: number | null
  /** 0: off. */
  readonly fwmark: number | null
  /** Removes all peers, before anything else. */
  readonly replacePeers: boolean
  /** A section has the keys of the device, or those of one peer. */
  readonly peer: PeerChange | null
}

export interface PeerChange {
  readonly publicKey: Uint8Array
  readonly remove: boolean
  /** Does not make a peer that is not there. Second and later parts of a section say so too. */
  readonly updateOnly: boolean
  /** All zero: none. */
  readonly presharedKey: Uint8Array | null
  readonly endpoint: UapiEndpoint | null
  /** 0: off. */
  readonly keepaliveSec: number | null
  /** Takes away all prefixes, before those below are added. */
  readonly replaceAllowedIps: boolean
  /** In order. */
  readonly allowedIps: readonly PrefixChange[]
}

export interface PrefixChange {
  /** Canonical ADDRESS/LENGTH without host bits. */
  readonly prefix: string
  readonly remove: boolean
}

/** What a get answers. Who formats it zeroes the secrets: they are copies. */
export interface UapiDevice {
  readonly privateKey: Uint8Array | null
  /** 0: not open. */
  readonly listenPort: number
  readonly fwmark: number
  readonly peers: readonly UapiPeer[]
}

export interface UapiPeer {
  readonly publicKey: Uint8Array
  readonly presharedKey: Uint8Array | null
  readonly endpoint: UapiEndpoint | null
  /** Since 1970; null: never. */
  readonly lastHandshake: { readonly sec: number; readonly nsec: number } | null
  /** Of UDP payload, handshakes included. */
  readonly rxBytes: number
  readonly txBytes: number
  readonly keepaliveSec: number
  readonly allowedIps: Iterable<string>
}

/** What a client has said, in order. */
export type UapiEvent =
  | { readonly kind: 'get' }
  | { readonly kind: 'set'; readonly change: DeviceChange }
  /** A request is over, and is answered with `errno` (0: well, negative: of a set). */
  | { readonly kind: 'end'; readonly errno: number }
  /** What was said is no request: there is no telling where the next one begins. */
  | { readonly kind: 'hang-up' }

const NEWLINE = 0x0a
const EQUALS = 0x3d

type Mode = 'idle' | 'get' | 'set' | 'skip' | 'closed'

/** The requests of one connection. Holds at most a line and a part of a section, whatever comes in. */
export class UapiParser {
  private readonly line = new Uint8Array(LINE_MAX)
  private length = 0
  private mode: Mode = 'idle'
  /** Of the request that is skipped over. */
  private errno = 0
  private device = new DeviceSection()
  private peer: PeerSection | null = null
  private events: UapiEvent[] = []

  /** Takes bytes, which stay the caller's. Never throws. */
  push(chunk: Uint8Array): UapiEvent[] {
    let from = 0
    while (from < chunk.length && this.mode !== 'closed') {
      const newline = chunk.indexOf(NEWLINE, from)
      const end = newline < 0 ? chunk.length : newline
      this.gather(chunk, from, end)
      if (newline < 0) break
      this.endLine()
      from = newline + 1
    }
    const { events } = this
    this.events = []
    return events
  }

  /** The connection is over: forgets what was not said whole. */
  close(): void {
    this.line.fill(0)
    this.device.wipe()
    this.peer?.wipe()
    this.mode = 'closed'
  }

  private gather(chunk: Uint8Array, from: number, end: number): void {
    if (this.length > LINE_MAX) return
    const length = this.length + end - from
    if (length <= LINE_MAX) this.line.set(chunk.subarray(from, end), this.length)
    // Of a line that is too long nothing more is kept than that it is.
    this.length = Math.min(length, LINE_MAX + 1)
  }

  private endLine(): void {
    const length = Math.min(this.length, LINE_MAX)
    const line = this.line.subarray(0, length)
    if (this.length > LINE_MAX) this.takeLongLine()
    else if (this.mode === 'idle') this.takeOperation(textOf(line))
    else if (length === 0) this.endRequest()
    else if (this.mode === 'set') this.takeLine(line)
    else if (this.mode === 'get') this.fail(EINVAL)
    line.fill(0)
    this.length = 0
  }

  private takeLongLine(): void {
    if (this.mode === 'idle') this.hangUp()
    else if (this.mode === 'set') this.fail(-EPROTO)
    else if (this.mode === 'get') this.fail(EINVAL)
  }

  private takeOperation(text: string): void {
    if (text === 'get=1') this.mode = 'get'
    else if (text === 'set=1') this.mode = 'set'
    else this.hangUp()
  }

  private hangUp(): void {
    this.events.push({ kind: 'hang-up' })
    this.mode = 'closed'
  }

  private endRequest(): void {
    this.deliver()
    this.events.push(this.mode === 'get' ? { kind: 'get' } : { kind: 'end', errno: this.errno })
    this.peer = null
    this.errno = 0
    this.mode = 'idle'
  }

  // What stood before a fault is done, what stands behind it is not read. wg(8) writes its request whole before it reads, so
  // the answer comes when the request has ended.
  private fail(errno: number): void {
    this.deliver()
    this.errno = errno
    this.mode = 'skip'
  }

  private takeLine(line: Uint8Array): void {
    const equals = line.indexOf(EQUALS)
    if (equals < 0) {
      this.fail(-EPROTO)
      return
    }
    const key = textOf(line.subarray(0, equals))
    const value = line.subarray(equals + 1)
    if (key === 'public_key') this.beginPeer(value)
    else if (!(this.peer ?? this.device).take(key, value)) this.fail(-EINVAL)
    else if (this.peer && this.peer.size >= PART_MAX) this.deliver()
  }

  private beginPeer(value: Uint8Array): void {
    this.deliver()
    const publicKey = keyOf(value)
    this.peer = publicKey && new PeerSection(publicKey)
    if (!publicKey) this.fail(-EINVAL)
  }

  private deliver(): void {
    const device = this.device.change()
    const peer = this.peer?.change()
    if (device) {
      this.events.push({ kind: 'set', change: device })
      this.device = new DeviceSection()
    }
    if (!this.peer || !peer) return
    this.events.push({ kind: 'set', change: { ...NO_CHANGE, peer } })
    this.peer = this.peer.rest()
  }
}

const NO_CHANGE = { privateKey: null, listenPort: null, fwmark: null, replacePeers: false, peer: null }

/** The answer to a get: the device, errno=0 and an empty line. Bytes, since it holds keys: zero it once it is sent. */
export function formatDevice(device: UapiDevice): Uint8Array {
  const out = new Writer()
  if (device.privateKey) out.key('private_key', device.privateKey)
  if (device.listenPort !== 0) out.text(`listen_port=${device.listenPort}\n`)
  if (device.fwmark !== 0) out.text(`fwmark=${device.fwmark}\n`)
  for (const peer of device.peers) formatPeer(out, peer)
  out.text('errno=0\n\n')
  return out.bytes()
}

function formatPeer(out: Writer, peer: UapiPeer): void {
  const { endpoint, lastHandshake } = peer
  out.key('public_key', peer.publicKey)
  out.key('preshared_key', peer.presharedKey ?? NO_KEY)
  out.text('protocol_version=1\n')
  if (endpoint) out.text(`endpoint=${endpointText(endpoint)}\n`)
  out.text(`last_handshake_time_sec=${lastHandshake?.sec ?? 0}\n`)
  out.text(`last_handshake_time_nsec=${lastHandshake?.nsec ?? 0}\n`)
  out.text(`tx_bytes=${peer.txBytes}\nrx_bytes=${peer.rxBytes}\n`)
  out.text(`persistent_keepalive_interval=${peer.keepaliveSec}\n`)
  for (const prefix of peer.allowedIps) out.text(`allowed_ip=${prefix}\n`)
}

const NO_KEY = new Uint8Array(KEY_LEN)

/** The end of every answer: 0, minus an errno after a set, an errno after a get (wg(8) takes each for what it is). */
export function formatErrno(errno: number): Uint8Array {
  return Buffer.from(`errno=${errno}\n\n`, 'latin1')
}

function endpointText({ address, port }: UapiEndpoint): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

// Text and keys into one array, which leaves no copy of a key behind when it grows.
class Writer {
  private buffer = Buffer.alloc(4096)
  private length = 0

  text(text: string): void {
    this.reserve(text.length)
    this.length += this.buffer.write(text, this.length, 'latin1')
  }

  key(name: string, key: Uint8Array): void {
    this.text(`${name}=`)
    this.reserve(2 * key.length)
    for (const byte of key) {
      this.buffer[this.length++] = digit(byte >> 4)
      this.buffer[this.length++] = digit(byte & 0xf)
    }
    this.text('\n')
  }

  bytes(): Uint8Array {
    return this.buffer.subarray(0, this.length)
  }

  private reserve(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return
    const old = this.buffer
    this.buffer = Buffer.alloc(2 * (old.length + bytes))
    this.buffer.set(old.subarray(0, this.length))
    old.fill(0)
  }
}

function digit(nibble: number): number {
  return nibble < 10 ? 0x30 + nibble : 0x57 + nibble
}
