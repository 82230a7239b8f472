// Why a join came to nothing, for the person who typed it. Cold.
import { ApiError } from '../api/api.ts'
import { endpointText } from '../config/endpoint.ts'
import { NoAnswer } from './asker.ts'
import { Refusing } from './join-dialogue.ts'
import type { Refused, Why } from './join-message.ts'
import type { Token } from './token.ts'

/** `error` as ApiError. */
export function joinRefusal(error: unknown, token: Token): unknown {
  if (error instanceof Refusing) return refusedBy(token, error.no)
  return error instanceof NoAnswer ? unanswered(token) : error
}

type No = Refused['no']

// What has to be typed again is the caller's mistake (400), the rest is not possible now (409).
const SENTENCES: Record<Why, (token: Token, no: No) => readonly [400 | 409, string]> = {
  used: (t, { at }) => [409, `this invitation was used on ${day(at)}; ${anew(t)}`],
  expired: (t, { at }) => [409, `this invitation has expired, on ${day(at)}; ${anew(t)}`],
  replaced: (t, { at }) => [409, `another invitation for ${t.name} replaced this one on ${day(at)}; use that one`],
  gone: (t) => [409, `${t.host} has no network ${t.network} any more; ${anew(t)}`],
  'key-in-use': (t) => [409, `${t.host} knows this host's public key already, as another peer; see its configuration`],
  'address-taken': (_, { text }) => [400, `address: ${text} is taken; choose another, or leave --address away`],
  'address-outside': (_, { text }) => [400, `address: ${text} is none for a host of the network; choose another`],
  full: (t, { text }) => [409, `no address of ${text} is free; give network ${t.network} a larger prefix on ${t.host}`],
  failed: (t) => [409, `${t.host} could not take this host in; its log says why`],
  'not-asked': (t) => [409, `${t.host} does not answer that; bring both hosts to one version of vtepd`],
}

function refusedBy(token: Token, no: No): ApiError {
  const [status, sentence] = SENTENCES[no.why](token, no)
  return new ApiError(status, sentence)
}

function unanswered(t: Token): ApiError {
  const where = t.endpoints.map((e) => endpointText(e.host, e.port!)).join(', ')
  const ports = [...new Set(t.endpoints.map((e) => e.port))].join(', ')
  const look = `is its agent running, and UDP port ${ports} let through?`
  const late = `An invitation is answered until a day after its end; this one's is ${day(t.expires)}`
  return new ApiError(504, `no answer from ${t.host} at ${where}: ${look} ${late}`)
}

function anew({ name, host }: Token): string {
  return `ask for another: \`vtepd invite ${name}\` on ${host}`
}

function day(seconds: number | null): string {
  const text = new Date((seconds ?? 0) * 1000).toISOString()
  return `${text.slice(0, 10)} at ${text.slice(11, 16)} UTC`
}
