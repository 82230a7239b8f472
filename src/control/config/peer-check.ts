// What peers mean: in which networks they are, who could be told apart, which prefix belongs to whom, and whether a packet
// for a peer could run into its own tunnel. Form is schema.ts's business.
import { MAX_VTEPS } from '../../counters.ts'
import { addressText, type Cidr, covers, parseAddress, parseCidr } from '../cidr.ts'
import type { Draft, Member, NetworkDraft, PeerDraft } from './draft.ts'
import { type Faults, noSuch, type Path, pathText, shown } from './fault.ts'
import type { Config } from './model.ts'
import { claim, spaceOf } from './network-check.ts'

export function checkPeers(draft: Draft, faults: Faults): void {
  const peers = [...(draft.peers?.values() ?? [])]
  if (peers.length > MAX_VTEPS) {
    faults.add(['peers'], `want ${MAX_VTEPS} peers at most, got ${peers.length}`, 'remove some')
  }
  for (const peer of peers) {
    checkName(peer, faults)
    checkMembers(peer, draft, faults)
  }
  const places = placesOf(peers)
  const sure = draft.peers !== undefined && peers.every((peer) => peer.members && peer.endpoint !== undefined)
  for (const network of draft.networks?.values() ?? []) {
    const members = places.get(network.name) ?? []
    checkDistinct(network, members, faults)
    checkPrefixes(network, members, faults)
    checkStaticVteps(network, members, draft, sure, faults)
  }
  checkRoutes(draft, places, new Endpoints(peers), faults)
  checkUnderlay(draft, draft.underlay.addresses ?? [], faults)
}

/**
 * The faults that show only once the underlay's addresses are known: a peer that is this host, one of a family that no
 * address has. For an agent that took its addresses from an interface; parseConfig has done it for those of the file.
 */
export function underlayFaults(config: Config, addresses: readonly string[], faults: Faults): void {
  const networks = new Map(config.networks.map((network) => [network.name, network]))
  const peers = new Map(
    config.peers.map(({ name, endpoint, publicKey, networks: places }) => [
      name,
      { name, endpoint, publicKey, members: places.map(({ network }) => ({ network })) },
    ]),
  )
  checkUnderlay({ underlay: config.underlay, networks, peers }, addresses, faults)
}

interface Place {
  readonly peer: PeerDraft
  readonly member: Member
}

// Network → who is in it.
function placesOf(peers: readonly PeerDraft[]): Map<string, Place[]> {
  const places = new Map<string, Place[]>()
  for (const peer of peers) {
    for (const member of peer.members ?? []) {
      const list = places.get(member.network)
      if (!list) places.set(member.network, [{ peer, member }])
      else if (list.at(-1)!.peer !== peer) list.push({ peer, member })
    }
  }
  return places
}

// `vtep: 198.18.0.2` must mean the same whether it is read as a name or as an address.
function checkName(peer: PeerDraft, faults: Faults): void {
  const address = parseAddress(peer.name)
  if (address && peer.endpoint && peer.endpoint.host !== addressText(address)) {
    faults.add(['peers', peer.name], 'its name is an address, and not that of its endpoint', 'name it otherwise')
  }
}

function checkMembers(peer: PeerDraft, draft: Draft, faults: Faults): void {
  if (!peer.members || !draft.networks) return
  const seen = new Set<string>()
  let complete = true
  for (const member of peer.members) {
    const network = draft.networks.get(member.network)
    if (!network) {
      faults.add(member.path, ...noSuch('network', member.network, [...draft.networks.keys()]))
      complete = false
      continue
    }
    if (seen.has(member.network))
      faults.add(member.path, `network ${shown(member.network)} is given twice`, 'keep one of them')
    seen.add(member.network)
    checkMember(member, network, faults)
  }
  if (complete) checkLayer3Keys(peer, draft.networks, faults)
}

function checkMember(member: Member, network: NetworkDraft, faults: Faults): void {
  if (network.type === 'flannel') return
  if (network.device === 'tun' && member.allowedIps !== undefined && !member.allowedIps?.length) {
    const what = `missing, and network ${network.name} is tun: without it the peer gets nothing`
    faults.add(
      member.allowedIpsPath,
      what,
      'write the prefixes behind it, [10.42.0.2/32] say, or take it out of the network',
    )
  }
  if (network.device === 'tun' && member.mac && member.mac === network.mac) {
    faults.add(
      member.macPath,
      `${member.mac} is network ${network.name}'s own MAC`,
      "write the MAC of the peer's device",
    )
  }
}

// allowedIps and mac given for networks none of which is layer 3.
function checkLayer3Keys(peer: PeerDraft, networks: ReadonlyMap<string, NetworkDraft>, faults: Faults): void {
  const given = new Map<string, { path: Path; where: string; useful: boolean }>()
  for (const member of peer.members!) {
    const { device, security } = networks.get(member.network)!
    const note = (path: Path, where: string, useful: boolean): void => {
      const key = JSON.stringify(path)
      given.set(key, { path, where, useful: useful || given.get(key)?.useful === true })
    }
    if (member.allowedIps) note(member.allowedIpsPath, 'tun', device !== 'tap')
    if (member.mac) note(member.macPath, 'plain tun', device !== 'tap' && security !== 'secure')
  }
  for (const { path, where, useful } of given.values()) {
    if (!useful) faults.add(path, `only ${where} networks have a use for it, and the peer is in none`, 'remove it')
  }
}

// RFC 7348 §4: a plain sender is known by its address alone; a secure one by its key.
function checkDistinct(network: NetworkDraft, members: readonly Place[], faults: Faults): void {
  if (network.security !== 'plain') return
  const seen = new Map<string, string>()
  for (const { peer } of members) {
    if (!peer.endpoint) continue
    const other = seen.get(peer.endpoint.host)
    if (other === undefined) seen.set(peer.endpoint.host, peer.name)
    else {
      const what = `${peer.endpoint.host} is peer ${other}'s address too, in network ${network.name}`
      faults.add(['peers', peer.name, 'endpoint'], what, 'senders are told apart by address: remove one of the peers')
    }
  }
}

function checkPrefixes(network: NetworkDraft, members: readonly Place[], faults: Faults): void {
  if (network.device !== 'tun') return
  const owners = new Map<string, string>()
  for (const { peer, member } of members) {
    for (const prefix of member.allowedIps ?? []) {
      const owner = owners.get(prefix)
      if (owner === undefined) owners.set(prefix, peer.name)
      else if (owner === peer.name) faults.add(member.allowedIpsPath, `${prefix} is given twice`, 'keep one of them')
      else {
        const what = `${prefix} is peer ${owner}'s too, in network ${network.name}`
        faults.add(member.allowedIpsPath, what, 'a prefix leads to one peer: take it from one, or narrow it')
      }
    }
  }
}

// `sure`: every peer's endpoint and networks are known.
function checkStaticVteps(
  network: NetworkDraft,
  members: readonly Place[],
  draft: Draft,
  sure: boolean,
  faults: Faults,
): void {
  if (!network.fdb?.length) return
  const names = members.map(({ peer }) => peer.name)
  const isSecure = network.security === 'secure'
  const good = new Set([...names, ...(isSecure ? [] : members.map(({ peer }) => peer.endpoint?.host))])
  network.fdb.forEach(({ vtep }, i) => {
    const path: Path = ['networks', network.name, 'fdb', i, 'vtep']
    if (good.has(vtep)) return
    const peer = draft.peers?.get(vtep)
    if (peer) {
      const mend = `add ${network.name} to its networks`
      if (peer.members) faults.add(path, `peer ${shown(vtep)} is not in this network`, mend)
    } else if (parseAddress(vtep) && isSecure) {
      faults.add(path, `${vtep} is an address, and secure entries lead to peers`, 'write the name of the peer')
    } else if (parseAddress(vtep)) {
      const mend = 'write the name of a peer, or add the peer'
      if (sure) faults.add(path, `${vtep} is no peer's address in this network`, mend)
    } else if (draft.peers) faults.add(path, ...noSuch('peer', vtep, names))
  })
}

// A route into a tunnel that also covers the way to a peer would send the tunnel's own packets into it.
function checkRoutes(draft: Draft, places: Map<string, Place[]>, endpoints: Endpoints, faults: Faults): void {
  const routed = new Map<string, string>()
  for (const network of draft.networks?.values() ?? []) {
    const { addresses, netns } = network
    if (network.device !== 'tun' || network.routes !== true || !addresses || netns === undefined) continue
    const onLink = addresses.map((text) => parseCidr(text)!)
    const instead = `or write routes: false in network ${network.name}`
    for (const { member } of places.get(network.name) ?? []) {
      for (const text of member.allowedIps ?? []) {
        const prefix = parseCidr(text)!
        if (onLink.some((own) => covers(own, prefix))) continue
        const owner = claim(routed, `${spaceOf(netns)} ${text}`, network.name)
        if (owner !== network.name) {
          faults.add(
            member.allowedIpsPath,
            `${text} is routed into network ${owner} already`,
            `take it from one, ${instead}`,
          )
        }
        // Another namespace's routes do not touch the underlay.
        const caught = netns === null ? endpoints.within(prefix) : null
        if (!caught) continue
        const whose = `peer ${caught.name}'s endpoint ${caught.endpoint!.host}`
        const what = `${text} covers ${whose}, so its route would send the tunnel into itself`
        faults.add(member.allowedIpsPath, what, `narrow it, ${instead}`)
      }
    }
  }
}

// Peers with addresses in order, so that ten thousand prefixes do not meet ten thousand endpoints each.
class Endpoints {
  private readonly sorted: { peer: PeerDraft; address: Cidr }[]

  constructor(peers: readonly PeerDraft[]) {
    this.sorted = peers
      .flatMap((peer) => {
        const address = peer.endpoint && parseAddress(peer.endpoint.host)
        return address ? [{ peer, address }] : []
      })
      .sort((a, b) => Number(a.address.v6) - Number(b.address.v6) || (a.address.value < b.address.value ? -1 : 1))
  }

  /** A peer whose endpoint lies in the prefix, or null. */
  within(prefix: Cidr): PeerDraft | null {
    let low = 0
    let high = this.sorted.length
    while (low < high) {
      const middle = (low + high) >> 1
      const { v6, value } = this.sorted[middle]!.address
      if (v6 === prefix.v6 ? value < prefix.value : prefix.v6) low = middle + 1
      else high = middle
    }
    const found = this.sorted[low]
    return found && covers(prefix, found.address) ? found.peer : null
  }
}

interface UnderlayView {
  readonly underlay: { readonly wireguardPort: number | undefined }
  readonly networks: ReadonlyMap<string, Pick<NetworkDraft, 'port' | 'udpChecksum' | 'security' | 'name'>> | undefined
  readonly peers:
    | ReadonlyMap<
        string,
        Pick<PeerDraft, 'name' | 'endpoint' | 'publicKey'> & { members: readonly { network: string }[] | undefined }
      >
    | undefined
}

function checkUnderlay(view: UnderlayView, addresses: readonly string[], faults: Faults): void {
  const own = addresses.map((text) => parseAddress(text)!)
  const { wireguardPort } = view.underlay
  const plainPorts = new Set<number | undefined>()
  for (const { security, port } of view.networks?.values() ?? []) if (security === 'plain') plainPorts.add(port)
  for (const { name, endpoint, publicKey, members } of view.peers?.values() ?? []) {
    const address = endpoint && parseAddress(endpoint.host)
    if (!address) continue
    const path: Path = ['peers', name, 'endpoint']
    const places = (members ?? []).flatMap(({ network }) => view.networks?.get(network) ?? [])
    // A port belongs to WireGuard where there is a key.
    const isOurs = places.some(({ security, port }) => {
      if (security === 'secure')
        return wireguardPort !== undefined && (endpoint.port ?? wireguardPort) === wireguardPort
      const theirs = publicKey ? port : (endpoint.port ?? port)
      return theirs !== undefined && plainPorts.has(theirs)
    })
    if (isOurs && addresses.includes(addressText(address))) {
      faults.add(path, `${endpoint.host} is this host itself`, "write the other host's address, or remove the peer")
    } else if (own.length > 0 && own.every(({ v6 }) => v6 !== address.v6) && !isSecureOnly(places)) {
      const [its, ours] = address.v6 ? ['IPv6', 'IPv4'] : ['IPv4', 'IPv6']
      faults.add(
        path,
        `it is ${its}, the underlay address is ${ours} only`,
        `give this host an ${its} underlay address too`,
      )
    }
    const off = address.v6 ? places.find((network) => network.udpChecksum === 'off') : undefined
    if (off) {
      const what = `want on or auto, peer ${name}'s endpoint is IPv6`
      faults.add(['networks', off.name, 'udpChecksum'], what, 'write on (RFC 8200 §8.1)')
    }
  }
}

// WireGuard sends from every address of the host, not from the underlay's alone.
function isSecureOnly(places: readonly { security: NetworkDraft['security'] }[]): boolean {
  return places.length > 0 && places.every(({ security }) => security === 'secure')
}

/** Faults without lines, for what is found after the file was read. */
export const UNPLACED = { label: pathText, line: (): number => 0 }
