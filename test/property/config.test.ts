// Configurations by chance: no text whatever ends in anything but a Config or a ConfigError whose faults an operator can read,
// and a Config written out is read back as itself.
import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { ConfigError, fromQuickFlags, type QuickFlags } from '../../src/control/config.ts'
import type { Config, NetworkConfig, PeerConfig } from '../../src/control/model.ts'
import { KEY_B, parse, readKey } from '../support/config.ts'
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
  device: fc.constantFrom('tap', 'tun'),
  port: fc.integer({ min: 1, max: 65535 }),
  six: fc.boolean(),
  mac: fc.option(mac),
  mtu: fc.option(fc.integer({ min: 1280, max: 65485 })),
  netns: fc.constantFrom(null, 'blue', '/run/netns/x', '4711'),
  learning: fc.boolean(),
  ageingSec: fc.integer({ min: 0, max: 365 * 86400 }),
  macLimit: fc.integer({ min: 1, max: 4194304 }),
  flood: fc.constantFrom('replicate', 'off'),
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
})

const config: fc.Arbitrary<Config> = fc
  .record({
    networks: fc.array(network, { maxLength: 4 }),
    peers: fc.uniqueArray(peer, { maxLength: 6, selector: (one) => one.host }),
    node: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/),
    offloads: fc.record({ tso: fc.constantFrom('auto', 'on', 'off'), uso: fc.constantFrom('auto', 'on', 'off') }),
    metrics: fc.option(
      fc.record({ host: fc.constantFrom('127.0.0.1', '::', 'localhost'), port: fc.integer({ min: 1, max: 65535 }) }),
    ),
  })
  .map((drawn) => {
    const networks = drawn.networks.map(({ six, ...rest }, i) => ({
      ...rest,
      name: `net.${i}`,
      vni: i * 5_000_000,
      interface: `if-${i}`,
      addresses: six ? [`10.${i}.0.1/16`, `fd00:${i + 1}::1/64`] : [],
      security: 'plain',
      // A socket has one checksum setting.
      udpChecksum: 'on',
      fdb: [],
    })) as unknown as NetworkConfig[]
    const peers: PeerConfig[] = drawn.peers.map((one, i) => ({
      name: `peer_${i}`,
      endpoint: { host: one.host, port: one.port },
      publicKey: null,
      presharedKey: null,
      keepaliveSec: 0,
      type: 'vtepd',
      networks: networks
        .filter((_, bit) => (one.places >> bit) & 1)
        .map(({ name, device }) => ({
          network: name,
          // Of a number for each network, so that no two are routed alike.
          allowedIps: device === 'tun' ? [`10.${100 + i}.${name.slice(4)}.0/24`] : [],
          mac: device === 'tun' ? one.mac : null,
        })),
    }))
    return {
      node: drawn.node,
      privateKey: null,
      publicKey: null,
      underlay: { addresses: ['198.18.0.1', 'fd18::1'], interface: null, vxlanPort: 8472, wireguardPort: 51821 },
      networks: networks.map((one) => ({ ...one, mac: one.mac?.replace('02:00', '06:00') ?? null })),
      peers,
      metrics: drawn.metrics,
      offloads: { ...drawn.offloads, udpGso: 'auto', udpGro: 'auto' } as Config['offloads'],
    }
  })

/** A Config as the values of a file. */
function written({ node, offloads, underlay, networks, peers, metrics }: Config): object {
  const without = (object: object): object =>
    Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null))
  const address = (hostname: string, port: number | null): string => {
    if (port === null) return hostname
    return hostname.includes(':') ? `[${hostname}]:${port}` : `${hostname}:${port}`
  }
  return {
    node,
    offloads,
    underlay: {
      address: underlay.addresses,
      vxlanPort: underlay.vxlanPort,
      wireguardPort: underlay.wireguardPort,
    },
    networks: Object.fromEntries(
      networks.map(({ name, addresses, ageingSec, ...keys }) => [
        name,
        without({ ...keys, address: addresses.length > 0 ? addresses : null, ageing: `${ageingSec}s` }),
      ]),
    ),
    peers: Object.fromEntries(
      peers.map(({ name, endpoint, networks: places }) => [
        name,
        {
          endpoint: address(endpoint!.host, endpoint!.port),
          networks: Object.fromEntries(
            places.map(({ network: place, allowedIps, mac: own }) => [
              place,
              without({ allowedIps: allowedIps.length > 0 ? allowedIps : null, mac: own }),
            ]),
          ),
        },
      ]),
    ),
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
