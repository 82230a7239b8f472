// The library entry `vtepd/tuntap`: a Duplex per TUN or TAP device. Reading and writing wait on the event loop's own poll, so
// no thread is blocked; each native call moves as many packets as there are. Every 'data' is one packet, every write is one
// packet. docs/tuntap.md is the page for users. Warm: per batch, plus one Buffer per packet.
import { closeSync } from 'node:fs'
import { Duplex } from 'node:stream'
import { getSystemErrorMap } from 'node:util'
import { FD_PRIORITIZED, FD_READABLE, FD_WRITABLE, FdPoll, Packets, tunAttachQueue, tunPersist } from './host/addon.ts'
import * as errno from './host/errno.ts'
import { macBytes } from './host/mac.ts'
import * as netdev from './host/netdev.ts'
import { sameCidr } from './host/sockaddr.ts'
import {
  checkCidr,
  checkMtu,
  checkOptions,
  splitFunctionOptions,
  type TuntapFunctionOptions,
  type TuntapOptions,
} from './tuntap-options.ts'

export type { TuntapFunctionOptions, TuntapOptions } from './tuntap-options.ts'

/** Packets that wait for the reader, and bytes that wait for the device, before the stream says stop. */
const READABLE_HIGH_WATER = 256
const WRITABLE_HIGH_WATER = 256 * 1024
/** One native read brings at most so many packets, or so many bytes. */
const PACKETS_MAX = 256
const SLAB = 256 * 1024
const ENODEV = 19

/**
 * A TUN or TAP device as a stream; use Tun or Tap. Errors are Error with code, errno and syscall; wrong arguments are
 * TypeErrors. Events beside those of Duplex: 'open', 'ready', and 'drop' (error) for a packet that the kernel refused, as it
 * does while the device is down.
 */
export class Tuntap extends Duplex {
  /** The device's name when it was opened. */
  readonly name: string
  readonly isTap: boolean
  readonly isTun: boolean
  /** Written packets that the kernel refused. */
  dropped = 0

  readonly #fd: number
  readonly #index: number
  readonly #netns: string | null
  readonly #poll: FdPoll
  readonly #packets: Packets
  readonly #slab = Buffer.allocUnsafeSlow(SLAB)
  readonly #places = new Uint32Array(2 * PACKETS_MAX)
  #events = 0
  #wanted = false
  #released = false
  // The write in hand.
  #list: readonly Uint8Array[] = []
  #at = 0
  #written: ((error?: Error | null) => void) | null = null
  #whenClosed: (() => void) | null = null
  // What the setters put there, so that they replace their own address and nobody else's.
  #ipv4: string | null = null
  #ipv6: string | null = null

  protected constructor(kind: 'tun' | 'tap', options: TuntapOptions) {
    super({
      readableObjectMode: true,
      readableHighWaterMark: READABLE_HIGH_WATER,
      writableHighWaterMark: WRITABLE_HIGH_WATER,
    })
    checkOptions(kind, options)
    this.isTap = kind === 'tap'
    this.isTun = !this.isTap
    this.#netns = options.netns === undefined ? null : netdev.netnsPath(options.netns)
    const device = netdev.openDevice({
      name: options.name ?? '',
      kind,
      netns: this.#netns,
      mac: options.mac ?? null,
      mtu: options.mtu ?? null,
      tso: 'auto',
      uso: 'auto',
      gsoMaxSize: null,
      vnetHdr: options.vnetHdr ?? false,
      multiQueue: options.multiQueue ?? false,
    })
    this.name = device.name
    // Assigned, they would go on naming another device than this one.
    for (const key of ['name', 'isTap', 'isTun']) Object.defineProperty(this, key, { writable: false })
    this.#fd = device.fd
    this.#index = device.index
    try {
      if (options.ipv4 !== undefined) this.ipv4 = options.ipv4
      if (options.ipv6 !== undefined) this.ipv6 = options.ipv6
      if (options.up) this.isUp = true
      this.#packets = new Packets(device.fd, this.isTap, options.vnetHdr ?? false, this.#slab, this.#places)
      this.#poll = new FdPoll(
        device.fd,
        (status, events) => this.#ready(status, events),
        () => this.#whenClosed?.(),
      )
    } catch (error) {
      closeSync(device.fd)
      throw error
    }
    // From here on closing is the poll's; persisting comes last, so that a failure leaves no device.
    try {
      if (options.persist) tunPersist(device.fd, true)
      this.#arm()
    } catch (error) {
      this.destroy()
      throw error
    }
    process.nextTick(() => {
      if (this.destroyed) return
      this.emit('open')
      this.emit('ready')
    })
  }

  /** Lower case; null for a Tun. */
  get mac(): string | null {
    return this.isTap ? this.#state().mac : null
  }
  set mac(mac: string) {
    if (this.isTun) throw new TypeError('a tun device has no MAC')
    macBytes(mac)
    this.#check()
    netdev.setMac(this.#index, mac, this.#netns)
  }

  /** Bytes of an IP packet. */
  get mtu(): number {
    return this.#state().mtu
  }
  set mtu(mtu: number) {
    checkMtu(mtu)
    this.#check()
    netdev.setMtu(this.#index, mtu, this.#netns)
  }

  /**
   * ADDRESS/LENGTH: the address that was set here, else the device's first one; null: none. Setting replaces what was set
   * here before and leaves others alone; null removes it.
   */
  get ipv4(): string | null {
    return pick(this.addresses, this.#ipv4, (a) => !a.includes(':'))
  }
  set ipv4(cidr: string | null) {
    this.#ipv4 = this.#replace(this.#ipv4, checkCidr(cidr, 4))
  }

  /** As `ipv4`; an address of wider scope goes before a link-local one. */
  get ipv6(): string | null {
    return pick(this.addresses, this.#ipv6, (a) => a.includes(':'))
  }
  set ipv6(cidr: string | null) {
    this.#ipv6 = this.#replace(this.#ipv6, checkCidr(cidr, 6))
  }

  /** All addresses, ADDRESS/LENGTH. */
  get addresses(): string[] {
    return this.#state().addresses
  }

  get isUp(): boolean {
    return this.#state().up
  }
  set isUp(up: boolean) {
    if (typeof up !== 'boolean') throw new TypeError(`want isUp true or false, got ${JSON.stringify(up)}`)
    this.#check()
    if (up) netdev.setUp(this.#index, this.#netns)
    else netdev.setDown(this.#index, this.#netns)
  }

  /** Whether the device stays when it is released. */
  set persist(persist: boolean) {
    if (typeof persist !== 'boolean') throw new TypeError(`want persist true or false, got ${JSON.stringify(persist)}`)
    this.#check()
    tunPersist(this.#fd, persist)
  }

  /** With multiQueue: a detached queue neither reads nor writes, the device's other queues take over. */
  attachQueue(): void {
    this.#check()
    tunAttachQueue(this.#fd, true)
  }
  detachQueue(): void {
    this.#check()
    tunAttachQueue(this.#fd, false)
  }

  /** Ends the stream and closes the device, which is gone then unless it persists. May be called again. */
  release(callback?: (error?: Error | null) => void): void {
    if (callback !== undefined && typeof callback !== 'function') throw new TypeError('want release(callback?)')
    if (callback) {
      if (this.closed) process.nextTick(callback, this.errored)
      else this.once('close', () => callback(this.errored))
    }
    if (this.#released || this.destroyed) return
    this.#released = true
    // Whoever waits for packets hears of the end first; what nobody has taken by then is let go. Reading to the end is what
    // makes 'end' come, also to a loop that is busy with an earlier packet.
    this.prependOnceListener('end', () => this.destroy())
    this.push(null)
    setImmediate(() => {
      while (!this.destroyed && this.read() !== null);
    })
  }

  /** Closes the device at once; what is written and not gone yet fails. */
  override destroy(error?: Error): this {
    // A `for await` that has met the end of the packets closes what can still be written to with an AbortError.
    return super.destroy(this.#released && error?.name === 'AbortError' ? undefined : error)
  }

  /** Whether an open device keeps the process alive (it does at first). */
  ref(): this {
    if (!this.destroyed) this.#poll.ref()
    return this
  }
  unref(): this {
    if (!this.destroyed) this.#poll.unref()
    return this
  }

  /** Throws: packets are bytes. */
  override setEncoding(_encoding: BufferEncoding): this {
    throw notForPackets('setEncoding')
  }
  override setDefaultEncoding(_encoding: BufferEncoding): this {
    throw notForPackets('setDefaultEncoding')
  }

  override _read(): void {
    this.#wanted = true
    this.#arm()
    if (this.#packets.pending()) process.nextTick(() => this.#pull())
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#send([chunk], callback)
  }

  override _writev(chunks: { chunk: Uint8Array }[], callback: (error?: Error | null) => void): void {
    this.#send(
      chunks.map((c) => c.chunk),
      callback,
    )
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const written = this.#written
    if (written) process.nextTick(written, error ?? released(this.name))
    this.#written = null
    this.#list = []
    this.#packets.end()
    this.#whenClosed = () => callback(error)
    this.#poll.close()
  }

  #ready(status: number, events: number): void {
    if (this.destroyed) return
    if (status < 0 || events & FD_PRIORITIZED) {
      this.destroy(failure(ENODEV, 'read', `the device ${this.name} is gone`))
      return
    }
    if (events & FD_WRITABLE) this.#flush()
    if (events & FD_READABLE) this.#pull()
  }

  #pull(): void {
    if (this.destroyed || !this.#wanted) return
    const n = this.#packets.read()
    if (n < 0) {
      this.destroy(failure(-n, 'read'))
      return
    }
    for (let i = 0; i < n && !this.destroyed && !this.#released; i++) {
      const off = this.#places[2 * i]!
      const packet = Buffer.allocUnsafe(this.#places[2 * i + 1]!)
      this.#slab.copy(packet, 0, off, off + packet.length)
      this.#wanted = this.push(packet)
    }
    if (this.destroyed) return
    this.#arm()
    if (this.#wanted && this.#packets.pending()) setImmediate(() => this.#pull())
  }

  #send(list: readonly Uint8Array[], callback: (error?: Error | null) => void): void {
    this.#list = list
    this.#at = 0
    this.#written = callback
    this.#flush()
  }

  // Writes on, until everything is gone or the device is full.
  #flush(): void {
    while (this.#at < this.#list.length) {
      this.#at += this.#packets.write(this.#list, this.#at)
      if (this.#at === this.#list.length) break
      const error = this.#places[0]!
      const verdict = errno.classify(error)
      if (verdict === errno.DRY) {
        this.#arm()
        return
      }
      if (verdict === errno.GONE || verdict === errno.FATAL) {
        this.#finish(failure(error, 'write'))
        return
      }
      this.#at++
      this.dropped++
      this.emit('drop', failure(error, 'write'))
    }
    this.#finish(null)
  }

  // In the next tick: what is written meanwhile then goes in one call.
  #finish(error: Error | null): void {
    const written = this.#written
    this.#written = null
    this.#list = []
    this.#arm()
    if (written) process.nextTick(written, error)
  }

  // The device's end is always waited for, which also keeps the process alive.
  #arm(): void {
    if (this.destroyed) return
    const full = this.#at < this.#list.length
    const events = FD_PRIORITIZED | (this.#wanted && !this.#released ? FD_READABLE : 0) | (full ? FD_WRITABLE : 0)
    if (events === this.#events) return
    this.#events = events
    this.#poll.start(events)
  }

  #check(): void {
    if (!this.destroyed) return
    throw released(this.name)
  }

  #state(): netdev.LinkState {
    this.#check()
    const state = netdev.link(this.#index, this.#netns)
    if (!state) throw failure(ENODEV, 'RTM_GETLINK', `the device ${this.name} is gone, or in another network namespace`)
    return state
  }

  #replace(old: string | null, next: string | null): string | null {
    this.#check()
    if (old === next) return next
    // The old one first: while both are there the new one may be its secondary, and the kernel removes those together.
    if (old !== null) this.#remove(old)
    try {
      if (next !== null) netdev.addAddress(this.#index, next, this.#netns)
    } catch (error) {
      if (old !== null) netdev.addAddress(this.#index, old, this.#netns)
      throw error
    }
    return next
  }

  #remove(cidr: string): void {
    try {
      netdev.delAddress(this.#index, cidr, this.#netns)
    } catch (error) {
      // Somebody else removed it.
      if ((error as NodeJS.ErrnoException).code !== 'EADDRNOTAVAIL') throw error
    }
  }
}

/** A layer 3 device: IP packets. */
export class Tun extends Tuntap {
  constructor(options: TuntapOptions = {}) {
    super('tun', options)
  }
}

/** A layer 2 device: Ethernet frames, without their check sequence. */
export class Tap extends Tuntap {
  constructor(options: TuntapOptions = {}) {
    super('tap', options)
  }
}

/** Opens a device as the package node-tuntap did; `up` brings it up. */
export function tuntap(options: TuntapFunctionOptions): Tun | Tap {
  const { type, rest } = splitFunctionOptions(options)
  return type === 'tun' ? new Tun(rest) : new Tap(rest)
}

function pick(all: readonly string[], own: string | null, ofFamily: (address: string) => boolean): string | null {
  const found = all.filter(ofFamily)
  const mine = own === null ? undefined : found.find((a) => sameCidr(a, own))
  return mine ?? found.find((a) => !/^fe[89ab]/.test(a)) ?? found[0] ?? null
}

function released(name: string): Error {
  return Object.assign(new Error(`the device ${name} was released`), { code: 'ERR_STREAM_DESTROYED' })
}

function notForPackets(method: string): Error {
  return Object.assign(new Error(`${method} has no meaning here: packets are bytes`), {
    code: 'ERR_METHOD_NOT_IMPLEMENTED',
  })
}

function failure(positive: number, syscall: string, message?: string): NodeJS.ErrnoException {
  const [code, text] = getSystemErrorMap().get(-positive) ?? ['UNKNOWN', `errno ${positive}`]
  const error = new Error(message ?? `${syscall}: ${text}`)
  return Object.assign(error, { code, errno: -positive, syscall })
}
