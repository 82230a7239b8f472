// A host's two walks in memory, around the real tables: frames and datagrams in as bytes, what comes out as copies. Doors and
// native are fakes that take everything, or refuse it as the test says.
import { ADDR_LEN, Batch, HEADROOM, LOCAL_LEN } from '../../src/batch.ts'
import { COPIES, Counters, IN_PACKETS, RX_PACKETS, TX_PACKETS } from '../../src/counters.ts'
import { Answers } from '../../src/datapath/answers.ts'
import { Capture } from '../../src/datapath/capture.ts'
import { Inbound } from '../../src/datapath/inbound.ts'
import type { Far, News, Settings } from '../../src/datapath/mailbox.ts'
import { Outbound } from '../../src/datapath/outbound.ts'
import { type Native, Tables } from '../../src/datapath/tables.ts'
import { NONE } from '../../src/drop.ts'
import { mapped16, pack, unpack } from '../../src/host/sockaddr.ts'
import { FULL, type Link } from '../../src/link.ts'
import { PEERS } from '../../src/overlay/networks.ts'
import { hex } from './bytes.ts'

export const PORT = 4789
export const SEED = 0x5eed1234

/** What one slot held when it was sent. */
export interface Sent {
  bytes: Uint8Array
  link: number
  peer: number
  port: number
  tos: number
  segment: number
  header: number
  l3: number
  sum: number
  kind: number
}

/** Keeps copies of what it is sent. `refuse` says each slot's errno, negative; FULL comes as often as `full` says. */
export class Keeper implements Link {
  sent: Sent[] = []
  full = 0
  refuse: (s: Sent) => number = () => 0

  receive(): number {
    return 0
  }

  send(b: Batch): number {
    if (this.full > 0) {
      this.full--
      return FULL
    }
    let failed = 0
    for (let i = 0; i < b.count; i++) {
      const s = slot(b, i)
      b.err[i] = this.refuse(s)
      if (b.err[i] === 0) this.sent.push(s)
      else failed++
    }
    return failed
  }

  resume(b: Batch): number {
    return this.send(b)
  }

  /** What came since the last call. */
  take(): Sent[] {
    const { sent } = this
    this.sent = []
    return sent
  }
}

function slot(b: Batch, i: number): Sent {
  const { link, peer, port, tos, segment, header, l3, sum, kind } = b
  const bytes = b.bytes.slice(b.off[i]!, b.off[i]! + b.len[i]!)
  const at = <T extends { [index: number]: number }>(column: T): number => column[i]!
  return {
    bytes,
    link: at(link),
    peer: at(peer),
    port: at(port),
    tos: at(tos),
    segment: at(segment),
    header: at(header),
    l3: at(l3),
    sum: at(sum),
    kind: at(kind),
  }
}

export const SETTINGS: Settings = {
  mac: hex('0200000000f1'),
  learning: true,
  ageing: 300_000,
  macLimit: 1024,
  floodOn: true,
  accept: PEERS,
  ranges: [],
  keepVlan: false,
  copyEcn: true,
  dscp: 0,
  hashPort: true,
  sourceCheck: true,
  mssClamp: false,
  suppressArp: true,
  stormLimit: 0,
  group: 0,
}

/** A peer as control describes it; `prefixes` for layer 3. */
export function far(address: string, more: Partial<Far> = {}): Far {
  return {
    words: words(address),
    tunnel: NONE,
    sockaddr: pack(address, PORT),
    pool: 0,
    mtu: 1500,
    mac: null,
    prefixes: [],
    ...more,
  }
}

export function words(address: string): number[] {
  const view = new DataView(Uint8Array.from(mapped16(address)).buffer)
  return [0, 4, 8, 12].map((at) => view.getInt32(at))
}

/** A datagram, or a train of equal ones: `segment` is the GRO size. */
export interface Wire {
  bytes: Uint8Array
  from: string
  segment?: number
  tos?: number
  socket?: number
  port?: number
  /** Our address that it came to, where the socket tells. */
  to?: string
}

/** A frame, or a train: payload bytes per segment and the headers that segments repeat. */
export interface Frame {
  bytes: Uint8Array
  link?: number
  segment?: number
  header?: number
  l3?: number
  sum?: number
  kind?: number
}

/** Notes what the tables ask of it; the kernel's path MTUs are the test's. */
export class FakeNative implements Native {
  readonly endpoints = new Map<number, { address: string; port: number; pool: number }>()
  readonly mtus = new Map<string, number>()
  readonly calls: string[] = []

  setDevice(id: number, fd: number): void {
    this.calls.push(`setDevice ${id} ${fd}`)
  }
  clearDevice(id: number): void {
    this.calls.push(`clearDevice ${id}`)
  }
  setSocket(id: number, fd: number): void {
    this.calls.push(`setSocket ${id} ${fd}`)
  }
  clearSocket(id: number): void {
    this.calls.push(`clearSocket ${id}`)
  }
  setPool(id: number, fds: readonly number[]): void {
    this.calls.push(`setPool ${id} ${fds}`)
  }
  clearPool(id: number): void {
    this.calls.push(`clearPool ${id}`)
  }
  setEndpoint(id: number, address: Uint8Array, _local: Uint8Array, pool: number): void {
    this.endpoints.set(id, { ...unpack(address)!, pool })
  }
  clearEndpoint(id: number): void {
    this.endpoints.delete(id)
  }
  setKey(slot: number, _key: Uint8Array, _remote: number): void {
    this.calls.push(`setKey ${slot}`)
  }
  clearKey(slot: number): void {
    this.calls.push(`clearKey ${slot}`)
  }
  pathMtu(address: Uint8Array): number {
    return this.mtus.get(unpack(address)!.address) ?? -101
  }
}

export interface VtepOptions {
  /** Slots of the walks' own batches; multiples of 8. */
  datagrams?: number
  frames?: number
  seed?: number
  native?: FakeNative
}

export class Vtep {
  readonly native: FakeNative
  readonly counters = new Counters()
  readonly news: News[] = []
  readonly device = new Keeper()
  readonly udp = new Keeper()
  readonly captured: Uint8Array[] = []
  readonly tables: Tables
  readonly answers: Answers
  readonly outbound: Outbound
  readonly inbound: Inbound
  /** Of its networks; 0: they are secure. */
  protected port = PORT
  protected readonly slabOut = new Uint8Array(1024 * 1024)
  protected readonly slabIn = new Uint8Array(1024 * 1024)

  constructor(o: VtepOptions = {}) {
    const { counters } = this
    const seed = o.seed ?? SEED
    this.native = o.native ?? new FakeNative()
    this.answers = new Answers(this.device, seed)
    this.tables = new Tables(this.native, counters, this.answers, seed, (n) => this.news.push(n))
    this.tables.ports[0] = PORT
    const capture = new Capture((_network, frame) => this.captured.push(frame))
    const { networks, vteps, ports, farEnds, settlement, tunnels } = this.tables
    this.outbound = new Outbound({
      ...{ networks, vteps, counters, capture, seed, answers: this.answers },
      datagrams: new Batch(o.datagrams ?? 64, this.slabOut),
      settlement,
      sealer: tunnels,
    })
    this.inbound = new Inbound({
      ...{ networks, vteps, counters, capture, ports, bare: farEnds.bare },
      probe: (tunnel, b, off, end) => tunnels.agentMessage(tunnel, b, off, end),
      frames: new Batch(o.frames ?? 64, this.slabIn),
      addStranger: (n, a, b, c, d) => this.tables.addStranger(n, a, b, c, d),
      ownMac: (n, vtep) => this.tables.ownMac(n, vtep),
    })
  }

  /** A network with its peers; their VTEP ids. */
  network(id: number, vni: number, peers: readonly Far[], settings: Partial<Settings> = {}, layer2 = true): number[] {
    const all = { ...SETTINGS, ...settings }
    this.tables.handle({ kind: 'add-network', id, vni, layer2, port: this.port, settings: all })
    return this.tables.handle({ kind: 'set-peers', id, peers, statics: [] }) as number[]
  }

  /** Carries frames that devices handed over; answers what went to the sockets. */
  out(...frames: (Uint8Array | Frame)[]): Sent[] {
    this.fill(frames)
    const { door } = this.tables.tunnels
    while (this.outbound.step()) {
      if (!this.outbound.send(this.udp)) while (!this.outbound.resume(this.udp));
      if (!door.flush(this.udp)) while (!door.resume(this.udp));
    }
    this.answers.flush()
    return this.udp.take()
  }

  /** Carries datagrams that sockets received; answers what went to the devices. */
  in(...datagrams: Wire[]): Sent[] {
    const b = this.fillDatagrams(datagrams)
    this.inbound.begin(b, this.tables.tick, false)
    while (this.inbound.step()) this.inbound.send(this.device)
    return this.device.take()
  }

  /** Drops that are not zero. */
  drops(): Record<string, number> {
    return Object.fromEntries(Object.entries(this.counters.drops()).filter(([, n]) => n !== 0))
  }

  /** Both sides of the law: in + copies, and out + dropped. Equal when nothing was lost without a trace. */
  law(): [number, number] {
    const sum = (column: number): number =>
      this.tables.networks.all().reduce((n, { id }) => n + this.counters.network(id, column), 0)
    const dropped = Object.values(this.counters.drops()).reduce((n, d) => n + d, 0)
    return [sum(IN_PACKETS) + sum(COPIES) + this.counters.datagrams, sum(TX_PACKETS) + sum(RX_PACKETS) + dropped]
  }

  protected fillDatagrams(datagrams: readonly Wire[]): Batch {
    const b = new Batch(roundUp(datagrams.length), this.slabIn)
    let at = 0
    for (const [i, d] of datagrams.entries()) {
      at = lay(this.slabIn, at + HEADROOM, d.bytes)
      b.off[i] = at - d.bytes.length
      b.len[i] = d.bytes.length
      b.link[i] = d.socket ?? 0
      b.segment[i] = d.segment ?? 0
      b.tos[i] = d.tos ?? 0
      b.addr.set(pack(d.from, d.port ?? 50_000 + i), i * ADDR_LEN)
      if (d.to) b.local.set(mapped16(d.to), i * LOCAL_LEN)
      b.count = i + 1
    }
    return b
  }

  protected fill(frames: readonly (Uint8Array | Frame)[]): void {
    const b = new Batch(roundUp(frames.length), this.slabOut)
    let at = 0
    for (const [i, given] of frames.entries()) {
      const f = given instanceof Uint8Array ? { bytes: given } : given
      at = lay(this.slabOut, at + HEADROOM, f.bytes)
      b.off[i] = at - f.bytes.length
      b.len[i] = f.bytes.length
      b.link[i] = f.link ?? 0
      b.segment[i] = f.segment ?? 0
      b.header[i] = f.header ?? 0
      b.l3[i] = f.l3 ?? l3Of(f.bytes)
      b.sum[i] = f.sum ?? 0
      b.kind[i] = f.kind ?? 0
      b.count = i + 1
    }
    this.answers.begin(this.tables.now)
    this.outbound.begin(b, this.tables.now)
  }
}

// Between neighbours that no walk may read; the end of what was laid.
function lay(slab: Uint8Array, at: number, bytes: Uint8Array): number {
  if (at + bytes.length + HEADROOM > slab.length) throw new Error('too much for one crossing')
  slab.fill(0xa5, Math.max(0, at - HEADROOM), at + bytes.length + HEADROOM)
  slab.set(bytes, at)
  return at + bytes.length
}

// What native tells of an Ethernet frame: where its IP header begins, 0 when there is none.
function l3Of(bytes: Uint8Array): number {
  const type = bytes.length > 14 ? (bytes[12]! << 8) | bytes[13]! : 0
  return type === 0x0800 || type === 0x86dd ? 14 : 0
}

function roundUp(n: number): number {
  return Math.max(8, (n + 7) & ~7)
}
