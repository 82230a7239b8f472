// `vtepd up --vni 42 …`: one network from flags, as the values that a file would have given, and the way back from a path in
// them to the flag that was typed.
import { bits, cidrText, network as networkOf, parseCidr } from '../cidr.ts'
import { parseEndpoint } from './endpoint.ts'
import { type Faults, type Path, shown } from './fault.ts'

/** As typed; numbers may come as text. */
export interface QuickFlags {
  readonly vni?: number | string | undefined
  readonly local?: string | readonly string[] | undefined
  readonly peer?: string | readonly string[] | undefined
  readonly address?: string | readonly string[] | undefined
  readonly device?: string | undefined
  readonly interface?: string | undefined
  readonly port?: number | string | undefined
  readonly mtu?: number | string | undefined
  readonly plain?: boolean | undefined
  readonly key?: string | undefined
}

const FLAGS: Record<string, string> = {
  vni: '--vni',
  device: '--device',
  interface: '--interface',
  port: '--port',
  address: '--address',
  mtu: '--mtu',
}

/** Says both ways, since only who types knows which one is meant. */
const NEITHER: [what: string, mend: string] = [
  'missing, and a network is secure unless --plain says otherwise',
  'give --key FILE, which `(umask 077 && vtepd genkey > FILE)` makes, with --peer PUBLICKEY@HOST, ' +
    'or add --plain if clear text is meant',
]

/** The values of a file with the same meaning. Faults of flags alone are noted. */
export function quickValue(flags: QuickFlags, faults: Faults): unknown {
  const vni = number(flags.vni)
  const local = many(flags.local)
  const name = typeof vni === 'number' ? `vt${vni}` : 'vt'
  const allowedIps = flags.device === 'tun' ? tunPrefixes(flags, faults) : undefined
  const isSecure = flags.key !== undefined
  if (!isSecure && flags.plain !== true) faults.add(['--key'], ...NEITHER)
  else if (isSecure && flags.plain === true) {
    faults.add(['--plain'], 'given with --key, which makes the network secure', 'keep one of them')
  }
  const port = given(isSecure ? 'wireguardPort' : 'vxlanPort', number(flags.port))
  const network = {
    vni,
    // Without either it is looked at as plain, for what else is wrong.
    security: isSecure ? 'secure' : 'plain',
    // A layer 3 network that cannot be is looked at as layer 2, for what else is wrong.
    ...given('device', flags.device === 'tun' && !allowedIps ? 'tap' : flags.device),
    ...given('interface', flags.interface),
    ...given('mtu', number(flags.mtu)),
    ...given('address', flags.address === undefined ? undefined : many(flags.address)),
  }
  return {
    ...given('privateKeyFile', flags.key),
    underlay: { ...port, ...(local.length > 0 ? { address: local } : {}) },
    networks: { [name]: network },
    peers: quickPeers(flags, allowedIps, faults),
  }
}

/** The flag that a path in the values came from. */
export function flagText(path: Path): string {
  const [top, second, key] = path
  if (typeof top === 'string' && top.startsWith('--')) return top
  if (top === 'privateKeyFile') return '--key'
  if (top === 'underlay') return second === 'address' || second === undefined ? '--local' : '--port'
  if (top === 'networks') return FLAGS[String(key)] ?? '--vni'
  return top === 'peers' ? '--peer' : String(top)
}

function quickPeers(flags: QuickFlags, allowedIps: readonly string[] | undefined, faults: Faults): unknown {
  const texts = many(flags.peer)
  if (texts.length === 0) faults.add(['--peer'], 'missing', `name the other host, --peer ${exampleOf(flags)} say`)
  const peers = new Map<string, unknown>()
  texts.forEach((text, i) => {
    const at = text.lastIndexOf('@')
    const publicKey = at < 0 ? undefined : text.slice(0, at)
    const host = text.slice(at + 1)
    if (!isPeerFit(flags, publicKey, faults)) return
    const name = nameOf(host, publicKey === undefined ? null : peers, i)
    if (peers.has(name)) faults.add(['--peer'], `${shown(name)} is given twice`, 'name each host once')
    peers.set(name, { endpoint: host, ...given('publicKey', publicKey), ...given('allowedIps', allowedIps) })
  })
  return Object.fromEntries(peers)
}

// Whether the peer has a key where the network wants one. What is before the @ is never shown.
function isPeerFit(flags: QuickFlags, publicKey: string | undefined, faults: Faults): boolean {
  if (flags.key !== undefined && publicKey === undefined) {
    const mend = `write --peer ${exampleOf(flags)} with what \`vtepd pubkey\` prints there`
    faults.add(['--peer'], 'want PUBLICKEY@HOST or PUBLICKEY@HOST:PORT with --key, got no key', mend)
    return false
  }
  if (flags.key === undefined && publicKey !== undefined) {
    if (flags.plain === true) {
      const mend = 'write the host alone, or give --key FILE in place of --plain'
      faults.add(['--peer'], 'a public key is of no use with --plain', mend)
    }
    return false
  }
  return true
}

function exampleOf(flags: QuickFlags): string {
  return flags.key === undefined ? '198.18.0.2' : 'PUBLICKEY@198.18.0.2:51820'
}

// A peer is called as its host; behind one address there may be several with keys, and those after the first are called with
// their port. A faulty one needs a name too; the fault comes from its endpoint.
function nameOf(text: string, taken: ReadonlyMap<string, unknown> | null, i: number): string {
  const endpoint = parseEndpoint(text)
  if (!endpoint || endpoint.host.length > 56) return `peer-${i + 1}`
  const host = endpoint.host.replace(/\.$/, '')
  return taken?.has(host) && endpoint.port !== null ? `${host}:${endpoint.port}` : host
}

// What the one peer of a tun network gets: all that the device's own prefixes hold. undefined when there is a fault, which
// for the form of an address comes from the address itself.
function tunPrefixes(flags: QuickFlags, faults: Faults): readonly string[] | undefined {
  const before = faults.count
  const peers = many(flags.peer).length
  if (peers > 1) {
    const mend = 'keep one, or write a file with allowedIps for each'
    faults.add(['--peer'], `want one with --device tun, got ${peers}`, mend)
  }
  const cidrs = many(flags.address).map((text) => parseCidr(text))
  if (cidrs.length === 0) {
    const mend = 'add --address 10.42.0.1/24 or the like'
    faults.add(['--address'], 'missing, and a tun peer gets its prefix', mend)
  }
  const prefixes = new Set<string>()
  for (const cidr of cidrs) {
    if (!cidr) return undefined
    if (cidr.length === bits(cidr.v6)) {
      const mend = 'give the prefix that both share, /24 say'
      faults.add(['--address'], `${shown(cidrText(cidr))} has no room for the peer`, mend)
    }
    prefixes.add(cidrText(networkOf(cidr)))
  }
  return faults.count > before ? undefined : [...prefixes]
}

function many(value: string | readonly string[] | undefined): readonly string[] {
  return value === undefined ? [] : typeof value === 'string' ? [value] : value
}

function given(key: string, value: unknown): Record<string, unknown> {
  return value === undefined ? {} : { [key]: value }
}

// Digits become a number; anything else stays as it was typed, for the fault to show.
function number(value: number | string | undefined): number | string | undefined {
  return typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
}
