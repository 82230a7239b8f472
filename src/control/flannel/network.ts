// One flannel network of this host: what its follower says (model.ts) turned into what is wanted (desired.ts), and that handed
// over: the network and its members to the overlay, routes to the host, subnet.env to whoever waits for it. Changes are
// taken together. Cold.
import { setTimeout as pause } from 'node:timers/promises'
import { ApiError, type LeaseRow, type Undesired } from '../api/api.ts'
import type { Overlay } from '../apply.ts'
import type { Config, FlannelConfig, NetworkConfig, PeerConfig } from '../config/model.ts'
import type { MoreNetworks } from '../firewall/host-rules.ts'
import type { NetworkTraces, Traces } from '../traces.ts'
import { Faults } from '../upkeep/faults.ts'
import type { Repair } from '../upkeep/repairs.ts'
import type { LocalAddress } from '../upkeep/underlay.ts'
import { clash, desiredNetwork, type Here, type MemberPlace, Placer, storeFault } from './desired.ts'
import { type DirectRoutes, linkFinder } from './direct.ts'
import { leaseRows } from './lease-rows.ts'
import type { Follower, Identity, Membership, StoreConfig } from './model.ts'
import { placeOf, subnetFileOf } from './place.ts'
import { memberRules } from './rules.ts'
import { subnetEnvText } from './subnet-env.ts'
import { SubnetFile } from './subnet-file.ts'
import { vtepMac } from './vtep-mac.ts'

/** Milliseconds in which further changes of a membership are gathered. */
const GATHER = 100
/** Milliseconds that the store may take to have our next key, and the members to hear of it. */
const TAKEN = 10_000
const HEARD = 1000
/** Milliseconds after which what could not be done is tried again. */
const AGAIN = 5000
/** What a roll that waits is called in `undesired`. */
const KEY = 'key'
/** What a store that cannot be followed is called there. */
const STORE = 'store'

export interface FlannelsParts {
  readonly runtimeDir: string
  readonly traces: Traces
  readonly log: { info(line: string): void; warn(line: string): void }
  follow(file: FlannelConfig, config: Config, identity: Identity, subnetFile: string): Follower
  overlay(): Overlay
  /** `networks()` is other than before: makes the overlay what it should be. */
  apply(): Promise<void>
  /** `rules()` may be other than before: makes the host's firewall what it should be. */
  applyRules(): Promise<void>
  /** Does changes one after the other. */
  inTurn(change: () => Promise<void>): Promise<void>
  /** Every network is there as it should be. */
  ready(): void
  /** Something of a network was put back on the host. */
  repaired(network: { readonly name: string; readonly vni: number }, repair: Repair): void
}

export interface FlannelParts extends FlannelsParts {
  readonly direct: DirectRoutes
  /** The host's other networks. */
  others(config: Config): readonly NetworkConfig[]
}

export class Flannel {
  /** null: not yet, not possible, or a back end without a device. */
  network: NetworkConfig | null = null
  rules: MoreNetworks | null = null
  ready = false
  private readonly p: FlannelParts
  private readonly follower: Follower
  private readonly mac: string
  private file: FlannelConfig
  private config: Config
  /** A key that the members hear of while the one of `config` is still used. */
  private nextKey: string | null = null
  private underlay: readonly LocalAddress[]
  private placer: Placer | null = null
  private placedFor: unknown = null
  private places: ReadonlyMap<string, MemberPlace> = new Map()
  private mtu = 0
  private direct = ''
  private readonly env = new SubnetFile()
  private said = ''
  /** Of the store; '': it answers. */
  private trouble = ''
  private readonly faults = new Faults()
  private timer: NodeJS.Timeout | null = null
  private due = 0
  private stopped = false

  constructor(parts: FlannelParts, file: FlannelConfig, config: Config, underlay: readonly LocalAddress[]) {
    this.p = parts
    this.file = file
    this.config = config
    this.underlay = underlay
    this.mac = file.mac ?? vtepMac(file, config, underlay)
    this.follower = parts.follow(file, config, this.identity(), this.subnetFile)
    this.follower.on('change', () => this.gather(0))
    this.follower.on('claim', (key) => this.trace({ lease: this.leaseTrace(key) }))
    this.follower.on('trouble', (why, news) => {
      this.trouble = why
      this.faults.note(STORE, file.name, 'followed', `${why}; what was known goes on`, Date.now())
      for (const one of news) parts.log.warn(`network ${file.name}: ${one}`)
    })
    this.follower.on('well', () => {
      this.trouble = ''
      this.faults.clear(STORE)
      parts.log.info(`network ${file.name}: all is well with the store again`)
    })
    this.follower.start()
  }

  /** Whether `change` is enough. */
  isSame(file: FlannelConfig): boolean {
    const key = (of: FlannelConfig) => JSON.stringify([of.prefix, of.mac, of.security])
    return key(file) === key(this.file)
  }

  change(file: FlannelConfig, config: Config, underlay: readonly LocalAddress[]): void {
    this.file = file
    this.config = config
    this.underlay = underlay
    this.follower.setIdentity(this.identity())
    this.gather(0)
  }

  /** null: it has a device, or is not there. */
  get routed(): { readonly name: string; readonly mtu: number } | null {
    return this.ready && this.network === null ? { name: this.file.name, mtu: this.mtu } : null
  }

  hostChanged(): void {
    const { current } = this.follower
    if (current && this.placer && this.isDirect(current)) this.gather(GATHER)
  }

  /** `release`: this host is no member any more. */
  async stop(release: boolean): Promise<void> {
    this.stopped = true
    if (this.timer) clearTimeout(this.timer)
    this.timer = null
    this.network = null
    this.rules = null
    this.p.direct.clear(this.file.name)
    this.trace({ scope: [] })
    if (await this.follower.stop(release)) this.trace({ lease: null })
    if (release) this.forget()
  }

  /** Once stopped: nobody is told of our subnet any more. */
  forget(): void {
    this.env.remove()
    this.trace({ file: null })
  }

  /** Every now and then. */
  look(): void {
    const { name } = this.file
    for (const repair of this.env.check(Date.now())) this.p.repaired({ name, vni: this.network?.vni ?? 0 }, repair)
  }

  /** Why the network is not there; or, when it is, what is wrong with its store. */
  undesired(): Undesired[] {
    const why = this.said || this.trouble || 'nothing was heard of the store yet'
    if (this.ready) this.faults.clear('network')
    else this.faults.note('network', this.file.name, 'joined', `not joined: ${why}`, Date.now())
    const faults = this.faults.list().filter(({ what }) => this.ready || what !== STORE)
    return [...faults, ...this.env.undesired()]
  }

  async leases(): Promise<LeaseRow[]> {
    const { current } = this.follower
    if (!current) return []
    const known = [current.own, ...current.members.values(), ...current.ignored.flatMap(({ lease }) => lease ?? [])]
    const expiries = await this.follower.expiries(known.map(({ key }) => key))
    const isPlaced = (peer: string): boolean => this.p.overlay().isPlaced(this.file.name, peer)
    const { places, said: fault } = this
    return leaseRows(current, { network: this.file.name, fault, places, isPlaced, expiries, now: Date.now() })
  }

  /**
   * Tells the members of the key that `next` has, and resolves when the store has it and they had the time to place it: from then
   * on it may be used. Rejects when the store does not take it in time; then all is as before.
   */
  async announce(next: Config): Promise<void> {
    const file = next.flannels.find(({ name }) => name === this.file.name)
    const isSealed = file?.security === 'secure' && this.file.security === 'secure' && this.network !== null
    if (!isSealed || next.publicKey === this.config.publicKey) return
    this.nextKey = next.publicKey
    this.faults.note(
      KEY,
      this.file.name,
      'the new one',
      'the old one, until the store has taken the new one',
      Date.now(),
    )
    this.follower.setIdentity(this.identity())
    const isTaken = await this.follower.published(TAKEN)
    this.faults.clear(KEY)
    if (isTaken) return pause(HEARD)
    this.nextKey = null
    this.follower.setIdentity(this.identity())
    const why = `the store has not taken our new key within ${TAKEN / 1000} s`
    throw new ApiError(503, `network ${this.file.name}: ${why}, and the old one stays; try again when it answers`)
  }

  /** What was announced is used from now on, or will not be: `change` says which. */
  settle(): void {
    this.nextKey = null
  }

  // A namespace of its own has its own firewall, in which we have no rules: there container engines see to it.
  private get masquerades(): boolean {
    return this.config.rules.masquerade && this.file.netns === null
  }

  /** Where subnet.env is. */
  get subnetFile(): string {
    return subnetFileOf(this.file, this.p.runtimeDir)
  }

  /** Where the network is in the store. */
  get prefix(): string {
    return placeOf(this.file, this.config)
  }

  private identity(): Identity {
    const { node, publicKey, underlay } = this.config
    const of = (v6: boolean) => this.underlay.find((l) => l.v6 === v6)?.address ?? null
    return {
      node,
      publicIp: of(false),
      publicIpv6: of(true),
      // Of two devices in flannel, of one here: each end writes to what the other's lease says.
      vtepMac: this.mac,
      vtepMac6: this.mac,
      publicKey: this.nextKey ?? publicKey,
      wireguardPort: underlay.wireguardPort,
      secure: this.file.security === 'secure',
    }
  }

  // The first change at once, those that follow soon after it together.
  private gather(atLeast: number): void {
    if (this.timer || this.stopped) return
    const wait = Math.max(atLeast, this.due - performance.now())
    this.timer = setTimeout(() => {
      this.timer = null
      this.due = performance.now() + GATHER
      void this.p.inTurn(() => this.program()).catch((error: unknown) => this.failed(error))
    }, wait)
  }

  private async program(): Promise<void> {
    const m = this.follower.current
    if (!m || this.stopped) return
    const here: Here = { ...this.here(), onLink: this.isDirect(m) ? linkFinder() : () => null }
    const { network, mtu } = desiredNetwork(this.file, m, here)
    const fault = storeFault(this.file, m.config, here) ?? (network && clash(network, this.p.others(this.config)))
    if (fault !== null) {
      this.say(fault)
      await this.become(null)
      this.p.direct.clear(this.file.name)
      this.direct = ''
      return
    }
    this.place(m, here)
    if (network && (await this.p.overlay().setMembers(this.file.name, peersOf(this.places.values()))))
      this.gather(GATHER)
    const rules = memberRules(this.file, m, network?.interface ?? '', this.config.underlay.wireguardPort)
    const isNew = JSON.stringify(rules) !== JSON.stringify(this.rules)
    this.rules = rules
    if (isNew) await this.p.applyRules()
    await this.become(network)
    if (m.own.expires === null) this.trace({ lease: null })
    this.route(m.config)
    const text = subnetEnvText({ config: m.config, own: m.own, mtu, masquerade: this.masquerades })
    this.trace({ file: { path: this.subnetFile, text } })
    this.write(text)
    this.say('')
    if (!this.ready) this.p.log.info(`network ${this.file.name}: ${mine(m)}, ${counted(this.places.size)} in place`)
    this.ready = true
    this.mtu = mtu
    this.p.ready()
  }

  private write(text: string): void {
    try {
      this.env.set(this.subnetFile, text)
    } catch (error) {
      throw new Error(`subnet.env cannot be written: ${error instanceof Error ? error.message : error}`)
    }
  }

  private isDirect({ config: { backend } }: Membership): boolean {
    return backend.type === 'host-gw' || (backend.type === 'vxlan' && backend.directRouting)
  }

  private here(): Omit<Here, 'onLink'> {
    return { underlay: this.underlay, mac: this.mac, wireguardPort: this.config.underlay.wireguardPort }
  }

  // Placers last as long as what they were made for.
  private place(m: Membership, here: Here): void {
    const made = JSON.stringify([this.file, m.config, this.here()])
    if (made !== this.placedFor || !this.placer) this.placer = new Placer(this.file, m.config, here)
    else this.placer.look(here)
    this.placedFor = made
    const { placer } = this
    this.places = new Map([...m.members].map(([key, lease]) => [key, placer.place(lease)]))
  }

  private async become(network: NetworkConfig | null): Promise<void> {
    const before = this.network
    if (JSON.stringify(network) === JSON.stringify(before)) return
    this.network = network
    try {
      await this.p.apply()
    } catch (error) {
      this.network = before
      await this.p.apply()
      throw error
    }
  }

  private route({ ipv4, ipv6 }: StoreConfig): void {
    const routes = [...this.places.values()].flatMap((place) => place.routes)
    const scope = [ipv4, ipv6].flatMap((range) => range?.network ?? [])
    const key = JSON.stringify([routes, scope])
    if (key === this.direct) return
    // The network may have been another one when an agent before was killed.
    const before = this.p.traces.of(this.prefix).scope
    if (routes.length > 0) this.trace({ scope: [...new Set([...before, ...scope])] })
    this.p.direct.set(this.file.name, routes, [...new Set([...before, ...scope])], Date.now())
    this.trace({ scope: routes.length > 0 ? scope : [] })
    this.direct = key
  }

  private trace(part: Partial<NetworkTraces>): void {
    this.p.traces.note(this.prefix, part)
  }

  private leaseTrace(key: string): NetworkTraces['lease'] {
    const { endpoints, caFile, certFile, keyFile, username, passwordFile } = this.config.etcd!
    const store = { endpoints: [...endpoints], caFile, certFile, keyFile, username, passwordFile }
    return { store, key, instance: this.follower.instance }
  }

  private failed(error: unknown): void {
    this.say(error instanceof Error ? error.message : String(error))
    this.due = performance.now() + AGAIN
    this.gather(AGAIN)
  }

  // Once for the same trouble.
  private say(fault: string): void {
    if (fault === this.said) return
    this.said = fault
    if (fault === '') this.p.log.info(`network ${this.file.name}: is there again`)
    else {
      this.ready = false
      this.p.log.warn(`network ${this.file.name}: ${fault}`)
    }
  }
}

function peersOf(places: Iterable<MemberPlace>): Map<string, PeerConfig> {
  const peers = new Map<string, PeerConfig>()
  for (const place of places) for (const peer of place.peers) peers.set(peer.name, peer)
  return peers
}

function mine({ own, config }: Membership): string {
  return `our subnet is ${[own.subnet, own.subnet6].filter((one) => one !== null).join(' and ')}, by ${config.backend.type}`
}

function counted(members: number): string {
  return members === 1 ? 'one other member' : `${members} other members`
}
