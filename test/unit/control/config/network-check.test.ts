import { describe, expect, test } from 'vitest'
import { MAX_NETWORKS } from '../../../../src/counters.ts'
import { expected, faultsOf, matched, type Row } from '../../../support/config.ts'

/** Networks a, b, … with VNIs 1, 2, …; `keys` of each. */
function networks(...keys: string[]): string {
  const rows = keys.map(
    (text, i) => `  ${'abc'[i]}: { security: plain, ${text.includes('vni:') ? '' : `vni: ${i + 1}, `}${text} }`,
  )
  return `networks:\n${rows.join('\n')}\n`
}

const ROWS: Row[] = [
  {
    text: networks('device: tun, flood: { group: 239.1.1.42 }'),
    path: 'networks.a.flood',
    what: 'a tun network floods nothing, and has no group',
    mend: 'remove it',
  },
  {
    text: networks('device: tun, stormLimit: 5'),
    path: 'networks.a.stormLimit',
    what: 'a tun network floods nothing',
    mend: 'remove it',
  },
  {
    text: `underlay: { address: 198.18.0.1 }\n${networks('flood: { group: "ff05::42" }')}`,
    path: 'networks.a.flood',
    what: 'the underlay has no IPv6 address to send to ff05::42 from',
    mend: 'a group of the other family',
    line: 3,
  },
  {
    text: networks(
      'sourcePort: fixed, flood: { group: 239.1.1.1, interface: eth0 }',
      'sourcePort: fixed, flood: { group: 239.1.1.1, interface: eth1 }',
    ),
    path: 'networks.b.flood',
    what: 'network a sends from port 4789 by eth0',
    mend: 'give both the same interface',
  },
  {
    text: `${networks(
      'fdb: [{ mac: "02:00:00:00:00:01", vtep: p, ip: 10.0.0.1 }, { mac: "02:00:00:00:00:02", vtep: p, ip: ["fd00::1", 10.0.0.1] }]',
    )}peers: { p: { endpoint: 198.18.0.2 } }`,
    path: 'networks.a.fdb[1].ip',
    what: "10.0.0.1 is fdb[0]'s too",
    mend: 'the station that has it',
  },
  {
    text: networks('vni: 7', 'vni: 7'),
    path: 'networks.b.vni',
    what: "7 is network a's VNI too",
    mend: 'a VNI of its own',
    line: 3,
  },
  {
    text: networks('vni: 7', 'vni: 7, port: 8472, interface: x'),
    path: 'networks.b.vni',
    what: "7 is network a's VNI too",
    mend: 'a VNI of its own',
  },
  {
    text: networks('interface: vt', 'interface: vt'),
    path: 'networks.b.interface',
    what: '"vt" is network a\'s interface too',
    mend: 'a name of its own',
    line: 3,
  },
  {
    text: networks('vni: 9', 'interface: vt9'),
    path: 'networks.b.interface',
    what: '"vt9" is network a\'s interface too',
    mend: 'a name of its own',
  },
  {
    text: networks('interface: x, netns: n', 'interface: x, netns: /run/netns/n'),
    path: 'networks.b.interface',
    what: '"x" is network a\'s interface too',
    mend: 'a name of its own',
  },
  {
    text: networks('address: 10.0.0.1/24', 'address: 10.0.0.1/16'),
    path: 'networks.b.address',
    what: "10.0.0.1 is network a's address too",
    mend: 'keep it in one',
  },
  {
    text: networks('address: ["fd00::1/64", "fd00:0::1/128"]'),
    path: 'networks.a.address',
    what: 'fd00::1 is given twice',
    mend: 'keep one',
  },
  {
    text: networks('address: "fd00::1/64", mtu: 1279'),
    path: 'networks.a.mtu',
    what: 'want 1280 or more with the IPv6 address fd00::1/64, got 1279',
    mend: 'raise it',
  },
  {
    text: networks('sourcePort: fixed', 'sourcePort: fixed, udpChecksum: off'),
    path: 'networks.b.udpChecksum',
    what: 'network a sends from port 4789 with udpChecksum: on',
    mend: 'another port',
  },
  {
    text: `underlay: { address: "fd00::1" }\n${networks('udpChecksum: off')}`,
    path: 'networks.a.udpChecksum',
    what: 'the underlay is IPv6',
    mend: 'write on',
    line: 3,
  },
  {
    text: `underlay: { address: [198.18.0.1, 198.18.0.2] }\nnetworks: {}`,
    path: 'underlay.address',
    what: 'one address of each family at most',
    mend: 'one IPv4 and one IPv6',
    line: 1,
  },
  {
    text: `underlay: { address: 198.18.0.1, interface: eth0 }\nnetworks: {}`,
    path: 'underlay.interface',
    what: 'address is given too',
    mend: 'keep one of them',
  },
  {
    text: `${networks('device: tun, fdb: [{ mac: 02:00:00:00:00:01, vtep: p }], address: 10.0.0.1/24')}peers: { p: { endpoint: 198.18.0.2, allowedIps: [10.0.0.2] } }`,
    path: 'networks.a.fdb',
    what: 'a tun network has no stations',
    mend: 'allowedIps',
  },
  {
    text: `${networks('fdb: [{ mac: 02:00:00:00:00:0A, vtep: p }, { mac: 02-00-00-00-00-0a, vtep: p }]')}peers: { p: { endpoint: 198.18.0.2 } }`,
    path: 'networks.a.fdb[1].mac',
    what: '02:00:00:00:00:0a is fdb[0] too',
    mend: 'keep one',
  },
  {
    text: `${networks('mac: 02:00:00:00:00:01, fdb: [{ mac: 02:00:00:00:00:01, vtep: p }]')}peers: { p: { endpoint: 198.18.0.2 } }`,
    path: 'networks.a.fdb[0].mac',
    what: "this network's own MAC",
    mend: "the station's",
  },
]

describe('what networks mean together', () => {
  test.each(ROWS)('$path: $what', (row) => expect(matched(faultsOf(row.text), row)).toEqual(expected(row)))

  test('says nothing of the same interface and address in two namespaces', () => {
    const same = 'interface: x, address: 10.0.0.1/24'
    expect(faultsOf(networks(`${same}, netns: n`, `${same}, netns: m`, same))).toEqual([])
  })

  test('says nothing of checksums that differ on two ports, or with hashed source ports', () => {
    expect(faultsOf(networks('sourcePort: fixed', 'sourcePort: fixed, udpChecksum: off, port: 8472'))).toEqual([])
    expect(faultsOf(networks('', 'udpChecksum: off'))).toEqual([])
  })

  test('allows MTU 1280 with IPv6, and less with IPv4', () => {
    expect(faultsOf(networks('address: "fd00::1/64", mtu: 1280', 'address: 10.0.0.1/24, mtu: 576'))).toEqual([])
  })

  test('knows how many networks an agent can hold', () => {
    const rows = Array.from({ length: MAX_NETWORKS + 1 }, (_, i) => `  n${i}: { vni: ${i}, security: plain }`)
    expect(faultsOf(`networks:\n${rows.slice(1).join('\n')}`)).toEqual([])
    expect(faultsOf(`networks:\n${rows.join('\n')}`)).toEqual([
      `networks: want ${MAX_NETWORKS} networks at most, got ${MAX_NETWORKS + 1}; remove some (line 1)`,
    ])
  })
})
