// Configurations by chance: no text whatever ends in anything but a Config or a ConfigError whose faults an operator can read,
// and a Config written out is read back as itself.
import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { fromQuickFlags, type QuickFlags } from '../../src/control/config/config.ts'
import { ConfigError } from '../../src/control/config/error.ts'
import type { Config, EtcdConfig, NetworkConfig, PeerConfig, RulesConfig } from '../../src/control/config/model.ts'
import { listensAt, type PortMapping } from '../../src/control/config/port-mapping.ts'
import { Secret } from '../../src/control/secret.ts'
import { KEY_B, keyBytes, OWN_KEY, parse, publicKey, readKey } from '../support/config.ts'
import { seed } from '../support/seed.ts'

const EXAMPLES = new URL('../../config/examples/', import.meta.url)
const texts = readdirSync(EXAMPLES).map((file) => readFileSync(new URL(file, EXAMPLES), 'utf8'))

/** Runs `make`; a ConfigError must consist of readable faults, any other error passes and fails the test. */
function survives(make: () => Config): void {
  try {
    expect(Object.isFrozen(make())).toBe(true)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    expect(error.faults.length).toBeGreaterThan(0)
    for (const fault of error.faults) {
      expect(fault).toMatch(/^\S.*: .+; .+$/)
      expect(fault).not.toMatch(/[\p{Cc}\p{Cf}]|got undefined|Invalid input/u)
    }
  }
}

describe('any text', () => {
  const word = fc.constantFrom(
    ...[
      'networks',
      'peers',
      'blue',
      'vni',
      'security',
      'plain',
      'address',
      'endpoint',
      'fdb',
      'accept',
      'null',
      '~',
      '42',
      '0x2a',
    ],
    ...[
      ': ',
      ':\n  ',
      '\n',
      '\n  ',
      '\n    ',
      '- ',
      '? ',
      '[',
      ']',
      '{',
      '}',
      ', ',
      '&a ',
      '*a ',
      '!!map ',
      '!x ',
      '"',
      "'",
      '|',
      '>',
      '#',
      '<<',
    ],
    ...['---\n', '...\n', '%YAML 1.1\n', '\t', '\r\n', '\ufeff', '\0', '__proto__', '198.18.0.2', 'fd00::1', '@', '`'],
  )

  test('of letters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => survives(() => parse(text))),
      { seed, numRuns: 500 },
    )
  })

  test('of YAML’s own words', () => {
    const soup = fc.array(word, { maxLength: 60 }).map((words) => words.join(''))
    fc.assert(
      fc.property(soup, (text) => survives(() => parse(text))),
      { seed, numRuns: 1000 },
    )
  })

  test('that was an example before something was cut out, put in or doubled', () => {
    const damaged = fc
      .tuple(fc.constantFrom(...texts), fc.nat(), fc.nat(40), fc.oneof(word, fc.string({ maxLength: 8 })), fc.boolean())
      .map(([text, at, length, insert, double]) => {
        const from = at % text.length
        const piece = double ? text.slice(from, from + length) : ''
        return text.slice(0, from) + piece + insert + piece + text.slice(from + length)
      })
    fc.assert(
      fc.property(damaged, (text) => survives(() => parse(text))),
      { seed, numRuns: 500 },
    )
  })
})

// Valid by construction: what must be unique is numbered.
const mac = fc.integer({ min: 1, max: 0xffffff }).map(
  (n) =>
    `02:00:00:${n
      .toString(16)
      .padStart(6, '0')
      .replace(/..(?!$)/g, '$&:')}`,
)

const network = fc.record({
  isSecure: fc.boolean(),
  device: fc.constantFrom('tap', 'tun'),
  port: fc.integer({ min: 1, max: 65535 }),
  six: fc.boolean(),
  mac: fc.option(mac),
  mtu: fc.option(fc.integer({ min: 1280, max: 65485 })),
  netns: fc.constantFrom(null, 'blue', '/run/netns/x', '4711'),
  learning: fc.boolean(),
  ageingSec: fc.integer({ min: 0, max: 365 * 86400 }),
  macLimit: fc.integer({ min: 1, max: 4194304 }),
  flood: fc.constantFrom<unknown>('replicate', 'off', { group: '239.1.1.42', interface: 'eth0' }),
  stormLimit: fc.nat(14880952),
  suppressArp: fc.boolean(),
  accept: fc.constantFrom('peers', 'any', [], ['198.18.0.0/15', 'fd00::/8']),
  innerVlan: fc.constantFrom('drop', 'keep'),
  mssClamp: fc.boolean(),
  ecn: fc.constantFrom('copy', 'off'),
  dscp: fc.oneof(fc.constant('inherit'), fc.integer({ min: 0, max: 63 })),
  udpChecksum: fc.constantFrom('on', 'auto'),
  sourcePort: fc.constantFrom('hash', 'fixed'),
  routes: fc.boolean(),
  sourceCheck: fc.boolean(),
})

const host = fc.oneof(
  fc.nat(0xffff).map((n) => `198.19.${n >> 8}.${n & 255}`),
  fc.nat(0xffff).map((n) => `fd19::${n.toString(16).replace(/^0$/, '1')}`),
  fc.nat(0xffff).map((n) => `host-${n}.example`),
)
const peer = fc.record({
  host,
  port: fc.option(fc.integer({ min: 1, max: 65535 })),
  mac: fc.option(mac),
  places: fc.integer(),
  isKeyed: fc.boolean(),
  isCalling: fc.boolean(),
  isStock: fc.boolean(),
  hasPsk: fc.boolean(),
  keepaliveSec: fc.integer({ min: 0, max: 65535 }),
})

type DrawnNetwork = typeof network extends fc.Arbitrary<infer T> ? T : never
type DrawnPeer = typeof peer extends fc.Arbitrary<infer T> ? T : never

const KEYS = Array.from({ length: 6 }, (_, i) => publicKey(10 + i))
const PSK = new Secret(keyBytes(101))
const WIREGUARD_PORT = 51821

function networkOf({ six, isSecure, ...rest }: DrawnNetwork, i: number): NetworkConfig {
  const plainOnly = { port: 8472, accept: 'peers', sourcePort: 'hash', sourceCheck: true }
  return {
    ...rest,
    ...(isSecure ? plainOnly : { port: rest.port === WIREGUARD_PORT ? 4789 : rest.port }),
    name: `net.${i}`,
    vni: i * 5_000_000,
    interface: `if-${i}`,
    addresses: six ? [`10.${i}.0.1/16`, `fd00:${i + 1}::1/64`] : [],
    mac: rest.mac?.replace('02:00', '06:00') ?? null,
    security: isSecure ? 'secure' : 'plain',
    flood: typeof rest.flood === 'object' && (isSecure || rest.device === 'tun') ? 'replicate' : rest.flood,
    stormLimit: rest.device === 'tun' ? 0 : rest.stormLimit,
    // A socket has one checksum setting.
    udpChecksum: 'on',
    fdb: [],
  } as unknown as NetworkConfig
}

// Without a key in plain networks only; with one in all kinds, but one secure tun network at most.
function peerOf(one: DrawnPeer, i: number, networks: readonly NetworkConfig[]): PeerConfig {
  const { isKeyed } = one
  const isTunnel = ({ security, device }: NetworkConfig): boolean => security === 'secure' && device === 'tun'
  const asked = networks.filter((own, bit) => (one.places >> bit) & 1 && (isKeyed || own.security === 'plain'))
  const places = asked.filter((own) => !isTunnel(own) || own === asked.find(isTunnel))
  const canCall = isKeyed && places.every(({ security }) => security === 'secure')
  return {
    name: `peer_${i}`,
    endpoint: canCall && one.isCalling ? null : { host: one.host, port: one.port },
    publicKey: isKeyed ? KEYS[i]! : null,
    presharedKey: isKeyed && one.hasPsk ? PSK : null,
    keepaliveSec: isKeyed ? one.keepaliveSec : 0,
    type: isKeyed && one.isStock && places.every(isTunnel) ? 'wireguard' : 'vtepd',
    networks: places.map(({ name, device, security }) => ({
      network: name,
      // Of a number for each network, so that no two are routed alike.
      allowedIps: device === 'tun' ? [`10.${100 + i}.${name.slice(4)}.0/24`] : [],
      mac: device === 'tun' && security === 'plain' ? one.mac : null,
    })),
  }
}

const mapping: fc.Arbitrary<PortMapping> = fc
  .record({
    six: fc.boolean(),
    protocol: fc.constantFrom('tcp', 'udp'),
    bound: fc.boolean(),
    hostPort: fc.integer({ min: 1, max: 1000 }),
    targetPort: fc.integer({ min: 1, max: 65535 }),
  })
  .map(({ six, protocol, bound, ...portNumbers }) => ({
    ...portNumbers,
    protocol,
    family: six ? 6 : 4,
    host: bound ? (six ? 'fd18::1' : '198.18.0.1') : null,
    target: six ? 'fd00:42::7' : '10.42.0.7',
  }))

const rules = fc.record({
  firewall: fc.constantFrom('auto', 'nftables', 'iptables', 'off'),
  masquerade: fc.boolean(),
  forward: fc.boolean(),
  notrack: fc.boolean(),
  ports: fc.uniqueArray(mapping, { maxLength: 3, selector: listensAt }),
})

function rulesOf(drawn: Omit<RulesConfig, 'asked'>): RulesConfig {
  const { firewall, masquerade, forward, notrack, ports } = drawn
  const asked = firewall.endsWith('tables') || masquerade || forward || notrack || ports.length > 0
  return { ...drawn, asked }
}

const etcd: fc.Arbitrary<EtcdConfig> = fc
  .record({
    hosts: fc.uniqueArray(fc.constantFrom('198.18.0.9', '[fd00::9]', 'store.example.net'), { minLength: 1 }),
    port: fc.integer({ min: 1, max: 65535 }).filter((port) => port !== 80),
    prefix: fc.stringMatching(/^(\/[a-z0-9-]{1,12}){1,3}$/),
    leaseTtlSec: fc.integer({ min: 2, max: 365 * 86400 }),
    part: fc.double({ min: 0, max: 0.99, noNaN: true }),
  })
  .map(({ hosts, port, prefix, leaseTtlSec, part }) => ({
    endpoints: hosts.map((host) => `http://${host}:${port}`),
    prefix,
    leaseTtlSec,
    renewMarginSec: Math.floor(leaseTtlSec * part),
    caFile: null,
    certFile: null,
    keyFile: null,
    username: null,
    passwordFile: null,
  }))

const config: fc.Arbitrary<Config> = fc
  .record({
    networks: fc.array(network, { maxLength: 4 }),
    peers: fc.uniqueArray(peer, { maxLength: 6, selector: (one) => one.host }),
    rules,
    node: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/),
    offloads: fc.record({ tso: fc.constantFrom('auto', 'on', 'off'), uso: fc.constantFrom('auto', 'on', 'off') }),
    etcd: fc.option(etcd),
    metrics: fc.option(
      fc.record({ host: fc.constantFrom('127.0.0.1', '::', 'localhost'), port: fc.integer({ min: 1, max: 65535 }) }),
    ),
  })
  .map((drawn) => {
    const networks = drawn.networks.map(networkOf)
    return {
      node: drawn.node,
      privateKey: new Secret(keyBytes(1)),
      publicKey: OWN_KEY,
      underlay: {
        addresses: ['198.18.0.1', 'fd18::1'],
        interface: null,
        vxlanPort: 8472,
        wireguardPort: WIREGUARD_PORT,
      },
      networks,
      flannels: [],
      peers: drawn.peers.map((one, i) => peerOf(one, i, networks)),
      rules: rulesOf(drawn.rules),
      etcd: drawn.etcd,
      metrics: drawn.metrics,
      offloads: { ...drawn.offloads, udpGso: 'auto', udpGro: 'auto' } as Config['offloads'],
    }
  })

/** A Config as the values of a file. */
function written({ rules: { asked, ...keys }, ...config }: Config): object {
  const { node, offloads, underlay, networks, peers, etcd, metrics } = config
  const without = (object: object): object =>
    Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null))
  const address = (hostname: string, port: number | null): string => {
    if (port === null) return hostname
    return hostname.includes(':') ? `[${hostname}]:${port}` : `${hostname}:${port}`
  }
  const networkKeys = ({ name, addresses, ageingSec, ...keys }: NetworkConfig): [string, object] => {
    const { port, accept, udpChecksum, sourcePort, ...both } = keys
    const known = keys.security === 'plain' ? keys : both
    return [name, without({ ...known, address: addresses.length > 0 ? addresses : null, ageing: `${ageingSec}s` })]
  }
  const peerKeys = ({ name, endpoint, presharedKey, keepaliveSec, networks: places, ...keys }: PeerConfig) => {
    const inside = places.map(({ network: place, allowedIps, mac: own }) => [
      place,
      without({ allowedIps: allowedIps.length > 0 ? allowedIps : null, mac: own }),
    ])
    const values = {
      ...keys,
      endpoint: endpoint && address(endpoint.host, endpoint.port),
      presharedKeyFile: presharedKey && 'psk',
      keepalive: keepaliveSec > 0 ? `${keepaliveSec}s` : null,
      networks: Object.fromEntries(inside),
    }
    return [name, without(values)]
  }
  const etcdKeys = ({ endpoints, prefix, leaseTtlSec, renewMarginSec }: EtcdConfig): object => ({
    endpoints,
    prefix,
    leaseTtl: `${leaseTtlSec}s`,
    renewMargin: `${renewMarginSec}s`,
  })
  return {
    node,
    offloads,
    privateKeyFile: '/keys/own',
    underlay: {
      address: underlay.addresses,
      vxlanPort: underlay.vxlanPort,
      wireguardPort: underlay.wireguardPort,
    },
    networks: Object.fromEntries(networks.map(networkKeys)),
    peers: Object.fromEntries(peers.map(peerKeys)),
    ...keys,
    ports: keys.ports.map(({ family, protocol, host, hostPort, target, targetPort }) => {
      const shown = (text: string): string => (family === 6 ? `[${text}]` : text)
      return `${host === null ? '' : `${shown(host)}:`}${hostPort}:${shown(target)}:${targetPort}/${protocol}`
    }),
    ...(etcd && { control: { etcd: etcdKeys(etcd) } }),
    ...(metrics && { metrics: { listen: address(metrics.host, metrics.port) } }),
  }
}

describe('a configuration', () => {
  test('written as YAML or JSON is read back as itself', () => {
    fc.assert(
      fc.property(config, (one) => {
        expect(parse(stringify(written(one)))).toEqual(one)
        expect(parse(JSON.stringify(written(one)))).toEqual(one)
      }),
      { seed, numRuns: 200 },
    )
  })

  test('with one value or key replaced by anything is read or refused in words', () => {
    const anything = fc.oneof(
      fc.anything({ maxDepth: 2, withBigInt: false, withNullPrototype: false }),
      fc.constantFrom('', null, -1, 1e99, 'on', 'fe80::1%1', '0.0.0.0/0', '::ffff:1.2.3.4', '02:00:00:00:00:01', [[]]),
    )
    fc.assert(
      fc.property(config, fc.nat(), anything, fc.boolean(), (one, at, value, key) => {
        const file = JSON.parse(JSON.stringify(written(one)))
        const places: [Record<string, unknown>, string][] = []
        const look = (node: unknown): void => {
          if (typeof node !== 'object' || node === null) return
          for (const [name, below] of Object.entries(node)) {
            places.push([node as Record<string, unknown>, name])
            look(below)
          }
        }
        look(file)
        const [holder, name] = places[at % places.length]!
        if (key && !Array.isArray(holder)) holder[`${JSON.stringify(value)}`.slice(0, 20)] = holder[name]
        else holder[name] = value
        let text: string
        try {
          text = JSON.stringify(file)
        } catch {
          return // what JSON cannot hold no file can
        }
        survives(() => parse(text))
      }),
      { seed, numRuns: 400 },
    )
  })
})

test('any quick flags are taken or refused in words', () => {
  const some = fc.oneof(
    fc.constantFrom(
      '42',
      '198.18.0.1',
      '198.18.0.2:4789',
      '10.42.0.1/24',
      'fd00::1/64',
      'tap',
      'tun',
      'a@b',
      `${KEY_B}@198.18.0.2`,
      '/keys/own',
      '',
      '0',
      '-1',
    ),
    fc.string({ maxLength: 12 }),
  )
  const many = fc.oneof(fc.array(some, { maxLength: 3 }), some, fc.constant(undefined))
  const flags = fc.record({
    ...{ vni: fc.oneof(some, fc.integer(), fc.double()), local: many, peer: many, address: many },
    ...{ device: fc.option(some, { nil: undefined }), interface: fc.option(some, { nil: undefined }) },
    ...{ port: fc.option(some, { nil: undefined }), mtu: fc.option(some, { nil: undefined }), plain: fc.boolean() },
    key: fc.option(some, { nil: undefined }),
  })
  fc.assert(
    fc.property(flags, (one) => survives(() => fromQuickFlags(one as QuickFlags, { hostname: 'host-a', readKey }))),
    { seed, numRuns: 1000 },
  )
})
