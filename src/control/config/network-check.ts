// What the underlay and the networks mean together: numbers, names and addresses that may exist once only, and values that
// exclude each other. Form is schema.ts's business; peers are peer-check.ts's.
import { MAX_NETWORKS } from '../../counters.ts'
import { addressText, type Cidr, parseAddress, parseCidr } from '../cidr.ts'
import type { Draft, NetworkDraft } from './draft.ts'
import { type Faults, type Path, shown } from './fault.ts'

/** RFC 8200 §5: IPv6 needs links that carry 1280 bytes. */
const MIN_MTU6 = 1280

export function checkNetworks(draft: Draft, faults: Faults): void {
  checkUnderlay(draft, faults)
  const networks = [...(draft.networks?.values() ?? [])]
  if (networks.length > MAX_NETWORKS) {
    faults.add(['networks'], `want ${MAX_NETWORKS} networks at most, got ${networks.length}`, 'remove some')
  }
  checkUnique(networks, faults)
  checkSharedPorts(networks, faults)
  for (const network of networks) checkNetwork(network, draft, faults)
}

function checkUnderlay(draft: Draft, faults: Faults): void {
  const { addresses, interface: name } = draft.underlay
  if (name && (addresses === undefined || addresses.length > 0)) {
    faults.add(
      ['underlay', 'interface'],
      'address is given too',
      'keep one of them: an interface is followed when its address changes',
    )
  }
  const families = new Set(addresses?.map((text) => parseAddress(text)!.v6))
  if (addresses && families.size < addresses.length) {
    faults.add(['underlay', 'address'], 'want one address of each family at most', 'keep one IPv4 and one IPv6 address')
  }
}

// Things that may exist once: VNIs on the host, interface names and addresses in a namespace.
function checkUnique(networks: readonly NetworkDraft[], faults: Faults): void {
  const vnis = new Map<number, string>()
  const interfaces = new Map<string, string>()
  const addresses = new Map<string, string>()
  for (const network of networks) {
    const { name, vni, netns } = network
    const other = vni === undefined ? undefined : vnis.get(vni)
    if (other !== undefined) {
      faults.add(
        ['networks', name, 'vni'],
        `${vni} is network ${other}'s VNI too`,
        'give each network a VNI of its own',
      )
    } else if (vni !== undefined) vnis.set(vni, name)
    if (netns === undefined) continue
    const space = spaceOf(netns)
    // Networks of one VNI have the same interface by default: that is one fault, not two.
    if (network.interface !== undefined && !(other !== undefined && network.interface === `vt${vni}`)) {
      const owner = claim(interfaces, `${space} ${network.interface}`, name)
      const mend = 'give each device of a namespace a name of its own'
      if (owner !== name) {
        faults.add(
          ['networks', name, 'interface'],
          `${shown(network.interface)} is network ${owner}'s interface too`,
          mend,
        )
      }
    }
    checkAddresses(network, space, addresses, faults)
  }
}

function checkAddresses(network: NetworkDraft, space: string, seen: Map<string, string>, faults: Faults): void {
  for (const text of network.addresses ?? []) {
    const address = addressText(parseCidr(text)!)
    const key = `${space} ${address}`
    const owner = seen.get(key)
    const path: Path = ['networks', network.name, 'address']
    if (owner === network.name) faults.add(path, `${address} is given twice`, 'keep one of them')
    else if (owner !== undefined)
      faults.add(path, `${address} is network ${owner}'s address too`, 'keep it in one of them')
    else seen.set(key, network.name)
  }
}

/** Who has `key`: `name` from now on, if nobody had it. */
export function claim(owners: Map<string, string>, key: string, name: string): string {
  const owner = owners.get(key)
  if (owner === undefined) owners.set(key, name)
  return owner ?? name
}

/** One text for a namespace however it is spelled: `blue` and /run/netns/blue are the same. */
export function spaceOf(netns: string | null): string {
  if (netns === null) return ''
  const named = /^(?:\/var)?\/run\/netns\/([^/]+)$/.exec(netns)
  return named ? named[1]! : netns
}

// With `sourcePort: fixed` the port's receiving socket sends too, and has one checksum setting.
function checkSharedPorts(networks: readonly NetworkDraft[], faults: Faults): void {
  const first = new Map<number, NetworkDraft>()
  for (const network of networks) {
    const { port, sourcePort, udpChecksum } = network
    if (sourcePort !== 'fixed' || port === undefined || udpChecksum === undefined) continue
    const other = first.get(port)
    if (!other) first.set(port, network)
    else if (other.udpChecksum !== udpChecksum) {
      const what = `network ${other.name} sends from port ${port} with udpChecksum: ${other.udpChecksum}`
      faults.add(['networks', network.name, 'udpChecksum'], what, 'give both the same, or one of them another port')
    } else {
      checkSharedGroups(network, other, faults)
    }
  }
}

// Nor does it send to groups by two interfaces.
function checkSharedGroups(network: NetworkDraft, other: NetworkDraft, faults: Faults): void {
  const [a, b] = [network.flood, other.flood]
  if (typeof a !== 'object' || typeof b !== 'object' || a.interface === b.interface) return
  const by = b.interface === null ? 'by the interface of the underlay' : `by ${b.interface}`
  const what = `network ${other.name} sends from port ${network.port} ${by}`
  faults.add(['networks', network.name, 'flood'], what, 'give both the same interface, or one of them another port')
}

function checkNetwork(network: NetworkDraft, draft: Draft, faults: Faults): void {
  const path: Path = ['networks', network.name]
  const six = network.addresses?.find((text) => parseCidr(text)!.v6)
  if (six !== undefined && typeof network.mtu === 'number' && network.mtu < MIN_MTU6) {
    const what = `want ${MIN_MTU6} or more with the IPv6 address ${six}, got ${network.mtu}`
    faults.add([...path, 'mtu'], what, 'raise it, or remove the IPv6 address')
  }
  const own = draft.underlay.addresses?.map((text) => parseAddress(text) as Cidr) ?? []
  if (network.udpChecksum === 'off' && own.length > 0 && own.every((address) => address.v6)) {
    faults.add([...path, 'udpChecksum'], 'want on or auto, the underlay is IPv6', 'write on (RFC 8200 §8.1)')
  }
  checkFlood(network, own, faults)
  checkStatic(network, faults)
}

function checkFlood({ name, flood, device, stormLimit }: NetworkDraft, own: readonly Cidr[], faults: Faults): void {
  const path: Path = ['networks', name, 'flood']
  if (device === 'tun' && stormLimit) {
    faults.add(['networks', name, 'stormLimit'], 'a tun network floods nothing', 'remove it')
  }
  if (typeof flood !== 'object') return
  if (device === 'tun') faults.add(path, 'a tun network floods nothing, and has no group', 'remove it')
  const { v6 } = parseAddress(flood.group)!
  if (own.length === 0 || own.some((address) => address.v6 === v6)) return
  const what = `the underlay has no IPv${v6 ? 6 : 4} address to send to ${flood.group} from`
  faults.add(path, what, 'give it one, or take a group of the other family')
}

function checkStatic(network: NetworkDraft, faults: Faults): void {
  const fdb = network.fdb ?? []
  const path: Path = ['networks', network.name, 'fdb']
  if (fdb.length > 0 && network.device === 'tun') {
    faults.add(
      path,
      'a tun network has no stations',
      "remove it; prefixes go to a peer's allowedIps, its MAC to its mac",
    )
  }
  const seen = new Map<string, number>()
  const owners = new Map<string, string>()
  fdb.forEach(({ mac, addresses }, i) => {
    for (const address of addresses) {
      const owner = claim(owners, address, `fdb[${i}]`)
      if (owner === `fdb[${i}]`) continue
      faults.add([...path, i, 'ip'], `${address} is ${owner}'s too`, 'keep it with the station that has it')
    }
    const first = seen.get(mac)
    if (first !== undefined) faults.add([...path, i, 'mac'], `${mac} is fdb[${first}] too`, 'keep one of them')
    else seen.set(mac, i)
    if (mac === network.mac) faults.add([...path, i, 'mac'], `${mac} is this network's own MAC`, "write the station's")
  })
}
