// The agent: builds every part and joins them. Control runs here, on the main thread, one change at a time; packets run on the
// data thread (data-thread.ts). The only file that knows all rooms.
import type { Worker } from 'node:worker_threads'
import type { AgentOptions } from './agent-options.ts'
import {
  type AgentApi,
  ApiError,
  type FdbEntry,
  type Found,
  type LeaseRow,
  type NeighbourEntry,
  type Profile,
  type RouteEntry,
  type Status,
} from './control/api/api.ts'
import { Captures } from './control/api/captures.ts'
import { Metrics } from './control/api/metrics.ts'
import * as report from './control/api/report.ts'
import { listRoutes } from './control/api/route-list.ts'
import { ControlSocket, MetricsListener } from './control/api/socket.ts'
import { addStation, listNeighbours, listStations, networkNamed, removeStation } from './control/api/stations.ts'
import { find } from './control/api/where.ts'
import { Overlay, type OverlayParts, type Running } from './control/apply.ts'
import type { Config } from './control/config/model.ts'
import { refuseUnchangeable } from './control/config/reload-check.ts'
import { Firewall } from './control/firewall/firewall.ts'
import { openFollower } from './control/flannel/follow.ts'
import { Flannels } from './control/flannel/networks.ts'
import type { Invited, InviteRequest } from './control/join/invite.ts'
import type { Joined, JoinRequest } from './control/join/join.ts'
import { type Membership, membershipOf, NO_HOME } from './control/join/membership.ts'
import { removeStale } from './control/leftovers.ts'
import { Names } from './control/names.ts'
import { Seldom } from './control/seldom.ts'
import { Traces } from './control/traces.ts'
import { TunnelControl } from './control/tunnels.ts'
import { Turns } from './control/turns.ts'
import { Keeper } from './control/upkeep/keeper.ts'
import { type LocalAddress, movedUnderlay, underlayOf } from './control/upkeep/underlay.ts'
import { type WgHost, WgSockets } from './control/wg/sockets.ts'
import { Counters } from './counters.ts'
import type { Mailbox, News } from './datapath/mailbox.ts'
import type { Log } from './log.ts'
import { spawnDataThread } from './spawn.ts'
import { version } from './version.ts'

/** Starts an agent; resolves once devices are up and the socket answers. Leaves nothing behind when it throws. */
export async function startAgent(config: Config, options: AgentOptions): Promise<Agent> {
  const agent = new Agent(config, options)
  await agent.start()
  return agent
}

export class Agent implements AgentApi {
  /** Resolves when the agent has stopped and cleaned up. */
  readonly done: Promise<void>
  /** Resolves once the members that the store knows have been put in place, the first time. */
  readonly programmed: Promise<void>
  private config: Config
  private readonly options: AgentOptions
  private readonly log: Log
  private readonly counters = new Counters()
  private readonly names: Names
  private readonly startedAt = Date.now()
  private readonly failed = (error: unknown): void => this.log.error(String(error))
  private readonly mtus = new Seldom(async () => this.applied?.refreshMtus(), this.failed)
  private readonly firewall: Firewall
  private readonly traces: Traces
  private readonly keeper: Keeper
  private worker: Worker | null = null
  private mailbox!: Mailbox
  private captures!: Captures
  private applied: Overlay | null = null
  private underlay: LocalAddress[] = []
  private membership: Membership | null = null
  private socket: ControlSocket | null = null
  private listener: MetricsListener | null = null
  private wg: WgSockets | null = null
  private readonly metricsRegistry = new Metrics()
  // Changes of host and tables.
  private readonly turns = new Turns()
  private readonly reloads = new Turns()
  private stopping = false
  private finished!: () => void
  private programme!: () => void
  private readonly flannels: Flannels

  constructor(config: Config, options: AgentOptions) {
    this.config = config
    this.options = options
    this.log = options.log
    this.firewall = new Firewall(options.runtimeDir, options.log)
    this.traces = new Traces(options.runtimeDir, (line) => options.log.warn(line))
    this.keeper = new Keeper({
      overlay: () => (this.stopping ? null : this.applied),
      config: () => this.config,
      inTurn: (change) => this.turns.take(change),
      follow: () => this.followUnderlay(),
      after: () => this.hostChanged(),
      log: options.log,
    })
    this.done = new Promise((resolve) => {
      this.finished = resolve
    })
    this.programmed = new Promise((resolve) => {
      this.programme = resolve
    })
    this.names = new Names({
      hosts: () => this.config.peers.flatMap((p) => p.endpoint?.host ?? []),
      underlay: () => this.underlay,
      complete: () => this.overlay.complete(),
      changed: () => this.turns.take(() => this.overlay.replacePeers()),
      log: options.log,
    })
    this.flannels = new Flannels({
      runtimeDir: options.runtimeDir,
      traces: this.traces,
      log: options.log,
      follow: (file, config, who, subnetFile) => openFollower(file, config, who, subnetFile, options.log),
      overlay: () => this.overlay,
      apply: () => this.applyAll(),
      applyRules: () => this.applyRules(),
      inTurn: (change) => this.turns.take(change),
      ready: () => this.flannels.ready && this.programme(),
      repaired: (network, repair) => this.keeper.repaired(network, repair),
    })
  }

  async start(): Promise<void> {
    try {
      // The socket first: a second agent on the same runtime directory must not touch a device.
      this.socket = await ControlSocket.open(this.options.runtimeDir)
      this.socket.serve(this, (line) => this.log.warn(line))
      await removeStale(this.traces, this.config, this.log)
      const { metrics } = this.config
      if (metrics) this.listener = await MetricsListener.open(metrics.host, metrics.port, this)
      await this.startDataThread()
      this.underlay = underlayOf(this.config)
      await this.names.lookUp()
      this.applied = new Overlay(await this.overlayParts(), this.config.offloads)
      this.captures = new Captures(this.mailbox, () => this.running)
      await this.applyRules()
      await this.applyAll()
      this.names.watch()
      this.wg = new WgSockets(this.wgHost())
      await this.wg.sync(this.config)
      for (const line of report.running(this.overlay, this.config, this.underlay)) this.log[line.level](line.text)
      this.membership = membershipOf(this.options, {
        config: () => this.config,
        underlay: () => this.underlay,
        reload: () => this.reload(),
        said: (line) => this.log.info(line),
        tunnels: this.overlay.tunnels,
        setVisiting: (on) => this.turns.take(() => this.overlay.setVisiting(on)),
      })
      await this.membership?.start()
      await this.flannels.sync(this.config, this.underlay)
    } catch (error) {
      await this.shutDown()
      throw error
    }
  }

  status(): Status {
    const { applied, counters, config, running } = this
    return {
      schema: 1,
      node: this.config.node,
      version,
      pid: process.pid,
      uptimeSeconds: Math.floor((Date.now() - this.startedAt) / 1000),
      ready: this.ready(),
      networks: report.networkStatuses(running, this.flannels.routed(), counters),
      peers: applied ? report.peerStatuses(config, applied, counters, (key) => applied.tunnels.session(key)) : [],
      drops: counters.drops(),
      offloads: applied ? report.offloads(config, applied, counters) : {},
      undesired: [...this.keeper.undesired(), ...this.flannels.undesired(), ...this.firewall.faults(Date.now())],
      repairs: this.keeper.repairs.counts(),
      firewall: this.firewall.status(),
    }
  }

  ready(): boolean {
    if (!this.applied || this.stopping) return false
    const all = this.running
    const wanted = this.config.networks.length + this.flannels.networks().length
    const isUp = all.length === wanted && all.every((r) => r.device.up && !r.device.lost)
    return isUp && this.flannels.ready && this.applied.complete()
  }

  alive(): boolean {
    return report.isAlive(this.counters)
  }

  metrics(): Promise<string> {
    return this.metricsRegistry.text(this.status(), (key) => this.overlay.tunnels.handshakeAt(key))
  }

  profile(): Profile {
    return report.profile(this.counters)
  }

  async fdb(network?: string): Promise<FdbEntry[]> {
    return listStations(this.mailbox, this.overlay, network)
  }

  async fdbAdd(network: string, mac: string, vtep: string): Promise<void> {
    return addStation(this.mailbox, networkNamed(this.overlay, network), mac, vtep)
  }

  async neighbours(network?: string): Promise<NeighbourEntry[]> {
    return listNeighbours(this.mailbox, this.overlay, network)
  }

  async fdbDel(network: string, mac: string): Promise<void> {
    return removeStation(this.mailbox, networkNamed(this.overlay, network), mac)
  }

  async leases(network?: string): Promise<LeaseRow[]> {
    return this.flannels.leases(this.known(network))
  }

  routes(network?: string): RouteEntry[] {
    return listRoutes(this.overlay, this.flannels.directRoutes(), this.known(network))
  }

  async where(what: string): Promise<Found[]> {
    const around = { underlay: this.underlay, direct: this.flannels.directRoutes() }
    return find(what, this.overlay, around, { stations: await this.fdb(), neighbours: await this.neighbours() })
  }

  async reload(): Promise<void> {
    const { readConfig, reloading } = this.options
    if (!readConfig) throw new ApiError(409, 'this agent was started without a file; restart it with other flags')
    reloading?.(true)
    await this.reloads.take(() => this.take(readConfig)).finally(() => reloading?.(false))
    this.log.info('configuration reloaded')
  }

  private async take(readConfig: () => Promise<Config>): Promise<void> {
    const next = await readConfig()
    refuseUnchangeable(this.config, next)
    await this.adopt(next)
    await this.wg?.sync(next)
  }

  // A key of ours is told to the store before it is used.
  private async adopt(next: Config): Promise<void> {
    await this.flannels.announce(next)
    try {
      await this.turns.take(() => this.replace(next))
    } finally {
      this.flannels.settle()
      if (await this.flannels.sync(this.config, this.underlay)) await this.turns.take(() => this.applyAll())
    }
  }

  async invite(request: InviteRequest): Promise<Invited> {
    return this.members.invite(request)
  }

  async join(request: JoinRequest): Promise<Joined> {
    return this.members.join(request)
  }

  stop(release = false): void {
    if (this.stopping) return
    this.stopping = true
    this.options.stopping?.()
    void this.turns.take(() => this.shutDown(release)).catch((error: unknown) => this.log.error(String(error)))
  }

  capture(network: string | undefined, sink: (chunk: Uint8Array) => void): () => void {
    const { overlay } = this
    if (network !== undefined) networkNamed(overlay, network)
    return this.captures.start(network, sink)
  }

  private get running(): readonly Running[] {
    return this.applied ? [...this.applied.running.values()] : []
  }

  private get overlay(): Overlay {
    if (!this.applied) throw new ApiError(503, 'the agent is starting; ask again in a moment')
    return this.applied
  }

  private get members(): Membership {
    if (!this.membership) throw new ApiError(409, NO_HOME)
    return this.membership
  }

  private async overlayParts(): Promise<OverlayParts> {
    const { counters, mailbox } = this
    const said = (line: string): void => this.log.info(line)
    const parts = { counters, mailbox, resolver: this.names.resolver, said }
    const tunnels = await TunnelControl.open({
      ...parts,
      lookUp: (host) => this.names.lookUp([host]),
      moved: () => this.applied?.outside.moved(),
      told: (speaker, body) => this.membership?.hear(speaker, body),
    })
    return { ...parts, tunnels }
  }

  private async startDataThread(): Promise<void> {
    const thread = await spawnDataThread(this.counters, (n) => this.hear(n))
    this.worker = thread.worker
    this.mailbox = thread.mailbox
    thread.ended.catch((error: unknown) => this.dataThreadEnded(error))
  }

  private dataThreadEnded(error: unknown): void {
    this.mailbox.close(error instanceof Error ? error : new Error(String(error)))
    if (this.stopping) return
    // Nothing carries packets any more: better a restart by the service manager than an agent that only looks alive.
    this.log.error(`the data thread failed: ${error instanceof Error ? error.stack : error}`)
    process.exitCode = 1
    void this.shutDown()
  }

  private async replace(next: Config): Promise<void> {
    const before = { config: this.config, underlay: this.underlay }
    try {
      this.underlay = underlayOf(next)
      this.config = next
      await this.names.lookUp()
      await this.applyAll()
    } catch (error) {
      Object.assign(this, before)
      await this.applyAll()
      throw error
    }
    this.names.watch()
    await this.captures.switch()
  }

  private applyRules(): Promise<void> {
    return this.firewall.apply(this.config, this.flannels.rules(), this.config.flannels.length > 0)
  }

  // The configuration's networks, and those that the store has told of.
  private async applyAll(): Promise<void> {
    const networks = [...this.config.networks, ...this.flannels.networks()]
    await this.overlay.apply({ ...this.config, networks }, this.underlay)
    this.keeper.watch()
  }

  private wgHost(): WgHost {
    return {
      config: () => this.config,
      adopt: (change) => this.reloads.take(() => this.adopt(change(this.config))),
      seen: (key) => this.overlay.tunnels.seen(key),
      recall: (key) => this.turns.take(() => this.overlay.tunnels.recall(key)),
      setMark: async (mark) => this.overlay.sockets.setMark(mark),
      warn: (line) => this.log.warn(line),
      opened: (paths) => this.traces.setSockets(paths),
    }
  }

  private async shutDown(release = false): Promise<void> {
    this.stopping = true
    this.names.close()
    this.mtus.close()
    this.keeper.close()
    this.membership?.close()
    await this.firewall.close()
    try {
      await this.flannels.stop(release)
      await this.wg?.close()
      await this.applied?.removeAll()
      this.applied?.tunnels.close()
      if (this.worker) await this.mailbox.ask({ kind: 'stop' })
    } catch (error) {
      this.log.debug(`while stopping: ${error instanceof Error ? error.message : error}`)
    }
    await this.worker?.terminate()
    this.applied?.sockets.closeAll()
    await this.listener?.close()
    await this.socket?.close()
    this.finished()
  }

  private hear(n: News): void {
    if (this.applied?.tunnels.hear(n)) return
    const r = 'id' in n ? this.running.find((x) => x.id === n.id) : undefined
    if (n.kind === 'captured') this.captures.take(r, n.frame)
    if (n.kind === 'gone' && r) this.keeper.gone(r)
    const line = this.applied && report.news(this.applied, r, n)
    if (line) this.log[line.level](line.text)
  }

  private async hostChanged(): Promise<void> {
    this.flannels.hostChanged()
    await this.mtus.ask(performance.now())
    await this.overlay.followGroups()
  }

  private async followUnderlay(): Promise<void> {
    const now = movedUnderlay(this.config, this.underlay)
    if (!now) return
    this.log.info(`underlay address is ${now.map((l) => l.address).join(', ')} now`)
    this.underlay = now
    await this.applyAll()
    await this.flannels.sync(this.config, now)
  }

  // A flannel network is known before its device is there.
  private known(network?: string): string | undefined {
    if (network !== undefined && !this.flannels.has(network)) networkNamed(this.overlay, network)
    return network
  }
}
