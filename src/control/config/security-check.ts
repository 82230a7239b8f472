// Who may speak where, and in clear or not: what `security` of a network means for its own keys and for the peers in it. The
// rules stand in docs/configuration.md, "Secure and plain". Key files are key-check.ts's business.
import type { Draft, Member, NetworkDraft, PeerDraft } from './draft.ts'
import type { Faults, Path } from './fault.ts'
import { STORES } from './flannel-check.ts'
import { ENDPOINT_WANT } from './form.ts'

const PLAIN_MEANT = 'write `security: plain` if clear text is meant'
const FROM_PUBKEY = 'which `vtepd pubkey` prints there'

export function checkSecurity(draft: Draft, faults: Faults): void {
  const networks = [...(draft.networks?.values() ?? [])]
  for (const network of networks) if (network.security === 'secure') checkPlainOnly(network, faults)
  // Members of the others come from the store.
  const listable = networks.filter(({ type }) => type !== 'flannel')
  checkPrivateKey(draft, networks, faults)
  checkPorts(draft, networks, faults)
  for (const peer of draft.peers?.values() ?? []) {
    checkWithoutKey(peer, faults)
    checkPlaces(peer, draft, faults)
    if (draft.networks) checkUsual(peer, listable, faults)
  }
}

// Keys that say something of VXLAN on the underlay. WireGuard has one port, one checksum and one sender for a session.
const PLAIN_ONLY: readonly [key: string, why: string][] = [
  ['port', 'secure ones share underlay.wireguardPort'],
  ['accept', 'into a secure one only its peers send'],
  ['udpChecksum', 'secure ones have their checksum on'],
  ['sourcePort', 'secure ones send from underlay.wireguardPort'],
]

function checkPlainOnly(network: NetworkDraft, faults: Faults): void {
  const path: Path = ['networks', network.name]
  for (const [key, why] of PLAIN_ONLY) {
    // Whatever its security, a flannel network has none of its own.
    if (network.type === 'flannel' && STORES.some(([of]) => of === key)) continue
    if (network.given.has(key)) faults.add([...path, key], `for plain networks only: ${why}`, 'remove it')
  }
  if (typeof network.flood === 'object') {
    const what = 'a group is for plain networks only: what is sealed is sealed for one peer'
    faults.add([...path, 'flood'], what, 'write replicate')
  }
  if (network.sourceCheck === false) {
    const what = 'false is for plain networks only: in a secure one a peer speaks for its allowedIps alone'
    faults.add([...path, 'sourceCheck'], what, 'remove it')
  }
}

function checkPrivateKey(draft: Draft, networks: readonly NetworkDraft[], faults: Faults): void {
  const secure = networks.find(({ security }) => security === 'secure')
  if (!secure || draft.privateKeyFile !== null) return
  const what = `missing, and network ${secure.name} is secure`
  const mend = `make a key, \`(umask 077 && vtepd genkey > /etc/vtepd/key)\`, and name its file, or ${PLAIN_MEANT}`
  faults.add(['privateKeyFile'], what, mend)
}

// WireGuard is bound on every address, so that no VXLAN port fits beside it.
function checkPorts(draft: Draft, networks: readonly NetworkDraft[], faults: Faults): void {
  const { wireguardPort } = draft.underlay
  if (wireguardPort === undefined || !networks.some(({ security }) => security === 'secure')) return
  const plain = networks.find(({ security, port }) => security === 'plain' && port === wireguardPort)
  if (!plain) return
  const what = `${wireguardPort} is network ${plain.name}'s VXLAN port too`
  faults.add(['underlay', 'wireguardPort'], what, 'give one of them another port')
}

// Keys of a peer that mean nothing to one that is not known by its public key.
function checkWithoutKey(peer: PeerDraft, faults: Faults): void {
  if (peer.publicKey !== null) return
  const path: Path = ['peers', peer.name]
  const add = (key: string): void => {
    faults.add([...path, key], 'of no use without a publicKey', `write the publicKey, ${FROM_PUBKEY}, or remove it`)
  }
  if (peer.presharedKeyFile) add('presharedKeyFile')
  if (peer.keepaliveSec) add('keepalive')
  if (peer.type === 'wireguard') add('type')
}

function checkPlaces(peer: PeerDraft, draft: Draft, faults: Faults): void {
  let tunnel: string | null = null
  for (const member of peer.members ?? []) {
    const network = draft.networks?.get(member.network)
    if (network?.security === 'plain') checkPlain(peer, network, faults)
    if (network?.security !== 'secure') continue
    checkSecure(peer, member, network, faults)
    if (network.device !== 'tun' || peer.publicKey === null || tunnel === network.name) continue
    if (tunnel !== null) {
      const what = `it is in secure tun network ${tunnel} already, and nothing on the wire tells packets of two apart`
      faults.add(listed(peer, member), what, 'keep one of them')
    }
    tunnel ??= network.name
  }
}

function checkPlain(peer: PeerDraft, network: NetworkDraft, faults: Faults): void {
  if (peer.type === 'wireguard' && peer.publicKey !== null) {
    const what = `network ${network.name} is plain, and a stock WireGuard peer speaks WireGuard only`
    faults.add(['peers', peer.name, 'type'], what, 'take the peer out of it, or make it a secure tun network')
  }
  if (peer.publicKey && peer.endpoint === null) {
    const what = `missing, and in the plain network ${network.name} a peer is known by its address`
    faults.add(['peers', peer.name, 'endpoint'], what, 'write it, or take the peer out of the network')
  }
}

function checkSecure(peer: PeerDraft, member: Member, network: NetworkDraft, faults: Faults): void {
  if (peer.publicKey === null) {
    const what = `network ${network.name} is secure, and the peer has no publicKey`
    faults.add(listed(peer, member), what, `write its publicKey, ${FROM_PUBKEY}, or take it out of the network`)
  } else if (peer.type === 'wireguard' && network.device === 'tap') {
    const what = `network ${network.name} is tap, and a stock WireGuard peer drops the Ethernet frames of VXLAN`
    faults.add(['peers', peer.name, 'type'], what, 'take the peer out of it, or make it a tun network')
  }
}

// A peer that does not say where it is, and by default is nowhere.
function checkUsual(peer: PeerDraft, networks: readonly NetworkDraft[], faults: Faults): void {
  const isNowhere = !peer.listed && peer.members?.length === 0 && networks.length > 0
  const path: Path = ['peers', peer.name]
  if (isNowhere && peer.publicKey === null) {
    faults.add(
      [...path, 'publicKey'],
      'missing, and every network is secure',
      `write it, ${FROM_PUBKEY}, or ${PLAIN_MEANT}`,
    )
  } else if (isNowhere) {
    const mend = 'remove it, or take `security: plain` out of a network'
    faults.add([...path, 'publicKey'], 'every network is plain, so that the peer is in none', mend)
  } else if (peer.publicKey === null && peer.endpoint === null) {
    const [want, mend] = ENDPOINT_WANT.split('; ') as [string, string]
    faults.add([...path, 'endpoint'], `missing, ${want}`, mend)
  }
}

// Where a peer says that it is in the network, or should say something else.
function listed(peer: PeerDraft, member: Member): Path {
  return peer.listed ? member.path : ['peers', peer.name, 'networks']
}
