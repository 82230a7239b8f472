// From a file's text or quick flags to the frozen Config, or to all that is wrong with them at once. Read docs/configuration.md
// first: it is what is promised. The way: text → values (source.ts) → not delivered yet (later.ts) → shape (schema.ts) →
// draft with defaults (draft.ts) → meaning (network-check.ts, peer-check.ts, security-check.ts, flannel-check.ts, rules-check.ts)
// → keys from their files and what else is in files (key-check.ts, etcd-check.ts) → Config (model.ts).
import { dirname } from 'node:path'
import { type ReadKey, readKeyFile } from '../key-file.ts'
import { Cuts, type Draft, draftOf, type NetworkDraft } from './draft.ts'
import { ConfigError } from './error.ts'
import { checkEtcd } from './etcd-check.ts'
import { Faults, type Path, pathText } from './fault.ts'
import { checkFlannels } from './flannel-check.ts'
import { addIssues } from './issue.ts'
import { type Keys, readKeys, zeroKeys } from './key-check.ts'
import { findLater } from './later.ts'
import type { Config, EtcdConfig, FlannelConfig, NetworkConfig } from './model.ts'
import { checkNetworks } from './network-check.ts'
import { checkPeers } from './peer-check.ts'
import { flagText, type QuickFlags, quickValue } from './quick.ts'
import { checkRules } from './rules-check.ts'
import { schema, toJsonSchema } from './schema.ts'
import { checkSecurity } from './security-check.ts'
import { readSource } from './source.ts'

export type { QuickFlags } from './quick.ts'

export interface ConfigOptions {
  /** The file's name, for the error's message. */
  readonly path: string
  /** Default of `node`. */
  readonly hostname: string
  /** Where relative names of key files begin; default: the directory of `path`. */
  readonly directory?: string
  readonly readKey?: ReadKey
}

/**
 * Parses a configuration file's text and reads the key files that it names; nothing else is looked up on the host. Throws
 * ConfigError with every fault.
 */
export function parseConfig(text: string, options: ConfigOptions): Config {
  const { value, faults } = readSource(text)
  const config = value === undefined ? null : configOf(value, faults, { directory: dirname(options.path), ...options })
  if (faults.count > 0 || !config) throw new ConfigError(options.path, faults.texts())
  return config
}

/** The configuration of `vtepd up --vni …`. Throws ConfigError whose faults name flags: `--vni: …`. */
export function fromQuickFlags(flags: QuickFlags, options: Pick<ConfigOptions, 'hostname' | 'readKey'>): Config {
  const faults = new Faults({ label: flagText, line: () => 0 })
  const value = quickValue(flags, faults)
  const config = configOf(value, faults, { directory: '.', ...options })
  if (faults.count > 0 || !config) throw new ConfigError(null, faults.texts())
  return config
}

/** JSON Schema (draft 2020-12) of what this version takes. */
export function jsonSchema(): object {
  return toJsonSchema()
}

// null when there is a fault.
function configOf(given: unknown, faults: Faults, options: Omit<ConfigOptions, 'path'>): Config | null {
  const value = withoutEmpty(given)
  if (value === null) {
    faults.add([], 'empty', 'give it networks: { blue: { vni: 42 } }')
    return null
  }
  const cuts = new Cuts()
  const later = new Set<string>()
  findLater(value, faults, (path) => {
    cuts.add(path)
    later.add(pathText(path))
  })
  const parsed = schema.safeParse(value)
  if (!parsed.success) {
    const skip = (path: Path): boolean => path.some((_, i) => later.has(pathText(path.slice(0, i + 1))))
    addIssues(parsed.error.issues, value, faults, (path) => cuts.add(path), skip)
  }
  cuts.apply(value)
  const draft = draftOf(value, cuts)
  if (!draft) return null
  checkNode(draft, options.hostname, faults)
  checkNetworks(draft, faults)
  checkPeers(draft, faults)
  checkSecurity(draft, faults)
  checkFlannels(draft, faults)
  checkRules(draft, faults)
  const directory = options.directory ?? '.'
  const etcd = checkEtcd(draft, directory, faults)
  const keys = readKeys(draft, directory, options.readKey ?? readKeyFile, faults)
  if (faults.count === 0) return finished(draft, keys, etcd, options.hostname)
  zeroKeys(keys)
  return null
}

// A section whose lines are all commented out is empty, not faulty.
function withoutEmpty(value: unknown): unknown {
  if (!isMap(value)) return value
  for (const key of ['underlay', 'peers', 'control', 'offloads']) if (value[key] === null) delete value[key]
  for (const key of ['networks', 'peers']) {
    const section = value[key]
    if (!isMap(section)) continue
    for (const name of Object.keys(section)) {
      if (section[name] === null) section[name] = {}
      const networks = isMap(section[name]) ? section[name]['networks'] : undefined
      if (key !== 'peers' || !isMap(networks)) continue
      for (const network of Object.keys(networks)) networks[network] ??= {}
    }
  }
  return value
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function checkNode(draft: Draft, hostname: string, faults: Faults): void {
  if (draft.node !== null || schema.shape.node.safeParse(hostname).success) return
  faults.add(['node'], `missing, and the hostname ${JSON.stringify(hostname)} does not do as a name`, 'name this host')
}

// Every field is known when there are no faults.
function finished(draft: Draft, keys: Keys, etcd: EtcdConfig | null, hostname: string): Config {
  const { privateKey, publicKey, preshared } = keys
  const peers = [...draft.peers!.values()].map((peer) => ({
    name: peer.name,
    endpoint: peer.endpoint,
    publicKey: peer.publicKey,
    presharedKey: preshared.get(peer.name) ?? null,
    keepaliveSec: peer.keepaliveSec,
    type: peer.type,
    networks: peer.members!.map((member) => {
      const { device, security } = draft.networks!.get(member.network)!
      return {
        network: member.network,
        allowedIps: device === 'tun' ? [...member.allowedIps!] : [],
        mac: device === 'tun' && security === 'plain' ? member.mac : null,
      }
    }),
  }))
  const all = [...draft.networks!.values()]
  const networks = all.filter(({ flannel }) => !flannel).map(({ given, type, flannel, ...own }) => own as NetworkConfig)
  const flannels = all.flatMap((network) => (network.flannel ? [flannelOf(network)] : []))
  const { underlay, rules, metrics, offloads } = draft
  const node = draft.node ?? hostname
  return frozen({
    node,
    privateKey,
    publicKey,
    underlay,
    networks,
    flannels,
    peers,
    rules,
    etcd,
    metrics,
    offloads,
  } as Config)
}

function flannelOf(network: NetworkDraft): FlannelConfig {
  const { given, type, flannel, vni, device, port, addresses, accept, fdb, ...own } = network
  return { ...own, ...flannel } as FlannelConfig
}

function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const part of Object.values(value)) frozen(part)
  return value
}
