// Which addresses of a network are free, and a network for hosts that have none. Pure; cold.
import { addressText, bits, type Cidr, cidrText, covers, network, parseAddress, parseCidr } from '../cidr.ts'
import { no, type Refused } from './join-message.ts'

/** Addresses that are looked at before a prefix counts as full. */
const LOOK = 1 << 17
/** Where new networks lie: RFC 1918's, and not where home routers are. */
const PRIVATE = parseCidr('10.42.0.0/16')!
const NEW_LENGTH = 24
/** The VNI of a first network. */
const FIRST_VNI = 42
const VNIS = 1 << 24

/** The prefixes of a network, by the addresses of a device in it: one of each family. */
export function prefixesOf(addresses: readonly string[]): Cidr[] {
  const all = addresses.map((text) => network(parseCidr(text)!))
  return [false, true].flatMap((v6) => all.find((prefix) => prefix.v6 === v6) ?? [])
}

/**
 * Addresses with their lengths for a new host in these prefixes: those it wants, else the next free ones. `taken`: addresses of
 * others, with or without a length.
 */
export function planAddresses(
  prefixes: readonly Cidr[],
  taken: readonly string[],
  want: readonly string[],
): { readonly addresses: readonly string[] } | Refused {
  const used = new Set(taken.map(addressKey))
  const wanted = want.map((text) => parseCidr(text) ?? parseAddress(text)!)
  for (const one of wanted) {
    const prefix = prefixes.find((p) => isHost(p, one))
    if (!prefix) return no('address-outside', addressText(one))
    if (used.has(keyOf(one))) return no('address-taken', addressText(one))
  }
  const addresses: string[] = []
  for (const prefix of prefixes) {
    const one = wanted.find((w) => w.v6 === prefix.v6) ?? nextFree(prefix, used)
    if (!one) return no('full', cidrText(prefix))
    addresses.push(cidrText({ ...one, length: prefix.length }))
  }
  return { addresses }
}

function nextFree(prefix: Cidr, used: ReadonlySet<string>): Cidr | null {
  const end = prefix.value + (1n << BigInt(bits(prefix.v6) - prefix.length))
  for (let value = prefix.value, n = 0; value < end && n < LOOK; value++, n++) {
    const one = { v6: prefix.v6, value, length: bits(prefix.v6) }
    if (isHost(prefix, one) && !used.has(keyOf(one))) return one
  }
  return null
}

// Whether a host of the prefix may have the address: not the prefix's first (RFC 4291 §2.6.1: any router's), nor in IPv4 its last.
function isHost(prefix: Cidr, one: Cidr): boolean {
  const host = BigInt(bits(prefix.v6) - prefix.length)
  if (!covers(prefix, { ...one, length: bits(one.v6) })) return false
  if (host <= 1n) return true
  const part = one.value - prefix.value
  return part !== 0n && (prefix.v6 || part !== (1n << host) - 1n)
}

function addressKey(text: string): string {
  const one = parseCidr(text) ?? parseAddress(text)
  return one ? keyOf(one) : text
}

function keyOf({ v6, value }: Cidr): string {
  return `${v6 ? 6 : 4} ${value}`
}

/** Our address in a new network that lies beside all of `others`; null: there is no room. */
export function newAddress(others: readonly string[]): string | null {
  const taken = others.flatMap((text) => parseCidr(text) ?? parseAddress(text) ?? [])
  const step = 1n << BigInt(32 - NEW_LENGTH)
  for (let value = PRIVATE.value; value < PRIVATE.value + (1n << 16n); value += step) {
    const prefix = { v6: false, value, length: NEW_LENGTH }
    const meets = (other: Cidr): boolean => covers(prefix, other) || covers(network(other), prefix)
    if (!taken.some(meets)) return cidrText({ ...prefix, value: value + 1n })
  }
  return null
}

/** The lowest VNI from the usual first one on that nobody has. */
export function newVni(isTaken: (vni: number) => boolean): number | null {
  for (let vni = FIRST_VNI; vni < VNIS; vni++) if (!isTaken(vni)) return vni
  return null
}

/** The prefixes of tun hosts: their addresses alone. */
export function hostPrefixes(addresses: readonly string[]): string[] {
  return addresses.map((text) => {
    const one = parseCidr(text)!
    return cidrText({ ...one, length: bits(one.v6) })
  })
}
