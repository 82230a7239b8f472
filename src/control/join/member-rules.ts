// Which members of a network a host takes on another's word, and as what. The other is the host that invited it, and is believed in
// this only: that these keys are in this network, where they may be called, and which of the network's own addresses are theirs. So
// a prefix outside of the network is left out, and nothing that is there already is given to somebody else. Pure; cold.
import { createHash } from 'node:crypto'
import {
  addressText,
  bits,
  cidrText,
  covers,
  isLinkLocal6,
  isMulticast,
  isUnspecified,
  parseAddress,
  parsePrefix,
} from '../cidr.ts'
import { endpointText, parseEndpoint } from '../config/endpoint.ts'
import type { Config, NetworkConfig, PeerConfig } from '../config/model.ts'
import { prefixesOf } from './address-plan.ts'
import { LIST_MAX, type Member } from './join-message.ts'

/** A network as it matters here. */
export type Space = Pick<NetworkConfig, 'name' | 'device' | 'addresses'>

/** What is there already. */
export interface Present {
  /** null: nothing is. */
  readonly config: Pick<Config, 'publicKey' | 'peers' | 'underlay'> | null
  /** Our addresses on the underlay. */
  readonly own: readonly string[]
}

/** A peer as a configuration file has it. */
export interface PeerValues {
  readonly endpoint?: string
  readonly publicKey: string
  readonly presharedKeyFile?: string
  readonly keepalive?: string
  readonly networks: readonly string[] | Readonly<Record<string, { readonly allowedIps: readonly string[] }>>
}

export interface Taken {
  readonly peers: Readonly<Record<string, PeerValues>>
  /** Who is left out, with the reason. */
  readonly left: readonly string[]
}

/** Between hosts of which one cannot be called: how often it shows where it is. */
export const KEEPALIVE = '25s'

/** The peers that these members are to be in `space`. `keepalive`: we cannot be called. */
export function peersFrom(members: readonly Member[], space: Space, present: Present, keepalive: boolean): Taken {
  const peers: Record<string, PeerValues> = {}
  const left: string[] = []
  const had = present.config?.peers ?? []
  const keys = new Set(had.map((p) => p.publicKey))
  if (present.config?.publicKey) keys.add(present.config.publicKey)
  const names = new Set(had.map((p) => p.name))
  const addresses = new Set([...space.addresses.map(alone), ...had.flatMap((p) => prefixesIn(p, space.name))])
  for (const member of members) {
    if (keys.has(member.key)) continue
    const ips = space.device === 'tap' ? [] : ipsIn(member.ips, space, addresses)
    if (space.device === 'tun' && ips.length === 0) {
      left.push(`${member.name}: none of its addresses is of network ${space.name} and free`)
      continue
    }
    keys.add(member.key)
    for (const ip of ips) addresses.add(ip)
    const name = freeName(member.name, space.name, names)
    names.add(name)
    peers[name] = peerValues({ member, ips, space, endpoint: endpointOf(member, present), keepalive })
  }
  return { peers, left }
}

interface PeerParts {
  readonly member: Pick<Member, 'key'>
  readonly ips: readonly string[]
  readonly space: Space
  readonly endpoint: string | null
  readonly keepalive: boolean
}

export function peerValues({ member, ips, space, endpoint, keepalive }: PeerParts): PeerValues {
  return {
    ...(endpoint === null ? {} : { endpoint }),
    publicKey: member.key,
    ...(keepalive && endpoint !== null ? { keepalive: KEEPALIVE } : {}),
    networks: space.device === 'tun' ? { [space.name]: { allowedIps: ips } } : [space.name],
  }
}

// Addresses of single hosts in the network's prefixes that are nobody else's.
function ipsIn(given: readonly string[], space: Space, taken: ReadonlySet<string>): string[] {
  const prefixes = prefixesOf(space.addresses)
  const fit = given.flatMap((text) => {
    const one = parsePrefix(text)
    if (one?.length !== bits(one?.v6 === true) || !prefixes.some((p) => covers(p, one))) return []
    return cidrText(one)
  })
  return [...new Set(fit)].filter((text) => !taken.has(text))
}

// null: none, or none that could be called from here.
function endpointOf(member: Member, { config, own }: Present): string | null {
  const given = member.endpoint === null ? null : parseEndpoint(member.endpoint)
  if (!given) return null
  const port = given.port ?? config?.underlay.wireguardPort ?? null
  const text = port === null ? given.host : endpointText(given.host, port)
  const address = parseAddress(given.host)
  if (!address) return text
  const isNowhere = isUnspecified(address) || isMulticast(address) || isLinkLocal6(address) || own.includes(given.host)
  return isNowhere || isLoopback(given.host) ? null : text
}

function isLoopback(host: string): boolean {
  return host === '::1' || host.startsWith('127.')
}

// A name that nobody has, and that does not read as an address.
function freeName(wanted: string, network: string, taken: ReadonlySet<string>): string {
  const name = parseAddress(wanted) ? `host-${wanted}` : wanted
  if (!taken.has(name)) return name
  const longer = `${name.slice(0, 40)}.${network.slice(0, 20)}`
  for (let n = 1; ; n++) {
    const one = n === 1 ? longer : `${longer.slice(0, 58)}-${n}`
    if (!taken.has(one)) return one
  }
}

function prefixesIn(peer: PeerConfig, network: string): readonly string[] {
  return peer.networks.find((n) => n.network === network)?.allowedIps ?? []
}

function alone(text: string): string {
  const one = parsePrefix(text)!
  return cidrText({ ...one, length: bits(one.v6) })
}

/**
 * Peers that a new network would get besides those that were written for it: one that does not name its networks is in every
 * secure one, and nobody meant it to be in this.
 */
export function strangers(next: Config, network: string, meant: readonly string[]): string[] {
  return next.peers
    .filter((p) => p.networks.some((n) => n.network === network) && !meant.includes(p.name))
    .map((p) => p.name)
}

/** What is said of them. */
export function strangersText(names: readonly string[], network: string): string {
  const [who, are, their] = names.length === 1 ? ['peer', 'names', 'its'] : ['peers', 'name', 'their']
  const so = `and so would be in network ${network} too`
  return `${who} ${names.join(', ')} ${are} no networks, ${so}; write ${their} networks first, [blue] say`
}

/** The members of a network as we tell others of them, and which list that is. */
export function membersOf(
  config: Config,
  network: NetworkConfig,
  placeOf: (publicKey: string) => { readonly address: string; readonly port: number } | null,
  isTold: (publicKey: string) => boolean,
): { readonly members: readonly Member[]; readonly version: string } {
  const prefixes = prefixesOf(network.addresses)
  const members = config.peers
    // Stock peers hear of nobody but by hand, and so they are told of by hand.
    .filter((p) => p.type === 'vtepd' && p.publicKey !== null && p.networks.some((n) => n.network === network.name))
    .map((p) => ({
      name: p.name,
      key: p.publicKey!,
      endpoint: calledAt(p, config, placeOf(p.publicKey!)),
      ips: prefixesIn(p, network.name)
        .filter((text) => prefixes.some((own) => covers(own, parsePrefix(text)!)))
        .slice(0, LIST_MAX),
      told: isTold(p.publicKey!),
    }))
  const version = createHash('sha256').update(JSON.stringify(members)).digest('hex').slice(0, 16)
  return { members, version }
}

// A peer that has moved is where it was heard last; one that calls us is not told of as callable.
function calledAt(
  { endpoint }: PeerConfig,
  { underlay }: Config,
  place: { readonly address: string; readonly port: number } | null,
): string | null {
  if (!endpoint) return null
  if (!parseAddress(endpoint.host)) return endpointText(endpoint.host, endpoint.port ?? underlay.wireguardPort)
  const address = place && parseAddress(place.address)
  if (address && place) return endpointText(addressText(address), place.port)
  return endpointText(endpoint.host, endpoint.port ?? underlay.wireguardPort)
}
