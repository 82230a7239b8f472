// The walk from a device to the underlay: frames in, datagrams out. A slot holds a packet or a train, and everything here
// happens once per train:
//   1 check the frame             wire/ethernet (layer 3: wire/ipv4, wire/ipv6)
//   2 find who gets it            overlay/fdb, or the network's flood list, or who listens to a group (layer 3: overlay/routes);
//                                 layer2.ts has heard it first: what it can answer goes no further
//   3 compare with the path       overlay/vteps; too big: an ICMP answer goes back into the device (RFC 4459 §3.2), or, of IPv4
//                                 without DF, fragments go out (fragments.ts); mss.ts
//   4 write the VXLAN header      wire/vxlan, into the headroom (plain layer 3: an Ethernet header in front of the packet first;
//                                 secure or bare layer 3: nothing)
//   5 choose port and TOS         wire/flow, wire/ecn
//   6 secure: take counters       wireguard/session; without a session the packet is staged, native seals while it sends
// The datagrams' batch has columns of its own over the frames' slab: bytes stay where the kernel put them, and copies for
// several peers name the same bytes. When it is full the walk stops and goes on with the next `step`.
// Read RFC 7348 §4–5 first. Temperature: hot.
import type { Batch } from '../batch.ts'
import { COPIES, type Counters, FLOODED, IN_PACKETS } from '../counters.ts'
import * as drop from '../drop.ts'
import { FULL, type Link } from '../link.ts'
import { TICK } from '../overlay/fdb.ts'
import type { Network, Networks } from '../overlay/networks.ts'
import type { Vteps } from '../overlay/vteps.ts'
import * as ecn from '../wire/ecn.ts'
import * as ethernet from '../wire/ethernet.ts'
import * as flow from '../wire/flow.ts'
import * as ipv4 from '../wire/ipv4.ts'
import * as ipv6 from '../wire/ipv6.ts'
import * as vxlan from '../wire/vxlan.ts'
import type { Session } from '../wireguard/session.ts'
import type { Answers } from './answers.ts'
import type { Capture } from './capture.ts'
import * as fragments from './fragments.ts'
import * as layer2 from './layer2.ts'
import * as mss from './mss.ts'
import { wirePackets } from './segments.ts'
import type { Settlement } from './settlement.ts'
import { copyOf, type Staged } from './staging.ts'

/** Bytes that one step puts aside, or a little more. */
const ASIDE_MAX = 1024 * 1024

/** Sessions for what is to be sealed: datapath/tunnels.ts. */
export interface Sealer {
  /** Whether anybody knows where the tunnel's far end is. */
  reachable(tunnel: number): boolean
  /** The session for `packets` messages, whose counters are the caller's; undefined: `stage` them. */
  sender(tunnel: number, packets: number): Session | undefined
  /** Takes a copy of slot j of the datagrams, which goes out when there is a session. */
  stage(datagrams: Batch, j: number, tunnel: number): void
  /** Sends a packet by the side door, once the batch has left. NONE: in clear text. */
  leave(tunnel: number, one: Staged): void
}

export interface OutboundParts {
  readonly networks: Networks
  readonly vteps: Vteps
  readonly counters: Counters
  readonly answers: Answers
  readonly capture: Capture
  /** Columns over the same slab as the frames'. */
  readonly datagrams: Batch
  /** Seed of the hash that chooses source ports. */
  readonly seed: number
  readonly settlement: Settlement
  readonly sealer: Sealer
}

export class Outbound {
  private readonly p: OutboundParts
  private frames: Batch
  // Where `step` goes on: the frame, and how many copies of it have been made.
  private at = 0
  private copy = 0
  private hash = 0
  /** Bytes of this step that wait at the side door: fragments, and all that came behind them, so that nothing is overtaken. */
  private aside = 0
  private now = 0
  private tick = 0

  constructor(parts: OutboundParts) {
    this.p = parts
    this.frames = parts.datagrams
  }

  /**
   * Starts with a batch that a device has filled. It is ours until `step` has answered false and `settle` is done. `now`:
   * milliseconds.
   */
  begin(frames: Batch, now: number): void {
    this.frames = frames
    this.now = now
    this.tick = Math.floor(now / TICK) | 0
    this.at = 0
    this.copy = 0
  }

  /**
   * Fills the datagrams' batch, and puts aside what is to leave by the side door behind it; false when there was nothing left to
   * do either with.
   */
  step(): boolean {
    const datagrams = this.p.datagrams
    datagrams.count = 0
    this.aside = 0
    while (this.at < this.frames.count) {
      if (this.isFull) return true
      const i = this.at
      if (this.frames.len[i] !== 0) {
        const network = this.p.networks.at(this.frames.link[i]!)
        if (network === undefined) this.p.counters.dropped(drop.DEVICE_GONE, wirePackets(this.frames, i))
        else if (this.take(network, i)) return true
      }
      this.at = i + 1
      this.copy = 0
    }
    return datagrams.count > 0 || this.aside > 0
  }

  /** Sends what `step` made and counts how it went. False when a socket is full: call `resume` when it has drained. */
  send(udp: Link): boolean {
    return this.settle(udp.send(this.p.datagrams))
  }

  resume(udp: Link): boolean {
    return this.settle(udp.resume(this.p.datagrams))
  }

  private get isFull(): boolean {
    return this.p.datagrams.count === this.p.datagrams.slots || this.aside >= ASIDE_MAX
  }

  // One frame: true when the datagrams' batch is full and the frame has copies to go.
  private take(network: Network, i: number): boolean {
    const frames = this.frames
    const first = this.copy === 0
    if (first) {
      this.p.counters.addNetwork(network.id, IN_PACKETS, wirePackets(frames, i))
      if (network.captured) this.p.capture.frame(network, frames, i)
    }
    return network.layer2 ? this.takeFrame(network, i, first) : this.takePacket(network, i)
  }

  private takeFrame(network: Network, i: number, first: boolean): boolean {
    const { bytes } = this.frames
    const off = this.frames.off[i]!
    const end = off + this.frames.len[i]!
    if (first) {
      const refused = ethernet.check(bytes, off, end)
      if (refused !== 0) return this.refuse(refused, i)
      // RFC 7348 §6.1: no inner VLAN tag unless configured. Refused, never stripped.
      if (!network.keepVlan && ethernet.isTagged(bytes, off)) return this.refuse(drop.INNER_VLAN_TAG, i)
      // One socket sends all that is sealed: there the session tells flows apart no more than the port does.
      this.hash = network.hashPort && !network.secure ? flow.hash(bytes, off, end, true, this.p.seed) : 0
      vxlan.write(bytes, off - vxlan.LEN, network.vni)
      // A station that speaks on our side has moved here, whatever was learned from afar.
      network.fdb.forgetLearned(ethernet.srcHi(bytes, off), ethernet.srcLo(bytes, off))
      if (layer2.isOfNote(bytes, off) && this.frames.segment[i] === 0) {
        const refused = layer2.fromDevice(network, this.p.answers, this.frames, i, this.tick)
        if (refused !== 0) return this.refuse(refused, i)
      }
      if (!ethernet.isGroup(bytes, off)) {
        const vtep = network.fdb.find(ethernet.dstHi(bytes, off), ethernet.dstLo(bytes, off))
        if (vtep !== drop.NONE) {
          this.put(network, i, vtep, off - vxlan.LEN)
          return false
        }
      }
      if (!network.floodOn) return this.refuse(drop.FLOOD_OFF, i)
      if (network.flood.length === 0) return this.refuse(drop.NO_PEER, i)
      const { storm } = network
      if (storm !== null && !storm.take(wirePackets(this.frames, i), this.now)) return this.refuse(drop.STORM_LIMIT, i)
      this.countFlood(network, i, this.receivers(network, off, end).length)
    }
    return this.flood(network, i, this.receivers(network, off, end), off - vxlan.LEN)
  }

  // Who gets what is for more than one.
  private receivers(network: Network, off: number, end: number): Int32Array {
    const { snoop } = network
    if (snoop === null || snoop.size === 0 || !ethernet.isGroup(this.frames.bytes, off)) return network.flood
    return layer2.receivers(network, snoop, this.frames.bytes, off, end)
  }

  // Head-end replication: the same bytes to every one of them.
  private flood(network: Network, i: number, peers: Int32Array, off: number): boolean {
    while (this.copy < peers.length) {
      if (this.isFull) return true
      this.put(network, i, peers[this.copy]!, off)
      this.copy++
    }
    return false
  }

  private countFlood(network: Network, i: number, receivers: number): void {
    const n = wirePackets(this.frames, i)
    this.p.counters.addNetwork(network.id, FLOODED, n)
    this.p.counters.addNetwork(network.id, COPIES, n * (receivers - 1))
  }

  // Layer 3: the packet gets an Ethernet header with the VTEPs' MACs, so that a kernel's VXLAN device understands it.
  private takePacket(network: Network, i: number): boolean {
    const { bytes } = this.frames
    const vteps = this.p.vteps
    const packet = this.frames.off[i]!
    const end = packet + this.frames.len[i]!
    const v6 = bytes[packet]! >>> 4 === 6
    // A train's packet length may exceed what its length field says; native has compared the headers with the device's word.
    const refused = v6 ? ipv6.check(bytes, packet, end) : ipv4.check(bytes, packet, end)
    if (refused !== 0) return this.refuse(refused, i)
    if ((v6 ? ipv6.hopLimit(bytes, packet) : ipv4.ttl(bytes, packet)) === 0) return this.refuse(drop.TTL_EXPIRED, i)
    const vtep = v6
      ? network.routes.find6(
          ipv6.dstWord(bytes, packet, 0),
          ipv6.dstWord(bytes, packet, 1),
          ipv6.dstWord(bytes, packet, 2),
          ipv6.dstWord(bytes, packet, 3),
        )
      : network.routes.find4(ipv4.dst(bytes, packet))
    if (vtep === drop.NONE) return this.refuse(drop.NO_ROUTE, i)
    if (network.secure || network.bare) {
      this.hash = 0
      this.put(network, i, vtep, packet)
      return false
    }
    this.hash = network.hashPort ? flow.hash(bytes, packet, end, false, this.p.seed) : 0
    const off = packet - ethernet.LEN - vxlan.LEN
    const type = v6 ? ethernet.IPV6 : ethernet.IPV4
    ethernet.write(
      bytes,
      packet - ethernet.LEN,
      vteps.macHi[vtep]!,
      vteps.macLo[vtep]!,
      network.macHi,
      network.macLo,
      type,
    )
    vxlan.write(bytes, off, network.vni)
    this.put(network, i, vtep, off)
    return false
  }

  // One datagram, or train of them, for one VTEP; its bytes start at `off`, in the frame's headroom.
  private put(network: Network, i: number, vtep: number, off: number): void {
    const { frames } = this
    const { datagrams, vteps } = this.p
    const grown = frames.off[i]! - off
    const segment = frames.segment[i]!
    const longest = segment === 0 ? frames.len[i]! : frames.header[i]! + segment
    const mtu = vteps.mtu[vtep]!
    if (mtu !== 0 && longest + grown + vteps.overhead[vtep]! > mtu) {
      if (!this.fragment(network, i, vtep, off)) this.tooBig(network, i, vtep)
      return
    }
    // A train has begun long after its SYN.
    if (segment === 0) {
      const room = mss.room(network, vteps, vtep)
      if (mss.isDue(network, room)) mss.clamp(frames, i, network, room, frames.sum[i] === 0)
    }
    const j = datagrams.count
    datagrams.count = j + 1
    datagrams.off[j] = off
    datagrams.len[j] = frames.len[i]! + grown
    datagrams.peer[j] = vtep
    datagrams.link[j] = network.id
    datagrams.segment[j] = segment
    datagrams.header[j] = segment === 0 ? 0 : frames.header[i]! + grown
    const l3 = frames.l3[i]!
    datagrams.l3[j] = network.layer2 && l3 === 0 ? 0 : l3 + grown
    // csum_start grows with the headers in front; csum_offset counts from there.
    datagrams.sum[j] = frames.sum[i] === 0 ? 0 : frames.sum[i]! + (grown << 16)
    datagrams.kind[j] = frames.kind[i]!
    datagrams.port[j] = this.hash & 0xffff
    datagrams.tos[j] = this.tos(network, i)
    datagrams.key[j] = drop.NONE
    if (this.aside > 0) {
      datagrams.count = j
      this.leave(network, vtep, copyOf(datagrams, j))
    } else if (network.secure) this.seal(j, vteps.tunnel[vtep]!)
  }

  // The last slot of the datagrams gets a key and counters, or leaves the batch.
  private seal(j: number, tunnel: number): void {
    const { datagrams, sealer, counters } = this.p
    const packets = wirePackets(datagrams, j)
    if (!sealer.reachable(tunnel)) {
      datagrams.count = j
      counters.dropped(drop.NO_ENDPOINT, packets)
      return
    }
    const session = sealer.sender(tunnel, packets)
    if (session === undefined) {
      datagrams.count = j
      sealer.stage(datagrams, j, tunnel)
      return
    }
    datagrams.key[j] = session.sendKey
    datagrams.ctr[j] = session.counter
    session.counter += packets
  }

  private tos(network: Network, i: number): number {
    const { frames } = this
    const l3 = frames.l3[i]!
    if (network.layer2 && l3 === 0) return network.dscp < 0 ? 0 : network.dscp
    const ip = frames.off[i]! + l3
    const inner = frames.bytes[ip]! >>> 4 === 6 ? ipv6.trafficClass(frames.bytes, ip) : ipv4.tos(frames.bytes, ip)
    const dscp = network.dscp < 0 ? inner & 0xfc : network.dscp
    return dscp | (network.copyEcn ? ecn.encapsulate(inner) : 0)
  }

  // What its sender lets us cut, in pieces that fit; false: it does not.
  private fragment(network: Network, i: number, vtep: number, off: number): boolean {
    const { vteps, counters } = this.p
    const room = vteps.mtu[vtep]! - vteps.overhead[vtep]!
    const pieces = fragments.cut(this.frames, i, off, room, network.layer2, {
      vtep,
      link: network.id,
      tos: this.tos(network, i),
      port: this.hash & 0xffff,
    })
    if (pieces === null) return false
    counters.addNetwork(network.id, COPIES, pieces.length - 1)
    for (let k = 0; k < pieces.length; k++) this.leave(network, vtep, pieces[k]!)
    return true
  }

  // By the side door.
  private leave(network: Network, vtep: number, one: Staged): void {
    const { vteps, sealer, counters } = this.p
    const tunnel = network.secure ? vteps.tunnel[vtep]! : drop.NONE
    this.aside += one.bytes.length
    if (network.secure && !sealer.reachable(tunnel)) counters.dropped(drop.NO_ENDPOINT, one.packets)
    else sealer.leave(tunnel, one)
  }

  private tooBig(network: Network, i: number, vtep: number): void {
    const { vteps, answers, counters } = this.p
    const { frames } = this
    counters.dropped(drop.TOO_BIG, wirePackets(frames, i))
    const off = frames.off[i]!
    answers.tooBig(network, frames, off, off + frames.len[i]!, vteps.mtu[vtep]! - vteps.overhead[vtep]!)
  }

  private refuse(code: number, i: number): boolean {
    this.p.counters.dropped(code, wirePackets(this.frames, i))
    return false
  }

  private settle(failed: number): boolean {
    if (failed === FULL) return false
    this.p.settlement.settle(this.p.datagrams, failed)
    return true
  }
}
