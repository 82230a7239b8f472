// A section of a set of WireGuard's configuration protocol (uapi.ts) while its lines come in: the table of keys, and what each
// takes as a value. What wireguard-go refuses is refused. Pure. Cold.
import { addressText, cidrText, isLinkLocal6, network, parseAddress, parseCidr } from '../cidr.ts'
import { KEY_LEN } from '../key.ts'
import type { DeviceChange, PeerChange, PrefixChange, UapiEndpoint } from './uapi.ts'

type Fields<T> = { -readonly [K in keyof T]: T[K] }
/** What a value says, or null when it is none. */
type Read<T> = (value: Uint8Array) => Partial<T> | null
type DeviceFields = Omit<Fields<DeviceChange>, 'peer'>
type PeerFields = Omit<Fields<PeerChange>, 'publicKey' | 'allowedIps'>

const DEVICE: Readonly<Record<string, Read<DeviceFields>>> = {
  private_key: (value) => field('privateKey', keyOf(value)),
  listen_port: (value) => field('listenPort', numberOf(value, 0xffff)),
  fwmark: (value) => field('fwmark', numberOf(value, 0xffffffff)),
  replace_peers: (value) => field('replacePeers', trueOf(value)),
}

const PEER: Readonly<Record<string, Read<PeerFields>>> = {
  remove: (value) => field('remove', trueOf(value)),
  update_only: (value) => field('updateOnly', trueOf(value)),
  preshared_key: (value) => field('presharedKey', keyOf(value)),
  endpoint: (value) => field('endpoint', endpointOf(textOf(value))),
  persistent_keepalive_interval: (value) => field('keepaliveSec', numberOf(value, 0xffff)),
  replace_allowed_ips: (value) => field('replaceAllowedIps', trueOf(value)),
  protocol_version: (value) => (textOf(value) === '1' ? {} : null),
}

export class DeviceSection {
  private readonly fields: DeviceFields = { privateKey: null, listenPort: null, fwmark: null, replacePeers: false }
  private isNamed = false

  /** False: no key of a device, or no value for it. */
  take(key: string, value: Uint8Array): boolean {
    const read = Object.hasOwn(DEVICE, key) ? DEVICE[key]!(value) : null
    if (!read) return false
    if (read.privateKey) this.wipe()
    Object.assign(this.fields, read)
    this.isNamed = true
    return true
  }

  /** null: nothing was said. */
  change(): DeviceChange | null {
    return this.isNamed ? { ...this.fields, peer: null } : null
  }

  wipe(): void {
    this.fields.privateKey?.fill(0)
  }
}

export class PeerSection {
  private readonly publicKey: Uint8Array
  /** Another part of the section went before. */
  private readonly isLater: boolean
  private readonly fields: PeerFields
  private allowedIps: PrefixChange[] = []
  private isNamed: boolean

  constructor(publicKey: Uint8Array, isLater = false) {
    this.publicKey = publicKey
    this.isLater = isLater
    // To name a peer is to make it; the first part has done so if anybody may.
    this.isNamed = !isLater
    this.fields = {
      remove: false,
      updateOnly: isLater,
      presharedKey: null,
      endpoint: null,
      keepaliveSec: null,
      replaceAllowedIps: false,
    }
  }

  /** Prefixes that wait in this part. */
  get size(): number {
    return this.allowedIps.length
  }

  /** False: no key of a peer, or no value for it. */
  take(key: string, value: Uint8Array): boolean {
    if (key === 'allowed_ip') return this.takePrefix(value)
    const read = Object.hasOwn(PEER, key) ? PEER[key]!(value) : null
    // What a first part has done cannot be made to depend on anything any more.
    if (!read || (read.updateOnly && this.isLater)) return false
    if (read.presharedKey) this.wipe()
    if (read.replaceAllowedIps) this.allowedIps = []
    Object.assign(this.fields, read)
    this.isNamed = true
    return true
  }

  /** null: nothing was said. */
  change(): PeerChange | null {
    const { publicKey, allowedIps } = this
    return this.isNamed ? { publicKey, ...this.fields, allowedIps } : null
  }

  /** What comes after a part. */
  rest(): PeerSection {
    return new PeerSection(this.publicKey, true)
  }

  wipe(): void {
    this.fields.presharedKey?.fill(0)
  }

  private takePrefix(value: Uint8Array): boolean {
    const change = prefixOf(textOf(value))
    if (!change) return false
    this.allowedIps.push(change)
    this.isNamed = true
    return true
  }
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

/** The key in 64 hexadecimal digits, or null. Makes no string: those cannot be zeroed. */
export function keyOf(value: Uint8Array): Uint8Array | null {
  if (value.length !== 2 * KEY_LEN) return null
  const key = new Uint8Array(KEY_LEN)
  let bad = 0
  for (let i = 0; i < KEY_LEN; i++) {
    const byte = (nibble(value[2 * i]!) << 4) | nibble(value[2 * i + 1]!)
    // A nibble of -1 makes it negative.
    bad |= byte
    key[i] = byte
  }
  if (bad >= 0) return key
  key.fill(0)
  return null
}

function nibble(c: number): number {
  if (c >= 0x30 && c <= 0x39) return c - 0x30
  const letter = c | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}

function field<T, K extends keyof T>(name: K, value: T[K] | null): Partial<T> | null {
  return value === null ? null : ({ [name]: value } as unknown as Partial<T>)
}

function trueOf(value: Uint8Array): true | null {
  return textOf(value) === 'true' ? true : null
}

// Decimal digits and nothing else.
function numberOf(value: Uint8Array, max: number): number | null {
  const text = textOf(value)
  return /^\d+$/.test(text) && Number(text) <= max ? Number(text) : null
}

// ADDRESS:PORT, [IPv6]:PORT, or [fe80::…%ZONE]:PORT. An IPv4 address written as IPv6 is the IPv4 address: that is where packets
// go.
function endpointOf(text: string): UapiEndpoint | null {
  const [, six, zone, four, port] = /^(?:\[([\da-f:.]+)(%[^\s/%\]]{1,15})?\]|([\d.]+)):(\d{1,5})$/i.exec(text) ?? []
  const mapped = /^::ffff:([\d.]+)$/i.exec(six ?? '')?.[1]
  const address = parseAddress(mapped ?? six ?? four ?? '')
  const isMeant = address?.v6 === (six !== undefined && mapped === undefined)
  if (!address || !isMeant || Number(port) > 0xffff) return null
  // A zone says nothing of an address that is the same everywhere.
  const place = zone !== undefined && isLinkLocal6(address) ? zone : ''
  return { address: `${addressText(address)}${place}`, port: Number(port) }
}

// ADDRESS/LENGTH; with a minus sign in front it is taken away.
function prefixOf(text: string): PrefixChange | null {
  const remove = text.startsWith('-')
  const cidr = parseCidr(remove ? text.slice(1) : text)
  return cidr && { prefix: cidrText(network(cidr)), remove }
}
