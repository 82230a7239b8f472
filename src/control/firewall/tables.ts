// Keeps the host's rules in iptables. A table is read whole, what is ours in it is compared with what was there after it was
// written last, and a difference is mended in one transaction: other rules stay as they are. `stateOf` and `change` are pure.
// Cold.
import { type Claim, claim } from '../../host/claim.ts'
import {
  filtersBridges,
  hasFamily,
  restoreTables,
  saveTables,
  type TablesKind,
  ToolError,
} from '../../host/firewall.ts'
import { chainNames, isMark, type Names, TABLES, type Table, type WantedTable, wantedTables } from './chains.ts'
import type { HostRules } from './host-rules.ts'
import { chainOf, endsAll, NO_TABLE, parseSave, type SavedTable, targetOf } from './iptables-save.ts'

type Family = 4 | 6
const FAMILIES = [4, 6] as const
const CLAIM = 'vtepd-flannel-chains'
/** The kernel's chains that ours are reached from. */
export const KERNEL_CHAINS: readonly string[] = ['FORWARD', 'POSTROUTING', 'PREROUTING', 'OUTPUT']
/** How often it is written anew when somebody else writes between our look and our change. */
const TRIES = 3

/** What is ours in a table. */
export interface State {
  readonly chains: Readonly<Record<string, readonly string[]>>
  /** Rules of others' chains that lead into ours. */
  readonly jumps: readonly string[]
  /** One of them stands where nothing comes any more. */
  readonly blocked: boolean
}

export function stateOf(table: SavedTable, ours: ReadonlySet<string>): State {
  const chains: Record<string, string[]> = {}
  for (const name of table.policies.keys()) if (ours.has(name)) chains[name] = []
  const jumps: string[] = []
  const ended = new Set<string>()
  let blocked = false
  for (const rule of table.rules) {
    const chain = chainOf(rule)
    if (ours.has(chain)) chains[chain]?.push(rule)
    else if (ours.has(targetOf(rule) ?? '')) {
      jumps.push(rule)
      blocked ||= ended.has(chain)
    } else if (endsAll(rule)) ended.add(chain)
  }
  return { chains, jumps, blocked }
}

/** Lines for iptables-restore that make `state` of a table what is wanted; '' when there is neither. */
export function change(name: string, table: SavedTable, state: State, wanted: WantedTable | undefined): string {
  const { chains, jumps } = wanted ?? { chains: new Map<string, readonly string[]>(), jumps: [] }
  const superfluous = Object.keys(state.chains).filter((chain) => !chains.has(chain))
  if (chains.size === 0 && superfluous.length === 0) return ''
  const removed = new Set(state.jumps)
  const left = table.rules.filter((rule) => !removed.has(rule))
  const inserted = new Map<string, number>()
  return [
    `*${name}`,
    // Whoever is named here is emptied.
    ...[...chains.keys(), ...superfluous].map((chain) => `:${chain} - [0:0]`),
    ...state.jumps.map((rule) => `-D ${rule.slice(3)}`),
    ...jumps.map((rule) => placed(rule, left, inserted)),
    ...[...chains].flatMap(([chain, rules]) => rules.map((rule) => `-A ${chain} ${rule}`)),
    ...superfluous.map((chain) => `-X ${chain}`),
    'COMMIT',
    '',
  ].join('\n')
}

// At the end, as flannel does it, but in front of a rule that lets nothing come to the end.
function placed(jump: string, left: readonly string[], inserted: Map<string, number>): string {
  const [chain, ...rest] = jump.split(' ') as [string, ...string[]]
  const end = left.filter((rule) => chainOf(rule) === chain).findIndex(endsAll)
  if (end < 0) return `-A ${jump}`
  const before = inserted.get(chain) ?? 0
  inserted.set(chain, before + 1)
  return `-I ${chain} ${end + before + 1} ${rest.join(' ')}`
}

/** Whether somebody but agents uses what was saved: rules, chains of their own, or a policy that refuses. */
export function isUsed(tables: ReadonlyMap<string, SavedTable>): boolean {
  for (const table of tables.values()) {
    const marked = [...table.policies.keys()].some(isMark)
    const isAgents = (chain: string): boolean =>
      chain.startsWith('VTEPD-') || (chain.startsWith('FLANNEL-') && (marked || /-[0-9a-f]{8}$/.test(chain)))
    for (const [chain, policy] of table.policies) {
      if (policy === '-' ? !isAgents(chain) : policy !== 'ACCEPT') return true
    }
    if (table.rules.some((rule) => !isAgents(chainOf(rule)) && !isAgents(targetOf(rule) ?? ''))) return true
  }
  return false
}

export class Tables {
  readonly kind: TablesKind
  readonly label: 'iptables' | 'iptables-legacy'
  readonly where: string
  /** What events about them name. */
  names: readonly string[] = KERNEL_CHAINS
  private readonly id: string
  private readonly takeOver: boolean
  private chains: Names | null = null
  private claimed: Claim | null = null
  /** By family and table: what was there after it was written, and what was wanted then. */
  private readonly known = new Map<string, { state: string; wanted: string }>()
  private readonly looked = new Set<Family>()

  /** `takeOver`: chains of flannel's that no agent has marked are a flanneld's that we come after. */
  constructor(kind: TablesKind, id: string, takeOver: boolean) {
    this.kind = kind
    this.id = id
    this.takeOver = takeOver
    this.label = kind === 'legacy' ? 'iptables-legacy' : 'iptables'
    this.where = this.label
  }

  /** Makes the tables what `rules` say. Answers whether others had changed them since the last time. */
  async put(rules: HostRules): Promise<boolean> {
    if (!this.chains) {
      this.chains = await this.choose()
      this.names = [...KERNEL_CHAINS, ...named(this.chains)]
    }
    let damaged = false
    for (const family of FAMILIES) damaged = (await this.putFamily(family, rules, this.chains)) || damaged
    return damaged
  }

  async remove(): Promise<void> {
    this.known.clear()
    for (const family of FAMILIES) {
      if (!hasFamily(family)) continue
      const saved = await this.save(family, false)
      const texts = [...saved].map(([name, table]) => {
        const ours = this.oursIn(table, table.policies.has(chainNames(this.id, true).mark!))
        return change(name, table, stateOf(table, ours), undefined)
      })
      if (texts.some((text) => text !== '')) await restoreTables(this.kind, family, texts.join(''))
    }
    await this.claimed?.release()
    this.claimed = null
    this.chains = null
  }

  private async choose(): Promise<Names> {
    this.claimed = await claim(CLAIM)
    const saved = this.claimed && [...(await this.save(4, true)).values(), ...(await this.save(6, false)).values()]
    const foreign = saved?.some(({ policies }) => {
      const all = [...policies.keys()]
      return !all.some(isMark) && (policies.has('FLANNEL-POSTRTG') || policies.has('FLANNEL-FWD'))
    })
    return chainNames(this.id, saved !== null && (this.takeOver || !foreign))
  }

  private async putFamily(family: Family, rules: HostRules, names: Names): Promise<boolean> {
    // To name a bridge's port makes the kernel begin to filter bridges, so only where it does.
    const bridgeable = filtersBridges(family) ? rules.bridgeable : []
    const wanted = wantedTables({ ...rules, bridgeable }, family, names)
    // The first look is for what an agent before has left.
    const idle = wanted.size === 0 && this.looked.has(family) && !this.hasAny(family)
    if (idle || !hasFamily(family)) return false
    let damaged = false
    for (let left = TRIES; ; left--) {
      const saved = await this.save(family, wanted.size > 0)
      const found = TABLES.map((name) => this.difference(family, name, saved.get(name) ?? NO_TABLE, wanted.get(name)))
      damaged ||= found.some((d) => d.damaged)
      const rewritten = found.filter((d) => d.text !== '')
      if (rewritten.length === 0) break
      try {
        await restoreTables(this.kind, family, rewritten.map((d) => d.text).join(''))
        const now = await this.save(family, true)
        for (const { name } of rewritten) this.learn(family, name, now.get(name) ?? NO_TABLE, wanted.get(name))
        break
      } catch (error) {
        if (left === 1) throw error
      }
    }
    this.looked.add(family)
    return damaged
  }

  private difference(family: Family, name: Table, table: SavedTable, wanted: WantedTable | undefined) {
    const before = this.known.get(`${family} ${name}`)
    const state = stateOf(table, this.oursIn(table, this.chains!.mark !== null))
    const damaged = before !== undefined && (state.blocked || JSON.stringify(state) !== before.state)
    const same = before !== undefined && !damaged && before.wanted === textOf(wanted)
    return { name, damaged, text: same ? '' : change(name, table, state, wanted) }
  }

  // Versions of iptables write one rule in several ways: what it says of ours right after we wrote it is what it should say.
  private learn(family: Family, name: Table, table: SavedTable, wanted: WantedTable | undefined): void {
    const state = stateOf(table, this.oursIn(table, this.chains!.mark !== null))
    const whole =
      state.jumps.length === (wanted?.jumps.length ?? 0) &&
      [...(wanted?.chains ?? [])].every(([chain, rules]) => state.chains[chain]?.length === rules.length)
    if (!whole) throw new ToolError(this.where, 'changed', `somebody else changes table ${name} at the same time`)
    this.known.set(`${family} ${name}`, { state: JSON.stringify(state), wanted: textOf(wanted) })
  }

  private hasAny(family: Family): boolean {
    return TABLES.some((name) => (this.known.get(`${family} ${name}`)?.wanted ?? '') !== '')
  }

  // Chains of ours by their names, and flannel's: of a dead agent too, when no living one has them.
  private oursIn(table: SavedTable, shared: boolean): Set<string> {
    const marks = shared && this.claimed ? [...table.policies.keys()].filter(isMark) : []
    const usual = shared ? named(chainNames(this.id, true)) : []
    return new Set([...named(chainNames(this.id, false)), ...usual, ...marks])
  }

  // Where the tools are missing nothing of theirs is left.
  private async save(family: Family, needed: boolean): Promise<Map<string, SavedTable>> {
    if (!hasFamily(family)) return new Map()
    try {
      return parseSave(await saveTables(this.kind, family))
    } catch (error) {
      if (!needed && error instanceof ToolError && error.code === 'ENOENT') return new Map()
      throw error
    }
  }
}

function named(names: Names): string[] {
  return Object.values(names).filter((name) => name !== null)
}

function textOf(wanted: WantedTable | undefined): string {
  return wanted ? JSON.stringify([[...wanted.chains], wanted.jumps]) : ''
}
