// Invitations, joins and introductions of a running agent, joined to its tunnels: who says what to whom, what is remembered where.
// Every change of files has its turn. Cold.
//
//   invite.ts ── InvitationBook ── hosting.ts        a guest asks, through its one-time tunnel
//   join.ts ──── Introducers ───── introductions.ts  members hear of members, through theirs

import type { Config } from '../config/model.ts'
import { loadState, saveState } from '../state-file.ts'
import type { Speaker, TunnelControl } from '../tunnels.ts'
import { Turns } from '../turns.ts'
import type { LocalAddress } from '../upkeep/underlay.ts'
import { callableAt, type Home, hostView, statePath } from './home.ts'
import { Hosting } from './hosting.ts'
import { Introducers, introducersSchema } from './introducers.ts'
import { Introductions } from './introductions.ts'
import { bookSchema, InvitationBook } from './invitation-book.ts'
import { type Invited, type InviteRequest, invite } from './invite.ts'
import { type Joined, type JoinRequest, join } from './join.ts'
import { type Answer, readMessage } from './join-message.ts'

/** Why an agent may do neither. */
export const NO_HOME =
  'this agent was started with -c or flags, and what invite and join write belongs to the default file; ' +
  'start it with --config-dir DIR and the file as DIR/vtepd.yaml'
const BOOK = 'invitations.json'
const INTRODUCERS = 'introducers.json'
/** Milliseconds: setTimeout takes no more. */
const LONGEST = 2 ** 31 - 1

/** What is remembered of invitations; for whoever makes one. */
export interface Remembered {
  readonly book: InvitationBook
  readonly introducers: Introducers
  save(): void
}

/** Of this node. What cannot be read is said, and is forgotten. */
export function remember(home: Home, node: string): Remembered {
  const said = (line: string): void => home.said(line)
  const path = statePath(home.stateDir, node, BOOK)
  const book = new InvitationBook(loadState(path, bookSchema, said))
  const introducers = new Introducers(loadState(statePath(home.stateDir, node, INTRODUCERS), introducersSchema, said))
  return { book, introducers, save: () => saveState(path, book.toJSON()) }
}

export interface MembershipParts {
  readonly home: Home
  /** The agent's own name and WireGuard port. */
  readonly node: string
  readonly port: number
  readonly tunnels: TunnelControl
  /** WireGuard's port is needed for a visit, or no longer. */
  setVisiting(visiting: boolean): Promise<void>
}

/** What an agent shows of itself and lets be done. */
export interface MemberAgent extends Pick<MembershipParts, 'tunnels' | 'setVisiting'> {
  config(): Config
  underlay(): readonly LocalAddress[]
  reload(): Promise<void>
  said(line: string): void
}

/** null: it has no home, or no file. */
export function membershipOf(
  options: { readonly home?: Pick<Home, 'configDir' | 'stateDir'> & Partial<Home>; readonly readConfig?: Home['read'] },
  agent: MemberAgent,
): Membership | null {
  const { home, readConfig: read } = options
  if (!home || !read) return null
  const { config, reload, said } = agent
  const addresses = (): string[] => callableAt(agent.underlay(), config())
  const { node, underlay } = config()
  return new Membership({
    ...agent,
    home: { config, read, reload, ...home, addresses, host: hostView, said },
    node,
    port: underlay.wireguardPort,
  })
}

export class Membership {
  private readonly p: MembershipParts
  private readonly memory: Remembered
  private readonly hosting: Hosting
  private readonly introductions: Introductions
  private readonly turns = new Turns()
  private timer: NodeJS.Timeout | null = null
  private readonly ended: Promise<never>
  private end!: (error: Error) => void

  constructor(parts: MembershipParts) {
    this.p = parts
    const { home, tunnels } = parts
    this.memory = remember(home, parts.node)
    const { book, introducers, save } = this.memory
    const inTurn = <T>(change: () => Promise<T>): Promise<T> => this.turns.take(change)
    const tell = (key: string, body: Uint8Array): void => tunnels.tell(key, body)
    this.introductions = new Introductions({ home, book, introducers, tell, inTurn })
    this.hosting = new Hosting({
      home,
      book,
      placeOf: (key) => tunnels.place(key),
      save,
      announce: (network, key) => this.introductions.announce(network, key),
      now,
    })
    this.ended = new Promise((_, reject) => {
      this.end = reject
    })
    this.ended.catch(() => {})
  }

  /** Guests may come from now on, and members hear what they missed. */
  async start(): Promise<void> {
    await this.showGuests()
    this.introductions.start()
  }

  close(): void {
    if (this.timer) clearTimeout(this.timer)
    this.hosting.close()
    this.introductions.close()
    this.end(new Error('the agent stops'))
  }

  invite(request: InviteRequest): Promise<Invited> {
    return this.turns.take(async () => {
      const invited = await invite(request, { home: this.p.home, ...this.memory }, now())
      await this.showGuests()
      return invited
    })
  }

  join(request: JoinRequest): Promise<Joined> {
    return this.turns.take(async () => {
      const { home, tunnels } = this.p
      const joined = await join(request, {
        home,
        introducers: this.memory.introducers,
        introducersPath: (node) => statePath(home.stateDir, node, INTRODUCERS),
        port: home.config()?.underlay.wireguardPort ?? this.p.port,
        open: async (call, heard) => {
          await this.p.setVisiting(true)
          return tunnels.beginVisit(call, (body) => {
            const message = readMessage(body)
            if (message && 'id' in message && !('ask' in message)) heard(message satisfies Answer)
          })
        },
        close: async () => {
          await tunnels.endVisit()
          await this.p.setVisiting(false)
        },
        ended: this.ended,
      })
      this.introductions.enter(joined.network)
      return joined
    })
  }

  /** What the agent of a peer or a guest says. */
  hear(speaker: Speaker, body: Uint8Array): void {
    const message = readMessage(body)
    if (!message) return
    if ('ask' in message) {
      if (message.ask === 'members' && !speaker.guest) this.introductions.asked(message.network, speaker.publicKey)
      const changes = message.ask === 'join' || message.ask === 'undo'
      const answer = (): Promise<Uint8Array | null> => this.hosting.handle(speaker, message)
      const tell = (reply: Uint8Array | null): void => {
        if (reply) this.p.tunnels.tell(speaker.publicKey, reply)
      }
      void (changes ? this.turns.take(answer) : answer()).then(tell).catch((e: unknown) => this.p.home.said(String(e)))
    } else if (speaker.guest) {
      // It has nothing to tell us.
    } else if ('id' in message) this.introductions.handleAnswer(speaker.publicKey, message)
    else this.introductions.handleNotice(speaker.publicKey, message)
  }

  // The one-time keys that are listed are those that the book keeps.
  private async showGuests(): Promise<void> {
    const { book, save } = this.memory
    if (book.prune(now())) save()
    await this.p.tunnels.setGuests(
      book.all.map((one) => ({
        name: `invitation of ${one.name}`,
        publicKey: one.guest,
        presharedKey: one.presharedKey,
      })),
    )
    if (this.timer) clearTimeout(this.timer)
    const wait = Math.min(LONGEST, Math.max(1000, (book.nextPrune() - now()) * 1000))
    const again = (): void =>
      void this.turns.take(() => this.showGuests()).catch((e: unknown) => this.p.home.said(String(e)))
    this.timer = setTimeout(again, wait).unref()
  }
}

function now(): number {
  return Date.now() / 1000
}
