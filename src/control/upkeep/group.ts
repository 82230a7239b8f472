// Where a network's multicast group is on this host (`flood: { group, interface }`): the interface by which it is heard and
// spoken to, followed when it changes. RFC 7348 §4.2: what is for all goes to the group alone, once. Cold.
import { isIPv6 } from 'node:net'
import type { Mailbox } from '../../datapath/mailbox.ts'
import * as netdev from '../../host/netdev.ts'
import * as sockaddr from '../../host/sockaddr.ts'
import type { Config, NetworkConfig } from '../config/model.ts'
import { Refusal } from '../refusal.ts'
import type { LocalAddress } from './underlay.ts'

export interface GroupPlace {
  /** Canonical. */
  readonly address: string
  readonly v6: boolean
  readonly interface: string
  readonly index: number
  /** Of the interface, bytes: what a datagram to the group may have. */
  readonly mtu: number
}

/** As this host has it. */
export interface Group extends GroupPlace {
  /** Of its socket: control/sockets `receiveGroup`. */
  readonly number: number
  /** -1: not placed yet. */
  readonly vtep: number
}

/** Opens the socket of a group; answers its number. */
type Receive = (place: GroupPlace, port: number) => Promise<number>

/** The groups of a configuration, by network. */
export class Groups {
  private groups = new Map<string, Group>()

  of(network: string): Group | null {
    return this.groups.get(network) ?? null
  }

  /** Joins what the networks name; groups that were joined stay. */
  async join(config: Config, underlay: readonly LocalAddress[], receive: Receive): Promise<void> {
    const groups = new Map<string, Group>()
    for (const n of config.networks) {
      const place = placeOf(n, underlay)
      if (place) groups.set(n.name, { ...place, number: await receive(place, n.port), vtep: -1 })
    }
    this.groups = groups
  }

  /** The data thread has given the network's group an id; null: it has none. */
  placed(network: string, vtep: number | undefined): void {
    const group = this.groups.get(network)
    if (group && vtep !== undefined) this.groups.set(network, { ...group, vtep })
  }

  /** After links have changed: tells the data thread of other MTUs. True: an interface is another now, and wants to be joined. */
  async follow(mailbox: Mailbox): Promise<boolean> {
    let isOther = false
    for (const [network, group] of this.groups) {
      const now = netdev.link(group.interface, null)
      // Gone at the moment: nobody is heard, and the next change brings us back here.
      if (!now) continue
      if (now.index !== group.index) isOther = true
      else if (now.mtu !== group.mtu && group.vtep >= 0) {
        this.groups.set(network, { ...group, mtu: now.mtu })
        await mailbox.ask({ kind: 'set-mtu', vtep: group.vtep, mtu: now.mtu })
      }
    }
    return isOther
  }
}

/** 32 bytes. A group of link scope needs its interface in the address. */
export function groupSockaddr({ address, v6, index }: GroupPlace, port: number): Uint8Array {
  return sockaddr.pack(v6 ? `${address}%${index}` : address, port)
}

// null: the network floods otherwise. Refuses when this host has no such interface, or no address to speak to the group from.
function placeOf(n: NetworkConfig, underlay: readonly LocalAddress[]): GroupPlace | null {
  if (typeof n.flood === 'string') return null
  const { group } = n.flood
  const v6 = isIPv6(group)
  const where = `network ${n.name}: flood`
  const from = underlay.find((l) => l.v6 === v6)
  if (!from) {
    const mend = `give underlay an ${v6 ? 'IPv6' : 'IPv4'} address, or take a group of the other family`
    throw new Refusal(`${where}: nothing to send to ${group} from; ${mend}`, 1)
  }
  const name = n.flood.interface ?? from.interface
  const link = netdev.link(name, null)
  if (!link) throw new Refusal(`${where}.interface: this host has no interface "${name}"; see \`ip link\``, 1)
  return { address: group, v6, interface: name, index: link.index, mtu: link.mtu }
}
