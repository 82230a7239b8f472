// What a joining host makes of the answers: whether the network fits beside what is here, and the files that say so afterwards. The
// host that invites is believed in what a token can be trusted with: one network's name, number and prefixes, and who is in it. Cold.
import { ApiError } from '../api/api.ts'
import { addressText, type Cidr, covers, parseAddress, parseCidr, network as prefixOf } from '../cidr.ts'
import { type Endpoint, endpointText } from '../config/endpoint.ts'
import type { Config } from '../config/model.ts'
import { base64Of, publicKeyOf } from '../key.ts'
import type { Secret } from '../secret.ts'
import { stateBytes } from '../state-file.ts'
import { confPath, FileChange, freeConfName } from './conf-files.ts'
import { addressesOfHost, type Home, type OwnKey } from './home.ts'
import { writeMember } from './introductions.ts'
import { presharedPath } from './invite.ts'
import type { Joined, JoinParts } from './join.ts'
import type { JoinSide } from './join-dialogue.ts'
import { type Grant, LIST_MAX, type Member, type Offer } from './join-message.ts'
import { type PeerValues, peersFrom, strangers, strangersText } from './member-rules.ts'
import type { Token } from './token.ts'

/** What `underlay.wireguardPort` is without being named. */
const USUAL_PORT = 51820

interface JoiningParts {
  readonly token: Token
  readonly want: readonly Cidr[]
  /** null: the configuration has one. */
  readonly own: OwnKey | null
  readonly parts: JoinParts
}

/** An address that the host wants, with or without its length. Throws ApiError. */
export function wish(text: string): Cidr {
  const one = parseCidr(text) ?? parseAddress(text)
  if (one) return one
  throw new ApiError(400, `address: want an address of the network, like 10.42.0.7, got ${JSON.stringify(text)}`)
}

/** Throws ApiError for a token of our own. */
export function checkOrigin({ publicKey }: Token, config: Config | null): void {
  if (config?.publicKey !== base64Of(publicKey)) return
  throw new ApiError(400, 'token: this host made it itself; type it on the other host')
}

// Only once the host has answered: who types a used token twice is to hear that it was used.
function checkFit({ network, vni, host, publicKey }: Token, home: Home): void {
  const config = home.config()
  const key = base64Of(publicKey)
  if (config?.networks.some((n) => n.name === network)) {
    throw new ApiError(409, `this host has a network ${network} already; rename or remove it first`)
  }
  const same = config?.networks.find((n) => n.vni === vni)
  if (same)
    throw new ApiError(409, `network ${same.name} has VNI ${vni} here, which is ${network}'s on ${host}; change one`)
  const peer = config?.peers.find((p) => p.publicKey === key)
  if (peer) {
    const mend = `add ${network} to its networks by hand, here and there`
    throw new ApiError(409, `${host} is this host's peer ${peer.name} already; ${mend}`)
  }
  if (home.host.hasDevice(`vt${vni}`)) {
    throw new ApiError(409, `a device vt${vni} is here already, and network ${network} would have that name; remove it`)
  }
}

function checkPrefixes(prefixes: readonly string[], home: Home): void {
  const config = home.config()
  const here = [
    ...addressesOfHost(home.host, config).map(({ cidr }) => ({ cidr, what: 'this host itself' })),
    ...(config?.networks ?? []).flatMap((n) => n.addresses.map((cidr) => ({ cidr, what: `network ${n.name} here` }))),
  ]
  for (const text of prefixes) {
    const prefix = parseCidr(text)!
    const other = here.find(({ cidr }) => {
      const one = parseCidr(cidr) ?? parseAddress(cidr)
      return one && (covers(prefix, one) || covers(prefixOf(one), prefix))
    })
    if (!other) continue
    throw new ApiError(409, `the network's prefix ${text} meets ${other.cidr} of ${other.what}; choose another for one`)
  }
}

export class Joining implements JoinSide {
  /** Where the other host is called. */
  reached: Endpoint | null = null
  joined: Joined | null = null
  private readonly p: JoiningParts

  constructor(parts: JoiningParts) {
    this.p = parts
  }

  consider({ network, prefixes }: Offer): ReturnType<JoinSide['consider']> {
    const { token, want, own, parts } = this.p
    const config = parts.home.config()
    checkFit({ ...token, network: network.name, vni: network.vni }, parts.home)
    checkPrefixes(prefixes, parts.home)
    for (const one of want) {
      const fits = (prefix: Cidr): boolean => covers(prefix, one) && isLengthFor(prefix, one)
      if (prefixes.some((text) => fits(parseCidr(text)!))) continue
      const which = prefixes.length > 0 ? `which is ${prefixes.join(', ')}` : 'which has no addresses'
      throw new ApiError(400, `address: ${addressText(one)} is not in network ${network.name}, ${which}`)
    }
    const key = own ? publicHalf(own.key) : config!.publicKey!
    const at = new Set([...parts.home.addresses(), ...addressesOfHost(parts.home.host, config).map((a) => a.address)])
    return { key, port: parts.port, at: [...at].slice(0, LIST_MAX), want: want.map(addressText) }
  }

  async settle(offer: Offer, members: readonly Member[], grant: Grant): Promise<void> {
    const { token, parts } = this.p
    const { home, introducers } = parts
    const { name, vni } = offer.network
    const node = home.config()?.node ?? token.name
    const files = new FileChange()
    try {
      const peers = this.write(files, offer, members, grant)
      introducers.set(name, { key: base64Of(token.publicKey), name: token.host, direct: grant.direct })
      files.put(parts.introducersPath(node), stateBytes(introducers))
      const written = files.written.slice(0, -1)
      const others = strangers(await home.read(), name, peers)
      if (others.length > 0) throw new ApiError(409, strangersText(others, name))
      await home.reload()
      this.joined = {
        name: token.name,
        network: name,
        vni,
        interface: `vt${vni}`,
        address: grant.addresses,
        host: token.host,
        peers,
        untold: members.filter((m) => !m.told && m.key !== base64Of(token.publicKey)).map((m) => m.name),
        files: written,
      }
    } catch (error) {
      files.undo()
      introducers.delete(name)
      throw error
    }
  }

  // Names of the peers.
  private write(files: FileChange, offer: Offer, members: readonly Member[], grant: Grant): string[] {
    const { token, parts } = this.p
    const { home } = parts
    const { name, device } = offer.network
    const host: Member = {
      name: token.host,
      key: base64Of(token.publicKey),
      endpoint: endpointText(this.reached!.host, this.reached!.port!),
      ips: offer.ips,
      told: true,
    }
    const space = { name, device, addresses: grant.addresses }
    const present = { config: home.config(), own: home.addresses() }
    // The host first, so that it has its name and its addresses whatever members are said to have.
    const { peers, left } = peersFrom([host, ...members], space, present, !grant.direct)
    for (const line of left) home.said(`network ${name}: ${token.host} names ${line}; left out`)
    const [first, ...others] = Object.entries(peers)
    if (first?.[1].publicKey !== host.key) throw new ApiError(409, `${token.host} is in no place of its own network`)
    this.writeOwn(files, offer, grant, first)
    for (const [member, values] of others)
      writeMember(files, home, { name: member, values, network: name, by: token.host })
    return Object.keys(peers)
  }

  private writeOwn(files: FileChange, offer: Offer, grant: Grant, [host, values]: [string, PeerValues]): void {
    const { token, own, parts } = this.p
    const { home, port } = parts
    const config = home.config()
    const { name, vni, device, mtu } = offer.network
    const file = freeConfName(home.configDir, token.name)
    const presharedKeyFile = presharedPath(home.configDir, file)
    if (own?.isNew) files.key(own.path, own.key)
    files.key(presharedKeyFile, token.presharedKey)
    const about = [`network ${name}, to which ${token.host} invited this host as ${token.name}.`]
    files.configuration(confPath(home.configDir, file), [...about, 'Remove this file and reload to leave it.'], {
      ...(config ? {} : { node: token.name }),
      ...(own ? { privateKeyFile: own.path } : {}),
      ...(config || port === USUAL_PORT ? {} : { underlay: { wireguardPort: port } }),
      networks: {
        [name]: {
          vni,
          device,
          ...(grant.addresses.length === 0 ? {} : { address: grant.addresses }),
          ...(mtu === null ? {} : { mtu }),
        },
      },
      peers: { [host]: { ...values, presharedKeyFile } },
    })
  }
}

// An address alone stands for any length.
function isLengthFor(prefix: Cidr, one: Cidr): boolean {
  return one.length === prefix.length || one.length === (one.v6 ? 128 : 32)
}

function publicHalf(key: Secret): string {
  const bytes = key.copy()
  const text = base64Of(publicKeyOf(bytes))
  bytes.fill(0)
  return text
}
