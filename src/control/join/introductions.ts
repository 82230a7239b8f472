// How members of a network hear of new ones. The host that invited them says "changed" until they ask, they ask for the whole list,
// page by page, and write what is new to conf.d. They ask at their start as well, so that nothing is lost while they are away.
// Only the host that invited this one is asked, and believed: member-rules.ts says in what. docs/command-line.md. Cold.

import type { PeerConfig } from '../config/model.ts'
import { Asker, NoAnswer } from './asker.ts'
import { confPath, FileChange, freeConfName, isOnlyPeer } from './conf-files.ts'
import type { Home } from './home.ts'
import type { Introducer, Introducers } from './introducers.ts'
import type { InvitationBook } from './invitation-book.ts'
import { type Ask, allMembers } from './join-dialogue.ts'
import { type Answer, type Member, type Notice, writeMessage } from './join-message.ts'
import { type PeerValues, peersFrom } from './member-rules.ts'

/** Milliseconds between the first two notices, and at most; how many a member gets that does not ask. */
const NOTICE_FIRST = 500
const NOTICE_LAST = 30_000
const NOTICES = 12
/** Milliseconds that a question may take, and from a pull that came to nothing to the next one. */
const PATIENCE = 20_000
const AGAIN_FIRST = 30_000
const AGAIN_LAST = 600_000

export interface IntroductionsParts {
  readonly home: Home
  readonly book: InvitationBook
  readonly introducers: Introducers
  tell(publicKey: string, body: Uint8Array): void
  /** One change of files at a time. */
  inTurn<T>(change: () => Promise<T>): Promise<T>
}

interface Pull {
  readonly introducer: Introducer
  readonly asker: Asker
  timer: NodeJS.Timeout | null
  running: boolean
  /** Something changed while it ran. */
  again: boolean
  wait: number
}

export class Introductions {
  private readonly p: IntroductionsParts
  /** Members who have been told and have not asked yet: network and key. */
  private readonly notices = new Map<string, NodeJS.Timeout>()
  private readonly pulls = new Map<string, Pull>()
  private closed = false

  constructor(parts: IntroductionsParts) {
    this.p = parts
  }

  /** Asks for what was missed, and says what others may have missed. */
  start(): void {
    const networks = new Set(this.p.home.config()?.networks.map((n) => n.name))
    for (const [network] of this.p.introducers.all) if (networks.has(network)) this.enter(network)
    for (const network of networks) this.announce(network, null)
  }

  /** We are in a network by invitation: from now on, or again. */
  enter(network: string): void {
    this.pull(network)
    // Nobody has to wait for our first packet to find out that we are here.
    for (const peer of this.p.home.config()?.peers ?? []) {
      if (peer.publicKey === null || !peer.networks.some((n) => n.network === network)) continue
      this.p.tell(peer.publicKey, writeMessage({ hello: network }))
    }
  }

  close(): void {
    this.closed = true
    for (const timer of this.notices.values()) clearTimeout(timer)
    for (const { timer, asker } of this.pulls.values()) {
      if (timer) clearTimeout(timer)
      asker.close(new Error('the agent stops'))
    }
  }

  // --- the host that invited ---

  /** The members of a network have changed, by `key`, who knows. */
  announce(network: string, key: string | null): void {
    for (const one of this.p.book.brought(network)) {
      if (one.key !== key) this.notify(network, one.key, 0)
    }
  }

  /** A member asks. */
  asked(network: string, key: string): void {
    const name = `${network} ${key}`
    clearTimeout(this.notices.get(name))
    this.notices.delete(name)
  }

  private notify(network: string, key: string, count: number): void {
    if (this.closed) return
    this.asked(network, key)
    this.p.tell(key, writeMessage({ changed: network }))
    if (count + 1 >= NOTICES) return
    const wait = Math.min(NOTICE_LAST, NOTICE_FIRST * 2 ** count)
    const timer = setTimeout(() => this.notify(network, key, count + 1), wait).unref()
    this.notices.set(`${network} ${key}`, timer)
  }

  // --- the member ---

  /** Who brought us says that there is news. */
  handleNotice(key: string, notice: Notice): void {
    if ('changed' in notice && this.p.introducers.of(notice.changed)?.key === key) this.pull(notice.changed)
  }

  handleAnswer(key: string, answer: Answer): void {
    for (const { introducer, asker } of this.pulls.values()) if (introducer.key === key) asker.handle(answer)
  }

  private pull(network: string): void {
    const introducer = this.p.introducers.of(network)
    if (!introducer || this.closed) return
    let pull = this.pulls.get(network)
    if (pull?.introducer !== introducer) {
      const asker = new Asker((body) => this.p.tell(introducer.key, body))
      pull = { introducer, asker, timer: null, running: false, again: false, wait: AGAIN_FIRST }
      this.pulls.set(network, pull)
    }
    if (pull.running) pull.again = true
    else void this.run(network, pull)
  }

  private async run(network: string, pull: Pull): Promise<void> {
    pull.running = true
    pull.again = false
    if (pull.timer) clearTimeout(pull.timer)
    pull.timer = null
    let done = false
    try {
      const members = await drive(pull.asker, (ask) => allMembers(ask, network))
      await this.p.inTurn(() => this.take(network, pull.introducer, members))
      done = true
    } catch (error) {
      // Who does not answer is asked again; that is no news.
      if (!this.closed && !(error instanceof NoAnswer)) {
        const why = error instanceof Error ? error.message : String(error)
        this.p.home.said(`network ${network}: what ${pull.introducer.name} says of its members came to nothing: ${why}`)
      }
    }
    pull.running = false
    if (this.closed) return
    pull.wait = done ? AGAIN_FIRST : Math.min(AGAIN_LAST, pull.wait * 2)
    if (pull.again) void this.run(network, pull)
    else if (!done) pull.timer = setTimeout(() => this.pull(network), pull.wait).unref()
  }

  private async take(name: string, introducer: Introducer, members: readonly Member[]): Promise<void> {
    const { home } = this.p
    const config = home.config()
    const network = config?.networks.find((n) => n.name === name && n.security === 'secure')
    const isPeer = config?.peers.some((p) => p.publicKey === introducer.key)
    if (!config || !network || !isPeer) return
    // A host that was made anew has its old name and a new key.
    const keys = new Set(members.map((m) => m.key))
    const known = new Set(members.map((m) => m.name))
    const stale = (p: PeerConfig): boolean =>
      known.has(p.name) &&
      !keys.has(p.publicKey!) &&
      isOnlyIn(p, name) &&
      isOnlyPeer(confPath(home.configDir, p.name), p.name)
    const present = { config: { ...config, peers: config.peers.filter((p) => !stale(p)) }, own: home.addresses() }
    const { peers, left } = peersFrom(members, network, present, !introducer.direct)
    for (const line of left) home.said(`network ${name}: ${introducer.name} introduces ${line}; left out`)
    const names = Object.keys(peers)
    if (names.length === 0) return
    const files = new FileChange()
    try {
      for (const one of names)
        writeMember(files, home, { name: one, values: peers[one]!, network: name, by: introducer.name })
      await home.reload()
    } catch (error) {
      files.undo()
      throw error
    }
    home.said(`network ${name}: ${introducer.name} introduces ${names.join(', ')}`)
  }
}

function isOnlyIn(peer: PeerConfig, network: string): boolean {
  return peer.networks.every((n) => n.network === network)
}

export interface IntroducedMember {
  readonly name: string
  readonly values: PeerValues
  readonly network: string
  readonly by: string
}

/** A member that we were told of, as a file of its own. */
export function writeMember(
  files: FileChange,
  { configDir }: Home,
  { name, values, network, by }: IntroducedMember,
): void {
  const about = [
    `host ${name} of network ${network}, introduced by ${by}.`,
    'Remove this file and reload to put it out.',
  ]
  const own = confPath(configDir, name)
  const path = isOnlyPeer(own, name) ? own : confPath(configDir, freeConfName(configDir, name))
  files.configuration(path, about, { peers: { [name]: values } })
}

/** Runs a dialogue of questions in real time, each with the same patience. */
export async function drive<T>(asker: Asker, dialogue: (ask: Ask) => Promise<T>, patience = PATIENCE): Promise<T> {
  let timer: NodeJS.Timeout | null = null
  const arm = (): void => {
    if (timer) clearTimeout(timer)
    const next = asker.nextDeadline()
    if (next === Number.POSITIVE_INFINITY) return
    timer = setTimeout(
      () => {
        asker.expire(performance.now())
        arm()
      },
      Math.max(0, next - performance.now()),
    )
  }
  try {
    return await dialogue((question) => {
      const reply = asker.ask(question, performance.now(), patience)
      arm()
      return reply
    })
  } finally {
    if (timer) clearTimeout(timer)
  }
}
