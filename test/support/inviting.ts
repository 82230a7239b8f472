// Both sides of a join on files: a host that invites (Hosting) and one that joins (Joining), without tunnels between them.
import { keyFor, statePath } from '../../src/control/join/home.ts'
import { Hosting } from '../../src/control/join/hosting.ts'
import { Introducers } from '../../src/control/join/introducers.ts'
import { bookSchema, InvitationBook } from '../../src/control/join/invitation-book.ts'
import { invite } from '../../src/control/join/invite.ts'
import { joinDialogue } from '../../src/control/join/join-dialogue.ts'
import { type Question, type Reply, type Request, readMessage } from '../../src/control/join/join-message.ts'
import { Joining, wish } from '../../src/control/join/joining.ts'
import { decodeToken } from '../../src/control/join/token.ts'
import { base64Of, publicKeyOf } from '../../src/control/key.ts'
import type { Place, Speaker } from '../../src/control/tunnels.ts'
import { keyBytes } from './config.ts'
import { OwnHome } from './own-home.ts'

export const NOW = 1_700_000_000

/** A host that invites, on files of its own. */
export class Inviting {
  readonly home: OwnHome
  readonly introducers = new Introducers()
  book = new InvitationBook()
  now = NOW
  readonly announced: string[] = []
  private saved = ''
  private hosting: Hosting

  constructor(home: OwnHome) {
    this.home = home
    this.hosting = this.open()
  }

  /** There is no room to remember anything. */
  full = false

  save = (): void => {
    if (this.full) throw new Error('no space left on device')
    this.saved = JSON.stringify(this.book)
  }

  /** As after the end of the agent. */
  restart(): void {
    this.hosting.close()
    this.book = new InvitationBook(bookSchema.parse(JSON.parse(this.saved)))
    this.hosting = this.open()
  }

  async token(name: string, more: object = {}): Promise<string> {
    return (await invite({ name, ...more }, this, this.now)).token
  }

  /** What is answered to a speaker; the ids of questions are its own business. */
  async ask(speaker: Speaker, question: Question): Promise<Reply> {
    const body = await this.hosting.handle(speaker, { ...question, id: this.nextId++ } as Request)
    const { id, ...reply } = readMessage(body!) as { id: number } & Reply
    return reply
  }

  private nextId = 1

  private open(): Hosting {
    return new Hosting({
      home: this.home,
      book: this.book,
      placeOf: () => null,
      save: this.save,
      announce: (network, key) => void this.announced.push(`${network} ${key}`),
      now: () => this.now,
    })
  }
}

/** With these networks in its hand-written file. */
export async function host(networks: string, more = ''): Promise<Inviting> {
  const own = new OwnHome().write('own', base64Of(keyBytes(1)))
  return new Inviting(await OwnHome.make(`node: host-a\nprivateKeyFile: ${own}\nnetworks: { ${networks} }\n${more}`))
}

export const BLUE = 'blue: { vni: 42, address: 10.42.0.1/24 }'
export const TUN = 'blue: { vni: 42, device: tun, mtu: 1300, address: [10.42.0.1/24, "fd00:42::1/64"] }'

/** The guest that a token makes of who holds it, heard from `place`. */
export function guest(token: string, place: Place | null = { address: '198.18.0.2', port: 51820 }): Speaker {
  const { privateKey } = decodeToken(token)
  return { publicKey: base64Of(publicKeyOf(privateKey.copy())), place, guest: true }
}

export function joinWith(key: string, want: string[] = []): Question {
  return { ask: 'join', key, port: 51820, at: ['198.18.0.2'], want }
}

/** Joins for good: what `vtepd join` does, with the wire left out. */
export async function joined(
  a: Inviting,
  home: OwnHome,
  token: string,
  want: string[] = [],
  from?: Place,
): Promise<Joining> {
  const introducers = new Introducers()
  const side = new Joining({
    token: decodeToken(token),
    want: want.map(wish),
    own: home.config()?.publicKey ? null : keyFor(home.configDir),
    parts: {
      home,
      introducers,
      introducersPath: (node) => statePath(home.stateDir, node, 'introducers.json'),
      port: 51820,
      open: () => Promise.reject(new Error('there is no wire')),
      close: async () => {},
      ended: new Promise(() => {}),
    },
  })
  side.reached = { host: '198.18.0.1', port: 51820 }
  const speaker = guest(token, from ?? { address: home.addressList[0]!, port: 51820 })
  await joinDialogue((question) => a.ask(speaker, question), side)
  return side
}

/** A host without a configuration. */
export async function bare(address: string): Promise<OwnHome> {
  return Object.assign(await OwnHome.make(), { addressList: [address] })
}
