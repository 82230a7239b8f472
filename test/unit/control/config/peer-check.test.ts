import { describe, expect, test } from 'vitest'
import { expected, faultsOf, matched, parse, type Row } from '../../../support/config.ts'

const TAP = 'networks: { blue: { vni: 1, security: plain }, red: { vni: 2, security: plain } }\n'
const TUN = 'networks: { t: { vni: 1, security: plain, device: tun, address: 10.42.0.1/24 } }\n'

function own(address: string, rest: string): string {
  return `underlay: { address: ${address} }\n${rest}`
}

function peers(...keys: string[]): string {
  return `peers:\n${keys.map((text, i) => `  p${i}: { ${text} }`).join('\n')}\n`
}

const ROWS: Row[] = [
  {
    text: `${TAP}${peers('endpoint: 198.18.0.2, networks: [bleu]')}`,
    path: 'peers.p0.networks[0]',
    what: 'no network "bleu"',
    mend: 'did you mean blue?',
    line: 3,
  },
  {
    text: `${TAP}${peers('endpoint: 198.18.0.2, networks: { zebra: {} }')}`,
    path: 'peers.p0.networks.zebra',
    what: 'no network "zebra"',
    mend: 'there are blue, red',
  },
  {
    text: `networks: {}\n${peers('endpoint: 198.18.0.2, networks: [zebra]')}`,
    path: 'peers.p0.networks[0]',
    what: 'no network "zebra"',
    mend: 'there are none',
  },
  {
    text: `${TAP}${peers('endpoint: 198.18.0.2, networks: [blue, blue]')}`,
    path: 'peers.p0.networks[1]',
    what: 'network "blue" is given twice',
    mend: 'keep one',
  },
  {
    text: `${TAP}${peers('endpoint: 198.18.0.2, networks: [blue, red]', 'endpoint: "198.18.0.2:8472", networks: [red]')}`,
    path: 'peers.p1.endpoint',
    what: "198.18.0.2 is peer p0's address too, in network red",
    mend: 'told apart by address',
    line: 4,
  },
  {
    text: `${TAP}${peers('endpoint: Host.example, networks: [red]', 'endpoint: host.example, networks: [red]')}`,
    path: 'peers.p1.endpoint',
    what: "host.example is peer p0's address too",
    mend: 'told apart by address',
  },
  {
    text: own('198.18.0.1', `${TAP}${peers('endpoint: 198.18.0.1')}`),
    path: 'peers.p0.endpoint',
    what: '198.18.0.1 is this host itself',
    mend: "the other host's address",
  },
  {
    text: own('"fd00::1"', `${TAP}${peers('endpoint: "[fd00:0::1]:4789"')}`),
    path: 'peers.p0.endpoint',
    what: 'fd00::1 is this host itself',
    mend: "the other host's address",
  },
  {
    text: own('198.18.0.1', `${TAP}${peers('endpoint: "fd00::2"')}`),
    path: 'peers.p0.endpoint',
    what: 'it is IPv6, the underlay address is IPv4 only',
    mend: 'give this host an IPv6 underlay address',
  },
  {
    text: own('"fd00::1"', `${TAP}${peers('endpoint: 198.18.0.2')}`),
    path: 'peers.p0.endpoint',
    what: 'it is IPv4, the underlay address is IPv6 only',
    mend: 'give this host an IPv4 underlay address',
  },
  {
    text: `networks: { a: { vni: 1, security: plain, udpChecksum: off } }\n${peers('endpoint: "fd00::2"')}`,
    path: 'networks.a.udpChecksum',
    what: "peer p0's endpoint is IPv6",
    mend: 'write on',
    line: 1,
  },
  {
    text: `${TAP}peers: { 198.18.0.2: { endpoint: 198.18.0.3 } }`,
    path: 'peers["198.18.0.2"]',
    what: 'its name is an address, and not that of its endpoint',
    mend: 'name it otherwise',
  },

  {
    text: `${TUN}${peers('endpoint: 198.18.0.2')}`,
    path: 'peers.p0.allowedIps',
    what: 'missing, and network t is tun',
    mend: 'write the prefixes behind it',
    line: 3,
  },
  {
    text: `${TUN}${peers('endpoint: 198.18.0.2, networks: { t: { allowedIps: [] } }')}`,
    path: 'peers.p0.networks.t.allowedIps',
    what: 'missing, and network t is tun',
    mend: 'write the prefixes behind it',
  },
  {
    text: `${TAP}${peers('endpoint: 198.18.0.2, allowedIps: [10.0.0.0/8]')}`,
    path: 'peers.p0.allowedIps',
    what: 'only tun networks have a use for it',
    mend: 'remove it',
  },
  {
    text: `${TAP}${peers('endpoint: 198.18.0.2, networks: [blue], mac: 02:00:00:00:00:01')}`,
    path: 'peers.p0.mac',
    what: 'only plain tun networks have a use for it',
    mend: 'remove it',
  },
  {
    text: `${TAP}${peers('endpoint: 198.18.0.2, networks: { red: { allowedIps: [10.0.0.0/8] } }')}`,
    path: 'peers.p0.networks.red.allowedIps',
    what: 'only tun networks have a use for it',
    mend: 'remove it',
  },
  {
    text: `${TUN}${peers('endpoint: 198.18.0.2, allowedIps: [10.42.0.2]', 'endpoint: 198.18.0.3, allowedIps: [10.42.0.3, 10.42.0.2/32]')}`,
    path: 'peers.p1.allowedIps',
    what: "10.42.0.2/32 is peer p0's too, in network t",
    mend: 'a prefix leads to one peer',
  },
  {
    text: `${TUN}${peers('endpoint: 198.18.0.2, allowedIps: [10.42.0.2, 10.42.0.2/32]')}`,
    path: 'peers.p0.allowedIps',
    what: '10.42.0.2/32 is given twice',
    mend: 'keep one',
  },
  {
    text: `networks: { t: { vni: 1, security: plain, device: tun, mac: 02:00:00:00:00:01 } }\n${peers('endpoint: 198.18.0.2, allowedIps: [10.0.0.0/8], mac: 02-00-00-00-00-01')}`,
    path: 'peers.p0.mac',
    what: "network t's own MAC",
    mend: "the peer's device",
  },

  {
    text: `${TUN}${peers('endpoint: 198.18.0.2, allowedIps: [0.0.0.0/0]')}`,
    path: 'peers.p0.allowedIps',
    what: "0.0.0.0/0 covers peer p0's endpoint 198.18.0.2",
    mend: 'routes: false in network t',
  },
  {
    // Another peer's endpoint would be caught as well.
    text: `${TUN}${peers('endpoint: 198.18.0.2, allowedIps: [198.18.7.0/24]', 'endpoint: 198.18.7.9, allowedIps: [10.42.0.3]')}`,
    path: 'peers.p0.allowedIps',
    what: "covers peer p1's endpoint 198.18.7.9",
    mend: 'narrow it',
  },
  {
    text: `${TUN}${peers('endpoint: "fd00::2", allowedIps: ["fd00::/8", 0.0.0.0/0]')}`,
    path: 'peers.p0.allowedIps',
    what: "fd00::/8 covers peer p0's endpoint fd00::2",
    mend: 'narrow it',
  },
  {
    text: `networks:\n  t: { vni: 1, security: plain, device: tun }\n  u: { vni: 2, security: plain, device: tun }\n${peers('endpoint: 198.18.0.2, allowedIps: [10.0.0.0/8]')}`,
    path: 'peers.p0.allowedIps',
    what: '10.0.0.0/8 is routed into network t already',
    mend: 'routes: false in network u',
  },

  {
    text: `networks: { a: { vni: 1, security: plain, fdb: [{ mac: 02:00:00:00:00:01, vtep: po }] } }\n${peers('endpoint: 198.18.0.2')}`,
    path: 'networks.a.fdb[0].vtep',
    what: 'no peer "po"',
    mend: 'did you mean p0?',
    line: 1,
  },
  {
    text: `networks: { a: { vni: 1, security: plain, fdb: [{ mac: 02:00:00:00:00:01, vtep: 198.18.0.3 }] } }\n${peers('endpoint: 198.18.0.2')}`,
    path: 'networks.a.fdb[0].vtep',
    what: "198.18.0.3 is no peer's address in this network",
    mend: 'the name of a peer',
  },
  {
    text: `networks: { a: { vni: 1, security: plain, fdb: [{ mac: 02:00:00:00:00:01, vtep: p0 }] }, b: { vni: 2, security: plain } }\n${peers('endpoint: 198.18.0.2, networks: [b]')}`,
    path: 'networks.a.fdb[0].vtep',
    what: 'peer "p0" is not in this network',
    mend: 'add a to its networks',
  },
]

describe('what peers mean', () => {
  test.each(ROWS)('$path: $what', (row) => expect(matched(faultsOf(row.text), row)).toEqual(expected(row)))

  test('says nothing of an address shared by peers of different networks', () => {
    const both = peers('endpoint: 198.18.0.2, networks: [blue]', 'endpoint: 198.18.0.2, networks: [red]')
    expect(faultsOf(TAP + both)).toEqual([])
  })

  test('says nothing of another agent on our own address, on a port that is not ours', () => {
    expect(faultsOf(own('198.18.0.1', `${TAP}${peers('endpoint: 198.18.0.1:8472')}`))).toEqual([])
  })

  test('takes both families where the underlay has both', () => {
    const both = peers('endpoint: "fd00::2"', 'endpoint: 198.18.0.2', 'endpoint: host.example')
    expect(faultsOf(own('[198.18.0.1, "fd00::1"]', TAP + both))).toEqual([])
  })

  test.each([
    ['inside the device’s own prefix, which is no route of ours', 'address: 10.42.0.1/24', '10.42.0.0/25'],
    ['without routes', 'routes: false', '0.0.0.0/0'],
    ['in another namespace', 'netns: n', '0.0.0.0/0'],
    ['beside every endpoint', 'routes: true', '198.18.1.0/24'],
  ])('says nothing of a prefix %s', (_, keys, prefix) => {
    const text = `networks: { t: { vni: 1, security: plain, device: tun, ${keys} } }\n`
    expect(faultsOf(text + peers(`endpoint: 198.18.0.2, allowedIps: [${prefix}]`))).toEqual([])
  })

  test('gives a general allowedIps to the layer 3 networks of a peer that is in both kinds', () => {
    const text = `${TUN.replace('{ t:', '{ blue: { vni: 9, security: plain }, t:')}${peers('endpoint: 198.18.0.2, allowedIps: [10.42.0.2]')}`
    expect(parse(text).peers[0]!.networks).toEqual([
      { network: 'blue', allowedIps: [], mac: null },
      { network: 't', allowedIps: ['10.42.0.2/32'], mac: null },
    ])
  })

  test('takes a peer’s address as its name, and as a static entry’s VTEP', () => {
    const text =
      'networks: { a: { vni: 1, security: plain, fdb: [{ mac: 02:00:00:00:00:01, vtep: "fd00:0::2" }] } }\n' +
      'peers: { "fd00::2": { endpoint: "fd00::2" } }'
    expect(parse(text).networks[0]!.fdb).toEqual([{ mac: '02:00:00:00:00:01', vtep: 'fd00::2', addresses: [] }])
  })

  test('finds the endpoint that a prefix covers among many', () => {
    const many = Array.from(
      { length: 300 },
      (_, i) => `endpoint: 198.18.${i >> 8}.${i & 255}, allowedIps: [10.42.0.${i & 255}/32]`,
    )
    const unique = many.map((text, i) => text.replace(/\[.*\]/, `[10.42.${i >> 8}.${i & 255}/32]`))
    unique.push('endpoint: 203.0.113.1, allowedIps: [198.18.1.43/32]')
    const faults = faultsOf(TUN.replace('/24', '/16') + peers(...unique))
    expect(faults).toEqual([expect.stringContaining("198.18.1.43/32 covers peer p299's endpoint 198.18.1.43")])
  })
})
