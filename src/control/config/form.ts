// Forms that values of the configuration have, each with what is said when a value has another: `want …; how to mend`. Which key
// has which form is schema.ts's business.
import { posix } from 'node:path'
import * as z from 'zod'
import {
  cidrText,
  isLinkLocal6,
  isMulticast,
  isUnspecified,
  network as networkOf,
  parseAddress,
  parseCidr,
  parsePrefix,
} from '../cidr.ts'
import { isKey, isZeroKey, KEY_PATTERN, keyFromBase64 } from '../key.ts'
import { isGroupMac, isZeroMac, MAC_PATTERN, parseMac } from '../mac.ts'
import { parseDuration } from './duration.ts'
import { parseEndpoint } from './endpoint.ts'

/** What may be a key that lost or gained something on the way. */
const LIKE_KEY = /^[A-Za-z0-9+][A-Za-z0-9+/]{39,}={0,2}$/
/** Not the kernel's to give: `lo` is there already, the others are directories in /proc/sys/net/ipv4/conf. */
const RESERVED_INTERFACES = ['lo', 'all', 'default']

export function integer(min: number, max: number, mend: string, other = '') {
  const error = `want ${min}..${max}${other}; ${mend}`
  return z.int({ error }).min(min, { error }).max(max, { error })
}

// `fault` answers null for a good text.
export function text(want: string, fault: (text: string) => string | null) {
  return z.string({ error: want }).superRefine((value, context) => {
    const message = fault(value)
    if (message !== null) context.addIssue({ code: 'custom', message })
  })
}

export function words<const T extends readonly [string, ...string[]]>(list: T) {
  return z.enum(list, { error: `want ${list.join(' | ')}; write one of these` })
}

export function flag() {
  return z.boolean({ error: 'want true | false; write one of these, without quotes' })
}

export function map<T extends z.ZodRawShape>(shape: T, example: string) {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? undefined : `want a map; write ${example}`),
  })
}

export function named<T extends z.ZodType>(name: RegExp, want: string, value: T, example: string) {
  const key = z.string().regex(name, { error: `${want}; rename it` })
  return z.record(key, value, {
    error: (issue) => (issue.code === 'invalid_key' ? undefined : `want a map; write ${example}`),
  })
}

export function listOf<T extends z.ZodType>(item: T, example: string) {
  return z.array(item, { error: `want a list; write ${example}` })
}

export function oneOrMore<T extends z.ZodType>(item: T, want: string, example: string) {
  const list = z
    .array(item, { error: want })
    .min(1, { error: `want at least one; write ${example}, or remove the key` })
  return z.union([item, list], { error: want })
}

export const NAME_WANT = 'want 1..63 letters, digits, dots, underscores and hyphens, a letter or digit first'
const MAC_WANT = 'want a MAC address; write it like 02:00:5e:10:00:01, in quotes if need be'
export const CIDR_WANT = 'want ADDRESS/LENGTH; write it like 10.42.0.1/24 or "fd00:42::1/64"'
const PREFIX_WANT = 'want ADDRESS/LENGTH; write it like 10.42.0.0/24 or "fd00:42::/64"'
export const ENDPOINT_WANT =
  'want host, host:port, IPv6 or [IPv6]:port; write it like 198.18.0.2, 198.18.0.2:4789 or "[fd00::2]:4789"'
const LISTEN_WANT = 'want ADDRESS:PORT; write it like 127.0.0.1:9478, or 0.0.0.0:9478 for every IPv4 address'
export const DURATION_WANT = 'want a duration; write it like 300s, 5m or 1h, or 0s for never'
const PUBLIC_KEY_WANT =
  'want a public key, 32 bytes in base64; write what `vtepd pubkey` prints on the peer, 44 characters with = at the end'
export const HOST_WANT = 'want the address of a host; write it like 10.42.0.17 or "fd00:42::17"'
const GROUP_WANT = 'want a multicast address; write one like 239.1.1.42 or "ff05::42"'
export const UNDERLAY_WANT = 'want an IP address of this host; write it like 198.18.0.1 or "fd00::1"'
const NETNS_WANT = 'want a namespace: NAME, /path or PID; write a name from `ip netns`, a path or a process id'

export function mac() {
  return text(MAC_WANT, (value) => {
    const parsed = parseMac(value)
    if (!parsed) return MAC_WANT
    if (isGroupMac(parsed)) return 'want a unicast MAC; make the first byte even, 02:... for one of your own'
    return isZeroMac(parsed) ? 'want a MAC that is not zero; write one like 02:00:5e:10:00:01' : null
  }).meta({ pattern: MAC_PATTERN })
}

export function cidr() {
  return text(CIDR_WANT, (value) => {
    const parsed = parseCidr(value)
    if (!parsed) {
      const bare = parseAddress(value)
      return bare
        ? `want a prefix length; write ${value}/${bare.v6 ? 64 : 24} or the length that the network has`
        : CIDR_WANT
    }
    if (isMulticast(parsed) || isUnspecified(parsed)) return 'want the address of one host; write one like 10.42.0.1/24'
    return null
  })
}

export function prefix() {
  return text(PREFIX_WANT, (value) => {
    const parsed = parsePrefix(value)
    if (!parsed) return PREFIX_WANT
    const canonical = networkOf(parsed)
    return canonical.value === parsed.value ? null : `want no host bits; write ${cidrText(canonical)}`
  })
}

export function interfaceName() {
  const want = 'want 1..15 bytes without "/", ":", "%" and spaces; write a name like vt42'
  return text(want, (value) => {
    const bytes = Buffer.byteLength(value)
    // dev_valid_name of the kernel, and `%`, which asks it to choose a number.
    if (bytes < 1 || bytes > 15 || value === '.' || value === '..') return want
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
    if (/[/:%\s\u0000-\u001f\u007f]/.test(value)) return want
    return RESERVED_INTERFACES.includes(value)
      ? "want a name that is free; lo, all and default are the kernel's own"
      : null
  })
}

export function netns() {
  const name = text(NETNS_WANT, (value) => {
    if (value.startsWith('/')) return value.includes('\0') ? NETNS_WANT : null
    const fine = value !== '' && value !== '.' && value !== '..' && value.length <= 255 && !/[/\0]/.test(value)
    return fine ? null : NETNS_WANT
  })
  return z.union([name, z.int({ error: NETNS_WANT }).min(1, { error: NETNS_WANT })], { error: NETNS_WANT })
}

export function duration(max: number, tooLong: string) {
  return text(DURATION_WANT, (value) => {
    const seconds = parseDuration(value)
    if (seconds === null) return DURATION_WANT
    return seconds > max ? tooLong : null
  })
}

export function publicKey() {
  return text(PUBLIC_KEY_WANT, (value) => {
    if (!isKey(value)) return PUBLIC_KEY_WANT
    return isZeroKey(keyFromBase64(Buffer.from(value))!)
      ? 'want a key that is not zero; write the one of the peer'
      : null
  }).meta({ pattern: KEY_PATTERN })
}

export function keyFile(maker: string) {
  const want = `want the name of a file; write that of the file with the key, as \`${maker}\` writes it`
  return text(want, (value) => {
    if (isKey(value) || LIKE_KEY.test(value)) {
      return 'want the name of a file, not a key; put the key into a file of mode 0600 and name that'
    }
    return value === '' || /[\0\n]/.test(value) ? want : null
  })
}

export function storePrefix() {
  const want = 'want a path in the store; write it like /coreos.com/network'
  return text(want, (value) => (/^(\/+[^/\s]+)+\/*$/.test(value) && posix.join(value) !== '/' ? null : want))
}

export function storeUrl() {
  const want = 'want http://HOST:PORT or https://HOST:PORT; write it like https://198.18.0.9:2379'
  return text(want, (value) => {
    if (!/^https?:\/\/[^/?#@\s]+\/?$/.test(value) || !URL.canParse(value)) return want
    return new URL(value).port === '0' ? want : null
  })
}

export function fileName(what: string) {
  const want = `want the name of a file; write that of the file with ${what}`
  return text(want, (value) => (value === '' || /[\0\n]/.test(value) ? want : null))
}

export function filePath() {
  const want = 'want the name of a file from / on; write it like /run/flannel/subnet.env'
  return text(want, (value) => (value.startsWith('/') && !/[\0\n]|\/$/.test(value) ? null : want))
}

export function underlayAddress() {
  return text(UNDERLAY_WANT, (value) => {
    const parsed = parseAddress(value)
    if (!parsed) return UNDERLAY_WANT
    if (isUnspecified(parsed)) return 'want one address, not every one; write the one that peers send to'
    if (isMulticast(parsed)) return UNDERLAY_WANT
    return isLinkLocal6(parsed) ? 'want an address that is not link-local; write a global or unique local one' : null
  })
}

export function hostAddress() {
  return text(HOST_WANT, (value) => {
    const parsed = parseAddress(value)
    return parsed && !isMulticast(parsed) && !isUnspecified(parsed) ? null : HOST_WANT
  })
}

export function groupAddress() {
  return text(GROUP_WANT, (value) => {
    const parsed = parseAddress(value)
    return parsed && isMulticast(parsed) ? null : GROUP_WANT
  })
}

export function endpoint() {
  return text(ENDPOINT_WANT, (value) => {
    const parsed = parseEndpoint(value)
    if (!parsed) return ENDPOINT_WANT
    const address = parseAddress(parsed.host)
    if (!address) return null
    if (isUnspecified(address) || isMulticast(address))
      return "want the address of one host; write the peer's underlay address"
    return isLinkLocal6(address) ? 'want an address that is not link-local; write a global or unique local one' : null
  })
}

export function listen() {
  return text(LISTEN_WANT, (value) => (parseEndpoint(value)?.port ? null : LISTEN_WANT))
}
