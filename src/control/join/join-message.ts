// What agents say to each other about who is in a network: bodies of CONTROL messages (wire/agent-message), so inside a tunnel
// always. One byte of version, then a JSON object in ASCII, 1200 bytes at most. A request has an id that its answer repeats; both
// may get lost, come twice, and late. What does not have the form below is nothing: `readMessage` is where that is decided, for
// whoever holds a token, and every member, may send anything. docs/command-line.md describes the exchange. Cold.
import * as z from 'zod'
import { parseCidr, parsePrefix } from '../cidr.ts'
import { parseEndpoint } from '../config/endpoint.ts'
import { isKey, isZeroKey, keyFromBase64 } from '../key.ts'
import { NAME } from './token.ts'

/** Bytes of a body: with all headers it crosses any link that IPv6 crosses. */
export const BODY_MAX = 1200
const VERSION = 1
/** Prefixes of a member, addresses of a host: more is no host's. */
export const LIST_MAX = 8

/** Why a request is refused. `text` says which address, or when: seconds since 1970. */
export const REFUSALS = [
  'used', // the invitation was, `at`
  'expired', // `at`
  'replaced', // by another for the same name, `at`
  'gone', // the network or the invitation is there no more
  'key-in-use', // some other peer has the public key
  'address-taken', // `text`
  'address-outside', // `text` is no address for a host in the network's prefixes
  'full', // no address is free
  'failed', // over there, and its log says why
  'not-asked', // not a question that this peer may ask
] as const
export type Why = (typeof REFUSALS)[number]

const name = z.string().regex(NAME)
const key = z.string().refine((text) => isKey(text) && !isZeroKey(keyFromBase64(Buffer.from(text))!))
const cidr = z.string().refine((text) => parseCidr(text) !== null)
const prefix = z.string().refine((text) => parsePrefix(text) !== null)
const endpoint = z.string().refine((text) => parseEndpoint(text)?.port !== undefined)
const id = z.int().min(0).max(0xffffffff)
const count = z.int().min(0).max(0xffff)
const port = z.int().min(1).max(65535)
const vni = z.int().min(0).max(0xffffff)
const time = z.int().min(0)
const words = z.string().regex(/^[ -~]{0,100}$/)

const member = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9:][A-Za-z0-9._:-]{0,62}$/),
  key,
  /** Where it is called; null: it calls. */
  endpoint: endpoint.nullable(),
  /** tun: what is behind it. */
  ips: z.array(prefix).max(LIST_MAX),
  /** Whether it hears of new members from who says this. */
  told: z.boolean(),
})

const offer = z.strictObject({
  network: z.strictObject({ name, vni, device: z.enum(['tap', 'tun']), mtu: z.int().min(68).max(65535).nullable() }),
  /** The network's, one of a family at most; none: it has no addresses. */
  prefixes: z.array(cidr).max(2),
  /** tun: what is behind the host that invites. */
  ips: z.array(prefix).max(LIST_MAX),
})

const grant = z.strictObject({
  addresses: z.array(cidr).max(2),
  /** Whether the joining host was heard from where it says it is: else something translates its address. */
  direct: z.boolean(),
})

const page = z.strictObject({
  /** Of the whole list: pages of two lists do not go together. */
  version: z.string().regex(/^[0-9a-f]{16}$/),
  from: count,
  /** Where the next page begins; null: this is the last. */
  next: count.nullable(),
  members: z.array(member).max(64),
})

const requests = [
  z.strictObject({ id, ask: z.literal('offer') }),
  z.strictObject({
    id,
    ask: z.literal('join'),
    key,
    /** WireGuard's, and the addresses that the host has on the underlay. */
    port,
    at: z.array(prefix).max(LIST_MAX),
    /** Addresses that it wants, without a length. */
    want: z.array(prefix).max(2),
  }),
  z.strictObject({ id, ask: z.literal('done') }),
  z.strictObject({ id, ask: z.literal('undo') }),
  z.strictObject({ id, ask: z.literal('members'), network: name, from: count }),
] as const

const answers = [
  z.strictObject({ id, offer }),
  z.strictObject({ id, grant }),
  z.strictObject({ id, page }),
  z.strictObject({ id, done: z.literal(true) }),
  z.strictObject({ id, no: z.strictObject({ why: z.enum(REFUSALS), at: time.nullable(), text: words }) }),
] as const

const notices = [
  /** Members of the network have come; who wants to know asks. */
  z.strictObject({ changed: name }),
  /** We are here: who hears this has a session with us. No answer. */
  z.strictObject({ hello: name }),
] as const

const message = z.union([...requests, ...answers, ...notices])

export type Member = z.output<typeof member>
export type Offer = z.output<typeof offer>
export type Grant = z.output<typeof grant>
export type Page = z.output<typeof page>
export type JoinMessage = z.output<typeof message>
export type Request = Extract<JoinMessage, { ask: string }>
export type Notice = Extract<JoinMessage, { changed: string } | { hello: string }>
export type Answer = Exclude<JoinMessage, Request | Notice>
/** A request before it has an id, an answer before it has one. */
export type Question = WithoutId<Request>
export type Reply = WithoutId<Answer>
export type Refused = Extract<Reply, { no: object }>
type WithoutId<T> = T extends { id: number } ? Omit<T, 'id'> : never

/** The body of a message. */
export function writeMessage(m: JoinMessage): Uint8Array {
  const text = Buffer.from(JSON.stringify(m))
  if (text.length >= BODY_MAX) throw new Error(`a message of ${text.length} bytes`)
  return Uint8Array.from([VERSION, ...text])
}

/** null: none of ours. */
export function readMessage(body: Uint8Array): JoinMessage | null {
  if (body.length > BODY_MAX || body[0] !== VERSION) return null
  try {
    const text = Buffer.from(body.buffer, body.byteOffset + 1, body.length - 1).toString('ascii')
    const read = message.safeParse(JSON.parse(text))
    return read.success ? read.data : null
  } catch {
    return null
  }
}

export function no(why: Why, text = '', at: number | null = null): Refused {
  return { no: { why, at, text } }
}

/** As many of `members`, from one on, as fit into an answer. */
export function pageOf(members: readonly Member[], from: number, version: string): Page {
  const fits = (list: readonly Member[]): boolean => {
    const whole = { id: 0xffffffff, page: { version, from: 0xffff, next: 0xffff, members: list } }
    return JSON.stringify(whole).length < BODY_MAX
  }
  const list: Member[] = []
  for (const one of members.slice(from, from + 64)) {
    if (!fits([...list, one])) break
    list.push(one)
  }
  const next = from + list.length
  return { version, from, next: next < members.length && list.length > 0 ? next : null, members: list }
}
