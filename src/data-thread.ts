// The data thread: a worker that sleeps in native's poll and carries batches between devices and sockets. It builds its own
// parts (tables, walks, trays) and is reached through the mailbox alone. Nothing else runs here: no timers, no logs, no
// event loop. One turn is: wait, orders, sockets → devices, devices → sockets, answers, what native noticed.
// Temperature: warm; per batch, never per packet.
import { randomBytes } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { Batch } from './batch.ts'
import { Counters, STAT_NOW } from './counters.ts'
import { Answers } from './datapath/answers.ts'
import { Capture } from './datapath/capture.ts'
import { Inbound } from './datapath/inbound.ts'
import type { Letter, News } from './datapath/mailbox.ts'
import { Outbound } from './datapath/outbound.ts'
import { Tables } from './datapath/tables.ts'
import { Unseal } from './datapath/unseal.ts'
import { NONE } from './drop.ts'
import { Engine, layout, pathMtu, slab } from './host/addon.ts'
import { DeviceLink, UdpLink } from './host/links.ts'

/** What the agent hands to the worker. */
export interface DataThreadInput {
  port: MessagePort
  counters: SharedArrayBuffer
  /** Count the CPU time inside native calls. */
  profile: boolean
}

// native/engine.h `Ready`.
const READY_WAKE = 1
const READY_DEVICES = 2
const READY_SOCKETS = 4
const READY_WRITABLE = 8
const READY_CHANGED = 16
const READY_GONE = 32

/** Room for frames of one crossing: sixteen super-packets, or 512 small frames. Larger falls out of the second-level cache. */
const FRAME_SLAB_TRAINS = 16
const FRAMES = 512
const DATAGRAMS_OUT = 1024
const MESSAGES_IN = 24
const FRAMES_IN = 4096
/** Sealed messages opened in one native call: a train has up to 64, or 128. */
const OPENED = 1024
/** Milliseconds between two sweeps. */
const SWEEP = 1000
/**
 * So long after a packet the thread looks up every millisecond instead of sleeping on: the answer to that packet then meets
 * code that is still in the caches, which takes a sixth off an idle network's round trip (`npm run bench -- wire`).
 */
const LINGER = 50
const GLANCE = 1

class DataThread {
  private readonly input: DataThreadInput
  private readonly engine = new Engine()
  private readonly counters: Counters
  private readonly tables: Tables
  private readonly frames: Batch
  private readonly messages: Batch
  private readonly outbound: Outbound
  private readonly inbound: Inbound
  private readonly unseal: Unseal
  private readonly opened: Batch
  private readonly answers: Answers
  private readonly capture: Capture
  private readonly devices: DeviceLink
  private readonly udp: UdpLink
  /** A socket is full: the outbound batch waits, and the devices with it. */
  private full = false
  /** The same for what leaves by the side door. Native remembers one batch: never both. */
  private doorFull = false
  private stopped = false
  private sweptAt = 0
  private carriedAt = 0

  constructor(input: DataThreadInput) {
    this.input = input
    const engine = this.engine
    const sizes = layout()
    const slabOut = new Uint8Array(slab(FRAME_SLAB_TRAINS * sizes.frameRoom))
    const slabIn = new Uint8Array(slab(MESSAGES_IN * sizes.datagramRoom))
    this.frames = new Batch(FRAMES, slabOut)
    const datagrams = new Batch(DATAGRAMS_OUT, slabOut)
    this.messages = new Batch(MESSAGES_IN, slabIn)
    const framesIn = new Batch(FRAMES_IN, slabIn)
    this.opened = new Batch(OPENED, slabIn)
    this.counters = new Counters(input.counters)
    engine.attachStats(this.counters.stats)
    if (input.profile) engine.profile(true)

    const seed = randomBytes(4).readInt32LE()
    const news = (n: News): void => input.port.postMessage(n)
    this.devices = new DeviceLink(engine, this.counters.stats)
    this.udp = new UdpLink(engine, this.counters.stats)
    this.capture = new Capture((id, frame) => news({ kind: 'captured', id, frame }))
    this.answers = new Answers(this.devices, seed)
    const native = Object.assign(engine, { pathMtu: (address: Uint8Array): number => pathMtu(address) })
    this.tables = new Tables(native, this.counters, this.answers, seed, news)
    const { networks, vteps, ports, farEnds, settlement, tunnels } = this.tables
    const trays = [this.answers.tray, tunnels.door.tray]
    for (const b of [this.frames, datagrams, this.messages, framesIn, this.opened, ...trays]) {
      b.id = engine.attach(b.columns, b.slots, b.bytes)
    }
    const { counters, answers, capture, tables } = this
    this.outbound = new Outbound({
      networks,
      vteps,
      counters,
      answers,
      capture,
      datagrams,
      seed,
      settlement,
      sealer: tunnels,
    })
    this.unseal = new Unseal({
      peers: tunnels.peers,
      counters,
      ports,
      opened: this.opened,
      open: (b) => engine.open(b.id, b.count),
      handshake: (b, m, off, end) => tunnels.handshake(b, m, off, end),
      heard: (session, data, b, m) => tunnels.heard(session, data, b, m),
    })
    this.inbound = new Inbound({
      networks,
      vteps,
      counters,
      capture,
      ports,
      bare: farEnds.bare,
      frames: framesIn,
      probe: (tunnel, b, off, end) => tunnels.agentMessage(tunnel, b, off, end),
      addStranger: (n, a, b, c, d) => tables.addStranger(n, a, b, c, d),
      ownMac: (n, vtep) => tables.ownMac(n, vtep),
    })
    // What control writes to, to end our sleep; also the sign that we are ready for orders.
    parentPort!.postMessage(engine.wakeFd())
  }

  run(): void {
    const stats = this.counters.stats
    const { tunnels } = this.tables
    while (!this.stopped) {
      const patience = stats[STAT_NOW]! - this.carriedAt < LINGER ? GLANCE : SWEEP
      const ready = this.engine.wait(tunnels.patience(patience), this.frames.id, this.messages.id)
      const now = stats[STAT_NOW]!
      if (ready & (READY_DEVICES | READY_SOCKETS)) this.carriedAt = now
      this.tables.now = now
      tunnels.now = now
      this.answers.begin(now)
      if (ready & READY_WAKE) this.readOrders()
      if (ready & READY_SOCKETS) this.carryInbound()
      if (ready & READY_WRITABLE) this.goOn()
      if (!this.blocked && ready & (READY_DEVICES | READY_WRITABLE)) this.carryOutbound(ready)
      this.answers.flush()
      tunnels.expire()
      if (!this.blocked) this.openDoor()
      if (ready & READY_CHANGED) this.learnMtus()
      if (ready & READY_GONE) this.dropGone()
      if (now - this.sweptAt >= SWEEP) this.sweep(now)
    }
    this.engine.publish()
  }

  private get blocked(): boolean {
    return this.full || this.doorFull
  }

  // A socket has drained.
  private goOn(): void {
    if (this.full) {
      this.full = !this.outbound.resume(this.udp)
      if (!this.full) this.openDoor()
    } else if (this.doorFull) this.doorFull = !this.tables.tunnels.door.resume(this.udp)
  }

  private carryInbound(): void {
    if (this.udp.receive(this.messages) === 0) return
    const { tick, tunnels } = this.tables
    this.inbound.begin(this.messages, tick, false)
    while (this.inbound.step()) this.inbound.send(this.devices)
    this.unseal.begin(this.messages, tunnels.now)
    while (this.unseal.step()) {
      this.inbound.begin(this.opened, tick, true)
      while (this.inbound.step()) this.inbound.send(this.devices)
    }
  }

  private carryOutbound(ready: number): void {
    // After a wait for a full socket the batch in hand may have frames left.
    if (ready & READY_WRITABLE && !this.pump()) return
    if ((ready & READY_DEVICES) === 0 || this.devices.receive(this.frames) === 0) return
    this.outbound.begin(this.frames, this.tables.now)
    this.pump()
  }

  // Until the batch in hand is empty (true) or a socket is full (false).
  private pump(): boolean {
    while (this.outbound.step()) {
      if (!this.outbound.send(this.udp)) {
        this.full = true
        return false
      }
      if (!this.openDoor()) return false
    }
    return true
  }

  // What waits beside the walk leaves; false: a socket is full.
  private openDoor(): boolean {
    const { door } = this.tables.tunnels
    if (!door.empty) this.doorFull = !door.flush(this.udp)
    return !this.doorFull
  }

  private learnMtus(): void {
    for (let vtep = this.engine.nextChanged(); vtep !== NONE; vtep = this.engine.nextChanged()) {
      this.tables.learnMtu(vtep)
    }
  }

  private dropGone(): void {
    for (let id = this.engine.nextGone(); id !== NONE; id = this.engine.nextGone()) {
      this.engine.clearDevice(id)
      this.input.port.postMessage({ kind: 'gone', id } satisfies News)
    }
  }

  private sweep(now: number): void {
    this.sweptAt = now
    this.tables.expire()
    this.tables.tunnels.sweep()
    this.engine.publish()
  }

  private readOrders(): void {
    for (;;) {
      const got = receiveMessageOnPort(this.input.port) as { message: Letter } | undefined
      if (!got) return
      this.obey(got.message)
    }
  }

  private obey({ request, order }: Letter): void {
    const { port } = this.input
    try {
      if (order.kind === 'captured') this.capture.waiting -= order.bytes
      const value = this.tables.handle(order)
      this.engine.publish()
      port.postMessage({ kind: 'reply', request, value })
    } catch (error) {
      port.postMessage({ kind: 'refused', request, error })
    }
    if (order.kind === 'stop') this.stopped = true
  }
}

// The walks are small and run for as long as the agent: compile them at once and optimise them after a few hundred packets
// instead of ten thousand. Halves the round trip of an idle network's first minutes (docs/performance.md). Since V8 12 (Node 22)
// Maglev does that unasked, the flag is gone, and V8 writes of it on stderr. These flags are the whole process's: set before the rest
// of it has been loaded, they would make its start a seventh longer.
function compileEarly(): void {
  setFlagsFromString('--always-sparkplug')
  if (Number.parseInt(process.versions.v8, 10) < 12) setFlagsFromString('--interrupt-budget=10000')
}

const thread = new DataThread(workerData as DataThreadInput)
compileEarly()
thread.run()
