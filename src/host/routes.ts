// Routes of the main table: listed, and changed many at a time, by route netlink. Prefixes are canonical CIDRs (no host bits,
// RFC 5952), as the kernel has them. Cold.
import { getSystemErrorMap } from 'node:util'
import * as native from './addon.ts'
import { addressBytes, addressText, cidrBytes } from './sockaddr.ts'

/** Whose a route is: `ip route show proto 118`. Ours alone; /etc/iproute2/rt_protos may give it a name. */
export const PROTOCOL = 118

/** What the kernel takes when none is named: the first for IPv4, IP6_RT_PRIO_USER for IPv6. */
const USUAL_METRIC = { 4: 0, 6: 1024 } as const
const ADDED_BY_ANYBODY = 0

// struct Route in native/netlink.h: four bytes, index, metric, MTU, prefix, gateway.
const ROW = 48
const FAMILY = 0
const LENGTH = 1
const MAKER = 2
const FLAGS = 3
const INDEX = 1
const METRIC = 2
const MTU = 3
const PREFIX = 16
const GATEWAY = 32
const VIA = 1
const ONLINK = 2
const MANY = 4
const NOWHERE = 8
const LOCAL = 16

const VERBS = ['add', 'replace', 'delete'] as const
export type Verb = (typeof VERBS)[number]

/** What a route says, beside its prefix. */
export interface Way {
  /** Of the device. */
  readonly index: number
  /** The gateway, or null: what the prefix holds is on the link. */
  readonly via: string | null
  /** The gateway is on the link, whatever the host's addresses say. */
  readonly onlink: boolean
  /** Named by the route; null: none is. */
  readonly mtu: number | null
}

export interface KernelRoute extends Way {
  readonly prefix: string
  readonly metric: number
  /** Who made it: rtnetlink(7), rtm_protocol. */
  readonly protocol: number
  /**
   * many: it has several next hops, and the first is what is listed · nowhere: blackhole, unreachable and the like · local: an
   * address of this host.
   */
  readonly kind: 'one' | 'many' | 'nowhere' | 'local'
}

export interface Change {
  readonly verb: Verb
  readonly prefix: string
  readonly way: Way
  /** Default: the family's usual one. */
  readonly metric?: number
}

/** All routes of a family that `protocol` made; of everybody when it is left out. */
export function list(family: 4 | 6, netns: string | null, protocol = ADDED_BY_ANYBODY): KernelRoute[] {
  const bytes = native.routeList(netns, family, protocol)
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
  return Array.from({ length: bytes.length / ROW }, (_, i) => read(bytes, words, i * ROW))
}

/** The route that a packet to an address takes, of whatever table; null: there is none. */
export function to(address: string, netns: string | null): KernelRoute | null {
  const bytes = native.routeTo(netns, addressBytes(address))
  return bytes && read(bytes, new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4), 0)
}

/**
 * Makes changes one after the other, all as PROTOCOL's. Answers a code for each that failed (`add`: EEXIST, the prefix has a
 * route of that metric, whoever's · `delete`: ESRCH, we have no such route), null for each that is done. `replace` takes the
 * place of whatever has the prefix and the metric, whoever's.
 */
export function change(changes: readonly Change[], netns: string | null): (string | null)[] {
  if (changes.length === 0) return []
  const rows = new Uint8Array(changes.length * ROW)
  const words = new Uint32Array(rows.buffer)
  for (const [i, c] of changes.entries()) write(rows, words, i * ROW, c)
  const errors = native.routeChange(
    netns,
    Uint8Array.from(changes, (c) => VERBS.indexOf(c.verb)),
    rows,
  )
  return Array.from(errors, (e) => (e === 0 ? null : (getSystemErrorMap().get(e)?.[0] ?? String(e))))
}

/** Whether the kernel's route is this one, as PROTOCOL's. */
export function isThis(have: KernelRoute, want: Way): boolean {
  return (
    have.protocol === PROTOCOL &&
    have.kind === 'one' &&
    have.metric === usualMetric(have.prefix) &&
    have.index === want.index &&
    have.via === want.via &&
    have.onlink === want.onlink &&
    have.mtu === want.mtu
  )
}

/** Of a prefix without a metric of its own. */
export function usualMetric(prefix: string): number {
  return USUAL_METRIC[prefix.includes(':') ? 6 : 4]
}

function read(bytes: Uint8Array, words: Uint32Array, at: number): KernelRoute {
  const word = at / 4
  const flags = bytes[at + FLAGS]!
  const width = bytes[at + FAMILY] === 4 ? 4 : 16
  const address = (from: number): string => addressText(bytes.subarray(at + from, at + from + width))
  return {
    prefix: `${address(PREFIX)}/${bytes[at + LENGTH]}`,
    index: words[word + INDEX]!,
    via: flags & VIA ? address(GATEWAY) : null,
    onlink: (flags & ONLINK) !== 0,
    mtu: words[word + MTU] === 0 ? null : words[word + MTU]!,
    metric: words[word + METRIC]!,
    protocol: bytes[at + MAKER]!,
    kind: flags & NOWHERE ? 'nowhere' : flags & LOCAL ? 'local' : flags & MANY ? 'many' : 'one',
  }
}

function write(rows: Uint8Array, words: Uint32Array, at: number, { prefix, way, metric }: Change): void {
  const word = at / 4
  const { bytes, prefix: length } = cidrBytes(prefix)
  rows[at + FAMILY] = bytes.length === 4 ? 4 : 6
  rows[at + LENGTH] = length
  rows[at + MAKER] = PROTOCOL
  rows[at + FLAGS] = (way.via === null ? 0 : VIA) | (way.onlink ? ONLINK : 0)
  words[word + INDEX] = way.index
  words[word + METRIC] = metric ?? usualMetric(prefix)
  words[word + MTU] = way.mtu ?? 0
  rows.set(bytes, at + PREFIX)
  if (way.via === null) return
  const gateway = addressBytes(way.via)
  if (gateway.length !== bytes.length) throw new TypeError(`${prefix}: ${way.via} is an address of the other family`)
  rows.set(gateway, at + GATEWAY)
}
