// What the host's firewall should do for our networks, whatever firewall that is: derived from the configuration, and from the
// store for networks that come from there. firewall-nft.ts and firewall-tables.ts put it into words. Pure; read
// docs/host-rules.md first. Cold.
import { bits, cidrText, covers, isLinkLocal6, network as networkOf, parseAddress, parseCidr } from '../cidr.ts'
import type { Config, RulesConfig } from '../config/model.ts'
import type { PortMapping } from '../config/port-mapping.ts'

/** Addresses of one network and family. */
export interface OverlayPrefix {
  readonly network: string
  /** All of the network's: 10.42.0.0/16. */
  readonly cidr: string
  /** Ours among them: the subnet that we lease, or our device's address alone (/32) where anybody may be anywhere. */
  readonly own: string
  readonly interface: string
}

export interface HostRules {
  readonly masquerade: boolean
  readonly forward: boolean
  readonly prefixes: readonly OverlayPrefix[]
  /** Devices for which forwarding goes by the device, too. */
  readonly interfaces: readonly string[]
  /** Those among them that may be ports of a bridge. */
  readonly bridgeable: readonly string[]
  /** UDP ports that are not tracked: our own, and those of others that we send to. */
  readonly untracked: { readonly own: readonly number[]; readonly far: readonly number[] }
  readonly ports: readonly PortMapping[]
  /** Somebody wrote that there be rules. */
  readonly asked: boolean
}

/** What networks beside those of the configuration add. */
export type MoreNetworks = Pick<HostRules, 'prefixes' | 'untracked'>

export const NO_RULES: RulesConfig = {
  firewall: 'off',
  masquerade: false,
  forward: false,
  notrack: false,
  ports: [],
  asked: false,
}

const NOTHING: MoreNetworks = { prefixes: [], untracked: { own: [], far: [] } }

/** iptables takes a `+` at the end for every name that begins so, nft a `*`. */
const PLAIN_NAME = /^[\w.@-]+$/

export function hostRules(config: Config, more: MoreNetworks = NOTHING): HostRules {
  const { masquerade, forward, notrack, ports, asked } = config.rules
  // A namespace of its own has its own firewall, and its owner's rules.
  const networks = config.networks.filter((n) => n.netns === null)
  const ours = networks.flatMap((n) =>
    n.addresses.flatMap((text): OverlayPrefix[] => {
      const address = parseCidr(text)!
      if (isLinkLocal6(address)) return []
      const own = cidrText({ ...address, length: bits(address.v6) })
      return [{ network: n.name, cidr: cidrText(networkOf(address)), own, interface: n.interface }]
    }),
  )
  const { own, far } = outerPorts(config)
  const named = networks.filter((n) => PLAIN_NAME.test(n.interface))
  return {
    masquerade,
    forward,
    prefixes: [...ours, ...more.prefixes],
    interfaces: named.map((n) => n.interface),
    bridgeable: named.filter((n) => n.device === 'tap').map((n) => n.interface),
    untracked: notrack
      ? { own: sorted([...own, ...more.untracked.own]), far: sorted([...far, ...more.untracked.far]) }
      : NOTHING.untracked,
    ports,
    asked,
  }
}

/** A network's prefix with what is ours of it. */
export interface Prefix {
  readonly cidr: string
  readonly own: readonly string[]
  /** Ours are single addresses: who else is in the prefix may be here or there, so that nothing inside it is ever changed. */
  readonly flat: boolean
}

/** Those of a family, each once. */
export function prefixesOf(rules: HostRules, family: 4 | 6): Prefix[] {
  const found = new Map<string, string[]>()
  for (const { cidr, own } of rules.prefixes) {
    if (familyOf(cidr) === family) found.set(cidr, [...(found.get(cidr) ?? []), own])
  }
  return [...found].map(([cidr, own]) => ({ cidr, own, flat: own.every(isHost) }))
}

export function portsOf(rules: HostRules, family: 4 | 6): PortMapping[] {
  // What is said of one address goes before what is said of all.
  const all = rules.ports.filter((p) => p.family === family)
  return [...all.filter((p) => p.host !== null), ...all.filter((p) => p.host === null)]
}

/**
 * Whose packets to a mapping's target leave with our address, so that the answers come back by us. null: everybody's. A prefix:
 * those from there alone, since the target is behind us and others' answers come by anyhow.
 */
export function masqueradedFrom({ target, family }: PortMapping, rules: HostRules): string | null {
  const address = parseAddress(target)!
  const local = prefixesOf(rules, family).find((p) => !p.flat && p.own.some((own) => covers(parseCidr(own)!, address)))
  return local?.cidr ?? null
}

export function familyOf(cidr: string): 4 | 6 {
  return cidr.includes(':') ? 6 : 4
}

// VXLAN is sent from ports of no meaning to the far end's; WireGuard from ours.
function outerPorts({ networks, peers, underlay }: Config): { own: number[]; far: number[] } {
  const own = networks.map((n) => (n.security === 'secure' ? underlay.wireguardPort : n.port))
  const plain = new Set(networks.filter((n) => n.security === 'plain').map((n) => n.name))
  const named = peers
    .filter((p) => p.publicKey === null && p.networks.some((n) => plain.has(n.network)))
    .flatMap((p) => p.endpoint?.port ?? [])
  return { own, far: [...networks.filter((n) => plain.has(n.name)).map((n) => n.port), ...named] }
}

function isHost(cidr: string): boolean {
  const { v6, length } = parseCidr(cidr)!
  return length === bits(v6)
}

function sorted(ports: readonly number[]): number[] {
  return [...new Set(ports)].sort((a, b) => a - b)
}
