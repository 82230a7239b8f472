import { readdirSync, readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { jsonSchema, parseConfig } from '../../../../src/control/config/config.ts'
import { ConfigError, underlayFaults } from '../../../../src/control/config/error.ts'
import { isKey } from '../../../../src/control/key.ts'
import { Secret } from '../../../../src/control/secret.ts'
import { faultsOf, KEY_B, keyBytes, OWN_KEY, parse, readKey } from '../../../support/config.ts'

const EXAMPLES = new URL('../../../../config/examples/', import.meta.url)

describe('parseConfig', () => {
  test('fills in every default', () => {
    const config = parse(`
privateKeyFile: /keys/own
networks: { blue: { vni: 42 } }
peers: { host-b: { publicKey: ${KEY_B} } }
`)
    expect(config).toEqual({
      node: 'host-a',
      privateKey: new Secret(keyBytes(1)),
      publicKey: OWN_KEY,
      underlay: { addresses: [], interface: null, vxlanPort: 4789, wireguardPort: 51820 },
      networks: [
        {
          name: 'blue',
          vni: 42,
          device: 'tap',
          interface: 'vt42',
          port: 4789,
          addresses: [],
          mac: null,
          mtu: null,
          security: 'secure',
          netns: null,
          learning: true,
          ageingSec: 300,
          macLimit: 65536,
          flood: 'replicate',
          stormLimit: 0,
          suppressArp: true,
          accept: 'peers',
          innerVlan: 'drop',
          mssClamp: false,
          ecn: 'copy',
          dscp: 0,
          udpChecksum: 'on',
          sourcePort: 'hash',
          fdb: [],
          routes: true,
          sourceCheck: true,
        },
      ],
      flannels: [],
      etcd: null,
      peers: [
        {
          name: 'host-b',
          endpoint: null,
          publicKey: KEY_B,
          presharedKey: null,
          keepaliveSec: 0,
          type: 'vtepd',
          networks: [{ network: 'blue', allowedIps: [], mac: null }],
        },
      ],
      rules: { firewall: 'auto', masquerade: false, forward: true, notrack: false, ports: [], asked: false },
      metrics: null,
      offloads: { tso: 'auto', uso: 'auto', udpGso: 'auto', udpGro: 'auto' },
    })
  })

  test('has no key and no peer with one when all is plain', () => {
    const config = parse(`
networks: { blue: { vni: 42, security: plain } }
peers: { host-b: { endpoint: 198.18.0.2 } }
`)
    expect([config.privateKey, config.publicKey, config.networks[0]!.security]).toEqual([null, null, 'plain'])
    expect(config.peers[0]).toEqual({
      name: 'host-b',
      endpoint: { host: '198.18.0.2', port: null },
      publicKey: null,
      presharedKey: null,
      keepaliveSec: 0,
      type: 'vtepd',
      networks: [{ network: 'blue', allowedIps: [], mac: null }],
    })
  })

  test('takes every key of a secure network and its peers', () => {
    const config = parse(`
privateKeyFile: own
underlay: { wireguardPort: 51821 }
networks:
  red: { vni: 7, security: secure, mssClamp: true, sourceCheck: true }
  transit: { vni: 8, device: tun }
peers:
  host-b:
    endpoint: "[FD00::2]:51822"
    publicKey: ${KEY_B}
    presharedKeyFile: psk
    keepalive: 25s
    type: wireguard
    networks: { transit: { allowedIps: [10.42.0.2] } }
`)
    expect(config.underlay.wireguardPort).toBe(51821)
    expect(config.networks.map(({ security, mssClamp }) => [security, mssClamp])).toEqual([
      ['secure', true],
      ['secure', false],
    ])
    const [peer] = config.peers
    expect(peer).toMatchObject({
      endpoint: { host: 'fd00::2', port: 51822 },
      publicKey: KEY_B,
      keepaliveSec: 25,
      type: 'wireguard',
      networks: [{ network: 'transit', allowedIps: ['10.42.0.2/32'], mac: null }],
    })
    expect(peer!.presharedKey!.copy()).toEqual(keyBytes(101))
    expect(config.privateKey!.copy()).toEqual(keyBytes(1))
  })

  test('shows no secret, however it is printed', () => {
    const config = parse(`
privateKeyFile: own
networks: { red: { vni: 7 } }
peers: { b: { publicKey: ${KEY_B}, presharedKeyFile: psk } }
`)
    const shown = JSON.stringify(config) + inspect(config, { depth: 9, showHidden: true })
    for (const seed of [1, 101]) {
      expect(shown).not.toContain(Buffer.from(keyBytes(seed)).toString('base64').slice(0, 20))
      expect(shown).not.toContain(keyBytes(seed).slice(0, 4).join(', '))
    }
  })

  test('finds key files from the directory of the file, or from another', () => {
    const asked: string[] = []
    const spy = (path: string, maker: string) => {
      asked.push(path)
      return readKey('/keys/own', maker)
    }
    const text = 'privateKeyFile: sub/key\nnetworks: {}'
    parseConfig(text, { path: '/a/b/x.yaml', hostname: 'h', readKey: spy })
    parseConfig(text, { path: '/a/b/x.yaml', hostname: 'h', directory: '/c', readKey: spy })
    parseConfig(text.replace('sub', '/abs'), { path: '/a/b/x.yaml', hostname: 'h', readKey: spy })
    expect(asked).toEqual(['/a/b/sub/key', '/c/sub/key', '/abs/key'])
  })

  test('takes every key of this version and brings values into canonical form', () => {
    const config = parse(`
node: rack1.host-7
underlay: { address: [198.18.0.1, "FD00:0:0::1"], vxlanPort: 8472, wireguardPort: 1 }
networks:
  blue:
    vni: 16777215
    type: vxlan
    device: tap
    interface: overlay0
    port: 4790
    address: ["FD00:42:0::1/64", 10.42.0.1/24]
    mac: 02-AA-BB-CC-DD-EE
    mtu: 1430
    security: plain
    netns: 4711
    learning: false
    ageing: 1h30m
    macLimit: 1
    flood: { group: "FF05:0::42", interface: eth0 }
    stormLimit: 1000
    suppressArp: false
    accept: [198.18.0.0/24, 198.18.9.9, "FD00::/16"]
    innerVlan: keep
    mssClamp: true
    ecn: off
    dscp: inherit
    udpChecksum: auto
    sourcePort: fixed
    fdb: [{ mac: "02:00:00:00:00:0A", vtep: host-b, ip: ["FD00:42::A", 10.42.0.10] }, { mac: 02:00:00:00:00:0b, vtep: "fd00:0::3" }]
    routes: false
    sourceCheck: false
peers:
  host-b: { endpoint: "Host-B.Example.net:4789", type: vtepd, networks: [blue] }
  host-c: { endpoint: "[fd00::0003]:4791", networks: { blue: } }
metrics: { listen: "[::1]:9478" }
offloads: { tso: on, uso: off, udpGso: auto, udpGro: on }
workers: 1
`)
    expect(config.node).toBe('rack1.host-7')
    expect(config.underlay).toEqual({
      addresses: ['198.18.0.1', 'fd00::1'],
      interface: null,
      vxlanPort: 8472,
      wireguardPort: 1,
    })
    expect(config.networks[0]).toEqual({
      name: 'blue',
      vni: 16777215,
      device: 'tap',
      interface: 'overlay0',
      port: 4790,
      addresses: ['fd00:42::1/64', '10.42.0.1/24'],
      mac: '02:aa:bb:cc:dd:ee',
      mtu: 1430,
      security: 'plain',
      netns: '4711',
      learning: false,
      ageingSec: 5400,
      macLimit: 1,
      flood: { group: 'ff05::42', interface: 'eth0' },
      stormLimit: 1000,
      suppressArp: false,
      accept: ['198.18.0.0/24', '198.18.9.9/32', 'fd00::/16'],
      innerVlan: 'keep',
      mssClamp: true,
      ecn: 'off',
      dscp: 'inherit',
      udpChecksum: 'auto',
      sourcePort: 'fixed',
      fdb: [
        { mac: '02:00:00:00:00:0a', vtep: 'host-b', addresses: ['fd00:42::a', '10.42.0.10'] },
        { mac: '02:00:00:00:00:0b', vtep: 'fd00::3', addresses: [] },
      ],
      routes: false,
      sourceCheck: false,
    })
    expect(config.peers.map((peer) => peer.endpoint)).toEqual([
      { host: 'host-b.example.net', port: 4789 },
      { host: 'fd00::3', port: 4791 },
    ])
    expect(config.metrics).toEqual({ host: '::1', port: 9478 })
    expect(config.offloads).toEqual({ tso: 'on', uso: 'off', udpGso: 'auto', udpGro: 'on' })
  })

  test('gives a layer 3 peer its prefixes by network, the general ones where none are its own', () => {
    const config = parse(`
networks:
  a: { vni: 1, security: plain, device: tun, address: 10.1.0.1/16 }
  b: { vni: 2, security: plain, device: tun, address: 10.2.0.1/16 }
  c: { vni: 3, security: plain }
peers:
  host-b:
    endpoint: 198.18.0.2
    networks: { a: { allowedIps: [10.1.0.2], mac: 02:00:00:00:00:01 }, b: {}, c: }
    allowedIps: [10.2.7.0/24]
    mac: 02:00:00:00:00:02
`)
    expect(config.peers[0]!.networks).toEqual([
      { network: 'a', allowedIps: ['10.1.0.2/32'], mac: '02:00:00:00:00:01' },
      { network: 'b', allowedIps: ['10.2.7.0/24'], mac: '02:00:00:00:00:02' },
      { network: 'c', allowedIps: [], mac: null },
    ])
  })

  test('takes JSON', () => {
    expect(parse('{"networks": {"blue": {"vni": 42, "security": "plain"}}}').networks[0]!.vni).toBe(42)
  })

  test('follows an alias', () => {
    const config = parse(`
networks:
  a: &base { vni: 1, security: plain }
  b: { vni: 2, security: plain }
peers:
  p: { endpoint: 198.18.0.2, networks: &both [a, b] }
  q: { endpoint: 198.18.0.3, networks: *both }
`)
    expect(config.peers[1]!.networks.map(({ network }) => network)).toEqual(['a', 'b'])
  })

  test('takes a section whose lines are all comments as empty', () => {
    const config = parse('underlay:\nnetworks: { a: { vni: 1, security: plain } }\npeers:\n  # none yet\noffloads:\n')
    expect(config.peers).toEqual([])
    expect(config.underlay.vxlanPort).toBe(4789)
  })

  test('takes a configuration without networks only when it says so', () => {
    expect(parse('networks: {}').networks).toEqual([])
    expect(faultsOf('node: a')).toEqual([expect.stringMatching(/^networks: missing, want a map; write networks: \{/)])
  })

  test('freezes all of it', () => {
    const config = parse('networks: { a: { vni: 1, security: plain, fdb: [], address: 10.0.0.1/8 } }')
    const loose: unknown[] = []
    const look = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return
      if (!Object.isFrozen(value)) loose.push(value)
      Object.values(value).forEach(look)
    }
    look(config)
    expect(loose).toEqual([])
    expect(() => Object.assign(config.networks[0]!, { vni: 2 })).toThrow(TypeError)
  })

  test('names all faults at once, of form and of meaning, in the order of the file', () => {
    const faults = faultsOf(`
networks:
  blue:
    vni: "42"
    security: plain
    adress: [10.42.0.1/24]
    ageing: 300
  red: { vni: 7, security: plain, mtu: 1000, address: "fd00::1/64" }
  green: { vni: 7, security: plain }
peers:
  host-b: { endpoint: 198.18.0.2, networks: [blu, red] }
  host-c: { endpoint: 198.18.0.2, networks: [red], keepalive: 25s }
  host-d: { publicKey: ${KEY_B}, presharedKeyFile: none, networks: [red] }
workers: 2
`)
    expect(faults).toEqual([
      'networks.blue.vni: want 0..16777215, got "42"; write it in that range and without quotes (line 4)',
      'networks.blue.adress: unknown key; did you mean address? (line 6)',
      'networks.blue.ageing: want a duration, got 300; write it like 300s, 5m or 1h, or 0s for never (line 7)',
      'networks.red.mtu: want 1280 or more with the IPv6 address fd00::1/64, got 1000; raise it, or remove the IPv6 address (line 8)',
      "networks.green.vni: 7 is network red's VNI too; give each network a VNI of its own (line 9)",
      'peers.host-b.networks[0]: no network "blu"; did you mean blue? (line 11)',
      "peers.host-c.endpoint: 198.18.0.2 is peer host-b's address too, in network red; senders are told apart by address: remove one of the peers (line 12)",
      'peers.host-c.keepalive: of no use without a publicKey; write the publicKey, which `vtepd pubkey` prints there, or remove it (line 12)',
      'peers.host-d.endpoint: missing, and in the plain network red a peer is known by its address; write it, or take the peer out of the network (line 13)',
      'peers.host-d.presharedKeyFile: there is no file /keys/none; make a key with vtepd genpsk (line 13)',
      'workers: more than one is not in this version; write 1 (line 14)',
    ])
  })

  test('blames nothing else for a key that is faulty itself', () => {
    // An unknown device must not make allowedIps pointless, an unknown list of networks not mean all of them.
    const faults = faultsOf(`
networks:
  t: { vni: 1, security: plain, device: tunn, address: 10.0.0.1/24 }
  u: { vni: 2, security: plain, device: tun, address: 10.9.0.1/24 }
peers:
  p: { endpoint: 198.18.0.2, networks: [t], allowedIps: [10.0.0.2/32] }
  q: { endpoint: 198.18.0.3, networks: t }
`)
    expect(faults.map((fault) => fault.split(':')[0])).toEqual(['networks.t.device', 'peers.q.networks'])
  })

  test('says the file, how many faults there are, and each on a line', () => {
    const error = new ConfigError('/etc/vtepd/vtepd.yaml', ['a: b; c', 'd: e; f'])
    expect(error.message).toBe('/etc/vtepd/vtepd.yaml: 2 faults\n  a: b; c\n  d: e; f')
    expect(error.faults).toEqual(['a: b; c', 'd: e; f'])
  })

  test('asks for a node name when the hostname does not do as one', () => {
    const text = 'networks: {}'
    expect(() => parseConfig(text, { path: 'x', hostname: 'a b' })).toThrow(/node: missing, and the hostname "a b"/)
    expect(parseConfig('networks: {}\nnode: c', { path: 'x', hostname: 'a b' }).node).toBe('c')
  })

  test('never quotes the value of a key that may hold a secret', () => {
    const secret = Buffer.from(keyBytes(5)).toString('base64')
    const cut = secret.slice(1)
    const faults = faultsOf(`
privateKey: ${secret}
privateKeyFile: ${secret}
networks: { a: { vni: 1, security: plain, key: ${secret} } }
peers:
  p: { endpoint: 198.18.0.2, presharedKey: ${secret}, publicKey: ${cut}, presharedKeyFile: ${cut} }
  q: { endpoint: 198.18.0.3, publicKey: [${secret}], presharedKeyFile: { ${cut}: 1 } }
`)
    expect(faults.map((fault) => fault.replace(/;.*/, ''))).toEqual([
      'privateKey: unknown key',
      'privateKeyFile: want the name of a file, not a key',
      'networks.a.key: unknown key',
      'peers.p.publicKey: want a public key, 32 bytes in base64',
      'peers.p.presharedKeyFile: want the name of a file, not a key',
      'peers.p.presharedKey: unknown key',
      'peers.q.publicKey: want a public key, 32 bytes in base64',
      'peers.q.presharedKeyFile: want the name of a file',
    ])
    expect(faults.join()).not.toContain(cut.slice(2, 20))
  })
})

describe('the examples', () => {
  const files = readdirSync(EXAMPLES)
  test('are there', () => expect(files.length).toBeGreaterThanOrEqual(5))
  test.each(files)('%s parses', (file) => {
    const text = readFileSync(new URL(file, EXAMPLES), 'utf8')
    const { networks, flannels } = parseConfig(text, { path: file, hostname: 'host-a', readKey })
    expect(networks.length + flannels.length).toBeGreaterThan(0)
  })
})

describe('underlayFaults', () => {
  const config = parse(`
networks: { a: { vni: 1, security: plain } }
peers:
  self: { endpoint: 198.18.0.1 }
  six: { endpoint: "fd00::2" }
`)

  test('finds none where the addresses do', () => {
    expect(underlayFaults(config, ['198.18.0.9', 'fd00::9'])).toEqual([])
  })

  test('finds ourselves among the peers, and a family that the underlay has not', () => {
    expect(underlayFaults(config, ['198.18.0.1'])).toEqual([
      "peers.self.endpoint: 198.18.0.1 is this host itself; write the other host's address, or remove the peer",
      'peers.six.endpoint: it is IPv6, the underlay address is IPv4 only; give this host an IPv6 underlay address too',
    ])
  })
})

describe('jsonSchema', () => {
  const text = JSON.stringify(jsonSchema())

  test('is draft 2020-12, strict, and describes the keys', () => {
    const schema = jsonSchema() as {
      $schema: string
      additionalProperties: boolean
      properties: { node: { description: string } }
    }
    expect(schema.$schema).toBe('https://json-schema.org/draft/2020-12/schema')
    expect(schema.additionalProperties).toBe(false)
    expect(schema.properties.node.description).toMatch(/hostname/)
  })

  test('does not know what this version does not deliver', () => {
    for (const word of ['bridge']) {
      expect(text).not.toContain(word)
    }
  })
})

describe('docs/configuration.md', () => {
  const page = readFileSync(new URL('../../../../docs/configuration.md', import.meta.url), 'utf8')

  /** Every key below a schema, in maps, lists and alternatives. */
  function* keysOf(schema: unknown): Generator<[string, { default?: unknown }]> {
    const { properties, additionalProperties, items, anyOf } = schema as Record<string, object | undefined>
    for (const [key, below] of Object.entries(properties ?? {})) {
      yield [key, below]
      yield* keysOf(below)
    }
    for (const below of [additionalProperties, items, ...((anyOf as object[] | undefined) ?? [])]) {
      if (typeof below === 'object') yield* keysOf(below)
    }
  }
  const rows = page.split('\n').filter((line) => line.startsWith('| `'))
  const keys = [...keysOf(jsonSchema())].filter(([key]) => key !== 'vtep')

  test.each(keys.map(([key, below]) => [key, below.default] as const))(
    'has a row for %s with the default %j',
    (key, value) => {
      const own = rows.filter((row) => row.startsWith(`| \`${key}\` |`))
      expect(own.length).toBeGreaterThan(0)
      if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
        expect(own.some((row) => row.includes(`| \`${value}\` |`))).toBe(true)
      }
    },
  )

  test('has no row for a key that does not exist', () => {
    const known = new Set(keys.map(([key]) => key))
    const named = rows.flatMap((row) => row.match(/^\| `(\w+)` \|/)?.slice(1) ?? [])
    expect(named.filter((key) => !known.has(key))).toEqual([])
  })

  test('shows faults as they are', () => {
    const shown = page.match(/^networks\.blue\.vni: .*$/m)![0]
    const said = faultsOf('networks: { blue: { vni: "42", security: plain } }')[0]!
    expect(shown.replace(/ \(line.*/, '')).toBe(said.replace(/ \(line.*/, ''))
  })

  test('begins with a file that parses, and so do the others', () => {
    const files = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => text!)
    const configs = files.filter((text) => text.includes('networks:')).map((text) => parse(withKeys(text)))
    expect(configs[0]!.networks[0]!).toMatchObject({ interface: 'vt42', security: 'secure' })
    expect(configs.length).toBeGreaterThan(1)
  })

  /** Public keys on the page are shown as `…`. */
  function withKeys(text: string): string {
    return text.replaceAll(/publicKey: \S+/g, (shown) => (isKey(shown.slice(11)) ? shown : `publicKey: ${KEY_B}`))
  }
})
