// A host's two walks in memory, around the real tables: frames and datagrams in as bytes, what comes out as copies. Doors and
// native are fakes that take everything, or refuse it as the test says.
import { ADDR_LEN, Batch, HEADROOM } from '../../src/batch.ts'
import { COPIES, Counters, IN_PACKETS, RX_PACKETS, TX_PACKETS } from '../../src/counters.ts'
import { Answers } from '../../src/datapath/answers.ts'
import { Capture } from '../../src/datapath/capture.ts'
import { Inbound } from '../../src/datapath/inbound.ts'
import type { Far, News, Settings } from '../../src/datapath/mailbox.ts'
import { Outbound } from '../../src/datapath/outbound.ts'
import { type Native, Tables } from '../../src/datapath/tables.ts'
import * as drop from '../../src/drop.ts'
import { mapped16, pack, unpack } from '../../src/host/sockaddr.ts'
import { FULL, type Link } from '../../src/link.ts'
import { PEERS } from '../../src/overlay/networks.ts'
import { hex } from './bytes.ts'

export const PORT = 4789
export const SEED = 0x5eed1234
const SLOT = 2048

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
}

/** A peer as control describes it; `prefixes` for layer 3. */
export function far(address: string, more: Partial<Far> = {}): Far {
  return {
    words: words(address),
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
