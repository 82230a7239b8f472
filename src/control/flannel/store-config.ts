// The key PREFIX/config, which decides for the whole network: flannel's JSON to StoreConfig with every default filled in, or to
// a sentence that says what is wrong. Read docs/flannel.md, "In the store", before editing: members that read it differently
// do not reach each other. Cold.
import {
  addressText,
  bits,
  type Cidr,
  cidrText,
  covers,
  network as networkOf,
  parseAddress,
  parseCidr,
} from '../cidr.ts'
import { isKey } from '../key.ts'
import { type Fields, GoJsonError, parseFields } from './go-json.ts'
import type { Backend, Range, StoreConfig } from './model.ts'

const VXLAN_PORT = 8472
const UDP_PORT = 8285
const WIREGUARD_PORT = 51820
const WIREGUARD_PORT_V6 = 51821
const MODES = ['separate', 'auto', 'ipv4', 'ipv6'] as const
/** What IPv4 and a datagram leave nothing of. */
const MIN_MTU = 68
const MAX_MTU = 65535
const MAX_KEEPALIVE_SEC = 65535

interface Family {
  readonly v6: boolean
  /** In front of the fields' names. */
  readonly prefix: '' | 'IPv6'
  /** Longest subnet that is given out, and how long one is by default in a network that is large enough. */
  readonly longest: number
  readonly usual: number
}

const IPV4: Family = { v6: false, prefix: '', longest: 30, usual: 24 }
const IPV6: Family = { v6: true, prefix: 'IPv6', longest: 126, usual: 64 }

/** Throws GoJsonError with what is wrong. */
export function parseStoreConfig(text: string): StoreConfig {
  const fields = parseFields(text)
  const ipv4 = (fields.flag('EnableIPv4') ?? true) ? rangeOf(fields, IPV4) : null
  const ipv6 = (fields.flag('EnableIPv6') ?? false) ? rangeOf(fields, IPV6) : null
  if (!ipv4 && !ipv6) throw new GoJsonError('EnableIPv4 and EnableIPv6: want one of them true')
  const backend = backendOf(fields, ipv4 === null)
  if (!ipv4 && backend.type === 'udp') throw new GoJsonError('Backend.Type: udp carries IPv4 only; write vxlan')
  return { ipv4, ipv6, backend }
}

function rangeOf(fields: Fields, family: Family): Range {
  const name = (rest: string): string => `${family.prefix}${rest}`
  const text = fields.text(name('Network'))
  if (text === undefined)
    throw new GoJsonError(`${name('Network')}: missing; write a prefix such as ${example(family)}`)
  const given = parseCidr(text)
  if (!given || given.v6 !== family.v6) {
    throw new GoJsonError(`${name('Network')}: want a prefix such as ${example(family)}, got ${JSON.stringify(text)}`)
  }
  const network = networkOf(given)
  const length = lengthOf(fields, family, network)
  const size = 1n << BigInt(bits(family.v6) - length)
  const end = network.value + (1n << BigInt(bits(family.v6) - network.length))
  // The first subnet is not given out: its address is the network's own.
  const first = edgeOf(fields, name('SubnetMin'), network, length) ?? network.value + size
  const last = edgeOf(fields, name('SubnetMax'), network, length) ?? end - size
  if (first > last) throw new GoJsonError(`${name('SubnetMin')}: it is behind ${name('SubnetMax')}`)
  const textOf = (value: bigint): string => addressText({ ...network, value })
  return {
    network: cidrText(network),
    subnetLength: length,
    subnetMin: textOf(first),
    subnetMax: textOf(last),
  }
}

function lengthOf(fields: Fields, { v6, prefix, longest, usual }: Family, network: Cidr): number {
  const name = `${prefix}SubnetLen`
  const given = fields.integer(name, 0, bits(v6)) ?? 0
  const least = network.length + 2
  if (given > longest) throw new GoJsonError(`${name}: want ${longest} at most, got ${given}`)
  if (given > 0 && given < least) {
    throw new GoJsonError(`${name}: want ${least} at least, so that four subnets fit into ${cidrText(network)}`)
  }
  if (given > 0) return given
  if (least > longest) {
    throw new GoJsonError(`${prefix}Network: ${cidrText(network)} is too small; want a /${longest - 2} or larger`)
  }
  return least <= usual ? usual : least
}

// undefined: not given, and 0.0.0.0 counts as that.
function edgeOf(fields: Fields, name: string, network: Cidr, length: number): bigint | undefined {
  const text = fields.text(name)
  if (text === undefined) return undefined
  const address = parseAddress(text)
  if (!address || address.v6 !== network.v6)
    throw new GoJsonError(`${name}: want an address, got ${JSON.stringify(text)}`)
  if (address.value === 0n) return undefined
  if (!covers(network, address)) throw new GoJsonError(`${name}: ${text} is not in ${cidrText(network)}`)
  if (networkOf({ ...address, length }).value === address.value) return address.value
  throw new GoJsonError(`${name}: ${text} does not begin a subnet of length ${length}`)
}

function backendOf(fields: Fields, v6Alone: boolean): Backend {
  const options = fields.object('Backend')
  // flanneld's documentation says vxlan here; its code says udp.
  if (!options) return { type: 'udp', port: UDP_PORT }
  const written = options.text('Type') ?? ''
  switch (written.toLowerCase()) {
    case 'vxlan':
      return vxlanOf(options)
    case 'host-gw':
      return { type: 'host-gw' }
    case 'udp':
      return { type: 'udp', port: portOf(options, 'Port', UDP_PORT) }
    case 'wireguard':
      return wireguardOf(options, v6Alone)
    case '':
      throw new GoJsonError('Backend.Type: missing; write vxlan, host-gw, udp or wireguard')
    default:
      throw new GoJsonError(
        `Backend.Type: ${JSON.stringify(written)} is not in this version; write vxlan, host-gw, udp or wireguard`,
      )
  }
}

function vxlanOf(options: Fields): Backend {
  if (options.flag('GBP')) throw new GoJsonError('Backend.GBP: not in this version; remove it')
  return {
    type: 'vxlan',
    vni: options.integer('VNI', 0, 0xffffff) ?? 1,
    port: portOf(options, 'Port', VXLAN_PORT),
    mtu: mtuOf(options),
    directRouting: options.flag('DirectRouting') ?? false,
  }
}

function wireguardOf(options: Fields, v6Alone: boolean): Backend {
  const psk = options.text('PSK') || null
  // What it is must not be shown.
  if (psk !== null && !isKey(psk)) throw new GoJsonError('Backend.PSK: want a key, 32 bytes in base64')
  const written = options.text('Mode') || MODES[0]
  const mode = MODES.find((one) => one === written)
  if (!mode) throw new GoJsonError(`Backend.Mode: want one of ${MODES.join(', ')}, got ${JSON.stringify(written)}`)
  const [port, port6] = [
    portOf(options, 'ListenPort', WIREGUARD_PORT),
    portOf(options, 'ListenPortV6', WIREGUARD_PORT_V6),
  ]
  return {
    type: 'wireguard',
    port: v6Alone && mode === 'separate' ? port6 : port,
    mode,
    mtu: mtuOf(options),
    psk,
    keepaliveSec: options.integer('PersistentKeepaliveInterval', 0, MAX_KEEPALIVE_SEC) ?? 0,
  }
}

// 0 is as good as nothing.
function portOf(options: Fields, name: string, usual: number): number {
  return options.integer(name, 0, 65535) || usual
}

function mtuOf(options: Fields): number | null {
  const mtu = options.integer('MTU', 0, MAX_MTU) || null
  if (mtu !== null && mtu < MIN_MTU) throw new GoJsonError(`Backend.MTU: want ${MIN_MTU} at least, got ${mtu}`)
  return mtu
}

function example({ v6 }: Family): string {
  return v6 ? 'fd00:5::/48' : '10.5.0.0/16'
}
