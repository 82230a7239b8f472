// The flannel networks of this host (network.ts): which there are, and what the rest of the agent asks of all of them. Cold.
import type { LeaseRow, Undesired } from '../api/api.ts'
import type { Config, NetworkConfig } from '../config/model.ts'
import type { MoreNetworks } from '../firewall/host-rules.ts'
import type { LocalAddress } from '../upkeep/underlay.ts'
import { DirectRoutes, type OnHost } from './direct.ts'
import { Flannel, type FlannelsParts } from './network.ts'
import { placeOf, subnetFileOf } from './place.ts'

/** Milliseconds between two looks at files. */
const LOOK = 500

export class Flannels {
  private readonly p: FlannelsParts
  private readonly all = new Map<string, Flannel>()
  private readonly direct = new DirectRoutes()
  private timer: NodeJS.Timeout | null = null
  /** It is known which there are. */
  private isKnown = false

  constructor(parts: FlannelsParts) {
    this.p = parts
  }

  /**
   * Follows the networks of `config`, and no others; ours is the `underlay`'s address and the configuration's key. True:
   * `networks` has less than before.
   */
  async sync(config: Config, underlay: readonly LocalAddress[]): Promise<boolean> {
    let gone = false
    const prefixes = config.flannels.map((file) => placeOf(file, config))
    const files = config.flannels.map((file) => subnetFileOf(file, this.p.runtimeDir))
    for (const [name, one] of this.all) {
      const next = config.flannels.find((file) => file.name === name)
      if (next && one.isSame(next)) continue
      gone ||= one.network !== null
      this.all.delete(name)
      // Under another name, or with another key, it is the same network.
      await one.stop(!prefixes.includes(one.prefix))
      if (!files.includes(one.subnetFile)) one.forget()
    }
    for (const file of config.flannels) {
      const had = this.all.get(file.name)
      if (had) had.change(file, config, underlay)
      else
        this.all.set(
          file.name,
          new Flannel(
            { ...this.p, direct: this.direct, others: (now) => this.others(file.name, now) },
            file,
            config,
            underlay,
          ),
        )
    }
    this.isKnown = true
    if (this.all.size > 0) this.timer ??= setInterval(() => this.look(), LOOK).unref()
    await this.p.applyRules()
    if (this.ready) this.p.ready()
    return gone
  }

  // What the kernel tells nobody of.
  private look(): void {
    for (const one of this.all.values()) one.look()
  }

  private others(name: string, config: Config): NetworkConfig[] {
    return [...config.networks, ...this.networks().filter((network) => network.name !== name)]
  }

  /** Tells the members of the key that `next` has before it is used (Flannel.announce). Rejects: it may not be used. */
  async announce(next: Config): Promise<void> {
    await Promise.all([...this.all.values()].map((one) => one.announce(next)))
  }

  /** `sync` comes next, with what was announced or without it. */
  settle(): void {
    for (const one of this.all.values()) one.settle()
  }

  /** What the overlay has to have beside the configuration's own networks. */
  networks(): NetworkConfig[] {
    return [...this.all.values()].flatMap((one) => one.network ?? [])
  }

  /** Those that are there and have no device. */
  routed(): { readonly name: string; readonly mtu: number }[] {
    return [...this.all.values()].flatMap((one) => one.routed ?? [])
  }

  /** What the host's firewall has to know of them. */
  rules(): MoreNetworks {
    const all = [...this.all.values()].flatMap((one) => one.rules ?? [])
    return {
      prefixes: all.flatMap((rules) => rules.prefixes),
      untracked: { own: all.flatMap((rules) => rules.untracked.own), far: all.flatMap((rules) => rules.untracked.far) },
    }
  }

  /** Whether the members that there are have been put in place, in every network. */
  get ready(): boolean {
    return this.isKnown && [...this.all.values()].every((one) => one.ready)
  }

  /** The host's routes, links or addresses have changed. */
  hostChanged(): void {
    for (const { network, mended } of this.direct.check(Date.now())) {
      const vni = this.all.get(network)?.network?.vni ?? 0
      this.p.repaired({ name: network, vni }, { reason: 'route', ...mended })
    }
    for (const one of this.all.values()) one.hostChanged()
  }

  undesired(): Undesired[] {
    return [...[...this.all.values()].flatMap((one) => one.undesired()), ...this.direct.undesired()]
  }

  has(network: string): boolean {
    return this.all.has(network)
  }

  /** Routes to members that are reached without a tunnel. */
  directRoutes(): OnHost[] {
    return this.direct.list()
  }

  async leases(network?: string): Promise<LeaseRow[]> {
    const of = [...this.all].filter(([name]) => network === undefined || name === network)
    return (await Promise.all(of.map(([, one]) => one.leases()))).flat()
  }

  /** `release`: our leases are given back, and nothing tells of them any more. */
  async stop(release: boolean): Promise<void> {
    if (this.timer) clearInterval(this.timer)
    await Promise.all([...this.all.values()].map((one) => one.stop(release)))
    this.all.clear()
  }
}
