// The host's side of joins: what is answered to a guest, who has a one-time key and nothing else, and to members who ask who else is
// there. A guest that joins becomes a peer: conf.d/NAME.yaml and a reload. docs/command-line.md. Cold.
import { readFileSync } from 'node:fs'
import { addressText, cidrText, parseAddress } from '../cidr.ts'
import { endpointText } from '../config/endpoint.ts'
import type { Config, NetworkConfig, PeerConfig } from '../config/model.ts'
import type { Place, Speaker } from '../tunnels.ts'
import { hostPrefixes, planAddresses, prefixesOf } from './address-plan.ts'
import { Answers } from './asker.ts'
import { confPath, FileChange, isOurs } from './conf-files.ts'
import type { Home } from './home.ts'
import type { Came, Invitation, InvitationBook } from './invitation-book.ts'
import { presharedPath } from './invite.ts'
import { LIST_MAX, no, pageOf, type Reply, type Request } from './join-message.ts'
import { membersOf, peerValues } from './member-rules.ts'

/** Milliseconds after which a host that does not say that it runs is made known all the same. */
const SETTLE = 60_000

/** How often a guest may take its join back. */
const UNDONE_MAX = 5

export interface HostingParts {
  readonly home: Home
  readonly book: InvitationBook
  /** Where a peer is. */
  placeOf(publicKey: string): Place | null
  save(): void
  /** There is a new member. */
  announce(network: string, key: string): void
  /** Seconds since 1970. */
  now(): number
}

type Join = Extract<Request, { ask: 'join' }>

export class Hosting {
  private readonly p: HostingParts
  private readonly answers = new Map<string, Answers>()
  private readonly timers = new Set<NodeJS.Timeout>()
  /** How often a guest has taken its join back. */
  private readonly undone = new Map<string, number>()

  constructor(parts: HostingParts) {
    this.p = parts
  }

  /** What to send back, or null: nothing now. */
  handle(speaker: Speaker, request: Request): Promise<Uint8Array | null> {
    const key = speaker.publicKey
    let answers = this.answers.get(key)
    if (!answers) {
      // Only keys that are listed get here; those of the past are forgotten with all.
      if (this.answers.size > 8192) this.answers.clear()
      answers = new Answers((r) => this.reply(speaker, r))
      this.answers.set(key, answers)
    }
    return answers.handle(request)
  }

  close(): void {
    for (const timer of this.timers) clearTimeout(timer)
  }

  private async reply(speaker: Speaker, request: Request): Promise<Reply> {
    try {
      if (speaker.guest) return await this.replyGuest(speaker, request)
      return request.ask === 'members' ? this.page(speaker.publicKey, request) : no('not-asked')
    } catch (error) {
      this.p.home.said(`a join came to nothing: ${error instanceof Error ? error.message : error}`)
      return no('failed')
    }
  }

  private async replyGuest(speaker: Speaker, request: Request): Promise<Reply> {
    const { book, home, now } = this.p
    const invitation = book.find(speaker.publicKey)
    if (!invitation) return no('gone')
    if (request.ask === 'done' || request.ask === 'undo') return this.end(invitation, request.ask)
    const refused = book.refusal(invitation, now(), request.ask === 'join' ? request.key : null)
    if (refused) return refused
    const config = home.config()
    const network = config?.networks.find((n) => n.name === invitation.network && n.security === 'secure')
    if (!config || !network) return no('gone')
    if (request.ask === 'join') return this.admit(invitation, network, request, speaker.place)
    if (request.ask === 'members') return this.members(network.name, request.from)
    const { name, vni, device, mtu, addresses } = network
    const ips = device === 'tun' ? hostPrefixes(addresses).slice(0, LIST_MAX) : []
    return { offer: { network: { name, vni, device, mtu }, prefixes: prefixesOf(addresses).map(cidrText), ips } }
  }

  private async admit(one: Invitation, network: NetworkConfig, request: Join, place: Place | null): Promise<Reply> {
    if (one.came) return { grant: { addresses: [...one.came.addresses], direct: one.came.direct } }
    const { home, book, now } = this.p
    const config = home.config()!
    const refused = this.keyRefusal(one, request.key, config)
    if (refused) return refused
    const plan = this.plan(one, network, request, config)
    if ('no' in plan) return plan
    const { addresses } = plan
    const direct = place !== null && request.port === place.port && request.at.includes(place.address)
    // From here on nobody else uses the invitation, whatever they ask meanwhile.
    const came: Came = { key: request.key, addresses, direct, at: now(), done: false }
    one.came = came
    const files = new FileChange()
    try {
      this.write(files, one, network, direct ? place : null)
      await home.reload()
      book.bring(one)
      this.p.save()
    } catch (error) {
      one.came = null
      book.forget(one.name)
      files.undo()
      // It may have been in force already, and only not be remembered.
      await home.reload().catch(() => {})
      throw error
    }
    home.said(
      `${one.name} has joined network ${network.name} as ${addresses.join(', ') || 'a host without an address'}`,
    )
    this.later(() => {
      if (one.came === came) this.settled(one)
    })
    return { grant: { addresses: [...addresses], direct } }
  }

  private write(files: FileChange, one: Invitation, network: NetworkConfig, place: Place | null): void {
    const { configDir } = this.p.home
    const { key, addresses } = one.came!
    const presharedKeyFile = presharedPath(configDir, one.name)
    const values = peerValues({
      member: { key },
      ips: network.device === 'tun' ? hostPrefixes(addresses) : [],
      space: network,
      endpoint: place && endpointText(place.address, place.port),
      keepalive: false,
    })
    files.key(presharedKeyFile, one.presharedKey)
    const about = [
      `host ${one.name}, which came into network ${network.name} by invitation.`,
      ...(addresses.length > 0 ? [`Its address there: ${addresses.join(', ')}.`] : []),
      'Remove this file and reload to put it out.',
    ]
    files.configuration(confPath(configDir, one.name), about, {
      peers: { [one.name]: { ...values, presharedKeyFile } },
    })
  }

  // A key is who a peer is: it is nobody else's, and no guest's.
  private keyRefusal(one: Invitation, key: string, config: Config): Reply | null {
    const other = config.peers.find((p) => p.publicKey === key)
    const isTaken = key === config.publicKey || this.p.book.find(key) !== null || (other && other.name !== one.name)
    if (isTaken) return no('key-in-use')
    const named = config.peers.find((p) => p.name === one.name)
    if (!named || isOurs(confPath(this.p.home.configDir, one.name))) return null
    throw new Error(`${one.name} is the name of another peer by now`)
  }

  private plan(
    one: Invitation,
    network: NetworkConfig,
    { want }: Join,
    config: Config,
  ): ReturnType<typeof planAddresses> {
    const { book } = this.p
    const keys = new Set(config.peers.map((p) => p.publicKey))
    book.retain((b) => keys.has(b.key))
    const brought = book.brought(network.name)
    const before = brought.find((b) => b.name === one.name)?.addresses ?? []
    const taken = [
      ...network.addresses,
      ...brought.filter((b) => b.name !== one.name).flatMap((b) => b.addresses),
      ...config.peers.filter((p) => p.name !== one.name).flatMap((p) => behind(p, network)),
      ...neighbours(network).filter((address) => !before.some((b) => b.startsWith(`${address}/`))),
    ]
    const prefixes = prefixesOf(network.addresses)
    // Who comes again keeps its address, unless it wants another.
    const again = want.length === 0 && before.length > 0 ? planAddresses(prefixes, taken, before) : null
    return again && !('no' in again) ? again : planAddresses(prefixes, taken, want)
  }

  private async end(one: Invitation, how: 'done' | 'undo'): Promise<Reply> {
    const { book, home, now } = this.p
    if (!book.mayUndo(one, now())) return one.came ? no('used', '', Math.floor(one.came.at)) : { done: true }
    if (how === 'done') {
      this.settled(one)
      return { done: true }
    }
    const undone = (this.undone.get(one.guest) ?? 0) + 1
    // Each costs a reload: who goes on and on has joined.
    if (undone > UNDONE_MAX) return no('not-asked')
    this.undone.set(one.guest, undone)
    const files = new FileChange()
    files.remove(confPath(home.configDir, one.name))
    files.remove(presharedPath(home.configDir, one.name))
    await home.reload()
    one.came = null
    book.forget(one.name)
    this.p.save()
    home.said(`${one.name} could not go on, and has not joined network ${one.network}`)
    return { done: true }
  }

  private settled(one: Invitation): void {
    if (!one.came || one.came.done) return
    one.came.done = true
    this.p.announce(one.network, one.came.key)
  }

  private page(key: string, { network, from }: Extract<Request, { ask: 'members' }>): Reply {
    const isIn = this.p.home
      .config()
      ?.peers.some((p) => p.publicKey === key && p.networks.some((n) => n.network === network))
    return isIn ? this.members(network, from) : no('not-asked')
  }

  private members(name: string, from: number): Reply {
    const { home, book } = this.p
    const config = home.config()!
    const network = config.networks.find((n) => n.name === name && n.security === 'secure')
    if (!network) return no('gone')
    const told = new Set(book.brought(name).map((b) => b.key))
    const { members, version } = membersOf(
      config,
      network,
      (k) => this.p.placeOf(k),
      (k) => told.has(k),
    )
    return { page: pageOf(members, from, version) }
  }

  private later(what: () => void): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer)
      what()
    }, SETTLE)
    timer.unref()
    this.timers.add(timer)
  }
}

function behind(peer: PeerConfig, network: NetworkConfig): readonly string[] {
  return peer.networks.find((n) => n.network === network.name)?.allowedIps ?? []
}

// Hosts of a layer 2 network that the kernel has heard of: addresses that nobody told us about.
function neighbours(network: NetworkConfig): string[] {
  if (network.device === 'tun' || network.netns !== null) return []
  try {
    const table = readFileSync('/proc/net/arp', 'utf8')
    return table.split('\n').flatMap((line) => {
      const [address, , flags, , , device] = line.split(/\s+/)
      if (device !== network.interface || flags === '0x0') return []
      const one = parseAddress(address!)
      return one ? addressText(one) : []
    })
  } catch {
    return []
  }
}
