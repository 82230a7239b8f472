// What is wrong with a lease in the store, by itself; roster.ts looks at what they have in common. A lease that others would
// stumble over costs nobody else anything here. Pure. Cold.
import { covers, isMulticast, parseAddress, parseCidr } from '../cidr.ts'
import { isGroupMac, isZeroMac } from '../mac.ts'
import type { Row } from './lease-table.ts'
import type { Identity, Ignored, Lease, Range, StoreConfig } from './model.ts'

export type Reason = Pick<Ignored, 'state' | 'reason'>

/** What leases are judged by. Replaced when one of these changes. */
export class Judge {
  private readonly config: StoreConfig
  private readonly identity: Identity
  private readonly own: Lease

  constructor(config: StoreConfig, identity: Identity, own: Lease) {
    this.config = config
    this.identity = identity
    this.own = own
  }

  /** null: it may be a member, if it has nothing in common with another. */
  against({ lease, fault }: Row): Reason | null {
    if (!lease) return ignored(fault ?? 'it cannot be read')
    const { config } = this
    const { backend } = config
    if (lease.subnet6 && !config.ipv6) return ignored('an IPv6 subnet in a network without IPv6')
    if (!lease.subnet && config.ipv4) return ignored('no IPv4 subnet in a network with IPv4')
    const outside = outsideOf(lease.subnet, config.ipv4) ?? outsideOf(lease.subnet6, config.ipv6)
    if (outside) return ignored(outside)
    const place = this.placeFault(lease)
    if (place) return ignored(place)
    const type = lease.backendType ?? 'udp'
    if (type !== backend.type) return ignored(`BackendType ${type}, and the network's is ${backend.type}`)
    if (backend.type === 'vxlan') {
      const mac = this.macFault(lease.subnet, lease.vtepMac) ?? this.macFault(lease.subnet6, lease.vtepMac6)
      if (mac) return ignored(mac)
    }
    return this.keyFault(lease)
  }

  private placeFault({ subnet, subnet6, publicIp, publicIpv6 }: Lease): string | null {
    const { identity, config } = this
    return (
      (subnet && addressFault('PublicIP', publicIp, identity.publicIp, config)) ||
      (subnet6 && addressFault('PublicIPv6', publicIpv6, identity.publicIpv6, config)) ||
      null
    )
  }

  private macFault(subnet: string | null, mac: string | null): string | null {
    if (!subnet) return null
    if (!mac) return 'no usable VtepMAC'
    if (isGroupMac(mac) || isZeroMac(mac)) return `VtepMAC ${mac} is no station's`
    const { vtepMac, vtepMac6 } = this.own
    return mac === vtepMac || mac === vtepMac6 ? `VtepMAC ${mac} is our own` : null
  }

  private keyFault({ publicKey }: Lease): Reason | null {
    const { identity, config } = this
    const isWireguard = config.backend.type === 'wireguard'
    if (!isWireguard && !identity.secure) return null
    if (publicKey === null) {
      return isWireguard ? ignored('no usable PublicKey') : refused('no PublicKey: a plain member of a secure network')
    }
    return publicKey === identity.publicKey ? refused('PublicKey is our own') : null
  }
}

function outsideOf(subnet: string | null, range: Range | null): string | null {
  if (!subnet || !range) return null
  const outer = parseCidr(range.network)!
  const inner = parseCidr(subnet)!
  if (!covers(outer, inner)) return `outside the network ${range.network}`
  return inner.length === outer.length ? `as large as the network ${range.network}` : null
}

function addressFault(name: string, text: string | null, own: string | null, config: StoreConfig): string | null {
  if (text === null) return `no ${name}, or ${name === 'PublicIP' ? '0.0.0.0' : '::'}`
  if (text === own) return `${name} ${text} is our own`
  const address = parseAddress(text)!
  if (isMulticast(address) || text === '255.255.255.255' || text === '::1' || text.startsWith('127.')) {
    return `${name} ${text} is no other host's`
  }
  const range = address.v6 ? config.ipv6 : config.ipv4
  return range && covers(parseCidr(range.network)!, address) ? `${name} ${text} is inside the network itself` : null
}

export function ignored(reason: string): Reason {
  return { state: 'ignored', reason }
}

function refused(reason: string): Reason {
  return { state: 'refused', reason }
}
