// `vtepd invite`: a token for another host, and before that, on a host without a secure network, a network to invite it to. Works on
// files and on what is remembered alone, so that a command can do it where no agent runs. docs/command-line.md. Cold.
import { generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import * as z from 'zod'
import { ApiError } from '../api/api.ts'
import { cidrText, parseAddress, parseCidr } from '../cidr.ts'
import { parseDuration } from '../config/duration.ts'
import { type Endpoint, endpointText, parseEndpoint } from '../config/endpoint.ts'
import { nearest } from '../config/fault.ts'
import type { Config, NetworkConfig } from '../config/model.ts'
import { base64Of, generatePresharedKey, publicKeyOf } from '../key.ts'
import { Secret } from '../secret.ts'
import { newAddress, newVni } from './address-plan.ts'
import { confPath, FileChange, isOurs } from './conf-files.ts'
import { addressesOfHost, type Home, keyFor } from './home.ts'
import type { Introducers } from './introducers.ts'
import { INVITATIONS_MAX, type Invitation, type InvitationBook } from './invitation-book.ts'
import { strangers, strangersText } from './member-rules.ts'
import { ENDPOINTS_MAX, encodeToken, NAME } from './token.ts'

export const DEFAULT_EXPIRY = '1h'
const EXPIRY_MAX = 30 * 86_400
/** What a first network is called. */
const FIRST_NETWORK = 'overlay'

/** What is asked; the command's flags. */
export const inviteShape = z.strictObject({
  name: z.string(),
  network: z.string().optional(),
  expires: z.string().optional(),
  endpoint: z.array(z.string()).max(ENDPOINTS_MAX).optional(),
  address: z.array(z.string()).max(2).optional(),
  device: z.enum(['tap', 'tun']).optional(),
  port: z.string().optional(),
})
export type InviteRequest = z.output<typeof inviteShape>

export interface Invited {
  readonly token: string
  readonly name: string
  readonly network: string
  readonly vni: number
  /** Our addresses in the network. */
  readonly address: readonly string[]
  /** Seconds since 1970. */
  readonly expires: number
  /** Where the other host will look for this one. */
  readonly endpoints: readonly string[]
  /** What was written for it: a host that has its network already needs nothing. */
  readonly files: readonly string[]
}

export interface InviteParts {
  readonly home: Home
  readonly book: InvitationBook
  readonly introducers: Introducers
  /** Remembers the book; throws ApiError. */
  save(): void
}

/** Throws ApiError. Resolves with the invitation once it is remembered, and with what was made for it in force. */
export async function invite(request: InviteRequest, parts: InviteParts, now: number): Promise<Invited> {
  const { home, book } = parts
  const expires = Math.floor(now) + expiryOf(request.expires ?? DEFAULT_EXPIRY)
  checkName(request.name, parts)
  const endpoints = request.endpoint?.map(endpointOf) ?? ownEndpoints(home)
  if (book.all.length >= INVITATIONS_MAX)
    throw new ApiError(409, `${INVITATIONS_MAX} invitations are kept already; wait`)
  const files = new FileChange()
  const found = chosen(request, parts.introducers, home.config())
  const name = found?.name ?? (await create(request, home, files))
  try {
    const config = home.config()!
    const network = config.networks.find((n) => n.name === name)!
    const pair = oneTimePair()
    const preshared = generatePresharedKey()
    const invitation: Invitation = {
      name: request.name,
      network: name,
      guest: pair.publicKey,
      presharedKey: new Secret(preshared),
      expires,
      came: null,
      replaced: null,
    }
    preshared.fill(0)
    const token = encodeToken({
      expires,
      privateKey: pair.privateKey,
      publicKey: Buffer.from(config.publicKey!, 'base64'),
      presharedKey: invitation.presharedKey,
      network: name,
      vni: network.vni,
      name: request.name,
      host: config.node,
      endpoints: endpoints.map(({ host, port }) => ({ host, port: port ?? config.underlay.wireguardPort })),
    })
    pair.privateKey.zero()
    book.add(invitation, now)
    parts.save()
    return answer(invitation, { network, token, files, endpoints, port: config.underlay.wireguardPort })
  } catch (error) {
    const wrote = files.written.length > 0
    files.undo()
    if (wrote) await home.reload().catch((e: unknown) => home.said(String(e)))
    throw error
  }
}

interface AnswerParts {
  readonly network: NetworkConfig
  readonly token: string
  readonly files: FileChange
  readonly endpoints: readonly Endpoint[]
  readonly port: number
}

function answer({ name, expires }: Invitation, { network, token, files, endpoints, port }: AnswerParts): Invited {
  return {
    token,
    name,
    network: network.name,
    vni: network.vni,
    address: [...network.addresses],
    expires,
    endpoints: endpoints.map((e) => endpointText(e.host, e.port ?? port)),
    files: [...files.written],
  }
}

function oneTimePair(): { privateKey: Secret; publicKey: string } {
  const { d } = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' })
  const bytes = Buffer.from(d!, 'base64url')
  const privateKey = new Secret(bytes)
  const publicKey = base64Of(publicKeyOf(bytes))
  bytes.fill(0)
  return { privateKey, publicKey }
}

function expiryOf(text: string): number {
  const seconds = parseDuration(text)
  if (seconds !== null && seconds >= 1 && seconds <= EXPIRY_MAX) return seconds
  throw new ApiError(
    400,
    `expires: want a duration of 1s to ${EXPIRY_MAX / 3600}h, like 30m, got ${JSON.stringify(text)}`,
  )
}

function checkName(name: string, { home, book }: InviteParts): void {
  if (!NAME.test(name) || parseAddress(name)) {
    const want = 'want 1..63 letters, digits, dots, underscores and hyphens, a letter or digit first, and no address'
    throw new ApiError(400, `name: ${want}, got ${JSON.stringify(name)}`)
  }
  const config = home.config()
  if (name === config?.node) throw new ApiError(400, `name: ${name} is this host itself; choose one for the other host`)
  const path = confPath(home.configDir, name)
  const ours = isOurs(path)
  if (ours === false) throw new ApiError(409, `${path} is there, and vtepd did not write it; choose another name`)
  const had = config?.peers.find((p) => p.name === name)
  // One that came by invitation may come again, made anew perhaps: it keeps its name.
  const came = had && ours && config?.networks.some((n) => book.brought(n.name).some((b) => b.key === had.publicKey))
  if (had && !came) throw new ApiError(409, `name: ${name} is a peer already; choose another, or remove it and reload`)
}

function endpointOf(text: string): Endpoint {
  const endpoint = parseEndpoint(text)
  if (endpoint) return endpoint
  throw new ApiError(400, `endpoint: want host, host:port, IPv6 or [IPv6]:port, got ${JSON.stringify(text)}`)
}

function ownEndpoints(home: Home): Endpoint[] {
  const all = home.addresses().slice(0, ENDPOINTS_MAX)
  if (all.length > 0) return all.map((host) => ({ host, port: null }))
  throw new ApiError(409, 'this host has no address that another could call; name one with --endpoint HOST:PORT')
}

// The network that is meant; null: it is to be made.
function chosen(
  { network, address }: InviteRequest,
  introducers: Introducers,
  config: Config | null,
): NetworkConfig | null {
  const secure = config?.networks.filter((n) => n.security === 'secure') ?? []
  const names = secure.map((n) => n.name)
  if (network === undefined && address !== undefined) return null
  if (network === undefined && secure.length > 1) {
    throw new ApiError(400, `network: want one of ${names.join(', ')}; choose with --network NAME`)
  }
  const found = network === undefined ? secure[0] : config?.networks.find((n) => n.name === network)
  if (!found) {
    if (network === undefined || names.length === 0 || address !== undefined) return null
    const guess = nearest(network, names)
    const mend = guess ? `did you mean ${guess}?` : `there are ${names.join(', ')}.`
    throw new ApiError(400, `network: there is no "${network}"; ${mend} For a new one give --address too`)
  }
  if (address !== undefined) throw new ApiError(400, `address: network ${found.name} is there; leave --address away`)
  if (found.security === 'plain') {
    throw new ApiError(409, `network: ${found.name} is plain, and an invitation is to a secure one; choose another`)
  }
  if (found.device === 'tun' && found.addresses.length === 0) {
    throw new ApiError(409, `network: ${found.name} is tun and has no address, so that there is none to give; add one`)
  }
  const by = introducers.of(found.name)
  if (by) {
    const why = `${by.name} brought this host into network ${found.name}, and its members take new ones from there alone`
    throw new ApiError(409, `${why}; invite on ${by.name}`)
  }
  return found
}

// A secure network for a host that has none, or that is to have another. Its name.
async function create(request: InviteRequest, home: Home, files: FileChange): Promise<string> {
  const config = home.config()
  const name = request.network ?? FIRST_NETWORK
  if (!NAME.test(name)) throw new ApiError(400, `network: ${JSON.stringify(name)} does not do as a name`)
  if (config?.networks.some((n) => n.name === name)) throw new ApiError(409, `network: ${name} is there already`)
  const port = portOf(request.port, config)
  const device = request.device ?? 'tap'
  const vni = newVni((n) => config?.networks.some((x) => x.vni === n) === true || home.host.hasDevice(`vt${n}`))
  if (vni === null) throw new ApiError(409, 'network: every VNI is in use')
  const address = request.address?.map(addressOf) ?? [freeAddress(home, config)]
  const own = config?.publicKey ? null : keyFor(home.configDir)
  try {
    if (own?.isNew) files.key(own.path, own.key)
    files.configuration(
      confPath(home.configDir, `network-${name}`),
      [`network ${name}, made by \`vtepd invite\`.`, 'Yours to change; vtepd does not write it again.'],
      {
        ...(own ? { privateKeyFile: own.path } : {}),
        ...(port === null ? {} : { underlay: { wireguardPort: port } }),
        networks: { [name]: { vni, device, address } },
      },
    )
    const others = strangers(await home.read(), name, [])
    if (others.length > 0) throw new ApiError(409, strangersText(others, name))
    await home.reload()
    return name
  } catch (error) {
    files.undo()
    throw error
  } finally {
    own?.key.zero()
  }
}

function freeAddress(home: Home, config: Config | null): string {
  const others = [
    ...addressesOfHost(home.host, config).map((a) => a.cidr),
    ...(config?.networks.flatMap((n) => n.addresses) ?? []),
  ]
  const address = newAddress(others)
  if (address) return address
  throw new ApiError(409, 'network: no prefix of 10.42.0.0/16 is free here; give --address CIDR')
}

function addressOf(text: string): string {
  const cidr = parseCidr(text)
  if (cidr) return cidrText(cidr)
  throw new ApiError(400, `address: want ADDRESS/LENGTH, like 10.42.0.1/24, got ${JSON.stringify(text)}`)
}

/** WireGuard's port for a host without a configuration; null: the usual one. */
export function portOf(text: string | undefined, config: Config | null): number | null {
  if (text === undefined) return null
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (port < 1 || port > 65535) throw new ApiError(400, `port: want 1..65535, got ${JSON.stringify(text)}`)
  if (!config) return port
  throw new ApiError(409, 'port: this host has a configuration; write underlay.wireguardPort there')
}

/** Where the preshared key of a peer that came by invitation, or invited us, is kept. */
export function presharedPath(configDir: string, name: string): string {
  return join(configDir, 'conf.d', `${name}.psk`)
}
