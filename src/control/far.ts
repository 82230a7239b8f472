// A peer's place in a network as the data thread is told of it: addresses, prefixes and MACs as numbers and bytes. Cold.
import { ADDR_LEN } from '../batch.ts'
import type { Far } from '../datapath/mailbox.ts'
import { pathMtu } from '../host/addon.ts'
import * as sockaddr from '../host/sockaddr.ts'
import { keyWords } from '../overlay/vteps.ts'
import * as cidr from './cidr.ts'
import type { NetworkConfig, PeerConfig } from './config/model.ts'
import { type GroupPlace, groupSockaddr } from './upkeep/group.ts'

/** In clear text, at an address. */
export function far(peer: PeerConfig, n: NetworkConfig, address: string, port: number, pool: number): Far {
  const packed = sockaddr.pack(address, port)
  const mtu = Math.max(0, pathMtu(packed))
  return { words: words(cidr.parseAddress(address)!), tunnel: -1, sockaddr: packed, pool, mtu, ...behind(peer, n) }
}

/** Through a tunnel, wherever that leads. */
export function farBehind(tunnel: number, peer: PeerConfig, n: NetworkConfig): Far {
  const nowhere = { sockaddr: new Uint8Array(ADDR_LEN), pool: -1, mtu: 0 }
  return { words: keyWords(tunnel), tunnel, ...nowhere, ...behind(peer, n) }
}

/** A multicast group, which stands among the peers: what is for all goes there. */
export function farGroup(group: GroupPlace, port: number, pool: number): Far {
  const place = { sockaddr: groupSockaddr(group, port), pool, mtu: group.mtu, mac: null, prefixes: [] }
  return { words: words(cidr.parseAddress(group.address)!), tunnel: -1, ...place }
}

// The peer's MAC and prefixes in a network.
function behind(peer: PeerConfig, n: NetworkConfig): Pick<Far, 'mac' | 'prefixes'> {
  const place = peer.networks.find((p) => p.network === n.name)!
  return {
    mac: place.mac === null ? null : macBytes(place.mac),
    prefixes: place.allowedIps.map((text) => {
      const c = cidr.parseCidr(text)!
      return { words: prefixWords(c), v6: c.v6, length: c.length }
    }),
  }
}

/** Six bytes of `02:00:…`. */
export function macBytes(text: string): Uint8Array {
  return Uint8Array.from(text.split(':'), (pair) => Number.parseInt(pair, 16))
}

/** An address as four big-endian words, IPv4 mapped into IPv6. */
export function words(c: cidr.Cidr): number[] {
  const value = c.v6 ? c.value : (0xffffn << 32n) | c.value
  return [96n, 64n, 32n, 0n].map((shift) => Number((value >> shift) & 0xffffffffn) | 0)
}

/** A prefix as `accept` has it. */
export function range(text: string): { words: number[]; length: number } {
  const c = cidr.parsePrefix(text)!
  return { words: words(cidr.network(c)), length: c.v6 ? c.length : c.length + 96 }
}

// Layer 3 prefixes: IPv4 in the first word.
function prefixWords(c: cidr.Cidr): number[] {
  return c.v6 ? words(c) : [Number(c.value) | 0, 0, 0, 0]
}
