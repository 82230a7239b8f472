// The UDP sockets of the agent: one that hears for each local address and port, whatever the number of networks, and pools of
// sockets that differ by source port only (RFC 7348 §5: the source port tells inner flows apart); one for each multicast group,
// interface and port; for WireGuard one on every address of each family, which also sends. Opened when first wanted, heard from
// `hear` on: until then what arrives waits in the kernel, and finds peers and devices in place. Closed by `retain` when nobody
// wants them. Cold.
import { closeSync } from 'node:fs'
import { type Mailbox, SEALED } from '../datapath/mailbox.ts'
import {
  layout,
  UDP_GRO,
  UDP_MUTE,
  UDP_NO_CHECK,
  UDP_PKTINFO,
  UDP_RECEIVE,
  UDP_SHARE,
  udpHasGso,
  udpJoin,
  udpMark,
  udpMulticast,
  udpNoCheck,
  udpOpen,
} from '../host/addon.ts'
import * as sockaddr from '../host/sockaddr.ts'
import { tagOf } from '../overlay/networks.ts'
import type { Config, NetworkConfig } from './config/model.ts'
import { codeOf, Refusal, refusalFrom } from './refusal.ts'
import { type GroupPlace, groupSockaddr } from './upkeep/group.ts'
import type { LocalAddress } from './upkeep/underlay.ts'

/** RFC 6335 §6: the dynamic ports. */
const DYNAMIC_FIRST = 49152
const DYNAMIC_LAST = 65535
const RECEIVE_BUFFER = 8 << 20
const SEND_BUFFER = 4 << 20
const POOL_IDS = 64
/** Routers that a datagram to a group may pass: as many as unicast. How far a group reaches is its address's to say (RFC 2365). */
const GROUP_HOPS = 64
/** How the keys of WireGuard's sockets begin. */
const WIREGUARD = 'wireguard '
const NO_IPV6 = ['EAFNOSUPPORT', 'EADDRNOTAVAIL']

interface Receiver {
  readonly id: number
  readonly fd: number
  /** What the data thread knows it by: a port, `tagOf` of a group, or SEALED. */
  readonly tag: number
  heard: boolean
  /** What it sends has no checksum. */
  noCheck: boolean
}

interface Pool {
  readonly id: number
  readonly fds: number[]
  /** The receiving socket serves as a pool of one: not ours to close. */
  readonly borrowed: boolean
}

export class Sockets {
  private readonly mailbox: Mailbox
  private readonly offloads: Config['offloads']
  private readonly receivers = new Map<string, Receiver>()
  private readonly pools = new Map<string, Pool>()
  private readonly wanted = new Set<string>()
  private mark = 0
  /** For `status`: 'on', or 'off: why'. */
  udpGso = 'on'
  udpGro = 'on'

  constructor(mailbox: Mailbox, offloads: Config['offloads']) {
    this.mailbox = mailbox
    this.offloads = offloads
    if (offloads.udpGso === 'off') this.udpGso = 'off: by configuration'
    if (offloads.udpGro === 'off') this.udpGro = 'off: by configuration'
  }

  /** Begins to collect what is wanted; `retain` ends it. */
  begin(): void {
    this.wanted.clear()
  }

  /** For the plain networks: hears on these addresses and their ports. */
  async receive(underlay: readonly LocalAddress[], networks: readonly NetworkConfig[]): Promise<void> {
    const plain = networks.filter((n) => n.security === 'plain')
    for (const port of new Set(plain.map((n) => n.port))) {
      // With `fixed` the port's socket sends too; the configuration has seen to it that all want the same of it.
      const noCheck = plain.some((n) => n.port === port && n.sourcePort === 'fixed' && this.withoutChecksum(n))
      for (const l of underlay) await this.receiveOn(l, port, noCheck && !l.v6)
    }
  }

  /** Hears a group. Answers its number, which tells its socket from others of the port (overlay/networks `tagOf`). */
  async receiveGroup(place: GroupPlace, port: number): Promise<number> {
    const key = `group ${place.address} ${place.index} ${port}`
    this.wanted.add(key)
    const had = this.receivers.get(key)
    if (had) return had.id + 1
    const fd = openGroup(place, port, UDP_RECEIVE | UDP_SHARE | (this.offloads.udpGro === 'off' ? 0 : UDP_GRO))
    const id = this.freeReceiver()
    this.receivers.set(key, { id, fd, tag: tagOf(port, id + 1), heard: false, noCheck: false })
    return id + 1
  }

  /** Hands the sockets that are new to the data thread. */
  async hear(): Promise<void> {
    for (const r of this.receivers.values()) {
      if (r.heard) continue
      await this.mailbox.ask({ kind: 'set-socket', id: r.id, fd: r.fd, port: r.tag })
      r.heard = true
    }
  }

  /**
   * Hears WireGuard on every address, and sends from there. Answers the pools by family; -1 where this host has no IPv6.
   * One port for both. On the ports of `more` it hears only: who is answered from another port than it wrote to goes on with that
   * one (WG §2.1).
   */
  async wireguard(port: number, more: readonly number[]): Promise<{ pool4: number; pool6: number }> {
    const pool4 = await this.wireguardOn('0.0.0.0', port)
    let pool6 = -1
    try {
      pool6 = await this.wireguardOn('::', port)
    } catch (error) {
      // ipv6.disable=1, or disable_ipv6: there is nobody to hear.
      if (!NO_IPV6.includes(codeOf(error instanceof Refusal ? error.cause : error) ?? '')) throw error
    }
    for (const one of more) {
      await this.wireguardOn('0.0.0.0', one)
      if (pool6 >= 0) await this.wireguardOn('::', one)
    }
    return { pool4, pool6 }
  }

  /** Marks what WireGuard sends, for routing rules (SO_MARK; 0: not), now and from sockets to come. Throws as `udpMark`. */
  setMark(mark: number): void {
    for (const [key, { fd }] of this.receivers) if (key.startsWith(WIREGUARD)) udpMark(fd, mark)
    this.mark = mark
  }

  private async receiveOn(local: LocalAddress, port: number, noCheck: boolean): Promise<void> {
    const key = `${local.address} ${port}`
    this.wanted.add(key)
    const had = this.receivers.get(key)
    if (had) return this.setNoCheck(had, noCheck)
    const flags = UDP_RECEIVE | (this.offloads.udpGro === 'off' ? 0 : UDP_GRO) | (noCheck ? UDP_NO_CHECK : 0)
    const fd = openReceiver(local, port, flags)
    this.receivers.set(key, { id: this.freeReceiver(), fd, tag: port, heard: false, noCheck })
  }

  // UDP_SEGMENT wants checksums: it is not used while there are none.
  private async setNoCheck(r: Receiver, noCheck: boolean): Promise<void> {
    if (r.noCheck === noCheck) return
    r.noCheck = noCheck
    if (!noCheck) udpNoCheck(r.fd, false)
    const gso = !noCheck && this.gso(r.fd)
    for (const { id, fds } of this.pools.values()) {
      if (fds[0] !== r.fd) continue
      await this.mailbox.ask({ kind: 'set-pool', id, fds, gso, maxSegments: layout().maxSegments })
    }
    if (noCheck) udpNoCheck(r.fd, true)
  }

  private async wireguardOn(address: string, port: number): Promise<number> {
    const key = `${WIREGUARD}${address} ${port}`
    this.wanted.add(key)
    const had = this.pools.get(key)
    if (had) return had.id
    const local = { address, v6: address === '::', interface: '', mtu: 0 }
    const flags = UDP_RECEIVE | UDP_PKTINFO | (this.offloads.udpGro === 'off' ? 0 : UDP_GRO)
    const fd = openReceiver(local, port, flags)
    const pool = freeId(this.pools)
    try {
      if (this.mark !== 0) udpMark(fd, this.mark)
      const gso = this.gso(fd)
      await this.mailbox.ask({ kind: 'set-pool', id: pool, fds: [fd], gso, maxSegments: layout().maxSegments })
    } catch (error) {
      closeSync(fd)
      throw error
    }
    this.receivers.set(key, { id: this.freeReceiver(), fd, tag: SEALED, heard: false, noCheck: false })
    this.pools.set(key, { id: pool, fds: [fd], borrowed: true })
    return pool
  }

  /** Number of the pool by which a network sends from `local`; `group`: to this group too, which has the same family. */
  async pool(local: LocalAddress, network: NetworkConfig, group: GroupPlace | null): Promise<number> {
    const fixed = network.sourcePort === 'fixed'
    const noCheck = !local.v6 && this.withoutChecksum(network)
    const how = fixed ? `fixed ${local.address} ${network.port}` : `pool ${local.address} ${noCheck ? 'off' : 'on'}`
    const key = group ? `${how} ${group.index}` : how
    this.wanted.add(key)
    const had = this.pools.get(key)
    if (had) return had.id
    const fds = fixed
      ? [this.receivers.get(`${local.address} ${network.port}`)!.fd]
      : openPool(local, UDP_MUTE | (noCheck ? UDP_NO_CHECK : 0))
    const id = freeId(this.pools)
    const gso = this.gso(fds[0]!) && !noCheck
    try {
      if (group) for (const fd of fds) udpMulticast(fd, group.v6, group.index, GROUP_HOPS)
      await this.mailbox.ask({ kind: 'set-pool', id, fds, gso, maxSegments: layout().maxSegments })
    } catch (error) {
      if (!fixed) for (const fd of fds) closeSync(fd)
      throw error
    }
    this.pools.set(key, { id, fds, borrowed: fixed })
    return id
  }

  /** Closes what `receive` and `pool` were not asked for since `begin`. */
  async retain(): Promise<void> {
    for (const [key, pool] of this.pools) {
      if (this.wanted.has(key)) continue
      await this.mailbox.ask({ kind: 'remove-pool', id: pool.id })
      this.pools.delete(key)
      if (!pool.borrowed) for (const fd of pool.fds) closeSync(fd)
    }
    for (const [key, r] of this.receivers) {
      if (this.wanted.has(key)) continue
      if (r.heard) await this.mailbox.ask({ kind: 'remove-socket', id: r.id })
      this.receivers.delete(key)
      closeSync(r.fd)
    }
  }

  /** Whether this network sends IPv4 datagrams without checksum (RFC 7348 §5 allows it; UDP_SEGMENT does not). */
  withoutChecksum(network: NetworkConfig): boolean {
    if (network.udpChecksum === 'auto') return this.offloads.udpGso === 'off'
    return network.udpChecksum === 'off'
  }

  /** After the data thread has ended: nothing to ask any more. */
  closeAll(): void {
    for (const pool of this.pools.values()) if (!pool.borrowed) for (const fd of pool.fds) closeSync(fd)
    for (const r of this.receivers.values()) closeSync(r.fd)
    this.pools.clear()
    this.receivers.clear()
  }

  private freeReceiver(): number {
    const taken = new Set([...this.receivers.values()].map((r) => r.id))
    let id = 0
    while (taken.has(id)) id++
    return id
  }

  private gso(fd: number): boolean {
    if (this.offloads.udpGso === 'off') return false
    const has = udpHasGso(fd)
    if (!has) this.udpGso = 'off: this kernel has no UDP_SEGMENT (Linux 4.18)'
    return has
  }
}

function openReceiver(local: LocalAddress, port: number, flags: number): number {
  try {
    return udpOpen(sockaddr.pack(local.address, port), flags, RECEIVE_BUFFER)
  } catch (error) {
    const where = `UDP port ${port} on ${local.address}`
    if (codeOf(error) === 'EADDRINUSE') {
      const mend = `\`ss -ulpn sport = :${port}\` shows by whom (a kernel VXLAN device binds every address)`
      throw new Refusal(`${where}: address in use; ${mend}; stop it or choose another port`, 1, error)
    }
    throw refusalFrom(error, where, 'choose another underlay.address or port')
  }
}

function openGroup(place: GroupPlace, port: number, flags: number): number {
  const where = `UDP port ${port} of group ${place.address} on ${place.interface}`
  try {
    const address = groupSockaddr(place, port)
    const fd = udpOpen(address, flags, RECEIVE_BUFFER)
    try {
      udpJoin(fd, address, place.index)
    } catch (error) {
      closeSync(fd)
      throw error
    }
    return fd
  } catch (error) {
    // ENOBUFS: net.ipv4.igmp_max_memberships is for one socket, and each of ours has one.
    throw refusalFrom(error, where, 'is the interface up and able to multicast? see `ip link` and `ip maddr`')
  }
}

// 64 sockets on ports that are free; where to begin differs by process, so that agents on one host seldom collide.
function openPool(local: LocalAddress, flags: number): number[] {
  const want = layout().poolPorts
  const span = DYNAMIC_LAST - DYNAMIC_FIRST + 1
  const start = Math.floor(Math.random() * span)
  const fds: number[] = []
  for (let k = 0; k < span && fds.length < want; k++) {
    const port = DYNAMIC_FIRST + ((start + k) % span)
    try {
      fds.push(udpOpen(sockaddr.pack(local.address, port), flags, SEND_BUFFER))
    } catch (error) {
      if (codeOf(error) === 'EADDRINUSE') continue
      for (const fd of fds) closeSync(fd)
      throw refusalFrom(error, `source ports on ${local.address}`, 'see `ulimit -n` and `ss -u`')
    }
  }
  if (fds.length === 0) throw new Refusal(`source ports on ${local.address}: all of 49152-65535 are taken`, 1)
  return fds
}

function freeId(pools: ReadonlyMap<string, Pool>): number {
  const taken = new Set([...pools.values()].map((p) => p.id))
  for (let id = 0; id < POOL_IDS; id++) if (!taken.has(id)) return id
  throw new Refusal(
    `more than ${POOL_IDS} combinations of underlay address, port and checksum; give networks one port`,
    1,
  )
}
