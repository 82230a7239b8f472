// The members of one network that come from the store instead of the configuration: thousands, a few of which change at a
// time. What is wanted is compared with what is placed, and the data thread hears of the difference alone. Several members may
// have one far end (an old lease of a host beside its new one): it gets what is behind all of them. Cold.
import type { Far, Mailbox } from '../datapath/mailbox.ts'
import type { NetworkConfig, PeerConfig } from './config/model.ts'
import type { PlacedPeer } from './placed-peer.ts'

/** Milliseconds that a new key may take for its first session: when the old one has none, and as long as that may have one. */
const ROLL = 15_000
const ROLL_CARRIED = 180_000
/** For so long the old one is heard after that. */
const LINGER = 10_000
/** Far ends in one order, so that no batch of packets waits for thousands. */
const TOGETHER = 256

/** What a network's members need of the rest. */
export interface MembersParts {
  readonly mailbox: Mailbox
  /** A place's address and port, and what the data thread is to know; null: no way leads there. */
  far(peer: PeerConfig): Promise<{ readonly far: Far; readonly address: string | null; readonly port: number } | null>
  /** Nothing names the peer's tunnel any more. */
  release(publicKey: string): Promise<void>
  /** Asks for a session with a key, and whether there is one. */
  call(publicKey: string): void
  isUp(publicKey: string): boolean
}

interface End {
  /** By name; more than one only when members share it. */
  readonly members: Map<string, PeerConfig>
  placed: PlacedPeer | null
  /** It takes another key's place: what is behind it moves over when it has a session, and the other is heard for a while. */
  roll: { readonly from: string; readonly since: number; switched: number | null } | null
}

/** What has routes: upkeep/device.ts. */
interface Routed {
  setRoutes(prefixes: readonly string[], now: number): void
  changeRoutes(put: readonly string[], drop: readonly string[], now: number): void
}

export class Members {
  private readonly p: MembersParts
  private wanted: ReadonlyMap<string, PeerConfig> = new Map()
  private readonly ends = new Map<string, End>()
  private readonly byVtep = new Map<number, PlacedPeer>()
  private readonly faulty = new Set<string>()
  /** Ends with a roll, by the end that they take over from. */
  private readonly heirs = new Map<string, string>()

  /** Prefixes that the last `apply` brought, and took away; and whether all had a place before it. */
  private moved: { readonly come: readonly string[]; readonly gone: readonly string[] } = { come: [], gone: [] }
  private wasComplete = true

  constructor(parts: MembersParts) {
    this.p = parts
  }

  /** How many are wanted. */
  get size(): number {
    return this.wanted.size
  }

  /** Whether each has a place. */
  get complete(): boolean {
    return this.faulty.size === 0
  }

  /** Far ends that are placed. */
  all(): Iterable<PlacedPeer> {
    return this.byVtep.values()
  }

  at(vtep: number): PlacedPeer | undefined {
    return this.byVtep.get(vtep)
  }

  /** Whether a member, by its name, has a place. */
  isPlaced(name: string): boolean {
    const peer = this.wanted.get(name)
    return peer !== undefined && this.ends.get(endOf(peer))?.placed != null
  }

  /** After `apply`: routes into the device to whoever has a place. `all`: not only what that has moved. */
  route(device: Routed, { name: network, routes }: NetworkConfig, all: boolean, now: number): void {
    if (!routes) device.setRoutes([], now)
    else if (all || !this.wasComplete || !this.complete) device.setRoutes(this.prefixes(network), now)
    else device.changeRoutes(this.moved.come, this.moved.gone, now)
  }

  /** Prefixes behind all members that are placed, and not reached directly. */
  prefixes(network: string): string[] {
    const all = new Set<string>()
    for (const { peer } of this.byVtep.values()) for (const prefix of routed(peer, network)) all.add(prefix)
    return [...all]
  }

  /** A key takes another's place: `apply` wants to be called again soon. */
  get rolling(): boolean {
    return this.heirs.size > 0
  }

  /**
   * Makes it these members. A member whose object is the same as before is left alone, unless `all`: sockets or tunnels are
   * others than before. Answers whether anything changed. `now`: ms, monotonic.
   */
  async apply(
    id: number,
    n: NetworkConfig,
    wanted: ReadonlyMap<string, PeerConfig>,
    { all, now }: { readonly all: boolean; readonly now: number },
  ): Promise<boolean> {
    this.wasComplete = this.complete
    const dirty = this.compare(wanted, n.name, now)
    if (all) for (const key of this.ends.keys()) dirty.add(key)
    this.wanted = wanted
    const come: string[] = []
    const gone: string[] = []
    for (const key of dirty) {
      if (this.ends.get(key)!.members.size > 0) come.push(key)
      else if (!this.heirs.has(key)) gone.push(key)
    }
    // Those that come first: a subnet that moves from one to another is never without an owner.
    for (let k = 0; k < come.length; k += TOGETHER) await this.put(id, n, come.slice(k, k + TOGETHER))
    if (gone.length > 0) await this.drop(id, gone)
    for (const [old, heir] of this.heirs) await this.roll(id, n, old, heir, now)
    return dirty.size > 0
  }

  /** The network is gone, and all that was placed with it. */
  async close(): Promise<void> {
    const keys = [...this.byVtep.values()].flatMap(({ peer }) => peer.publicKey ?? [])
    this.byVtep.clear()
    this.ends.clear()
    this.wanted = new Map()
    for (const key of keys) await this.p.release(key)
  }

  // Notes who is behind each end now; answers the ends where that is not as before.
  private compare(wanted: ReadonlyMap<string, PeerConfig>, network: string, now: number): Set<string> {
    const dirty = new Set<string>()
    const come = new Set<string>()
    const gone = new Set<string>()
    const left = new Map<string, string>()
    for (const [name, peer] of this.wanted) {
      if (wanted.get(name) === peer) continue
      const key = endOf(peer)
      this.ends.get(key)!.members.delete(name)
      left.set(name, key)
      dirty.add(key)
      for (const prefix of routed(peer, network)) gone.add(prefix)
    }
    for (const [name, peer] of wanted) {
      if (this.wanted.get(name) === peer) continue
      const key = endOf(peer)
      let end = this.ends.get(key)
      if (!end) {
        end = { members: new Map(), placed: null, roll: null }
        this.ends.set(key, end)
      }
      end.members.set(name, peer)
      dirty.add(key)
      // Most that change keep their subnet.
      for (const prefix of routed(peer, network)) if (!gone.delete(prefix)) come.add(prefix)
      const from = left.get(name)
      if (peer.publicKey !== null && from !== undefined && from !== key) this.inherit(from, key, now)
    }
    for (const [old, heir] of this.heirs) {
      if (this.ends.get(old)!.members.size > 0 || this.ends.get(heir)!.members.size === 0) this.endRoll(old, heir)
    }
    this.moved = { come: [...come], gone: [...gone] }
    return dirty
  }

  // A member has another key: the old one stays for a while.
  private inherit(old: string, heir: string, now: number): void {
    const end = this.ends.get(heir)!
    const known = this.ends.get(old)!
    if (known.placed === null || known.members.size > 0 || end.placed !== null || known.roll !== null) return
    end.roll = { from: old, since: now, switched: null }
    this.heirs.set(old, heir)
  }

  private endRoll(old: string, heir: string): void {
    this.heirs.delete(old)
    const end = this.ends.get(heir)
    if (end) end.roll = null
  }

  private async roll(id: number, n: NetworkConfig, old: string, heir: string, now: number): Promise<void> {
    const end = this.ends.get(heir)!
    const roll = end.roll!
    const isOver = this.p.isUp(heir) || now - roll.since >= (this.p.isUp(old) ? ROLL_CARRIED : ROLL)
    if (end.placed !== null && roll.switched === null && isOver) {
      roll.switched = now
      // In one order: at no moment a packet of either has no owner.
      await this.put(id, n, [heir, old])
    }
    if (end.placed !== null && (roll.switched === null || now - roll.switched < LINGER)) return
    this.endRoll(old, heir)
    await this.drop(id, [old])
  }

  private async put(id: number, n: NetworkConfig, keys: readonly string[]): Promise<void> {
    const found = await Promise.all(
      keys.map(async (key) => {
        const end = this.ends.get(key)!
        const peer = end.members.size > 0 ? joined(end, n.name) : end.placed!.peer
        return { key, peer, place: await this.p.far(peer) }
      }),
    )
    const homeless = found.filter(({ place }) => place === null).map(({ key }) => key)
    if (homeless.length > 0) await this.drop(id, homeless)
    const usable = found.filter(({ place }) => place !== null)
    const peers = usable.map(({ key, place }) => this.inRoll(key, place!.far))
    const ids = await this.p.mailbox.ask<number[]>({ kind: 'change-peers', id, peers, gone: [] })
    usable.forEach(({ key, peer, place }, k) => {
      const { address, port } = place!
      this.note(key, ids[k]! < 0 ? null : { peer, address, port, vtep: ids[k]! })
      if (this.ends.get(key)?.roll?.switched === null) this.p.call(key)
    })
  }

  // Of two keys of one member one has what is behind it, and the other may speak for it.
  private inRoll(key: string, far: Far): Far {
    const { roll } = this.ends.get(key)!
    const heir = this.heirs.get(key)
    const other = roll?.switched === null ? roll.from : heir
    const twin = other === undefined ? undefined : this.ends.get(other)?.placed?.vtep
    return twin === undefined ? far : { ...far, prefixes: [], twin }
  }

  private async drop(id: number, keys: readonly string[]): Promise<void> {
    const had = keys.flatMap((key) => this.ends.get(key)!.placed ?? [])
    if (had.length > 0) {
      await this.p.mailbox.ask({ kind: 'change-peers', id, peers: [], gone: had.map(({ vtep }) => vtep) })
    }
    for (const key of keys) this.note(key, null)
    for (const { peer } of had) if (peer.publicKey !== null) await this.p.release(peer.publicKey)
  }

  private note(key: string, placed: PlacedPeer | null): void {
    const end = this.ends.get(key)!
    if (end.placed) this.byVtep.delete(end.placed.vtep)
    end.placed = placed
    if (placed) this.byVtep.set(placed.vtep, placed)
    if (placed === null && end.members.size > 0) this.faulty.add(key)
    else this.faulty.delete(key)
    if (end.members.size === 0 && placed === null) this.ends.delete(key)
  }
}

// What the data thread knows it by: a key, or an address with its MAC. An old lease of a host names another than its new one.
function endOf({ publicKey, endpoint, networks }: PeerConfig): string {
  return publicKey ?? `${endpoint!.host} ${networks[0]?.mac ?? ''}`
}

// Of members that share an end the newest says what it is like.
function joined({ members }: End, network: string): PeerConfig {
  const all = [...members.values()]
  const last = all.at(-1)!
  if (all.length === 1) return last
  const allowedIps = all.flatMap((peer) => [...behind(peer, network)])
  return { ...last, networks: [{ ...last.networks[0]!, network, allowedIps: [...new Set(allowedIps)] }] }
}

function placeOf(peer: PeerConfig, network: string): PeerConfig['networks'][number] {
  return peer.networks.find((place) => place.network === network)!
}

function behind(peer: PeerConfig, network: string): readonly string[] {
  return placeOf(peer, network).allowedIps
}

// What of it is led into the device.
function routed(peer: PeerConfig, network: string): readonly string[] {
  const { direct, allowedIps } = placeOf(peer, network)
  return direct ? [] : allowedIps
}
