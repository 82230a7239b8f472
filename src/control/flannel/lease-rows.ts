// What `vtepd leases` says of a flannel network: its members and what became of them. Pure; cold.
import type { LeaseRow } from '../api/api.ts'
import { cidrText } from '../cidr.ts'
import type { MemberPlace } from './desired.ts'
import { parseKey } from './lease.ts'
import type { Lease, Membership } from './model.ts'

export interface Programmed {
  readonly network: string
  /** Why the whole network is not there; '': it is. */
  readonly fault: string
  readonly places: ReadonlyMap<string, MemberPlace>
  /** Of a far end, by its name. */
  isPlaced(peer: string): boolean
  /** By key: when a lease ends that does not say it itself. Wall clock, ms, as `now`. */
  readonly expiries: ReadonlyMap<string, number>
  readonly now: number
}

type Verdict = readonly [LeaseRow['state'], string | null]

/** Our own first, then the members, then who is none. */
export function leaseRows(m: Membership, about: Programmed): LeaseRow[] {
  const own = row(m.own, about.fault === '' ? ['programmed', null] : ['refused', about.fault], about)
  const members = [...m.members.values()].map((lease) => row(lease, verdict(lease, about), about))
  const ignored = m.ignored.map(({ key, lease, state, reason }) =>
    lease ? row(lease, [state, reason], about) : unread(key, [state, `${key}: ${reason}`], about),
  )
  return [own, ...members, ...ignored]
}

function verdict(lease: Lease, { fault, places, isPlaced }: Programmed): Verdict {
  if (fault !== '') return ['refused', fault]
  const place = places.get(lease.key)
  if (place?.lease !== lease) return ['ignored', 'it has just changed, and is not in place yet']
  // What our configuration forbids verdict.ts has refused.
  if (place.fault !== null) return ['ignored', place.fault]
  return place.peers.every(({ name }) => isPlaced(name)) ? ['programmed', null] : ['ignored', 'there is no room for it']
}

function row(lease: Lease, [state, reason]: Verdict, { network, expiries, now }: Programmed): LeaseRow {
  const expires = lease.expires ?? expiries.get(lease.key) ?? null
  return {
    network,
    subnet: lease.subnet,
    subnet6: lease.subnet6,
    publicIp: lease.publicIp,
    publicIpv6: lease.publicIpv6,
    // As flanneld reads it.
    backend: lease.backendType ?? 'udp',
    vtepMac: lease.vtepMac ?? lease.vtepMac6,
    publicKey: lease.publicKey,
    own: lease.own,
    expiresSeconds: expires === null ? null : Math.max(0, Math.round((expires - now) / 1000)),
    state,
    ...(reason === null ? {} : { reason }),
  }
}

// Of a value that cannot be read the key is all that there is.
function unread(key: string, verdict: Verdict, about: Programmed): LeaseRow {
  const subnets = parseKey(key)
  const subnet = subnets?.subnet ? cidrText(subnets.subnet) : null
  const subnet6 = subnets?.subnet6 ? cidrText(subnets.subnet6) : null
  return { ...row({ ...UNREAD, key, subnet, subnet6 }, verdict, about), backend: null }
}

const UNREAD: Lease = {
  key: '',
  subnet: null,
  subnet6: null,
  publicIp: null,
  publicIpv6: null,
  backendType: null,
  vtepMac: null,
  vtepMac6: null,
  publicKey: null,
  wireguardPort: null,
  own: false,
  expires: null,
}
