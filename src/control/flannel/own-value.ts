// What our own lease is to say, and whether a lease in the store is ours. Pure. Cold.
import { cidrText } from '../cidr.ts'
import { type LeaseValue, type Mark, parseValue, type Subnets, valueText } from './lease.ts'
import type { Row } from './lease-table.ts'
import type { Identity, Lease, StoreConfig } from './model.ts'

/** What is to stand in the store. */
export interface Desired {
  readonly config: StoreConfig
  readonly identity: Identity
  readonly value: string
  readonly parsed: LeaseValue
}

/** A text: why we cannot be a member of this network, and what to do about it. */
export function desiredOf(config: StoreConfig, identity: Identity, mark: Mark): Desired | string {
  if (config.ipv4 && identity.publicIp === null) {
    return 'the network has IPv4, and the underlay no IPv4 address; give underlay.address one'
  }
  if (config.ipv6 && identity.publicIpv6 === null) {
    return 'the network has IPv6, and the underlay no IPv6 address; give underlay.address one'
  }
  if (identity.publicKey === null && (config.backend.type === 'wireguard' || identity.secure)) {
    return 'the network is inside WireGuard and there is no key; give privateKeyFile'
  }
  const value = valueText(config, identity, mark)
  return { config, identity, value, parsed: parseValue(value) }
}

/**
 * ours: written by us, in this run or an earlier one, or by whoever was at our address before. other: it has our address, and
 * says that it is another node's. null: it has nothing to do with us.
 */
export function claimOf(
  row: Row,
  desired: Desired,
  instance: string,
  previous: Subnets | null,
): 'ours' | 'other' | null {
  const { lease, mark } = row
  if (!lease) return null
  if (mark?.instance === instance) return 'ours'
  const { identity, parsed } = desired
  const isHere = parsed.publicIp ? lease.publicIp === parsed.publicIp : lease.publicIpv6 === parsed.publicIpv6
  if (isHere) return !mark || mark.node === identity.node || hasOurs(lease, desired) ? 'ours' : 'other'
  // A host that has moved: what it had is known, and who it was.
  const isPrevious =
    previous !== null &&
    lease.subnet === (previous.subnet && cidrText(previous.subnet)) &&
    lease.subnet6 === (previous.subnet6 && cidrText(previous.subnet6))
  const keysDiffer = lease.publicKey !== null && identity.publicKey !== null && lease.publicKey !== identity.publicKey
  return isPrevious && mark?.node === identity.node && !keysDiffer ? 'ours' : null
}

// A node that was given another name.
function hasOurs({ publicKey, vtepMac }: Lease, { identity, parsed }: Desired): boolean {
  if (publicKey !== null && publicKey === identity.publicKey) return true
  return vtepMac !== null && vtepMac === parsed.vtepMac
}

/** Whether others learn the same from both. */
export function isSameValue(lease: Lease, wanted: LeaseValue): boolean {
  return (
    lease.publicIp === wanted.publicIp &&
    lease.publicIpv6 === wanted.publicIpv6 &&
    lease.backendType === wanted.backendType &&
    lease.vtepMac === wanted.vtepMac &&
    lease.vtepMac6 === wanted.vtepMac6 &&
    lease.publicKey === wanted.publicKey &&
    lease.wireguardPort === wanted.wireguardPort
  )
}
