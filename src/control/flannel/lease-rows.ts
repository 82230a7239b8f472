// What `vtepd leases` says of a flannel network: its members and what became of them. Pure; cold.
import type { LeaseRow } from '../api.ts'
import type { MemberPlace } from './desired.ts'
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
    row(lease ?? { ...UNREAD, key }, [state, lease ? reason : `${key}: ${reason}`], about),
  )
  return [own, ...members, ...ignored]
}

function verdict(lease: Lease, { fault, places, isPlaced }: Programmed): Verdict {
  if (fault !== '') return ['refused', fault]
  const place = places.get(lease.key)
  if (place?.lease !== lease) return ['ignored', 'it has just changed, and is not in place yet']
  if (place.fault !== null) return [lease.publicKey === null ? 'refused' : 'ignored', place.fault]
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
    backend: lease.backendType,
    vtepMac: lease.vtepMac ?? lease.vtepMac6,
    publicKey: lease.publicKey,
    own: lease.own,
    expiresSeconds: expires === null ? null : Math.max(0, Math.round((expires - now) / 1000)),
    state,
    ...(reason === null ? {} : { reason }),
  }
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
