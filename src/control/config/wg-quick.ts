// A configuration of wg-quick(8) as one of ours: a secure tun network with stock peers. Each key is carried over, or named with
// the way to do it here; lines that wg(8) or wg-quick(8) would refuse are faults. The grammar is theirs: `Key = value`, the case
// of keys is free, `#` begins a comment anywhere. No secret and no command of a hook is ever quoted.
import {
  bits,
  type Cidr,
  cidrText,
  covers,
  network as networkOf,
  parseAddress,
  parseCidr,
  parsePrefix,
} from '../cidr.ts'
import { isKey, keyFromBase64 } from '../key.ts'
import { Secret } from '../secret.ts'
import { parseEndpoint } from './endpoint.ts'
import { shown } from './fault.ts'

/** What is not carried over: why, and how it is done here. */
export interface Note {
  readonly line: number
  readonly key: string
  readonly text: string
}

export interface WgPeer {
  /** peer-1 and up: a wg-quick file has no names. */
  readonly name: string
  readonly line: number
  publicKey: string | null
  presharedKey: Secret | null
  endpoint: string | null
  keepaliveSec: number
  /** Canonical, without host bits. */
  allowedIps: string[]
}

export interface WgQuick {
  privateKey: Secret | null
  /** Of a hook that does nothing but hand over a key file. */
  privateKeyFile: string | null
  listenPort: number | null
  readonly addresses: string[]
  mtu: number | null
  routes: boolean
  peers: WgPeer[]
  notes: Note[]
}

/** Lines that are no wg-quick configuration; each is `line N: what; mend`. */
export class WgQuickError extends Error {
  readonly faults: readonly string[]
  constructor(faults: readonly string[]) {
    super(faults.length === 1 ? 'one fault' : `${faults.length} faults`)
    this.faults = faults
  }
}

/** `name`: of the interface, which is `%i` in hooks. Throws WgQuickError with all faults. */
export function readWgQuick(text: string, name: string): WgQuick {
  const reader = new Reader(name)
  text.split('\n').forEach((line, i) => {
    reader.read(line.replace(/#.*/, '').trim(), i + 1)
  })
  return reader.finish()
}

type Take = (reader: Reader, value: string) => void

const INTERFACE: Record<string, Take> = {
  privatekey: (r, value) => {
    r.found.privateKey = r.secret(value)
  },
  listenport: (r, value) => {
    const port = r.number(value, 65535)
    if (port === 0)
      r.note('0 asks for a port by chance, and ours is the same after every start: 51820, or write wireguardPort')
    else r.found.listenPort = port
  },
  fwmark: (r, value) => {
    if (/^(off|0|0x0+)$/i.test(value)) return
    if (!/^(\d+|0x[0-9a-f]+)$/i.test(value)) return r.fault('want a number or off')
    r.note('there is no key for it: `wg set` gives the running agent a mark, until it stops')
  },
  address: (r, value) => {
    for (const part of list(value)) {
      const cidr = parsePrefix(part)
      if (cidr) r.found.addresses.push(cidrText(cidr))
      else r.fault(`want an address with its prefix length, got ${shown(part)}`)
    }
  },
  dns: (r, value) => {
    const servers = list(value).filter((part) => parseAddress(part))
    const domains = list(value).filter((part) => !parseAddress(part))
    const more = domains.length > 0 ? ` && resolvectl domain ${r.name} ${domains.join(' ')}` : ''
    r.note(
      `the agent leaves name resolution alone: \`resolvectl dns ${r.name} ${servers.join(' ')}${more}\` once it is up`,
    )
  },
  mtu: (r, value) => {
    r.found.mtu = r.number(value, 65535)
  },
  table: (r, value) => {
    if (/^auto$/i.test(value)) return
    r.found.routes = false
    if (/^off$/i.test(value)) return
    if (/^[a-z0-9_-]+$/i.test(value)) r.table = value
    else r.fault('want off, auto or a table')
  },
  saveconfig: (r, value) => {
    if (/^false$/i.test(value)) return
    if (/^true$/i.test(value)) r.note('changes by `wg` last until reload or stop: write into the file what is to stay')
    else r.fault('want true or false')
  },
  preup: (r) => r.hook('ExecStartPre'),
  postup: (r, value) => {
    const handed = /^wg\s+set\s+(\S+)\s+private-key\s+(\/[\w/.@+-]+)$/.exec(value.replaceAll('%i', r.name))
    if (handed?.[1] === r.name) r.found.privateKeyFile = handed[2]!
    else r.hook('ExecStartPost')
  },
  predown: (r) => r.hook('ExecStop'),
  postdown: (r) => r.hook('ExecStopPost'),
}

const PEER: Record<string, (reader: Reader, value: string, peer: WgPeer) => void> = {
  publickey: (r, value, peer) => {
    if (isKey(value)) peer.publicKey = value
    else {
      r.keyless.add(peer)
      r.fault('want 32 bytes in base64')
    }
  },
  presharedkey: (r, value, peer) => {
    peer.presharedKey = r.secret(value)
  },
  endpoint: (r, value, peer) => {
    const endpoint = parseEndpoint(value)
    if (endpoint?.port) peer.endpoint = value
    else r.fault(`want HOST:PORT or [IPv6]:PORT, got ${shown(value)}`)
  },
  persistentkeepalive: (r, value, peer) => {
    if (!/^off$/i.test(value)) peer.keepaliveSec = r.number(value, 65535) ?? 0
  },
  allowedips: (r, value, peer) => {
    for (const part of list(value)) {
      const [, sign, prefix] = /^([+-]?)(.*)$/.exec(part)!
      const cidr = parsePrefix(prefix!)
      if (!cidr) r.fault(`want ADDRESS/LENGTH, got ${shown(part)}`)
      else if (sign === '-') peer.allowedIps = peer.allowedIps.filter((one) => one !== cidrText(networkOf(cidr)))
      else r.allow(peer, cidrText(networkOf(cidr)))
    }
  },
}

class Reader {
  readonly name: string
  readonly found: WgQuick = {
    privateKey: null,
    privateKeyFile: null,
    listenPort: null,
    addresses: [],
    mtu: null,
    routes: true,
    peers: [],
    notes: [],
  }
  /** Peers whose PublicKey is faulty, and not missing. */
  readonly keyless = new Set<WgPeer>()
  /** A routing table that the routes were to go into. */
  table: string | null = null
  private readonly faults: string[] = []
  private section: 'interface' | WgPeer | null = null
  private line = 0
  private key = ''

  constructor(name: string) {
    this.name = name
  }

  read(line: string, number: number): void {
    this.line = number
    this.key = ''
    if (line === '') return
    if (/^\[interface\]$/i.test(line)) this.section = 'interface'
    else if (/^\[peer\]$/i.test(line)) this.addPeer()
    else if (line.startsWith('[')) this.fault('no section of a wg-quick file')
    else this.readKey(line)
  }

  private addPeer(): void {
    const name = `peer-${this.found.peers.length + 1}`
    const fields = { publicKey: null, presharedKey: null, endpoint: null, keepaliveSec: 0, allowedIps: [] }
    this.section = { name, line: this.line, ...fields }
    this.found.peers.push(this.section)
  }

  private readKey(line: string): void {
    const [, key, value] = /^([A-Za-z]{1,24})\s*=\s*(.*)$/.exec(line) ?? []
    const word = key?.toLowerCase() ?? ''
    const inInterface = this.section === 'interface'
    this.key = key ?? ''
    if (key === undefined) this.fault('no section and no KEY = VALUE')
    else if (this.section === null) this.fault('stands before [Interface] and [Peer]')
    else if (!Object.hasOwn(inInterface ? INTERFACE : PEER, word)) {
      this.fault(`no key of ${inInterface ? '[Interface]' : '[Peer]'}`)
    } else if (this.section === 'interface') INTERFACE[word]!(this, value!)
    else PEER[word]!(this, value!, this.section)
  }

  fault(what: string): void {
    this.faults.push(`line ${this.line}: ${this.key === '' ? '' : `${this.key}: `}${what}; mend it there`)
  }

  note(text: string): void {
    this.found.notes.push({ line: this.line, key: this.key, text })
  }

  hook(directive: string): void {
    this.note(
      `the agent runs no commands: \`systemctl edit vtepd\` takes it as ${directive}=, with ${this.name} in place of %i`,
    )
  }

  secret(value: string): Secret | null {
    const key = keyFromBase64(Buffer.from(value, 'latin1'))
    if (!key) {
      this.fault('want 32 bytes in base64')
      return null
    }
    const secret = new Secret(key)
    key.fill(0)
    return secret
  }

  number(value: string, max: number): number | null {
    if (/^\d{1,9}$/.test(value) && Number(value) <= max) return Number(value)
    this.fault(`want 0..${max}, got ${shown(value)}`)
    return null
  }

  // In WireGuard a prefix moves to the peer that claims it last.
  allow(peer: WgPeer, prefix: string): void {
    for (const other of this.found.peers) {
      if (!other.allowedIps.includes(prefix)) continue
      if (other !== peer)
        this.note(`${prefix} stands at ${other.name} too, and the last one has it: taken from ${other.name}`)
      other.allowedIps = other.allowedIps.filter((one) => one !== prefix)
    }
    peer.allowedIps.push(prefix)
  }

  finish(): WgQuick {
    const keys = new Map<string, WgPeer>()
    for (const peer of this.found.peers) {
      this.line = peer.line
      this.key = ''
      const first = peer.publicKey === null ? undefined : keys.get(peer.publicKey)
      if (this.keyless.has(peer)) continue
      if (peer.publicKey === null) this.fault('[Peer] has no PublicKey')
      else if (first) this.fault(`[Peer] has the PublicKey of the one at line ${first.line}`)
      else keys.set(peer.publicKey, peer)
    }
    if (this.faults.length > 0) throw new WgQuickError(this.faults)
    this.leaveOut()
    this.checkRoutes()
    return this.found
  }

  private leaveOut(): void {
    for (const { name, line, allowedIps } of this.found.peers) {
      if (allowedIps.length > 0) continue
      this.line = line
      this.key = '[Peer]'
      this.note(`${name} has no AllowedIPs, so that nothing goes to it or comes from it: left out`)
    }
    this.found.peers = this.found.peers.filter(({ allowedIps }) => allowedIps.length > 0)
  }

  // A route that covers an endpoint sends the tunnel into itself. wg-quick goes round it with a mark and a table of its own.
  private checkRoutes(): void {
    const { peers, addresses } = this.found
    const own = addresses.map((text) => networkOf(parseCidr(text)!))
    const routed = peers
      .flatMap(({ allowedIps }) => allowedIps)
      .filter((text) => !own.some((one) => covers(one, parseCidr(text)!)))
    const hosts = peers.flatMap(({ endpoint }) => (endpoint ? parseEndpoint(endpoint)!.host : []))
    const inside = (prefix: Cidr): string[] => hosts.filter((host) => coversHost(prefix, host))
    const around = routed.map((text) => parseCidr(text)!).filter((one) => one.length === 0 || inside(one).length > 0)
    this.line = 0
    if (this.table !== null) {
      this.key = 'Table'
      const lines = routed.map((text) => `\`ip route add ${text} dev ${this.name} table ${this.table}\``)
      this.note(`routes go into the main table only; with \`routes: false\` they are yours: ${lines.join(', ')}`)
    } else if (this.found.routes && around.length > 0) {
      this.found.routes = false
      this.key = 'routes'
      const ways = [...new Set(around.flatMap(inside))].map((host) => `\`ip route add ${host} via GATEWAY\``)
      const lines = routed.flatMap(beforeDefault).map((text) => `\`ip route add ${text} dev ${this.name}\``)
      const why = `a route for ${around.map(cidrText).join(', ')} would send the tunnel into itself`
      this.note(`${why}; with \`routes: false\` they are yours: ${[...ways, ...lines].join(', ')}`)
    }
  }
}

// Whether a host may lie in the prefix: a name may where every address does.
function coversHost(prefix: Cidr, host: string): boolean {
  const address = parseAddress(host)
  return address ? covers(prefix, address) : prefix.length === 0
}

// Beside a default route that is there, two halves go before it.
function beforeDefault(text: string): string[] {
  const prefix = parseCidr(text)!
  if (prefix.length > 0) return [text]
  const top = 1n << BigInt(bits(prefix.v6) - 1)
  return [0n, top].map((value) => cidrText({ ...prefix, value, length: 1 }))
}

function list(value: string): string[] {
  return value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

/** Where the secrets of a file went. */
export interface KeyPlaces {
  readonly privateKeyFile: string
  /** By peer. */
  readonly preshared: ReadonlyMap<string, string>
}

/** The values of our configuration: one secure tun network of that name with all its peers. */
export function valuesOf(
  found: WgQuick,
  network: { name: string; vni: number; interface: string | null },
  keys: KeyPlaces,
) {
  const peers = found.peers.map(({ name, endpoint, publicKey, keepaliveSec, allowedIps }) => {
    const values = {
      type: 'wireguard',
      ...(endpoint !== null && { endpoint }),
      publicKey: publicKey!,
      ...(keys.preshared.has(name) && { presharedKeyFile: keys.preshared.get(name)! }),
      ...(keepaliveSec > 0 && { keepalive: `${keepaliveSec}s` }),
      networks: [network.name],
      allowedIps,
    }
    return [name, values] as const
  })
  return {
    privateKeyFile: keys.privateKeyFile,
    ...(found.listenPort !== null && { underlay: { wireguardPort: found.listenPort } }),
    networks: {
      [network.name]: {
        vni: network.vni,
        device: 'tun',
        ...(network.interface !== null && { interface: network.interface }),
        ...(found.addresses.length > 0 && { address: found.addresses }),
        ...(found.mtu !== null && { mtu: found.mtu }),
        ...(!found.routes && { routes: false }),
      },
    },
    peers: Object.fromEntries(peers),
  }
}
