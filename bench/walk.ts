// The two walks in memory: batches as the kernel's doors would fill them, Links that swallow everything. What is timed is
// TypeScript's own part of a packet's way; crossings into native are not in it.
import { ADDR_LEN, Batch, HEADROOM, SINGLE, TCP4 } from '../src/batch.ts'
import { Counters } from '../src/counters.ts'
import { Answers } from '../src/datapath/answers.ts'
import { Capture } from '../src/datapath/capture.ts'
import { Inbound } from '../src/datapath/inbound.ts'
import { Outbound } from '../src/datapath/outbound.ts'
import { Settlement } from '../src/datapath/settlement.ts'
import { NONE } from '../src/drop.ts'
import type { Link } from '../src/link.ts'
import { Fdb } from '../src/overlay/fdb.ts'
import { Network, Networks } from '../src/overlay/networks.ts'
import { Routes } from '../src/overlay/routes.ts'
import { Vteps } from '../src/overlay/vteps.ts'
import * as ethernet from '../src/wire/ethernet.ts'
import * as vxlan from '../src/wire/vxlan.ts'
import { SEGMENT, station, TCP_HEADERS, writeTcp, writeUdp } from './frames.ts'
import { line, time } from './timing.ts'

const SEED = 0x5eed1234
const VNI = 42
const PORT = 4789
const STATIONS = 16
const MAC_LIMIT = 65536
const SINGLES = 512
const TRAINS = 16
/** Segments of a train of about 60 kB. */
const SEGMENTS = 42
const SMALL = 64 + ethernet.LEN + 28
const LARGE = 1450 + ethernet.LEN
const ROOM_SINGLE = 2048
const ROOM_TRAIN = 65536 + HEADROOM
const AF_INET = 2
/** Of the far VTEP: 198.18.0.2, IPv4 mapped. */
const FAR = [0, 0, 0xffff, 0xc6120002 | 0] as const

class Swallow implements Link {
  receive(): number {
    return 0
  }
  send(): number {
    return 0
  }
  resume(): number {
    return 0
  }
}

export function walk(): void {
  outbound('out, 64 B payload', frames(SINGLES, SMALL), SINGLES, 'packet')
  outbound('out, MTU 1450', frames(SINGLES, LARGE), SINGLES, 'packet')
  outbound(`out, trains of ${SEGMENTS}`, frameTrains(), TRAINS, 'train')
  inbound('in, 64 B payload', datagrams(SINGLES, SMALL), SINGLES, 'packet')
  inbound('in, MTU 1450', datagrams(SINGLES, LARGE), SINGLES, 'packet')
  inbound(`in, trains of ${SEGMENTS}`, datagramTrains(), TRAINS, 'train')
}

function outbound(name: string, batch: Batch, slots: number, unit: 'packet' | 'train'): void {
  const { parts, network, vtep } = tables()
  const sink = new Swallow()
  for (let i = 0; i < STATIONS; i++) network.fdb.learn(station(2, i).hi, station(2, i).lo, vtep, 0)
  const own = new Batch(1024, batch.bytes)
  const answers = new Answers(sink, SEED)
  const settlement = new Settlement({ ...parts, answers, ...PLAIN, learnMtu: () => {} })
  const out = new Outbound({ ...parts, answers, datagrams: own, seed: SEED, settlement, sealer: PLAIN })
  const turn = (): number => {
    let made = 0
    out.begin(batch, 0)
    while (out.step()) {
      made += own.count
      out.send(sink)
    }
    return made
  }
  expect(name, turn(), slots)
  report(name, turn, slots, unit)
}

// Nothing is sealed here.
const PLAIN = {
  sealedSent: () => {},
  sealedFailed: () => {},
  reachable: () => false,
  sender: () => undefined,
  stage: () => {},
  leave: () => {},
}

function inbound(name: string, batch: Batch, slots: number, unit: 'packet' | 'train'): void {
  const { parts } = tables()
  const sink = new Swallow()
  const own = new Batch(4096, batch.bytes)
  const ports = new Int32Array(4096).fill(PORT)
  const none = { bare: new Int32Array(0), probe: () => 0, addStranger: () => NONE, ownMac: () => {} }
  const walker = new Inbound({ ...parts, frames: own, ports, ...none })
  const turn = (): number => {
    let made = 0
    walker.begin(batch, 1, false)
    while (walker.step()) {
      made += own.count
      walker.send(sink)
    }
    return made
  }
  expect(name, turn(), unit === 'train' ? slots * SEGMENTS : slots)
  report(name, turn, slots, unit)
}

// A walk that drops is fast and wrong.
function expect(name: string, made: number, wanted: number): void {
  if (made !== wanted) throw new Error(`${name}: ${made} of ${wanted} came out`)
}

function report(name: string, turn: () => number, slots: number, unit: 'packet' | 'train'): void {
  const timing = time((n) => {
    let sum = 0
    for (let k = 0; k < n; k += slots) sum += turn()
    return sum
  })
  const each = unit === 'train' ? `${(timing.ns / SEGMENTS).toFixed(1)} ns a segment` : ''
  line(`${name}, per ${unit}`, timing, each)
}

function tables() {
  const networks = new Networks()
  const vteps = new Vteps(64, SEED)
  const network = new Network(0, VNI, true, PORT, new Fdb(MAC_LIMIT, 3000, SEED), new Routes(SEED))
  network.macHi = 0x02ff
  network.macLo = 1
  networks.add(network)
  const vtep = vteps.add(0, ...FAR, false)
  vteps.mtu[vtep] = 1500
  network.flood = Int32Array.of(vtep)
  const counters = new Counters()
  const capture = new Capture(() => {})
  return { parts: { networks, vteps, counters, capture }, network, vtep }
}

function frames(slots: number, len: number): Batch {
  const b = new Batch(slots, new Uint8Array(slots * ROOM_SINGLE))
  for (let i = 0; i < slots; i++) {
    const off = i * ROOM_SINGLE + HEADROOM
    writeUdp(b.bytes, off, len, station(1, i % STATIONS), station(2, i % STATIONS))
    put(b, i, off, len, 0, SINGLE)
  }
  return b
}

function frameTrains(): Batch {
  const b = new Batch(TRAINS, new Uint8Array(TRAINS * ROOM_TRAIN))
  for (let i = 0; i < TRAINS; i++) {
    const off = i * ROOM_TRAIN + HEADROOM
    const from = station(1, i % STATIONS)
    const len = writeTcp(b.bytes, off, SEGMENTS * SEGMENT, 0, from, station(2, i % STATIONS))
    put(b, i, off, len, SEGMENT, TCP4)
    b.header[i] = TCP_HEADERS
  }
  return b
}

function datagrams(slots: number, len: number): Batch {
  const b = new Batch(slots, new Uint8Array(slots * ROOM_SINGLE))
  for (let i = 0; i < slots; i++) {
    const off = i * ROOM_SINGLE + HEADROOM
    vxlan.write(b.bytes, off, VNI)
    writeUdp(b.bytes, off + vxlan.LEN, len, station(2, i % STATIONS), station(1, i % STATIONS))
    put(b, i, off, vxlan.LEN + len, 0, SINGLE)
  }
  return b
}

function datagramTrains(): Batch {
  const b = new Batch(TRAINS, new Uint8Array(TRAINS * ROOM_TRAIN))
  const size = vxlan.LEN + TCP_HEADERS + SEGMENT
  for (let i = 0; i < TRAINS; i++) {
    const off = i * ROOM_TRAIN + HEADROOM
    for (let k = 0; k < SEGMENTS; k++) {
      const at = off + k * size
      vxlan.write(b.bytes, at, VNI)
      writeTcp(b.bytes, at + vxlan.LEN, SEGMENT, k * SEGMENT, station(2, i % STATIONS), station(1, i % STATIONS))
    }
    put(b, i, off, SEGMENTS * size, size, SINGLE)
  }
  return b
}

function put(b: Batch, i: number, off: number, len: number, segment: number, kind: number): void {
  b.off[i] = off
  b.len[i] = len
  b.link[i] = 0
  b.segment[i] = segment
  b.header[i] = 0
  b.l3[i] = ethernet.LEN
  b.kind[i] = kind
  const at = i * ADDR_LEN
  new Uint16Array(b.addr.buffer, b.addr.byteOffset + at, 1)[0] = AF_INET
  new DataView(b.addr.buffer, b.addr.byteOffset + at).setInt32(4, FAR[3])
  b.count = i + 1
}
