// A lease as the store has it, key and value, byte for byte as flanneld writes them, and back. Ours carries one field more,
// which Go passes over: who wrote it. What a lease is good for is verdict.ts's. Never throws on what it reads. Cold.
import { addressText, type Cidr, cidrText, network as networkOf, parseAddress, parseCidr } from '../cidr.ts'
import { isKey } from '../key.ts'
import { parseMac } from '../mac.ts'
import { type Fields, GoJsonError, parseFields } from './go-json.ts'
import type { Backend, Identity, Lease, StoreConfig } from './model.ts'

/** flanneld's pattern, anchored at both ends; it writes IPv6 in lower case. */
const KEY = /^(\d{1,3}(?:\.\d{1,3}){3})-(\d{1,3})(?:&([0-9a-f:]{2,39})-(\d{1,3}))?$/
/** flanneld reads lengths in 5 and 7 bits. */
const LONGEST = 31
const LONGEST6 = 127
/** What an IPv6-only network has for a subnet and for a public address. */
const NO_SUBNET = '0.0.0.0/0'
const NO_IP = '0.0.0.0'

/** Who wrote a lease: the node, and which run of its agent. */
export interface Mark {
  readonly node: string
  readonly instance: string
}

/** The subnets that a lease is about; at least one. */
export interface Subnets {
  readonly subnet: Cidr | null
  readonly subnet6: Cidr | null
}

/** What a value says. */
export type LeaseValue = Omit<Lease, 'key' | 'subnet' | 'subnet6' | 'own' | 'expires'> & { readonly mark: Mark | null }

/** Without PREFIX/subnets/. */
export function keyOf({ subnet, subnet6 }: Subnets): string {
  const first = nameOf(subnet ? cidrText(subnet) : NO_SUBNET)
  return subnet6 ? `${first}&${nameOf(cidrText(subnet6))}` : first
}

/** A prefix as it stands in a key, which is what a member with that subnet is called. */
export function nameOf(prefix: string): string {
  return prefix.replace('/', '-')
}

/** null: no key of a lease. */
export function parseKey(key: string): Subnets | null {
  const parts = KEY.exec(key)
  if (!parts) return null
  const [, address, length, address6, length6] = parts
  const subnet = prefixOf(address!, length!, LONGEST)
  if (!subnet) return null
  if (address6 === undefined) return { subnet, subnet6: null }
  const subnet6 = prefixOf(address6, length6!, LONGEST6)
  if (!subnet6?.v6) return null
  return { subnet: cidrText(subnet) === NO_SUBNET ? null : subnet, subnet6 }
}

// null too when there are host bits: that is no subnet.
function prefixOf(address: string, length: string, longest: number): Cidr | null {
  const cidr = parseCidr(`${address}/${length}`)
  return cidr && cidr.length <= longest && networkOf(cidr).value === cidr.value ? cidr : null
}

/** The value of our own lease, in the order of fields in which Go writes them. */
export function valueText(config: StoreConfig, identity: Identity, mark: Mark): string {
  const { backend, ipv4, ipv6 } = config
  const value: Record<string, unknown> = {
    PublicIP: identity.publicIp ?? NO_IP,
    PublicIPv6: ipv6 ? identity.publicIpv6 : null,
  }
  if (backend.type !== 'udp') value['BackendType'] = backend.type
  const data = ipv4 ? dataOf(backend, identity, identity.vtepMac) : null
  if (data) value['BackendData'] = data
  const data6 = ipv6 ? dataOf(backend, identity, identity.vtepMac6) : null
  if (data6) value['BackendV6Data'] = data6
  value['Vtepd'] = { Node: mark.node, Instance: mark.instance }
  return JSON.stringify(value)
}

function dataOf(backend: Backend, identity: Identity, mac: string): object | null {
  const key = { PublicKey: identity.publicKey, Port: identity.wireguardPort }
  if (backend.type === 'wireguard') return key
  if (backend.type !== 'vxlan') return null
  return { VNI: backend.vni, VtepMAC: mac, ...(identity.secure ? key : {}) }
}

/** Throws GoJsonError with what is wrong: flanneld would not read it either. */
export function parseValue(text: string): LeaseValue {
  const fields = parseFields(text)
  const data = fields.object('BackendData')
  const data6 = fields.object('BackendV6Data')
  const keys = [data, data6].map((d) => textOf(d, 'PublicKey')).filter((key): key is string => key !== null)
  return {
    publicIp: addressOf(fields, 'PublicIP', false),
    publicIpv6: addressOf(fields, 'PublicIPv6', true),
    backendType: fields.text('BackendType') || null,
    vtepMac: macOf(data),
    vtepMac6: macOf(data6),
    publicKey: keys.find(isKey) ?? null,
    wireguardPort: portOf(data) ?? portOf(data6),
    mark: markOf(fields),
  }
}

// Canonical; null: not written, or nobody's.
function addressOf(fields: Fields, name: string, v6: boolean): string | null {
  const text = fields.text(name)
  if (text === undefined) return null
  const address = parseAddress(text)
  if (!address || address.v6 !== v6) throw new GoJsonError(`${name}: want an address, got ${JSON.stringify(text)}`)
  return address.value === 0n ? null : addressText(address)
}

// What back ends keep of one another's data flanneld does not look at; a field of another form is as good as none.
function textOf(data: Fields | undefined, name: string): string | null {
  try {
    return data?.text(name) ?? null
  } catch {
    return null
  }
}

function macOf(data: Fields | undefined): string | null {
  const text = textOf(data, 'VtepMAC')
  return text === null ? null : parseMac(text)
}

function portOf(data: Fields | undefined): number | null {
  try {
    return data?.integer('Port', 0, 65535) || null
  } catch {
    return null
  }
}

function markOf(fields: Fields): Mark | null {
  try {
    const mark = fields.object('Vtepd')
    const node = mark?.text('Node')
    return node === undefined ? null : { node, instance: mark?.text('Instance') ?? '' }
  } catch {
    return null
  }
}
