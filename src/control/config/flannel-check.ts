// What a network of `type: flannel` means beside the others: what the store says is not the file's to say, and what may exist
// once only. docs/flannel.md. Form is schema.ts's business.
import type { Draft, NetworkDraft } from './draft.ts'
import type { Faults, Path } from './fault.ts'
import { claim } from './network-check.ts'

/** Keys that a flannel network does not have. */
export const STORES: readonly [key: string, why: string][] = [
  ['vni', "it comes from the store's Backend.VNI"],
  ['port', "it comes from the store's Backend.Port"],
  ['address', 'it is the first of the subnet that the store leases to us'],
  ['accept', 'its members are those of the store, and nobody else is heard'],
]

export function checkFlannels(draft: Draft, faults: Faults): void {
  const all = [...(draft.networks?.values() ?? [])]
  for (const network of all) if (network.type === 'vxlan') checkPlainVxlan(network, faults)
  const flannels = all.filter(({ flannel }) => flannel !== null)
  for (const network of flannels) checkKeys(network, faults)
  checkOnce(flannels, draft.etcd?.prefix ?? '', faults)
  checkPeers(draft, faults)
  if (flannels[0] && draft.etcd === null) {
    const mend = 'say where the store is: `control: { etcd: { endpoints: [http://198.18.0.9:2379] } }`'
    faults.add(['control', 'etcd'], `missing, and network ${flannels[0].name} is of type flannel`, mend)
  }
}

function checkPlainVxlan(network: NetworkDraft, faults: Faults): void {
  for (const key of ['prefix', 'subnetFile']) {
    const path: Path = ['networks', network.name, key]
    if (network.given.has(key)) faults.add(path, 'for flannel networks only', 'remove it, or write `type: flannel`')
  }
}

function checkKeys(network: NetworkDraft, faults: Faults): void {
  const path: Path = ['networks', network.name]
  for (const [key, why] of STORES) {
    if (network.given.has(key)) faults.add([...path, key], `not for flannel networks: ${why}`, 'remove it')
  }
  if (network.device === 'tap') {
    faults.add([...path, 'device'], 'a flannel network is layer 3', 'write tun, or remove the key')
  }
}

// `usual`: where a network without a prefix is.
function checkOnce(flannels: readonly NetworkDraft[], usual: string, faults: Faults): void {
  const prefixes = new Map<string, string>()
  const files = new Map<string, string>()
  const secure = flannels.filter(({ security }) => security === 'secure')
  for (const { name, flannel } of flannels) {
    const { prefix, subnetFile } = flannel!
    const place = prefix === undefined ? name : claim(prefixes, prefix ?? usual, name)
    if (place !== name) {
      const mend = "give one of them a prefix of its own, where the store has another network's config"
      faults.add(['networks', name, 'prefix'], `network ${place} is at the same place in the store`, mend)
    }
    const file = subnetFile === undefined ? name : claim(files, subnetFile ?? '', name)
    if (file !== name) {
      faults.add(['networks', name, 'subnetFile'], `network ${file} writes the same file`, 'give one of them another')
    }
  }
  for (const { name } of secure.slice(1)) {
    const what = `network ${secure[0]!.name} is secure and of the store too, and nothing on the wire tells packets of two apart`
    faults.add(['networks', name, 'security'], what, 'write plain in one of them, or keep one')
  }
}

function checkPeers(draft: Draft, faults: Faults): void {
  for (const peer of draft.peers?.values() ?? []) {
    for (const member of peer.members ?? []) {
      if (draft.networks?.get(member.network)?.type !== 'flannel') continue
      const path: Path = peer.listed ? member.path : ['peers', peer.name, 'networks']
      const what = `network ${member.network} is of type flannel: its members come from the store`
      faults.add(path, what, 'take the network out of the list')
    }
  }
}
