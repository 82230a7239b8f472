// Which of the leases in the store are members to reach, and what is wrong with the others, one by one. A lease that others would
// stumble over costs nobody else anything here. Pure. Cold.
import { covers, isMulticast, parseAddress, parseCidr } from '../cidr.ts'
import { isGroupMac, isZeroMac } from '../mac.ts'
import type { LeaseTable, Row } from './lease-table.ts'
import type { Identity, Ignored, Lease, Range, StoreConfig } from './model.ts'
import { PrefixIndex, prefixesOf } from './subnets.ts'

type Reason = Pick<Ignored, 'state' | 'reason'>

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

  /** All leases but our own, sorted. Of those that have something in common only one can be reached: the oldest. */
  sort(table: LeaseTable): { members: Map<string, Lease>; ignored: Ignored[] } {
    const ignored: Ignored[] = []
    const usable: Row[] = []
    for (const row of table.rows.values()) {
      if (row.key === this.own.key) continue
      const reason = this.of(row)
      if (reason) ignored.push({ key: row.key, lease: row.lease, ...reason })
      else usable.push(row)
    }
    const members = this.isPlain(usable) ? usable : this.oldest(usable, ignored)
    return { members: new Map(members.map((row) => [row.key, row.lease!])), ignored }
  }

  private of(row: Row): Reason | null {
    if (row.verdict?.by !== this) row.verdict = { by: this, reason: this.judge(row) }
    return row.verdict.reason
  }

  private judge({ lease, fault }: Row): Reason | null {
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

  // Every subnet and every key occurs once, at a glance.
  private isPlain(rows: readonly Row[]): boolean {
    const { ipv4, ipv6, backend } = this.config
    const seen = new Set<string>([this.own.subnet, this.own.subnet6].filter((text) => text !== null))
    const isNew = (text: string | null): boolean => text === null || (!seen.has(text) && !!seen.add(text))
    const keyed = backend.type === 'wireguard' || this.identity.secure
    return rows.every(({ lease, subnets }) => {
      const { subnet, subnet6 } = subnets!
      if (subnet && subnet.length !== ipv4!.subnetLength) return false
      if (subnet6 && subnet6.length !== ipv6!.subnetLength) return false
      return isNew(lease!.subnet) && isNew(lease!.subnet6) && (!keyed || isNew(lease!.publicKey))
    })
  }

  private oldest(rows: readonly Row[], ignoredOnes: Ignored[]): Row[] {
    const index = new PrefixIndex<string>()
    for (const text of [this.own.subnet, this.own.subnet6]) if (text) index.add(parseCidr(text)!, 'ours')
    const keys = new Map<string, string>()
    const keyed = this.config.backend.type === 'wireguard' || this.identity.secure
    const members: Row[] = []
    for (const row of [...rows].sort((a, b) => a.createRevision - b.createRevision)) {
      const prefixes = prefixesOf(row.subnets!)
      const key = keyed ? row.lease!.publicKey : null
      const overlapped = prefixes.map((cidr) => index.overlap(cidr)).find((held) => held !== undefined)
      const twin = key === null ? undefined : keys.get(key)
      if (overlapped ?? twin) {
        const reason = overlapped ? `it overlaps ${nameOf(overlapped.owner)}` : `PublicKey is that of ${twin}, too`
        ignoredOnes.push({ key: row.key, lease: row.lease, ...ignored(reason) })
        continue
      }
      for (const cidr of prefixes) index.add(cidr, row.key)
      if (key !== null) keys.set(key, row.key)
      members.push(row)
    }
    return members
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
  if (text === null) return `no ${name}`
  if (text === own) return `${name} ${text} is our own`
  const address = parseAddress(text)!
  if (isMulticast(address) || text === '255.255.255.255' || text === '::1' || text.startsWith('127.')) {
    return `${name} ${text} is no other host's`
  }
  const range = address.v6 ? config.ipv6 : config.ipv4
  return range && covers(parseCidr(range.network)!, address) ? `${name} ${text} is inside the network itself` : null
}

function nameOf(owner: string): string {
  return owner === 'ours' ? 'our own subnet' : owner
}

function ignored(reason: string): Reason {
  return { state: 'ignored', reason }
}

function refused(reason: string): Reason {
  return { state: 'refused', reason }
}
