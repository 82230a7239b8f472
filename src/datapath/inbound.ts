// The walk from the underlay to a device: datagrams in, frames out. A slot holds what one receive gave: a datagram, or a
// train of equal ones (UDP GRO); or what unseal.ts has opened, whose `peer` column names the tunnel. A train is not uniform,
// so every datagram of it is checked on its own:
//   1 cut the slot into datagrams   by the GRO size, but for one whole inner super-packet (see `isSuperPacket`)
//   2 check VXLAN header, VNI       wire/vxlan, overlay/networks
//   3 who speaks                    overlay/vteps, the network's `accept`; opened ones: the tunnel's place in the network
//   4 check the frame               wire/ethernet (layer 3: destination MAC, wire/ipv4, wire/ipv6, allowedIps)
//   5 ECN, TCP's segment size       wire/ecn (RFC 6040), mss.ts
//   6 learn the source              overlay/fdb; layer2.ts hears what it says of addresses and groups
// Packets without VXLAN begin at step 4: of secure layer 3 the tunnel says which network they are for, of a bare network the
// port, and the sender's address who speaks.
// Consecutive datagrams mostly repeat the headers of the one before; then its verdicts hold and steps 2, 3 and 6 are three
// comparisons. The frames' batch has columns of its own over the datagrams' slab.
// Temperature: hot.
import { ADDR_LEN, type Batch } from '../batch.ts'
import { type Counters, FDB_ENTRIES, RX_BYTES, RX_PACKETS, VTEP_RX_BYTES } from '../counters.ts'
import * as drop from '../drop.ts'
import type { Link } from '../link.ts'
import { NEW } from '../overlay/fdb.ts'
import type { Network, Networks } from '../overlay/networks.ts'
import { KEYED, type Vteps } from '../overlay/vteps.ts'
import * as ethernet from '../wire/ethernet.ts'
import * as ipv4 from '../wire/ipv4.ts'
import * as ipv6 from '../wire/ipv6.ts'
import * as vxlan from '../wire/vxlan.ts'
import type { Capture } from './capture.ts'
import { combineEcn, isSuperPacket, same, viewOf } from './inner.ts'
import * as layer2 from './layer2.ts'
import { SEALED } from './mailbox.ts'
import * as mss from './mss.ts'

/** VXLAN and the MACs of the inner frame: what has to repeat for a verdict to hold. Five words. */
const REPEATED = vxlan.LEN + 12
/** Inside a tunnel this very first byte is VXLAN's, and a first nibble of 4 or 6 is IP's. */
const VXLAN_FIRST = 0x08

export interface InboundParts {
  readonly networks: Networks
  readonly vteps: Vteps
  readonly counters: Counters
  readonly capture: Capture
  /** Columns over the same slab as the datagrams'. */
  readonly frames: Batch
  /** Port of each receiving socket, by socket id (overlay/networks `tagOf`); SEALED: unseal.ts takes what comes there. */
  readonly ports: Int32Array
  /** By tunnel: the VTEP of its secure layer 3 network, or NONE. */
  readonly bare: Int32Array
  /** A message of the far end's agent for ours, opened: 0, or why it is dropped. */
  probe(tunnel: number, b: Batch, off: number, end: number): number
  /** A stranger that the network's `accept` lets in gets an id; NONE when there is none left. */
  addStranger(network: Network, a: number, b: number, c: number, d: number): number
  /** A frame arrived with our own MAC: a loop, or two hosts with one MAC. */
  ownMac(network: Network, vtep: number): void
}

export class Inbound {
  private readonly p: InboundParts
  private datagrams: Batch
  private view: DataView
  private at = 0
  private cut = 0
  private tick = 0
  /** The batch has been opened, and columns over the slab of the messages it came in. */
  private opened = false
  private tunnel: number = drop.NONE
  // The last verdict: whose, and the headers that it was given for (an offset into the slab).
  private network: Network | undefined = undefined
  private vtep: number = drop.NONE
  private seen = -1
  // The sender of the slot in hand.
  private readonly from = new Int32Array(4)

  constructor(parts: InboundParts) {
    this.p = parts
    this.datagrams = parts.frames
    this.view = viewOf(parts.frames)
  }

  /** Starts with a batch that the sockets have filled, or unseal.ts has. It is ours until `step` has answered false. */
  begin(datagrams: Batch, tick: number, opened: boolean): void {
    // Few batches are received into, over one slab, again and again: its view is made once.
    if (datagrams.bytes !== this.datagrams.bytes) this.view = viewOf(datagrams)
    this.datagrams = datagrams
    this.opened = opened
    this.tunnel = drop.NONE
    this.at = 0
    this.cut = 0
    this.tick = tick
    this.seen = -1
  }

  /** Fills the frames' batch; false when there was nothing left to fill it with. */
  step(): boolean {
    const { datagrams } = this
    const { frames, ports } = this.p
    frames.count = 0
    while (this.at < datagrams.count) {
      // Before the slot is begun: one that is begun and has no datagram taken yet would be begun again.
      if (frames.count === frames.slots) return true
      if (this.opened) this.takeOpened(this.at)
      else if (ports[datagrams.link[this.at]!] !== SEALED && this.takeSlot(this.at)) return true
      this.at++
      this.cut = 0
    }
    return frames.count > 0
  }

  /** Hands the frames to their devices and counts how it went. */
  send(device: Link): void {
    const { frames, counters } = this.p
    if (frames.count === 0) return
    const failed = device.send(frames)
    // Runs of frames from one VTEP into one network are added up first: shared memory is written once a run.
    let from = 0
    let packets = 0
    let bytes = 0
    for (let k = 0; k < frames.count; k++) {
      if (frames.link[k] !== frames.link[from] || frames.peer[k] !== frames.peer[from]) {
        this.count(from, packets, bytes)
        from = k
        packets = 0
        bytes = 0
      }
      if (failed !== 0 && frames.err[k] !== 0) {
        counters.dropped(drop.DEVICE_WRITE_FAILED, 1)
        continue
      }
      packets++
      bytes += frames.len[k]!
    }
    this.count(from, packets, bytes)
  }

  // What went to the device of frame k, from its VTEP.
  private count(k: number, packets: number, bytes: number): void {
    const { frames, counters } = this.p
    counters.addNetwork(frames.link[k]!, RX_PACKETS, packets)
    counters.addNetwork(frames.link[k]!, RX_BYTES, bytes)
    if (frames.peer[k]! >= 0) counters.addVtep(frames.peer[k]!, VTEP_RX_BYTES, bytes)
  }

  // All datagrams of slot m; true when the frames' batch is full.
  private takeSlot(m: number): boolean {
    const { datagrams } = this
    const { frames, counters } = this.p
    const start = datagrams.off[m]!
    const end = start + datagrams.len[m]!
    const size = datagrams.segment[m]!
    const bare = this.p.networks.anyBare ? this.p.networks.bareOn(this.p.ports[datagrams.link[m]!]!) : undefined
    const whole = size === 0 || size >= end - start || (!bare && isSuperPacket(datagrams.bytes, start, end, size))
    const step = whole ? end - start : size
    // UDP lets a datagram be empty.
    if (step === 0) {
      counters.addDatagrams(1)
      counters.dropped(drop.TRUNCATED, 1)
      return false
    }
    if (this.cut === 0) {
      this.readSender(m)
      this.seen = -1
      counters.addDatagrams(Math.ceil((end - start) / step))
    }
    const hint = whole ? size : 0
    for (let off = start + this.cut; off < end; off += step) {
      if (frames.count === frames.slots) {
        this.cut = off - start
        return true
      }
      const last = off + step
      const stop = last < end ? last : end
      const refused = bare ? this.takeFrom(bare, m, off, stop) : this.take(m, off, stop, hint)
      if (refused !== 0) counters.dropped(refused, 1)
    }
    return false
  }

  // What one message held.
  private takeOpened(m: number): void {
    const { datagrams } = this
    if (datagrams.len[m] === 0) return
    // A verdict holds for one sender.
    if (datagrams.peer[m] !== this.tunnel) {
      this.tunnel = datagrams.peer[m]!
      this.seen = -1
    }
    const off = datagrams.off[m]!
    const end = off + datagrams.len[m]!
    const first = datagrams.bytes[off]!
    let refused: number
    if (first === VXLAN_FIRST) refused = this.take(m, off, end, 0)
    else if (first >>> 4 === 4 || first >>> 4 === 6) refused = this.takeBare(m, off, end, first >>> 4)
    else refused = this.p.probe(this.tunnel, datagrams, off, end)
    if (refused !== 0) this.p.counters.dropped(refused, 1)
  }

  // Bare layer 3: the port has said which network, the sender's address says who.
  private takeFrom(network: Network, m: number, packet: number, end: number): number {
    const { from } = this
    const vtep = this.p.vteps.find(network.id, from[0]!, from[1]!, from[2]!, from[3]!)
    if (vtep === drop.NONE) return drop.VXLAN_UNKNOWN_VTEP
    this.vtep = vtep
    const version = this.datagrams.bytes[packet]! >>> 4
    return this.takeIp(network, m, packet, end, version === 4 ? ethernet.IPV4 : version === 6 ? ethernet.IPV6 : 0, 0)
  }

  // Secure layer 3: a packet with nothing in front.
  private takeBare(m: number, packet: number, end: number, version: number): number {
    const vtep = this.p.bare[this.tunnel]!
    if (vtep === drop.NONE) return drop.NOT_IN_NETWORK
    const network = this.p.networks.at(this.p.vteps.network[vtep]!)
    if (network === undefined) return drop.NOT_IN_NETWORK
    this.vtep = vtep
    // The verdict of a frame before is not for this one's VTEP.
    this.seen = -1
    return this.takeIp(network, m, packet, end, version === 4 ? ethernet.IPV4 : ethernet.IPV6, 0)
  }

  // One datagram: 0, or why it is dropped.
  private take(m: number, off: number, end: number, hint: number): number {
    const { bytes } = this.datagrams
    if (end - off < REPEATED + 2) return this.shortCode(off, end)
    if (this.seen < 0 || !same(this.view, this.seen, off)) {
      this.seen = -1
      const refused = this.judge(m, off, end)
      if (refused !== 0) return refused
      this.seen = off
    }
    const network = this.network!
    const frame = off + vxlan.LEN
    if (network.captured && network.layer2) this.p.capture.bytes(network, bytes, frame, end)
    return network.layer2 ? this.takeFrame(network, m, frame, end, hint) : this.takePacket(network, m, frame, end, hint)
  }

  // Too short for an inner frame: say which header is cut.
  private shortCode(off: number, end: number): number {
    const refused = vxlan.check(this.datagrams.bytes, off, end)
    return refused !== 0 ? refused : drop.TRUNCATED
  }

  // Steps 2, 3 and 6, whose answers depend on the sender, the VXLAN header and the MACs alone.
  private judge(m: number, off: number, end: number): number {
    const { networks, vteps, ports } = this.p
    const { bytes } = this.datagrams
    const { from } = this
    // RFC 7348 §5: the I flag must be set; the other flags and the reserved fields are ignored.
    const refused = vxlan.check(bytes, off, end)
    if (refused !== 0) return refused
    const network = networks.byVni(vxlan.vni(bytes, off))
    if (network === undefined) return drop.VXLAN_UNKNOWN_VNI
    if (this.opened) return this.judgeOpened(network, off, end)
    if (network.secure) return drop.PLAIN_FOR_SECURE
    const socket = ports[this.datagrams.link[m]!]
    if (network.port !== socket && network.groupTag !== socket) return drop.VXLAN_UNKNOWN_VNI
    let vtep = vteps.find(network.id, from[0]!, from[1]!, from[2]!, from[3]!)
    if (vtep === drop.NONE) {
      if (!network.admits(from[0]!, from[1]!, from[2]!, from[3]!)) return drop.VXLAN_UNKNOWN_VTEP
      vtep = this.p.addStranger(network, from[0]!, from[1]!, from[2]!, from[3]!)
      if (vtep === drop.NONE) return drop.VXLAN_UNKNOWN_VTEP
    }
    this.network = network
    this.vtep = vtep
    return network.layer2 ? this.learn(network, vtep, off + vxlan.LEN, end) : this.learnMac(network, vtep, off)
  }

  // The key has said who it is; is it one of this network's?
  private judgeOpened(network: Network, off: number, end: number): number {
    const vtep = this.p.vteps.find(network.id, KEYED, 0, 0, this.tunnel)
    if (vtep === drop.NONE) return drop.NOT_IN_NETWORK
    // Layer 3 is bare in a tunnel.
    if (!network.secure || !network.layer2) return drop.UNKNOWN_PAYLOAD
    this.network = network
    this.vtep = vtep
    return this.learn(network, vtep, off + vxlan.LEN, end)
  }

  private learn(network: Network, vtep: number, frame: number, end: number): number {
    const { bytes } = this.datagrams
    const refused = ethernet.check(bytes, frame, end)
    if (refused !== 0) return refused
    const hi = ethernet.srcHi(bytes, frame)
    const lo = ethernet.srcLo(bytes, frame)
    if (hi === network.macHi && lo === network.macLo) {
      this.p.ownMac(network, vtep)
      return drop.OWN_MAC
    }
    if (!network.keepVlan && ethernet.isTagged(bytes, frame)) return drop.INNER_VLAN_TAG
    if (!network.learning || ethernet.isGroupSource(bytes, frame) || (hi === 0 && lo === 0)) return 0
    const answer = network.fdb.learn(hi, lo, vtep, this.tick)
    if (answer === NEW) this.p.counters.setNetwork(network.id, FDB_ENTRIES, network.fdb.size)
    return answer < 0 ? answer : 0
  }

  // Layer 3: for our MAC or broadcast only; the sender's MAC is what we write to.
  private learnMac(network: Network, vtep: number, off: number): number {
    const { vteps } = this.p
    const { bytes } = this.datagrams
    const frame = off + vxlan.LEN
    const hi = ethernet.dstHi(bytes, frame)
    const lo = ethernet.dstLo(bytes, frame)
    const ours = hi === network.macHi && lo === network.macLo
    const broadcast = hi === 0xffff && lo === -1
    if (!ours && !broadcast) return drop.NOT_FOR_US
    const srcHi = ethernet.srcHi(bytes, frame)
    const srcLo = ethernet.srcLo(bytes, frame)
    if (srcHi === network.macHi && srcLo === network.macLo) {
      this.p.ownMac(network, vtep)
      return drop.OWN_MAC
    }
    const learnable = !ethernet.isGroupSource(bytes, frame) && (srcHi !== 0 || srcLo !== 0)
    if (vteps.macFixed[vtep] === 0 && learnable) {
      vteps.macHi[vtep] = srcHi
      vteps.macLo[vtep] = srcLo
    }
    return 0
  }

  private takeFrame(network: Network, m: number, frame: number, end: number, hint: number): number {
    const { bytes } = this.datagrams
    // A verdict holds as far as MACs repeat; the type behind them is looked at every time.
    let refused = layer2.isOfNote(bytes, frame) ? layer2.fromVtep(network, this.vtep, bytes, frame, end, this.tick) : 0
    if (refused !== 0) return refused
    const outer = this.datagrams.tos[m]! & 3
    if (outer !== 0) {
      const packet = frame + ethernet.headerLen(bytes, frame, end)
      const type = (bytes[packet - 2]! << 8) | bytes[packet - 1]!
      refused = combineEcn(bytes, packet, end, outer, type)
      if (refused !== 0) return refused
    }
    this.put(network, frame, end, hint)
    return 0
  }

  private takePacket(network: Network, m: number, frame: number, end: number, hint: number): number {
    const { bytes } = this.datagrams
    if (ethernet.isTagged(bytes, frame)) return drop.INNER_VLAN_TAG
    return this.takeIp(network, m, frame + ethernet.LEN, end, ethernet.etherType(bytes, frame), hint)
  }

  // A packet for a layer 3 network, from this.vtep.
  private takeIp(network: Network, m: number, packet: number, end: number, type: number, hint: number): number {
    const { bytes } = this.datagrams
    let refused: number
    let source = drop.NONE
    let length = 0
    if (type === ethernet.IPV4) {
      refused = ipv4.check(bytes, packet, end)
      if (refused !== 0) return refused
      if (network.sourceCheck) source = network.routes.find4(ipv4.src(bytes, packet))
      length = ipv4.totalLen(bytes, packet)
    } else if (type === ethernet.IPV6) {
      refused = ipv6.check(bytes, packet, end)
      if (refused !== 0) return refused
      if (network.sourceCheck) source = this.find6(network, packet)
      length = ipv6.LEN + ipv6.payloadLen(bytes, packet)
    } else {
      return drop.NOT_IP
    }
    // What Ethernet or the seal has filled up is not part of the packet.
    const last = Math.min(packet + length, end)
    if (network.captured) this.p.capture.bytes(network, bytes, packet, last)
    if (network.sourceCheck && source !== this.vtep) {
      if (source === drop.NONE || !this.p.vteps.isPair(this.vtep, source)) return drop.SOURCE_NOT_ALLOWED
    }
    const hops = type === ethernet.IPV4 ? ipv4.ttl(bytes, packet) : ipv6.hopLimit(bytes, packet)
    if (hops === 0) return drop.TTL_EXPIRED
    const outer = this.datagrams.tos[m]! & 3
    if (outer !== 0) {
      refused = combineEcn(bytes, packet, end, outer, type)
      if (refused !== 0) return refused
    }
    this.put(network, packet, last, hint)
    return 0
  }

  private find6(network: Network, packet: number): number {
    const { bytes } = this.datagrams
    return network.routes.find6(
      ipv6.srcWord(bytes, packet, 0),
      ipv6.srcWord(bytes, packet, 1),
      ipv6.srcWord(bytes, packet, 2),
      ipv6.srcWord(bytes, packet, 3),
    )
  }

  private put(network: Network, off: number, end: number, hint: number): void {
    const { frames } = this.p
    const k = frames.count
    frames.count = k + 1
    frames.off[k] = off
    frames.len[k] = end - off
    frames.link[k] = network.id
    frames.peer[k] = this.vtep
    frames.segment[k] = hint
    const room = mss.room(network, this.p.vteps, this.vtep)
    if (mss.isDue(network, room)) mss.clamp(frames, k, network, room, true)
  }

  private readSender(m: number): void {
    const { addr } = this.datagrams
    const at = m * ADDR_LEN
    const { from } = this
    // sockaddr: the family is in host order, so one of its two bytes is zero (AF_INET 2, AF_INET6 10).
    if (addr[at]! + addr[at + 1]! === 2) {
      from[0] = 0
      from[1] = 0
      from[2] = 0xffff
      from[3] = word(addr, at + 4)
      return
    }
    from[0] = word(addr, at + 8)
    from[1] = word(addr, at + 12)
    from[2] = word(addr, at + 16)
    from[3] = word(addr, at + 20)
  }
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}
