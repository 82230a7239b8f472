// What was put back on the host: counted for the metrics, and said in the log once a minute for each kind, however often it
// happens. Cold.

/** What it was about; a label of vtepd_repairs_total. */
export type RepairReason =
  | 'device'
  | 'namespace'
  | 'name'
  | 'mtu'
  | 'mac'
  | 'address'
  | 'route'
  | 'state'
  | 'subnet-env'

export interface Repair {
  readonly reason: RepairReason
  /** What was wrong and what was done. */
  readonly text: string
  /** How many things. */
  readonly count: number
}

export interface RepairCount {
  readonly network: string
  readonly vni: number
  readonly reason: RepairReason
  readonly count: number
}

/** Milliseconds for which a kind is silent after it was said. */
const SILENCE = 60_000

interface Kind {
  readonly network: string
  readonly vni: number
  readonly reason: RepairReason
  count: number
  saidAt: number
  unsaid: number
}

export class Repairs {
  private readonly kinds = new Map<string, Kind>()

  /** Counts it. Answers what to say, or null. `now` in ms. */
  note(network: { readonly name: string; readonly vni: number }, repair: Repair, now: number): string | null {
    const key = `${repair.reason} ${network.name}`
    let kind = this.kinds.get(key)
    if (!kind) {
      const { name, vni } = network
      kind = { network: name, vni, reason: repair.reason, count: 0, saidAt: Number.NEGATIVE_INFINITY, unsaid: 0 }
      this.kinds.set(key, kind)
    }
    kind.count += repair.count
    if (now - kind.saidAt < SILENCE) {
      kind.unsaid++
      return null
    }
    const more = kind.unsaid === 0 ? '' : ` (and ${kind.unsaid} times before, unsaid)`
    kind.saidAt = now
    kind.unsaid = 0
    return `${repair.text}${more}`
  }

  counts(): RepairCount[] {
    return [...this.kinds.values()].map(({ network, vni, reason, count }) => ({ network, vni, reason, count }))
  }
}
