// A native Engine that sends to itself over loopback: one source port, one receiving socket, endpoint 0 between them.
import { createDecipheriv } from 'node:crypto'
import { closeSync, readFileSync, readlinkSync } from 'node:fs'
import { Batch, HEADROOM, TAILROOM } from '../../src/batch.ts'
import { STAT_MESSAGES } from '../../src/counters.ts'
import {
  Engine,
  layout,
  UDP_GRO,
  UDP_MUTE,
  UDP_PKTINFO,
  UDP_RECEIVE,
  udpHasGso,
  udpOpen,
} from '../../src/host/addon.ts'
import { pack } from '../../src/host/sockaddr.ts'

const SLOTS = 1024
const MESSAGES = 24
const BUFFER = 4 << 20
const NO_LOCAL = new Uint8Array(16)
const OVERHEAD = 32
const READY_SOCKETS = 4

export class Loopback {
  readonly engine = new Engine()
  readonly out = new Batch(SLOTS, new Uint8Array(SLOTS * 4096))
  readonly messages = new Batch(MESSAGES, new Uint8Array(MESSAGES * layout().datagramRoom))
  /** Over the slab of `messages`: where a test lays what it cuts out of trains. */
  readonly cut = new Batch(SLOTS, this.messages.bytes)
  private readonly stats = new Float64Array(layout().stats)
  private readonly fds: number[]
  private readonly port: number
  private at = HEADROOM

  constructor(receiveBuffer = BUFFER) {
    const here = pack('127.0.0.1', 0)
    const from = udpOpen(here, UDP_MUTE, BUFFER)
    const to = udpOpen(here, UDP_RECEIVE | UDP_GRO | UDP_PKTINFO, receiveBuffer)
    this.fds = [from, to]
    this.port = portOf(to)
    this.engine.attachStats(this.stats)
    for (const b of [this.out, this.messages, this.cut]) b.id = this.engine.attach(b.columns, b.slots, b.bytes)
    this.engine.setPool(0, [from], udpHasGso(from), layout().maxSegments)
    this.engine.setSocket(0, to)
    this.setPad(0)
  }

  setPad(pad: number): void {
    this.engine.setEndpoint(0, pack('127.0.0.1', this.port), NO_LOCAL, 0, pad)
  }

  /** Lays a packet into the next slot of `out`; key -1: it goes out as it is. */
  put(packet: Uint8Array, key: number, counter: number): number {
    const { out } = this
    const i = out.count++
    out.bytes.set(packet, this.at)
    out.off[i] = this.at
    out.len[i] = packet.length
    out.peer[i] = 0
    out.segment[i] = out.header[i] = out.l3[i] = out.port[i] = 0
    out.kind[i] = out.tos[i] = out.sum[i] = 0
    out.key[i] = key
    out.ctr[i] = counter
    this.at += packet.length + HEADROOM + TAILROOM
    return i
  }

  clear(): void {
    this.out.count = 0
    this.at = HEADROOM
  }

  /** Sends `out` until all of it has left; answers how many slots failed. */
  send(): number {
    let failed = this.engine.send(this.out.id, this.out.count)
    while (failed === -1) {
      this.engine.wait(1000, this.out.id, this.messages.id)
      failed = this.engine.resume(this.out.id)
    }
    return failed
  }

  /** Copies of the next `count` datagrams, trains cut; fewer when nothing comes for a second. */
  receive(count: number): Uint8Array[] {
    const got: Uint8Array[] = []
    while (got.length < count && this.fill()) got.push(...this.datagrams().map((d) => d.slice()))
    return got
  }

  /** Waits up to a second for something in `messages`. */
  fill(): boolean {
    const ready = this.engine.wait(1000, this.out.id, this.messages.id)
    this.messages.count = this.stats[STAT_MESSAGES]!
    return (ready & READY_SOCKETS) !== 0
  }

  /** Views of what lies in `messages`. */
  datagrams(): Uint8Array[] {
    const { messages } = this
    const all: Uint8Array[] = []
    for (let i = 0; i < messages.count; i++) {
      const end = messages.off[i]! + messages.len[i]!
      const step = messages.segment[i] || messages.len[i]!
      for (let at = messages.off[i]!; at < end; at += step) {
        all.push(messages.bytes.subarray(at, Math.min(at + step, end)))
      }
    }
    return all
  }

  /** Puts views of datagrams() into slots of `cut`, to be opened with that key. */
  cutOut(datagrams: readonly Uint8Array[], key: number): void {
    const { cut } = this
    cut.count = datagrams.length
    for (const [i, d] of datagrams.entries()) {
      cut.off[i] = d.byteOffset
      cut.len[i] = d.length
      cut.key[i] = key
      cut.ctr[i] = counterOf(d)
    }
  }

  /** What engine.open left of slot i. */
  opened(i: number): Uint8Array {
    const { cut } = this
    return cut.bytes.slice(cut.off[i]! + 16, cut.off[i]! + cut.len[i]! - 16)
  }

  close(): void {
    this.engine.clearSocket(0)
    this.engine.clearPool(0)
    for (const fd of this.fds) closeSync(fd)
  }
}

/** The counter in a transport message's header. */
export function counterOf(message: Uint8Array): number {
  return Number(new DataView(message.buffer, message.byteOffset).getBigUint64(8, true))
}

/** The slow twin: opens a transport message by node:crypto; null when it is not sealed by this key. */
export function openPlainly(message: Uint8Array, key: Uint8Array): Uint8Array | null {
  const nonce = new Uint8Array(12)
  nonce.set(message.subarray(8, 16), 4)
  const open = createDecipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 })
  open.setAuthTag(message.subarray(message.length - 16))
  const text = open.update(message.subarray(16, message.length - 16))
  try {
    open.final()
  } catch {
    return null
  }
  return new Uint8Array(text.buffer, text.byteOffset, message.length - OVERHEAD)
}

// The kernel's own list: by the socket's inode.
function portOf(fd: number): number {
  const inode = /\[(\d+)\]/.exec(readlinkSync(`/proc/self/fd/${fd}`))![1]!
  const line = readFileSync('/proc/self/net/udp', 'utf8')
    .split('\n')
    .map((l) => l.trim().split(/\s+/))
    .find((fields) => fields[9] === inode)
  return Number.parseInt(line![1]!.split(':')[1]!, 16)
}
