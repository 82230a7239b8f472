// Keeps the host's rules: chooses the firewall that takes them, puts them there, looks after them by events and now and then, and
// takes them away at the end. A host that cannot have them is no reason not to run: it is said once, and stands in `undesired`.
// Cold.
import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import {
  type Family,
  forwards,
  hasFamily,
  hasLegacyTables,
  hasNft,
  saveTables,
  type TablesKind,
  ToolError,
  usualKind,
} from '../../host/firewall.ts'
import { RuleMonitor } from '../../host/firewall-events.ts'
import * as flows from '../../host/flows.ts'
import type { Log } from '../../log.ts'
import type { FirewallStatus, Undesired } from '../api/api.ts'
import type { Config, RulesConfig } from '../config/model.ts'
import type { PortMapping } from '../config/port-mapping.ts'
import { Turns } from '../turns.ts'
import { familyOf, type HostRules, hostRules, type MoreNetworks } from './host-rules.ts'
import { parseSave } from './iptables-save.ts'
import { droppingChains, NftTable } from './nft.ts'
import { isStale, udpPorts } from './stale-flows.ts'
import { isUsed, KERNEL_CHAINS, Tables } from './tables.ts'

type Engine = NftTable | Tables
type Fault = Omit<Undesired, 'since'>

const FAMILIES = [4, 6] as const
const DEFAULT_RUNTIME_DIR = '/run/vtepd'
/** Milliseconds from an event to the look, and from a look to the next; the second when somebody fights with us. */
const SETTLE = 100
const GAP = 500
const FIGHT_GAP = 5000
/** So many repairs within a minute are a fight. */
const FIGHT = 40
const MINUTE = 60_000
/** Milliseconds between looks: where events tell of changes, and where nothing does. */
const LOOK = 60_000
const LOOK_UNTOLD = 10_000

export class Firewall {
  private readonly id: string
  private readonly table: string
  private readonly log: Log
  private choice: RulesConfig['firewall'] = 'off'
  private rules: HostRules | null = null
  private takeOver = false
  private engine: Engine | null = null
  /** Have rules of ours until the next one has them. */
  private retired: Engine[] = []
  private monitor: RuleMonitor | null = null
  private readonly turns = new Turns()
  private soonTimer: NodeJS.Timeout | null = null
  private lookTimer: NodeJS.Timeout | null = null
  private lookedAt = 0
  private repairedAt: number[] = []
  private count = 0
  private fault: Fault | null = null
  private refused: Fault[] = []
  /** Since when each fault is there, in seconds. */
  private readonly begun = new Map<string, number>()
  /** Mappings that the rules have. */
  private mapped: readonly PortMapping[] = []
  private said = ''
  private cleaned = false
  /** Rules of ours are there. */
  private holds = false
  private closed = false

  /** Two agents of one namespace have their rules apart, by their runtime directories. */
  constructor(runtimeDir: string, log: Log) {
    const dir = resolve(runtimeDir)
    this.id = createHash('sha256').update(dir).digest('hex').slice(0, 8)
    this.table = dir === DEFAULT_RUNTIME_DIR ? 'vtepd' : `vtepd-${this.id}`
    this.log = log
  }

  status(): FirewallStatus {
    const { choice, engine, count } = this
    const kind = choice === 'off' ? 'off' : engine && this.holds ? engine.label : 'none'
    return { kind, repairs: count }
  }

  /**
   * Makes the host's rules what the configuration says, and what networks beside it need. Never throws. Call it before the first
   * packet: the kernel goes on tracking what it has begun to track. `takeOver`: chains that a flanneld has left are ours from
   * now on.
   */
  apply(config: Config, more?: MoreNetworks, takeOver = false): Promise<void> {
    const choice = config.rules.firewall
    const rules = hostRules(config, more)
    return this.turns.take(async () => {
      if (this.closed) return
      const same = choice === this.choice && JSON.stringify(rules) === JSON.stringify(this.rules)
      this.choice = choice
      this.takeOver = takeOver
      if (choice === 'off') return this.drop()
      this.rules = rules
      if (same) return
      this.watch()
      await this.attempt(true)
      this.tell()
    })
  }

  /** Takes the rules away, for good. */
  async close(): Promise<void> {
    this.closed = true
    await this.turns.take(() => this.drop())
  }

  /** What is not as it should be, and why. `now` in ms. */
  faults(now: number): Undesired[] {
    const { rules } = this
    if (!rules || this.choice === 'off') return []
    const all = [...(this.fault ? [this.fault] : []), ...this.refused, ...unforwarded(rules)]
    const known = new Map(all.map((fault) => [JSON.stringify(fault), Math.floor(now / 1000)]))
    for (const key of this.begun.keys()) if (!known.has(key)) this.begun.delete(key)
    for (const [key, since] of known) this.begun.set(key, this.begun.get(key) ?? since)
    return all.map((fault) => ({ ...fault, since: this.begun.get(JSON.stringify(fault))! }))
  }

  /** Removes what a killed agent of this runtime directory has left, in whatever firewall. Throws ToolError. */
  async removeLeftovers(): Promise<void> {
    const { engine } = this
    const kept = (kind: TablesKind): boolean => engine instanceof Tables && engine.kind === kind
    if (!(engine instanceof NftTable)) await present(new NftTable(this.table).remove())
    if (!kept('nft')) await present(new Tables('nft', this.id, false).remove())
    const legacy = hasLegacyTables(4) || hasLegacyTables(6)
    if (legacy && !kept('legacy')) await present(new Tables('legacy', this.id, false).remove())
  }

  private async attempt(choose: boolean): Promise<void> {
    const rules = this.rules!
    const now = Date.now()
    try {
      const before = this.engine
      if (choose) this.engine = await this.choose()
      if (before && before !== this.engine) this.retired.push(before)
      const damaged = (await this.engine?.put(rules)) ?? false
      this.holds = true
      for (const old of this.retired.splice(0)) await old.remove()
      if (!this.cleaned) {
        this.cleaned = true
        await this.removeLeftovers()
      }
      if (this.monitor) this.monitor.names = [...KERNEL_CHAINS, ...(this.engine?.names ?? [])]
      this.settleFlows(this.engine ? rules.ports : [], damaged)
      if (damaged) this.repaired(now)
      if (this.fault && this.engine) this.log.info(`host rules: ${this.fault.want}, in ${this.engine.where} now`)
      this.fault = null
      this.refused = this.engine instanceof NftTable && rules.forward ? await refusing(this.table) : []
    } catch (error) {
      this.failed(error)
    }
    this.faults(now)
    this.lookedAt = Date.now()
  }

  // Before each flow begins anew the rules are there, or gone.
  private settleFlows(now: readonly PortMapping[], damaged: boolean): void {
    const before = this.mapped
    this.mapped = now
    if (!damaged && JSON.stringify(before) === JSON.stringify(now)) return
    try {
      const own = flows.ownAddresses()
      for (const family of FAMILIES) {
        const ports = udpPorts(family, [...before, ...now])
        if (ports.length === 0) continue
        for (const flow of flows.udpFlows(family, ports)) if (isStale(flow, before, now, own)) flows.forget(flow)
      }
    } catch (error) {
      // Without ctnetlink they end when they have been silent for as long as the kernel waits.
      this.log.debug(
        `host rules: flows that there are go on as they were: ${error instanceof Error ? error.message : error}`,
      )
    }
  }

  private async choose(): Promise<Engine | null> {
    const { choice, engine, rules } = this
    // A host that has begun to use iptables is not looked at again.
    if (choice === 'auto' && engine instanceof Tables) return engine
    const used = choice === 'nftables' ? null : await usedTables()
    const kind = used ?? (choice === 'iptables' ? await usualKind() : null)
    if (kind !== null) {
      return engine instanceof Tables && engine.kind === kind ? engine : new Tables(kind, this.id, this.takeOver)
    }
    // Nothing of nftables drops what an accept there could save: alone it is not worth a table.
    if (!rules!.asked) return null
    if (engine instanceof NftTable) return engine
    if (choice === 'nftables' || (await hasNft())) return new NftTable(this.table)
    const usual = await present(usualKind())
    if (usual === null) throw new Error('neither nft nor iptables is installed; install one, or write firewall: off')
    return new Tables(usual, this.id, this.takeOver)
  }

  private repaired(now: number): void {
    this.count++
    const lately = this.repairedAt.filter((at) => now - at < MINUTE)
    if (lately.length === 0) this.log.warn(`host rules: changed by somebody in ${this.engine!.where}: put back`)
    this.repairedAt = [...lately, now]
  }

  private failed(error: unknown): void {
    const why = error instanceof Error ? error.message : String(error)
    const { asked } = this.rules!
    if (asked) {
      const want = summary(this.rules!)
      this.fault = { what: 'host rules', where: this.engine?.where ?? this.choice, want, have: why }
    }
    const line = `host rules: ${why}`
    if (line === this.said) return
    this.said = line
    this.log[asked ? 'warn' : 'debug'](line)
  }

  // Once for each state of things.
  private tell(): void {
    const { engine } = this
    const rules = this.rules!
    if (this.fault) return
    const line = engine ? `host rules: ${summary(rules) || 'none'}, in ${engine.where}` : ''
    if (line !== '' && line !== this.said) this.log.info(line)
    this.said = line
    if (rules.masquerade && rules.prefixes.length === 0 && !this.takeOver) {
      this.log.warn('host rules: masquerade: no network here has an address, so there is nothing to do')
    }
    if (rules.asked)
      for (const { what, have } of this.faults(Date.now())) this.log.warn(`host rules: ${what} is ${have}`)
  }

  private async drop(): Promise<void> {
    for (const timer of [this.soonTimer, this.lookTimer]) if (timer) clearTimeout(timer)
    this.soonTimer = null
    this.lookTimer = null
    this.monitor?.close()
    this.monitor = null
    this.fault = null
    this.refused = []
    for (const engine of [...this.retired.splice(0), this.engine]) {
      try {
        await engine?.remove()
      } catch (error) {
        if (!this.holds) continue
        this.log.warn(`host rules: left in ${engine!.where}: ${error instanceof Error ? error.message : error}`)
      }
    }
    this.settleFlows([], false)
    this.engine = null
    this.rules = null
    this.holds = false
  }

  private watch(): void {
    if (!this.monitor) {
      try {
        this.monitor = new RuleMonitor()
        this.monitor.names = KERNEL_CHAINS
        this.monitor.on('change', () => this.soon())
      } catch {
        // No nf_tables, or not permitted: what happens is seen at the next look.
      }
    }
    this.lookTimer ??= setTimeout(() => this.look(), LOOK_UNTOLD).unref()
  }

  private look(): void {
    this.lookTimer = null
    const { engine, monitor } = this
    const told = engine === null || (monitor && !(engine instanceof Tables && engine.kind === 'legacy'))
    if (!told || Date.now() - this.lookedAt >= LOOK) this.check()
    if (!this.closed) this.watch()
  }

  private soon(): void {
    if (this.soonTimer || this.closed) return
    const now = Date.now()
    const fight = this.repairedAt.filter((at) => now - at < MINUTE).length > FIGHT
    const wait = Math.max(SETTLE, this.lookedAt + (fight ? FIGHT_GAP : GAP) - now)
    this.soonTimer = setTimeout(() => {
      this.soonTimer = null
      this.check()
    }, wait).unref()
  }

  private check(): void {
    void this.turns.take(async () => {
      if (this.rules && !this.closed) await this.attempt(this.choice === 'auto')
    })
  }
}

/** For people: 'masquerade, forward'. */
function summary(rules: HostRules): string {
  const { masquerade, forward, untracked, ports } = rules
  const parts = [masquerade && 'masquerade', forward && 'forward', untracked.own.length > 0 && 'notrack']
  return [...parts, ports.length > 0 && `${ports.length} mapped port${ports.length > 1 ? 's' : ''}`]
    .filter(Boolean)
    .join(', ')
}

// What is asked for needs a host that forwards, and whether it does is the administrator's to say.
function unforwarded(rules: HostRules): Fault[] {
  if (!rules.masquerade && rules.ports.length === 0) return []
  const families = new Set<Family>([
    ...rules.prefixes.map((p) => familyOf(p.cidr)),
    ...rules.ports.map((p) => p.family),
  ])
  return [...families]
    .filter((family) => forwards(family) === false)
    .map((family) => ({
      what: family === 4 ? 'net.ipv4.ip_forward' : 'net.ipv6.conf.all.forwarding',
      where: 'sysctl',
      want: '1',
      have: '0',
    }))
}

async function refusing(own: string): Promise<Fault[]> {
  // An nft that knows no JSON cannot tell, and does all else.
  const chains = await droppingChains(own).catch(() => [])
  return chains.map((where) => ({
    what: 'forward',
    where,
    want: 'accept',
    have: 'policy drop, which no rule of ours overrides',
  }))
}

// Whose rules count on this host; null: nobody uses iptables.
async function usedTables(): Promise<TablesKind | null> {
  const uses = async (kind: TablesKind): Promise<boolean> => {
    for (const family of FAMILIES) {
      const isThere = kind === 'legacy' ? hasLegacyTables(family) : hasFamily(family)
      if (isThere && isUsed(parseSave(await saveTables(kind, family)))) return true
    }
    return false
  }
  const legacy = await uses('legacy')
  // Where it cannot be asked nobody uses it.
  const nft = await uses('nft').catch(() => false)
  if (legacy && nft) return usualKind()
  return legacy ? 'legacy' : nft ? 'nft' : null
}

// A tool that is not there has done nothing.
async function present<T>(done: Promise<T>): Promise<T | null> {
  try {
    return await done
  } catch (error) {
    if (error instanceof ToolError && error.code === 'ENOENT') return null
    throw error
  }
}
