// A configuration on its way: the model's fields with defaults filled in, where undefined means "faulty, so not known".
// Checks of meaning step over what is not known and so never blame a second key for the fault of a first.
import { posix } from 'node:path'
import { addressText, cidrText, parseAddress, parseCidr, parsePrefix } from '../cidr.ts'
import { parseMac } from '../mac.ts'
import { parseDuration } from './duration.ts'
import { parseEndpoint } from './endpoint.ts'
import type { Path } from './fault.ts'
import type {
  Config,
  EtcdConfig,
  FlannelConfig,
  NetworkConfig,
  PeerConfig,
  RulesConfig,
  Security,
  UnderlayConfig,
} from './model.ts'
import { parsePortMapping } from './port-mapping.ts'
import {
  type EtcdShape,
  type NetworkShape,
  type PeerNetworkShape,
  type PeerShape,
  partialSchema,
  type RootShape,
} from './schema.ts'

type Known<T> = { readonly [K in keyof T]: T[K] | undefined }

export interface NetworkDraft extends Known<Omit<NetworkConfig, 'name'>> {
  readonly name: string
  readonly type: 'vxlan' | 'flannel' | undefined
  /** Of a flannel network, whose VNI, port, interface and addresses count as not known here. */
  readonly flannel: Known<Pick<FlannelConfig, 'prefix' | 'subnetFile' | 'interface'>> | null
  /** Keys that are written and not faulty, whatever their value. */
  readonly given: ReadonlySet<string>
}

/** A peer's place in one network. */
export interface Member {
  readonly network: string
  readonly path: Path
  /** null: not given. */
  readonly allowedIps: readonly string[] | null | undefined
  readonly allowedIpsPath: Path
  /** Whether the list was given for this network alone. */
  readonly own: boolean
  readonly mac: string | null | undefined
  readonly macPath: Path
}

export interface PeerDraft extends Known<Pick<PeerConfig, 'endpoint' | 'publicKey' | 'keepaliveSec' | 'type'>> {
  readonly name: string
  /** null: not given. */
  readonly presharedKeyFile: string | null | undefined
  readonly members: readonly Member[] | undefined
  /** Whether the peer says itself in which networks it is. */
  readonly listed: boolean
}

/** As written; null: not given. */
export type EtcdDraft = Known<Omit<EtcdConfig, 'renewMarginSec'>> & {
  readonly renewMarginSec: number | null | undefined
}

export interface Draft extends Known<Pick<Config, 'metrics' | 'offloads'>> {
  /** null: not given. */
  readonly node: string | null | undefined
  /** null: not given. */
  readonly privateKeyFile: string | null | undefined
  readonly underlay: Known<UnderlayConfig>
  readonly rules: Known<RulesConfig>
  readonly networks: ReadonlyMap<string, NetworkDraft> | undefined
  readonly peers: ReadonlyMap<string, PeerDraft> | undefined
  /** null: not given. */
  readonly etcd: EtcdDraft | null | undefined
}

/** Paths that are faulty. What lies in a list counts as the whole list. */
export class Cuts {
  private readonly paths = new Map<string, Path>()

  add(path: Path): void {
    const end = path.findIndex((part) => typeof part === 'number')
    const whole = end < 0 ? path : path.slice(0, end)
    this.paths.set(JSON.stringify(whole), whole)
  }

  has(...path: Path): boolean {
    return this.paths.has(JSON.stringify(path))
  }

  /** Names under a top-level key that are faulty as a whole. */
  names(key: string): string[] {
    return [...this.paths.values()]
      .filter((path) => path.length === 2 && path[0] === key)
      .map((path) => String(path[1]))
  }

  /** Removes every path from `value`, which is changed. */
  apply(value: unknown): void {
    for (const path of this.paths.values()) {
      let holder = value
      for (const part of path.slice(0, -1))
        holder = isMap(holder) && Object.hasOwn(holder, part) ? holder[part] : undefined
      if (isMap(holder)) delete holder[path.at(-1)!]
    }
  }
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The draft of `value`, which has the right shape but for what `cuts` took away; null when too little is left. */
export function draftOf(value: unknown, cuts: Cuts): Draft | null {
  const left = partialSchema.safeParse(value)
  if (!left.success) return null
  const root = left.data as Partial<RootShape>
  const unless = <T>(path: Path, known: T): T | undefined => (cuts.has(...path) ? undefined : known)
  const own = root.underlay!
  const underlay = cuts.has('underlay')
    ? { addresses: undefined, interface: undefined, vxlanPort: undefined, wireguardPort: undefined }
    : {
        addresses: unless(['underlay', 'address'], list(own.address).map(canonicalAddress)),
        interface: unless(['underlay', 'interface'], own.interface ?? null),
        vxlanPort: unless(['underlay', 'vxlanPort'], own.vxlanPort),
        wireguardPort: unless(['underlay', 'wireguardPort'], own.wireguardPort),
      }
  const networks = new Map<string, NetworkDraft>()
  for (const [name, network] of entries(root.networks, cuts, 'networks')) {
    const given = new Set(Object.keys(at(value, 'networks', name)))
    networks.set(name, networkDraft(name, network, given, underlay.vxlanPort, cuts))
  }
  const known = cuts.has('networks') ? undefined : networks
  const peers = new Map<string, PeerDraft>()
  for (const [name, peer] of entries(root.peers, cuts, 'peers')) peers.set(name, peerDraft(name, peer, known, cuts))
  const listen = root.metrics ? parseEndpoint(root.metrics.listen) : null
  return {
    node: unless(['node'], root.node ?? null),
    privateKeyFile: unless(['privateKeyFile'], root.privateKeyFile ?? null),
    underlay,
    networks: known,
    peers: cuts.has('peers') ? undefined : peers,
    rules: rulesDraft(root, new Set(Object.keys(at(value))), cuts),
    etcd: cuts.has('control') || cuts.has('control', 'etcd') ? undefined : etcdDraft(root.control?.etcd, cuts),
    metrics: listen ? { host: listen.host, port: listen.port! } : null,
    offloads: root.offloads!,
  }
}

function rulesDraft(root: Partial<RootShape>, given: ReadonlySet<string>, cuts: Cuts): Known<RulesConfig> {
  const field = <K extends keyof RulesConfig & keyof RootShape>(key: K) => (cuts.has(key) ? undefined : root[key])
  const ports = field('ports')
  const [firewall, forward] = [field('firewall'), field('forward')]
  const [masquerade, notrack] = [field('masquerade'), field('notrack')]
  const named = firewall === 'nftables' || firewall === 'iptables' || (forward === true && given.has('forward'))
  return {
    firewall,
    masquerade,
    forward,
    notrack,
    ports: ports?.map(parsePortMapping),
    asked: named || masquerade === true || notrack === true || (ports?.length ?? 0) > 0,
  }
}

function etcdDraft(shape: Partial<EtcdShape> | undefined, cuts: Cuts): EtcdDraft | null {
  if (!shape) return null
  const field = <K extends keyof EtcdShape, T>(key: K, read: (value: EtcdShape[K]) => T): T | null | undefined => {
    if (cuts.has('control', 'etcd', key)) return undefined
    const value = shape[key]
    return value === undefined ? null : read(value as EtcdShape[K])
  }
  const name = (text: string | undefined): string | null => text ?? null
  return {
    endpoints: field('endpoints', (urls) => urls) ?? undefined,
    prefix: field('prefix', storePlace) ?? undefined,
    leaseTtlSec: field('leaseTtl', (text) => parseDuration(text)!) ?? undefined,
    renewMarginSec: field('renewMargin', (text) => parseDuration(text ?? '')),
    caFile: field('caFile', name),
    certFile: field('certFile', name),
    keyFile: field('keyFile', name),
    username: field('username', name),
    passwordFile: field('passwordFile', name),
  }
}

// The map at a path, {} when it was cut out.
function at(value: unknown, ...path: string[]): Record<string, unknown> {
  let node = value
  for (const part of path) node = isMap(node) && Object.hasOwn(node, part) ? node[part] : undefined
  return isMap(node) ? node : {}
}

// Names that are faulty as a whole stay as names, so that others may refer to them.
function* entries<T>(
  record: Record<string, T> | undefined,
  cuts: Cuts,
  key: string,
): Generator<[string, T | undefined]> {
  if (record) yield* Object.entries(record)
  for (const name of cuts.names(key)) yield [name, undefined]
}

function networkDraft(
  name: string,
  shape: Partial<NetworkShape> | undefined,
  given: ReadonlySet<string>,
  vxlanPort: number | undefined,
  cuts: Cuts,
): NetworkDraft {
  const known = (key: keyof NetworkShape): boolean => shape !== undefined && !cuts.has('networks', name, key)
  const field = <K extends keyof NetworkShape>(key: K) => (known(key) ? shape?.[key] : undefined)
  const type = field('type')
  const isFlannel = type === 'flannel'
  const vni = isFlannel ? undefined : field('vni')
  const usual = vni === undefined ? undefined : `vt${vni}`
  const ageing = field('ageing')
  const accept = field('accept')
  return {
    name,
    given,
    type,
    flannel: isFlannel
      ? {
          prefix: known('prefix') ? storePlace(shape?.prefix) : undefined,
          subnetFile: known('subnetFile') ? (shape?.subnetFile ?? null) : undefined,
          interface: known('interface') ? (shape?.interface ?? null) : undefined,
        }
      : null,
    vni,
    device: known('device') ? (shape?.device ?? (isFlannel ? 'tun' : 'tap')) : undefined,
    interface: known('interface') ? (shape?.interface ?? usual) : undefined,
    port: known('port') && !isFlannel ? (shape?.port ?? vxlanPort) : undefined,
    addresses:
      known('address') && !isFlannel ? list(shape?.address).map((text) => cidrText(parseCidr(text)!)) : undefined,
    mac: known('mac') ? canonicalMac(shape?.mac) : undefined,
    mtu: known('mtu') ? (shape?.mtu ?? null) : undefined,
    security: field('security'),
    netns: known('netns') ? (shape?.netns === undefined ? null : String(shape.netns)) : undefined,
    learning: field('learning'),
    ageingSec: ageing === undefined ? undefined : parseDuration(ageing)!,
    macLimit: field('macLimit'),
    flood: floodOf(field('flood')),
    stormLimit: field('stormLimit'),
    suppressArp: field('suppressArp'),
    accept: Array.isArray(accept) ? accept.map(canonicalPrefix) : (accept as 'peers' | 'any' | undefined),
    innerVlan: field('innerVlan'),
    mssClamp: field('mssClamp'),
    ecn: field('ecn'),
    dscp: field('dscp'),
    udpChecksum: field('udpChecksum'),
    sourcePort: field('sourcePort'),
    fdb: field('fdb')?.map(({ mac, vtep, ip }) => ({
      mac: parseMac(mac)!,
      vtep: canonicalAddress(vtep),
      addresses: list(ip).map(canonicalAddress),
    })),
    routes: field('routes'),
    sourceCheck: field('sourceCheck'),
  }
}

function peerDraft(
  name: string,
  shape: Partial<PeerShape> | undefined,
  networks: ReadonlyMap<string, NetworkDraft> | undefined,
  cuts: Cuts,
): PeerDraft {
  const known = (key: keyof PeerShape): boolean => shape !== undefined && !cuts.has('peers', name, key)
  const field = <T>(key: keyof PeerShape, read: (shape: Partial<PeerShape>) => T): T | undefined =>
    known(key) ? read(shape!) : undefined
  const publicKey = field('publicKey', (own) => own.publicKey ?? null)
  const given = shape?.networks
  const member = (network: string, path: Path, own: PeerNetworkShape = {}): Member => {
    const cut = (key: string): boolean => cuts.has(...path, key)
    const ownIps = own.allowedIps !== undefined || cut('allowedIps')
    const ownMac = own.mac !== undefined || cut('mac')
    const ips = (ownIps ? own.allowedIps : shape?.allowedIps)?.map(canonicalPrefix) ?? null
    return {
      network,
      path,
      allowedIps: (ownIps ? cut('allowedIps') : !known('allowedIps')) ? undefined : ips,
      allowedIpsPath: ownIps ? [...path, 'allowedIps'] : ['peers', name, 'allowedIps'],
      own: ownIps,
      mac: (ownMac ? cut('mac') : !known('mac')) ? undefined : canonicalMac(ownMac ? own.mac : shape?.mac),
      macPath: ownMac ? [...path, 'mac'] : ['peers', name, 'mac'],
    }
  }
  let members: Member[] | undefined
  const path: Path = ['peers', name, 'networks']
  if (!known('networks')) members = undefined
  else if (given === undefined)
    members = usualNetworks(networks, publicKey)?.map((network) => member(network, ['peers', name]))
  else if (Array.isArray(given)) members = given.map((network, i) => member(network, [...path, i]))
  else members = Object.entries(given).map(([network, own]) => member(network, [...path, network], own))
  return {
    name,
    endpoint: field('endpoint', (own) => (own.endpoint === undefined ? null : parseEndpoint(own.endpoint)!)),
    publicKey,
    presharedKeyFile: field('presharedKeyFile', (own) => own.presharedKeyFile ?? null),
    keepaliveSec: field('keepalive', (own) => parseDuration(own.keepalive ?? '0s')!),
    type: field('type', (own) => own.type ?? 'vtepd'),
    members,
    listed: given !== undefined,
  }
}

// Where a peer is that does not say it: in all secure networks with a key, in all plain ones without. undefined: not known.
function usualNetworks(
  networks: ReadonlyMap<string, NetworkDraft> | undefined,
  publicKey: string | null | undefined,
): string[] | undefined {
  if (!networks || publicKey === undefined) return undefined
  const all = [...networks.values()].filter(({ type }) => type !== 'flannel')
  if (all.some(({ security }) => security === undefined)) return undefined
  const security: Security = publicKey === null ? 'plain' : 'secure'
  return all.filter((network) => network.security === security).map(({ name }) => name)
}

function list(value: string | readonly string[] | undefined): readonly string[] {
  return value === undefined ? [] : typeof value === 'string' ? [value] : value
}

function floodOf(shape: NetworkShape['flood'] | undefined): NetworkConfig['flood'] | undefined {
  if (typeof shape !== 'object') return shape
  return { group: canonicalAddress(shape.group), interface: shape.interface ?? null }
}

function canonicalAddress(text: string): string {
  const address = parseAddress(text)
  return address ? addressText(address) : text
}

function canonicalPrefix(text: string): string {
  return cidrText(parsePrefix(text)!)
}

// As flanneld joins it with what is below: one slash between two names, none at the end.
function storePlace(text: string | undefined): string | null {
  return text === undefined ? null : posix.join(text).replace(/\/$/, '')
}

function canonicalMac(text: string | undefined): string | null {
  return text === undefined ? null : parseMac(text)
}
