// Which of the leases in the store are members to reach, and which are not, and why. Kept up to date at the price of what has
// changed, as long as no two leases have anything in common; else all are gone through. Sans I/O. Cold.
import { parseCidr } from '../cidr.ts'
import type { LeaseTable, Row } from './lease-table.ts'
import type { Identity, Ignored, Lease, StoreConfig } from './model.ts'
import { PrefixIndex, prefixesOf } from './subnets.ts'
import { ignored, Judge, type Reason } from './verdict.ts'

/** Replaced whole when anything in it changes. */
export interface Sorted {
  readonly members: ReadonlyMap<string, Lease>
  readonly ignored: readonly Ignored[]
}

export class Roster {
  private readonly config: StoreConfig
  private readonly own: Lease
  private readonly judge: Judge
  private readonly isKeyed: boolean
  // What may be a member, and what may not.
  private readonly usable = new Map<string, Row>()
  private readonly refused = new Map<string, Ignored>()
  // Subnets and keys of what is usable and of ours. Only while each occurs once.
  private readonly seen = new Set<string>()
  private isPlain = true
  private last: Sorted | null = null

  /** Another one is needed when one of these changes. */
  constructor(config: StoreConfig, identity: Identity, own: Lease) {
    this.config = config
    this.own = own
    this.judge = new Judge(config, identity, own)
    this.isKeyed = config.backend.type === 'wireguard' || identity.secure
  }

  /** All leases but our own. `changed`: the keys that are not as they were at the last call. */
  update(table: LeaseTable, changed: Iterable<string>): Sorted {
    let isSame = this.last !== null
    for (const key of this.last ? changed : table.rows.keys()) {
      if (this.change(key, table.get(key))) isSame = false
    }
    if (isSame) return this.last!
    if (!this.isPlain) this.look()
    this.last = this.isPlain ? this.plain() : this.oldest()
    return this.last
  }

  // Whether it makes a difference.
  private change(key: string, row: Row | undefined): boolean {
    if (key === this.own.key) return false
    const before = this.usable.get(key)
    const refusedBefore = this.refused.get(key)
    const reason = row ? this.judge.against(row) : null
    if (row && before && !reason && before.lease === row.lease && before.createRevision === row.createRevision)
      return false
    if (row && reason && refusedBefore && isSameRefusal(refusedBefore, row, reason)) return false
    if (before) this.forget(before)
    this.refused.delete(key)
    if (!row) return before !== undefined || refusedBefore !== undefined
    if (reason) this.refused.set(key, { key, lease: row.lease, ...reason })
    else this.add(row)
    return true
  }

  private add(row: Row): void {
    this.usable.set(row.key, row)
    this.isPlain = this.isPlain && this.note(row)
  }

  private forget(row: Row): void {
    this.usable.delete(row.key)
    if (this.isPlain) for (const text of this.textsOf(row)) this.seen.delete(text)
  }

  // Whether every subnet and key occurs once, at a glance.
  private look(): void {
    this.seen.clear()
    this.isPlain = true
    for (const row of this.usable.values()) {
      this.isPlain = this.note(row)
      if (!this.isPlain) return
    }
  }

  // false: it may have something in common with another.
  private note(row: Row): boolean {
    const { subnet, subnet6 } = row.subnets!
    if (subnet && subnet.length !== this.config.ipv4!.subnetLength) return false
    if (subnet6 && subnet6.length !== this.config.ipv6!.subnetLength) return false
    const texts = this.textsOf(row)
    if (texts.some((text) => text === this.own.subnet || text === this.own.subnet6 || this.seen.has(text))) return false
    for (const text of texts) this.seen.add(text)
    return true
  }

  private textsOf({ lease }: Row): string[] {
    const { subnet, subnet6, publicKey } = lease!
    return [subnet, subnet6, this.isKeyed ? publicKey : null].filter((text) => text !== null)
  }

  private plain(): Sorted {
    const members = new Map<string, Lease>()
    for (const [key, row] of this.usable) members.set(key, row.lease!)
    return { members, ignored: [...this.refused.values()] }
  }

  // Of those that have something in common one can be reached: the oldest, and before all ours.
  private oldest(): Sorted {
    const index = new PrefixIndex<string>()
    for (const text of [this.own.subnet, this.own.subnet6]) if (text) index.add(parseCidr(text)!, 'our own subnet')
    const keys = new Map<string, string>()
    const members = new Map<string, Lease>()
    const others = [...this.refused.values()]
    for (const row of [...this.usable.values()].sort((a, b) => a.createRevision - b.createRevision)) {
      const { key, lease } = row
      const prefixes = prefixesOf(row.subnets!)
      const publicKey = this.isKeyed ? lease!.publicKey : null
      const overlapped = prefixes.map((cidr) => index.overlap(cidr)).find((held) => held !== undefined)
      const twin = publicKey === null ? undefined : keys.get(publicKey)
      if (overlapped ?? twin) {
        const reason = overlapped ? `it overlaps ${overlapped.owner}` : `PublicKey is that of ${twin}, too`
        others.push({ key, lease, ...ignored(reason) })
        continue
      }
      for (const cidr of prefixes) index.add(cidr, key)
      if (publicKey !== null) keys.set(publicKey, key)
      members.set(key, lease!)
    }
    return { members, ignored: others }
  }
}

function isSameRefusal(before: Ignored, row: Row, { state, reason }: Reason): boolean {
  return before.lease === row.lease && before.state === state && before.reason === reason
}
