// What was counted, in one shared buffer: the data thread adds, control reads without asking. Rows of Float64, which hold
// whole numbers up to 2^53. native/engine.h writes its own row (STAT_*) at the start.
// Temperature: hot writers, cold readers.
import * as drop from './drop.ts'

/** Positions in the native row; native/engine.h `Stat` is the same list. */
export const STAT_NOW = 0
export const STAT_BAD_FRAMES = 1
export const STAT_OVERFLOWS = 2
export const STAT_ICMP_ERRORS = 3
export const STAT_DEVICE_READS = 4
export const STAT_DEVICE_WRITES = 5
export const STAT_UDP_RECEIVES = 6
export const STAT_UDP_SENDS = 7
export const STAT_UDP_MESSAGES = 8
export const STAT_NATIVE_CPU = 9
export const STAT_GSO_BROKE = 10
export const STAT_TRAINS_BROKE = 11
export const STAT_THREAD_CPU = 12
/** Slots that the last wait filled. */
export const STAT_FRAMES = 13
export const STAT_MESSAGES = 14
const STATS = 16

export const MAX_NETWORKS = 1024
export const MAX_VTEPS = 16384
/** Far ends of WireGuard, each a key. Native has 65536 slots for keys, six of which one may need. */
export const MAX_TUNNELS = 10_900

/** Columns of a network's row. rx: from the underlay, tx: to it; packets are wire packets, bytes are those of inner frames. */
export const RX_PACKETS = 0
export const RX_BYTES = 1
export const TX_PACKETS = 2
export const TX_BYTES = 3
export const FLOODED = 4
export const FDB_ENTRIES = 5
/** Wire packets that the device handed over, and copies made of them: in + copies = tx + dropped. */
export const IN_PACKETS = 6
export const COPIES = 7
const NETWORK_ROW = 8

/** Columns of a VTEP's row. */
export const VTEP_RX_BYTES = 0
export const VTEP_TX_BYTES = 1
/** The underlay's path MTU towards it, in bytes; 0: not known yet. */
export const VTEP_MTU = 2
const VTEP_ROW = 4

/** Columns of a tunnel's row. Bytes are UDP payloads, handshakes included, as wg(8) shows them. */
export const TUNNEL_RX_BYTES = 0
export const TUNNEL_TX_BYTES = 1
/** When its last handshake was complete, ms since the host started; 0: never. */
export const TUNNEL_HANDSHAKE = 2
/** TUNNEL_IDLE, TUNNEL_HANDSHAKING or TUNNEL_UP. */
export const TUNNEL_STATE = 3
const TUNNEL_ROW = 4
export const TUNNEL_IDLE = 0
export const TUNNEL_HANDSHAKING = 1
export const TUNNEL_UP = 2

/** Globals beside the drops. */
const IN_DATAGRAMS = 0
const CONTROL_DATAGRAMS = 1
const GLOBALS = 4

const DROPS_AT = STATS
const GLOBALS_AT = DROPS_AT + drop.COUNT
const NETWORKS_AT = GLOBALS_AT + GLOBALS
const VTEPS_AT = NETWORKS_AT + MAX_NETWORKS * NETWORK_ROW
const TUNNELS_AT = VTEPS_AT + MAX_VTEPS * VTEP_ROW
const SIZE = TUNNELS_AT + MAX_TUNNELS * TUNNEL_ROW

export class Counters {
  readonly buffer: SharedArrayBuffer
  readonly all: Float64Array
  /** The row that native fills. */
  readonly stats: Float64Array

  /** Over `buffer` of another thread's Counters, or over a new one. */
  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(SIZE * 8)) {
    this.buffer = buffer
    this.all = new Float64Array(buffer)
    this.stats = new Float64Array(buffer, 0, STATS)
  }

  /** Counts `n` wire packets under a drop code. */
  dropped(code: number, n: number): void {
    this.all[DROPS_AT + drop.row(code)]! += n
  }

  addNetwork(network: number, column: number, n: number): void {
    this.all[NETWORKS_AT + network * NETWORK_ROW + column]! += n
  }

  setNetwork(network: number, column: number, value: number): void {
    this.all[NETWORKS_AT + network * NETWORK_ROW + column] = value
  }

  addVtep(vtep: number, column: number, n: number): void {
    this.all[VTEPS_AT + vtep * VTEP_ROW + column]! += n
  }

  setVtep(vtep: number, column: number, value: number): void {
    this.all[VTEPS_AT + vtep * VTEP_ROW + column] = value
  }

  network(network: number, column: number): number {
    return this.all[NETWORKS_AT + network * NETWORK_ROW + column]!
  }

  vtep(vtep: number, column: number): number {
    return this.all[VTEPS_AT + vtep * VTEP_ROW + column]!
  }

  /** Datagrams that came in, before any check. */
  addDatagrams(n: number): void {
    this.all[GLOBALS_AT + IN_DATAGRAMS]! += n
  }

  get datagrams(): number {
    return this.all[GLOBALS_AT + IN_DATAGRAMS]!
  }

  /** Of them, those that carried nothing for a device: handshakes, cookies, keepalives, probes. */
  addControl(n: number): void {
    this.all[GLOBALS_AT + CONTROL_DATAGRAMS]! += n
  }

  get control(): number {
    return this.all[GLOBALS_AT + CONTROL_DATAGRAMS]!
  }

  addTunnel(tunnel: number, column: number, n: number): void {
    this.all[TUNNELS_AT + tunnel * TUNNEL_ROW + column]! += n
  }

  setTunnel(tunnel: number, column: number, value: number): void {
    this.all[TUNNELS_AT + tunnel * TUNNEL_ROW + column] = value
  }

  tunnel(tunnel: number, column: number): number {
    return this.all[TUNNELS_AT + tunnel * TUNNEL_ROW + column]!
  }

  clearTunnel(tunnel: number): void {
    const at = TUNNELS_AT + tunnel * TUNNEL_ROW
    this.all.fill(0, at, at + TUNNEL_ROW)
  }

  clearNetwork(network: number): void {
    const at = NETWORKS_AT + network * NETWORK_ROW
    this.all.fill(0, at, at + NETWORK_ROW)
  }

  clearVtep(vtep: number): void {
    const at = VTEPS_AT + vtep * VTEP_ROW
    this.all.fill(0, at, at + VTEP_ROW)
  }

  /** Drops by name, those that native counts included. Cold. */
  drops(): Record<string, number> {
    const names = drop.names()
    const out: Record<string, number> = {}
    for (let i = 0; i < names.length; i++) out[names[i]!] = this.all[DROPS_AT + i]!
    out[drop.name(drop.BAD_FRAME)]! += this.stats[STAT_BAD_FRAMES]!
    out[drop.name(drop.UDP_RECEIVE_OVERFLOW)]! += this.stats[STAT_OVERFLOWS]!
    return out
  }
}
