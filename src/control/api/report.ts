// What the agent says of itself: running networks and counters as the JSON of `status` and `fdb`. Cold.
import {
  type Counters,
  FDB_ENTRIES,
  FLOODED,
  RX_BYTES,
  RX_PACKETS,
  STAT_GSO_BROKE,
  STAT_NATIVE_CPU,
  STAT_NOW,
  STAT_THREAD_CPU,
  STAT_TRAINS_BROKE,
  TX_BYTES,
  TX_PACKETS,
  VTEP_MTU,
  VTEP_RX_BYTES,
  VTEP_TX_BYTES,
} from '../../counters.ts'
import type { FdbRow, NeighbourRow, News } from '../../datapath/mailbox.ts'
import { aeadEngine, sinceBoot } from '../../host/addon.ts'
import type { Overlay, Running } from '../apply.ts'
import { addressText } from '../cidr.ts'
import { endpointText } from '../config/endpoint.ts'
import type { Config, PeerConfig } from '../config/model.ts'
import { notesOf } from '../config/notes.ts'
import { macText } from '../mac.ts'
import type { PlacedPeer } from '../placed-peer.ts'
import { overhead } from '../upkeep/device.ts'
import type { LocalAddress } from '../upkeep/underlay.ts'
import type { FdbEntry, NeighbourEntry, NetworkStatus, PeerStatus, Profile } from './api.ts'

/** What WireGuard knows of a peer. */
export interface PeerSession {
  /** Where it was heard last, or is called; null: neither. */
  readonly endpoint: string | null
  /** Age of the last handshake; null: none. */
  readonly lastHandshakeSeconds: number | null
  readonly state: 'idle' | 'handshaking' | 'up'
}

/** For the log. */
export interface Line {
  readonly level: 'info' | 'warn'
  readonly text: string
}

/** By a peer's key; null: nothing yet. */
export type SessionSource = (publicKey: string) => PeerSession | null

/** Milliseconds without a sign of life after which the data thread counts as stuck. */
const ALIVE = 5000

const NO_SESSION: PeerSession = { endpoint: null, lastHandshakeSeconds: null, state: 'idle' }

/** Whether the data thread, which wakes every second, has done so lately. */
export function isAlive(counters: Counters): boolean {
  return sinceBoot() - counters.stats[STAT_NOW]! < ALIVE
}

/** `routed`: flannel networks whose back end is the host's own routes. */
export function networkStatuses(
  running: readonly Running[],
  routed: readonly { readonly name: string; readonly mtu: number }[],
  counters: Counters,
): NetworkStatus[] {
  return [...running.map((r) => networkStatus(r, counters)), ...routed.map(routedStatus)]
}

function networkStatus(r: Running, counters: Counters): NetworkStatus {
  const { state } = r.device
  const count = (column: number): number => counters.network(r.id, column)
  return {
    name: r.config.name,
    vni: r.config.vni,
    device: r.config.device,
    interface: r.config.interface,
    mac: state.mac,
    mtu: state.mtu,
    security: r.config.security,
    address: [...r.config.addresses],
    ports: 0,
    fdbEntries: count(FDB_ENTRIES) + namedMembers(r).length,
    rxPackets: count(RX_PACKETS),
    rxBytes: count(RX_BYTES),
    txPackets: count(TX_PACKETS),
    txBytes: count(TX_BYTES),
    floodedPackets: count(FLOODED),
  }
}

function routedStatus({ name, mtu }: { readonly name: string; readonly mtu: number }): NetworkStatus {
  const none = { fdbEntries: 0, rxPackets: 0, rxBytes: 0, txPackets: 0, txBytes: 0, floodedPackets: 0 }
  return {
    name,
    vni: 0,
    device: null,
    interface: null,
    mac: null,
    mtu,
    security: 'plain',
    address: [],
    ports: 0,
    ...none,
  }
}

/** Members whose VTEP's MAC the store names. */
export function namedMembers(r: Running): { placed: PlacedPeer; mac: string; prefixes: readonly string[] }[] {
  if (r.members === null || r.config.bare) return []
  return [...r.members.all()].flatMap((placed) => {
    const { mac, allowedIps: prefixes } = placed.peer.networks.find((n) => n.network === r.config.name)!
    return mac === null ? [] : [{ placed, mac, prefixes }]
  })
}

/** The configuration's peers, and the members that the store has given networks. */
export function peerStatuses(
  config: Config,
  overlay: Overlay,
  counters: Counters,
  sessions: SessionSource,
): PeerStatus[] {
  const all = [...overlay.running.values()]
  const listed = config.peers.map((p) => {
    const placed = all.flatMap((r) => r.placed.filter((x) => x.peer.name === p.name && x.vtep >= 0))
    return peerStatus(p, placed, counters, sessions)
  })
  const members = all.flatMap((r) => [...(r.members?.all() ?? [])])
  return [...listed, ...members.map((x) => peerStatus(x.peer, [x], counters, sessions))]
}

function peerStatus(
  p: PeerConfig,
  placed: readonly PlacedPeer[],
  counters: Counters,
  sessions: SessionSource,
): PeerStatus {
  const session = p.publicKey === null ? null : (sessions(p.publicKey) ?? NO_SESSION)
  const sum = (column: number): number => placed.reduce((n, x) => n + counters.vtep(x.vtep, column), 0)
  const mtus = placed.map((x) => counters.vtep(x.vtep, VTEP_MTU)).filter((m) => m > 0)
  const first = placed[0]
  return {
    name: p.name,
    endpoint: session?.endpoint ?? (first?.address ? endpointText(first.address, first.port) : null),
    security: session ? 'secure' : 'plain',
    publicKey: p.publicKey,
    networks: p.networks.map((n) => n.network),
    mtu: mtus.length > 0 ? Math.min(...mtus) : null,
    lastHandshakeSeconds: session?.lastHandshakeSeconds ?? null,
    rxBytes: sum(VTEP_RX_BYTES),
    txBytes: sum(VTEP_TX_BYTES),
    state: session?.state ?? 'static',
  }
}

/** In a secure network the entry names a key, and `vtep` is where that is now; nobody knows yet: the peer's name. */
export function fdbEntry(overlay: Overlay, r: Running, row: FdbRow): FdbEntry {
  const placed = r.placed.find((p) => p.vtep === row.vtep)
  return {
    network: r.config.name,
    vni: r.config.vni,
    mac: macText(row.mac),
    vtep: placed ? (overlay.addressOf(placed) ?? placed.peer.name) : wordsText(row.words),
    peer: placed?.peer.name ?? null,
    port: null,
    origin: row.isStatic ? 'static' : 'learned',
    ageSeconds: Math.floor(row.ageMs / 1000),
  }
}

/** aead: by what is sealed. tso, uso, udpGso, udpGro: 'on', or 'off: why'. A device's refusal counts for all: the slowest says what to expect. */
export function offloads(config: Config, overlay: Overlay, counters: Counters): Record<string, string> {
  const devices = [...overlay.running.values()].map((r) => r.device)
  const worst = (of: (d: (typeof devices)[number]) => string, fallback: string): string =>
    devices.map(of).find((s) => s !== 'on') ?? fallback
  const broke = counters.stats[STAT_TRAINS_BROKE] === 1 ? 'off: the kernel refused a train; single frames since' : null
  const gso =
    counters.stats[STAT_GSO_BROKE] === 1 ? 'off: the kernel refused UDP_SEGMENT; single datagrams since' : null
  return {
    tso: broke ?? worst((d) => d.tso, config.offloads.tso === 'off' ? 'off' : 'on'),
    uso: broke ?? worst((d) => d.uso, config.offloads.uso === 'off' ? 'off' : 'on'),
    udpGso: gso ?? overlay.sockets.udpGso,
    udpGro: overlay.sockets.udpGro,
    aead: aeadEngine() ?? 'none',
  }
}

export function profile(counters: Counters): Profile {
  const { user, system } = process.cpuUsage()
  return {
    dataThreadCpuNs: counters.stats[STAT_THREAD_CPU]!,
    nativeCpuNs: counters.stats[STAT_NATIVE_CPU]!,
    processCpuNs: (user + system) * 1000,
  }
}

/** Canonical text of four big-endian words, IPv4 mapped. */
export function wordsText(words: readonly number[]): string {
  const value = words.reduce((n, w) => (n << 32n) | BigInt(w >>> 0), 0n)
  const v6 = value >> 32n !== 0xffffn
  return addressText({ v6, value: v6 ? value : value & 0xffffffffn, length: v6 ? 128 : 32 })
}

/** Of `neigh`. */
export function neighbour(r: Running, row: NeighbourRow): NeighbourEntry {
  const ageSeconds = Math.floor(row.ageMs / 1000)
  return { network: r.config.name, ip: wordsText(row.words), mac: macText(row.mac), origin: row.origin, ageSeconds }
}

/** What the data thread has seen, for the log; null: it is not for people. `r`: the network, where it names one. */
export function news(overlay: Overlay, r: Running | undefined, n: News): Line | null {
  if (n.kind === 'own-mac' && r) {
    const who = overlay.nameOf(r, n.words) ?? wordsText(n.words)
    const what = `sends frames with our own MAC ${r.device.state.mac}: a loop, or a second host with it`
    return { level: 'warn', text: `network ${r.config.name}: ${who} ${what}` }
  }
  if (n.kind === 'duplicate' && r) {
    const [a, b] = [n.had, n.claimed].map(([hi, lo]) => {
      const mac = Buffer.alloc(6)
      mac.writeUInt16BE(hi)
      mac.writeInt32BE(lo, 2)
      return macText(mac)
    })
    const what = `${a} and ${b} both say that they have ${wordsText(n.words)}; give one of them another address`
    return { level: 'warn', text: `network ${r.config.name}: ${what}` }
  }
  if (n.kind !== 'mtu') return null
  const placed = overlay.placedAt(n.vtep)
  if (!placed) return null
  const text = `path to ${placed.peer.name} (${overlay.addressOf(placed)}) carries ${n.mtu} bytes now`
  return { level: 'info', text }
}

/** A line for the log about each network, and a warning where its MTU is too much, or what is asked for does not reach it. */
export function* running(overlay: Overlay, config: Config, underlay: readonly LocalAddress[]): Generator<Line> {
  for (const text of notesOf(config)) yield { level: 'warn', text }
  const { wireguardPort } = config.underlay
  for (const r of overlay.running.values()) {
    const { name, vni, device, interface: ifname, port, security } = r.config
    const on = underlay.map((l) => l.address).join(', ')
    const how = security === 'secure' ? `UDP ${wireguardPort}, sealed` : `UDP ${port} on ${on}, in clear text`
    const { mtu } = r.device.state
    const group = typeof r.config.flood === 'object' ? `, what is for all to ${r.config.flood.group}` : ''
    yield { level: 'info', text: `network ${name}: VNI ${vni}, ${device} ${ifname}, MTU ${mtu}, ${how}${group}` }
    const v6 = underlay.length > 0 && underlay.every((l) => l.v6)
    const room = overlay.underlayMtu() - overhead(r.config, v6)
    if (mtu <= room) continue
    const what = `MTU ${mtu} is more than the underlay carries (${room})`
    yield { level: 'warn', text: `network ${name}: ${what}; hosts are told by ICMP` }
  }
}
