// `vtepd join`: this host becomes a member of the network that a token invites it to. It calls the other host as the token's one-time
// key, over WireGuard's own port, gives it the public half of a key of its own and gets a place. Until the other host has said yes,
// nothing is written here; what is made of its answers is joining.ts's business. docs/command-line.md. Cold.
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import * as z from 'zod'
import { ApiError } from '../api/api.ts'
import type { Endpoint } from '../config/endpoint.ts'
import { base64Of } from '../key.ts'
import { Asker, NoAnswer } from './asker.ts'
import { type Home, keyFor } from './home.ts'
import type { Introducers } from './introducers.ts'
import { drive } from './introductions.ts'
import { portOf } from './invite.ts'
import { joinDialogue } from './join-dialogue.ts'
import type { Answer } from './join-message.ts'
import { joinRefusal } from './join-refusal.ts'
import { checkOrigin, Joining, wish } from './joining.ts'
import { decodeToken, type Token, TokenError } from './token.ts'
import type { Call } from './visit.ts'

/** Milliseconds: until the other host must have answered, and from one of its addresses to the next while it has not. */
const PATIENCE = 20_000
const NEXT_PLACE = 2000

/** What is asked; the command's flags. */
export const joinShape = z.strictObject({
  token: z.string(),
  address: z.array(z.string()).max(2).optional(),
  port: z.string().optional(),
})
export type JoinRequest = z.output<typeof joinShape>

export interface Joined {
  /** What the others call this host. */
  readonly name: string
  readonly network: string
  readonly vni: number
  readonly interface: string
  readonly address: readonly string[]
  /** Who invited us. */
  readonly host: string
  readonly peers: readonly string[]
  /** Members that will not hear of us from there. */
  readonly untold: readonly string[]
  readonly files: readonly string[]
}

/** The tunnel to the host that invites: TunnelControl's visit. */
export interface Visitor {
  callAt(address: string, port: number): Promise<void>
  tell(body: Uint8Array): void
}

export interface JoinParts {
  readonly home: Home
  readonly introducers: Introducers
  /** Where they are remembered, for the node of this name. */
  introducersPath(node: string): string
  /** WireGuard's port here. */
  readonly port: number
  /** Opens the tunnel, and closes it. `heard` gets what comes out of it. */
  open(call: Call, heard: (answer: Answer) => void): Promise<Visitor>
  close(): Promise<void>
  /** Rejects when it is to end before its time. */
  readonly ended: Promise<never>
}

/** Throws ApiError; then nothing is left of it here. */
export async function join(request: JoinRequest, parts: JoinParts): Promise<Joined> {
  const token = tokenOf(request.token)
  const config = parts.home.config()
  portOf(request.port, config)
  const want = (request.address ?? []).map(wish)
  checkOrigin(token, config)
  const own = config?.publicKey ? null : keyFor(parts.home.configDir)
  try {
    const side = new Joining({ token, want, own, parts })
    await converse(token, parts, side)
    return side.joined!
  } catch (error) {
    throw joinRefusal(error, token)
  } finally {
    own?.key.zero()
    token.privateKey.zero()
    token.presharedKey.zero()
  }
}

function tokenOf(text: string): Token {
  try {
    return decodeToken(text)
  } catch (error) {
    throw error instanceof TokenError ? new ApiError(400, error.message) : error
  }
}

async function converse(token: Token, parts: JoinParts, side: Joining): Promise<void> {
  const places = await placesOf(token.endpoints)
  let visitor: Visitor | null = null
  const asker = new Asker((body) => visitor?.tell(body))
  const { privateKey, presharedKey } = token
  const call = { privateKey, presharedKey, publicKey: base64Of(token.publicKey) }
  let timer: NodeJS.Timeout | null = null
  // Each in its turn, and with a new handshake, until one answers.
  const tryAt = async (n: number): Promise<void> => {
    const { address, endpoint } = places[n % places.length]!
    await visitor!.callAt(address, endpoint.port!)
    if (asker.answered) return
    side.reached = endpoint
    timer = setTimeout(() => {
      if (!asker.answered) void tryAt(n + 1).catch(() => {})
    }, NEXT_PLACE)
  }
  try {
    visitor = await parts.open(call, (answer) => asker.handle(answer))
    await tryAt(0)
    const dialogue = drive(asker, (ask) => joinDialogue(ask, side), PATIENCE)
    await Promise.race([dialogue, parts.ended])
  } finally {
    if (timer) clearTimeout(timer)
    asker.close(new NoAnswer('no answer'))
    await parts.close()
  }
}

async function placesOf(
  endpoints: readonly Endpoint[],
): Promise<readonly { readonly endpoint: Endpoint; readonly address: string }[]> {
  const found: { endpoint: Endpoint; address: string }[] = []
  for (const endpoint of endpoints) {
    const { host } = endpoint
    const all = isIP(host) === 0 ? await lookup(host, { all: true }).catch(() => []) : [{ address: host }]
    found.push(...all.map(({ address }) => ({ endpoint, address })))
  }
  if (found.length > 0) return found
  throw new ApiError(
    409,
    `no address is known for ${endpoints.map((e) => e.host).join(', ')}, where the token says to call`,
  )
}
