// Which of this host's addresses carry the overlay, and what their interfaces can take.
import { isIPv6 } from 'node:net'
import * as netdev from '../../host/netdev.ts'
import type { Config, UnderlayConfig } from '../config/model.ts'
import { Refusal } from '../refusal.ts'

export interface LocalAddress {
  readonly address: string
  readonly v6: boolean
  readonly interface: string
  /** MTU of its interface, bytes. */
  readonly mtu: number
}

/** Of a configuration; see below. */
export function underlayOf({ underlay, networks, flannels }: Config): LocalAddress[] {
  // Members of a flannel network tell each other their addresses.
  const sealed = flannels.length === 0 && networks.every((n) => n.security === 'secure')
  return findUnderlay(underlay, sealed)
}

/**
 * At most one address per family. Refuses when there is none, or the configured one is not this host's. `sealed`: all networks
 * are secure, and so heard on every address; then a host without a default route may have none of note.
 */
function findUnderlay(c: UnderlayConfig, sealed: boolean): LocalAddress[] {
  if (c.addresses.length > 0) return c.addresses.map(ownAddress)
  const name = c.interface ?? netdev.defaultRouteInterface(4) ?? netdev.defaultRouteInterface(6)
  if (name !== null) return addressesOfInterface(name)
  if (sealed) return []
  throw new Refusal('underlay: this host has no default route to take an address from; give underlay.address', 1)
}

function ownAddress(address: string): LocalAddress {
  const found = netdev.interfaceOf(address)
  if (!found) {
    const mend = '`ip address` lists what it has; or name an `interface` instead'
    throw new Refusal(`underlay.address: no interface of this host has ${address}; ${mend}`, 1)
  }
  return { address, v6: isIPv6(address), interface: found.name, mtu: found.mtu }
}

function addressesOfInterface(name: string): LocalAddress[] {
  const link = netdev.link(name, null)
  if (!link) throw new Refusal(`underlay.interface: this host has no interface "${name}"; see \`ip link\``, 1)
  const all = netdev.addressesOf(name).map((a) => a.split('/')[0]!)
  const v4 = all.find((a) => !isIPv6(a))
  const v6 = all.find((a) => isIPv6(a) && !/^fe[89ab]/i.test(a))
  const found = [v4, v6].filter((a): a is string => a !== undefined)
  if (found.length === 0) {
    throw new Refusal(`underlay: interface ${name} has no address yet; give it one, or set underlay.address`, 1)
  }
  return found.map((address) => ({ address, v6: isIPv6(address), interface: name, mtu: link.mtu }))
}

/** What `underlayOf` answers now, if that means other sockets than `before`. Configured addresses stay what they are. */
export function movedUnderlay(config: Config, before: readonly LocalAddress[]): LocalAddress[] | null {
  if (config.underlay.addresses.length > 0) return null
  let now: LocalAddress[]
  try {
    now = underlayOf(config)
  } catch {
    // No address at the moment: the old sockets stay, and the next change brings us back here.
    return null
  }
  return sameAddresses(now, before) ? null : now
}

// Whether two answers of `underlayOf` mean the same sockets.
function sameAddresses(a: readonly LocalAddress[], b: readonly LocalAddress[]): boolean {
  return a.length === b.length && a.every((x, i) => x.address === b[i]!.address)
}
