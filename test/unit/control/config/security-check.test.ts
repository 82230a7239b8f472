// Who may speak where, and in clear or not: one row a fault.
import { describe, expect, test } from 'vitest'
import { expected, faultsOf, KEY_B, KEY_C, matched, parse, type Row } from '../../../support/config.ts'

const OWN = 'privateKeyFile: own\n'

/** Secure networks: two tap, two tun; and a plain one of each kind. */
const NETWORKS = `${OWN}networks:
  tap1: { vni: 1 }
  tap2: { vni: 2 }
  tun1: { vni: 3, device: tun, address: 10.1.0.1/16 }
  tun2: { vni: 4, device: tun, address: 10.2.0.1/16 }
  clear: { vni: 5, security: plain }
  clear3: { vni: 6, security: plain, device: tun, address: 10.6.0.1/16 }
`

function network(keys: string): string {
  return `${OWN}networks:\n  a:\n    vni: 1\n    ${keys}\n`
}

function peers(...keys: string[]): string {
  return `peers:\n${keys.map((text, i) => `  p${i}: { ${text} }`).join('\n')}\n`
}

function withPeer(keys: string): string {
  return NETWORKS + peers(keys)
}

const KEYED = `endpoint: 198.18.0.2, publicKey: ${KEY_B}`

const ROWS: Row[] = [
  {
    text: 'node: a\nnetworks: { blue: { vni: 1 } }',
    path: 'privateKeyFile',
    what: 'missing, and network blue is secure',
    mend: '(umask 077 && vtepd genkey > /etc/vtepd/key)`, and name its file, or write `security: plain`',
    line: 1,
  },
  {
    text: network('port: 4789'),
    path: 'networks.a.port',
    what: 'for plain networks only',
    mend: 'remove it',
    line: 5,
  },
  {
    text: network('accept: peers'),
    path: 'networks.a.accept',
    what: 'for plain networks only',
    mend: 'remove it',
    line: 5,
  },
  { text: network('udpChecksum: on'), path: 'networks.a.udpChecksum', what: 'for plain networks only', mend: 'remove' },
  {
    text: network('flood: { group: 239.1.1.42 }'),
    path: 'networks.a.flood',
    what: 'a group is for plain networks only',
    mend: 'write replicate',
  },
  { text: network('sourcePort: hash'), path: 'networks.a.sourcePort', what: 'for plain networks only', mend: 'remove' },
  {
    text: network('sourceCheck: false'),
    path: 'networks.a.sourceCheck',
    what: 'false is for plain networks only',
    mend: 'remove it',
    line: 5,
  },
  {
    text: `${OWN}underlay: { vxlanPort: 51820 }\nnetworks: { a: { vni: 1 }, b: { vni: 2, security: plain } }`,
    path: 'underlay.wireguardPort',
    what: "51820 is network b's VXLAN port too",
    mend: 'another port',
    line: 2,
  },
  {
    text: withPeer('endpoint: 198.18.0.2, networks: [clear, tap1]'),
    path: 'peers.p0.networks[1]',
    what: 'network tap1 is secure, and the peer has no publicKey',
    mend: 'write its publicKey, which `vtepd pubkey` prints there, or take it out',
    line: 10,
  },
  {
    text: withPeer('endpoint: 198.18.0.2, networks: { tap1: {} }'),
    path: 'peers.p0.networks.tap1',
    what: 'network tap1 is secure, and the peer has no publicKey',
    mend: 'take it out of the network',
  },
  {
    text: `${OWN}networks: { a: { vni: 1 } }\n${peers('endpoint: 198.18.0.2')}`,
    path: 'peers.p0.publicKey',
    what: 'missing, and every network is secure',
    mend: 'which `vtepd pubkey` prints there, or write `security: plain` if clear text is meant',
    line: 4,
  },
  {
    text: `${OWN}networks: { a: { vni: 1 } }\n${peers('')}`,
    path: 'peers.p0.publicKey',
    what: 'missing, and every network is secure',
    mend: 'which `vtepd pubkey` prints there',
  },
  {
    text: `networks: { a: { vni: 1, security: plain } }\n${peers(KEYED)}`,
    path: 'peers.p0.publicKey',
    what: 'every network is plain, so that the peer is in none',
    mend: 'remove it',
  },
  {
    text: `networks: { a: { vni: 1, security: plain } }\n${peers('networks: [a]')}`,
    path: 'peers.p0.endpoint',
    what: 'missing, want host, host:port',
    mend: '198.18.0.2',
  },
  {
    text: withPeer(`publicKey: ${KEY_B}, networks: [tap1, clear]`),
    path: 'peers.p0.endpoint',
    what: 'missing, and in the plain network clear a peer is known by its address',
    mend: 'write it',
  },
  {
    text: withPeer(`${KEYED}, networks: [tap1], type: wireguard`),
    path: 'peers.p0.type',
    what: 'network tap1 is tap, and a stock WireGuard peer drops the Ethernet frames of VXLAN',
    mend: 'make it a tun network',
  },
  {
    text: withPeer(`${KEYED}, networks: [clear3], type: wireguard, allowedIps: [10.6.0.2]`),
    path: 'peers.p0.type',
    what: 'network clear3 is plain, and a stock WireGuard peer speaks WireGuard only',
    mend: 'make it a secure tun network',
  },
  {
    text: withPeer(`${KEYED}, networks: [tun1, tap1, tun2], allowedIps: [10.3.0.0/16]`).replaceAll(
      'device: tun,',
      'device: tun, routes: false,',
    ),
    path: 'peers.p0.networks[2]',
    what: 'it is in secure tun network tun1 already, and nothing on the wire tells packets of two apart',
    mend: 'keep one of them',
  },
  {
    // By default it is in all secure ones.
    text: `${OWN}networks:\n  tun1: { vni: 3, device: tun, routes: false }\n  tun2: { vni: 4, device: tun, routes: false }\n${peers(`${KEYED}, allowedIps: [10.3.0.0/16]`)}`,
    path: 'peers.p0.networks',
    what: 'it is in secure tun network tun1 already',
    mend: 'keep one of them',
  },
  {
    text: withPeer('endpoint: 198.18.0.2, networks: [clear], presharedKeyFile: psk'),
    path: 'peers.p0.presharedKeyFile',
    what: 'of no use without a publicKey',
    mend: 'write the publicKey',
  },
  {
    text: withPeer('endpoint: 198.18.0.2, networks: [clear], keepalive: 25s'),
    path: 'peers.p0.keepalive',
    what: 'of no use without a publicKey',
    mend: 'write the publicKey',
  },
  {
    text: withPeer('endpoint: 198.18.0.2, networks: [clear], type: wireguard'),
    path: 'peers.p0.type',
    what: 'of no use without a publicKey',
    mend: 'write the publicKey',
  },
  {
    text: withPeer(`${KEYED}, networks: [tun1], allowedIps: [10.1.0.2], mac: 02:00:00:00:00:01`),
    path: 'peers.p0.mac',
    what: 'only plain tun networks have a use for it',
    mend: 'remove it',
  },
  {
    text: withPeer(`${KEYED}, networks: [tun1]`),
    path: 'peers.p0.allowedIps',
    what: 'missing, and network tun1 is tun',
    mend: 'write the prefixes behind it',
  },
  {
    text:
      NETWORKS +
      peers(
        `${KEYED}, networks: [tun1], allowedIps: [10.1.0.2]`,
        `publicKey: ${KEY_C}, networks: [tun1], allowedIps: [10.1.0.2]`,
      ),
    path: 'peers.p1.allowedIps',
    what: "10.1.0.2/32 is peer p0's too, in network tun1",
    mend: 'a prefix leads to one peer',
  },
  {
    text: withPeer(`${KEYED}, networks: [tun1], allowedIps: [0.0.0.0/0]`),
    path: 'peers.p0.allowedIps',
    what: "0.0.0.0/0 covers peer p0's endpoint 198.18.0.2",
    mend: 'routes: false in network tun1',
  },
  {
    text: `${network('fdb: [{ mac: 02:00:00:00:00:01, vtep: 198.18.0.2 }]')}${peers(KEYED)}`,
    path: 'networks.a.fdb[0].vtep',
    what: '198.18.0.2 is an address, and secure entries lead to peers',
    mend: 'the name of the peer',
  },
  {
    text: `underlay: { address: 198.18.0.2 }\n${network('learning: true')}${peers(KEYED)}`,
    path: 'peers.p0.endpoint',
    what: '198.18.0.2 is this host itself',
    mend: "the other host's address",
  },
]

describe('who may speak where', () => {
  test.each(ROWS)('$path: $what', (row) => expect(matched(faultsOf(row.text), row)).toEqual(expected(row)))

  test('puts a peer with a key into all secure networks, one without into all plain ones', () => {
    const text = `${OWN}networks:
  s1: { vni: 1 }
  p1: { vni: 2, security: plain }
  s2: { vni: 3, security: secure }
  p2: { vni: 4, security: plain }
`
    const config = parse(text + peers(KEYED, 'endpoint: 198.18.0.3', `publicKey: ${KEY_C}`))
    expect(config.peers.map(({ networks }) => networks.map(({ network: name }) => name))).toEqual([
      ['s1', 's2'],
      ['p1', 'p2'],
      ['s1', 's2'],
    ])
  })

  test('has both kinds side by side, and a peer in both', () => {
    const config = parse(withPeer(`${KEYED}, networks: [tap1, tap2, clear]`))
    expect(config.peers[0]!.networks.map(({ network: name }) => name)).toEqual(['tap1', 'tap2', 'clear'])
  })

  test('has a peer in one secure tun network beside any number of others', () => {
    const places = '{ tap1: , tap2: , tun1: { allowedIps: [10.1.0.2] }, clear3: { allowedIps: [10.6.0.2] } }'
    expect(faultsOf(withPeer(`${KEYED}, networks: ${places}`))).toEqual([])
  })

  test('has a stock peer in a secure tun network', () => {
    const config = parse(withPeer(`${KEYED}, type: wireguard, networks: [tun1], allowedIps: [10.1.0.2, 10.9.0.0/16]`))
    expect(config.peers[0]).toMatchObject({
      type: 'wireguard',
      networks: [{ allowedIps: ['10.1.0.2/32', '10.9.0.0/16'] }],
    })
  })

  test('says nothing of two peers behind one address, who are told apart by their keys', () => {
    const two = peers(`${KEYED}, networks: [tap1]`, `endpoint: 198.18.0.2, publicKey: ${KEY_C}, networks: [tap1]`)
    expect(faultsOf(NETWORKS + two)).toEqual([])
  })

  test('says nothing of an endpoint of another family than the underlay address, when WireGuard alone goes there', () => {
    const six = `endpoint: "fd00::2", publicKey: ${KEY_B}`
    const own = `underlay: { address: 198.18.0.1 }\n${NETWORKS}`
    expect(faultsOf(`${own}${peers(`${six}, networks: [tap1]`)}`)).toEqual([])
    expect(faultsOf(`${own}${peers(`${six}, networks: [tap1, clear]`)}`)).toHaveLength(1)
  })

  test('says nothing of another agent on our own address, on a port that is not ours', () => {
    const own = `underlay: { address: 198.18.0.2 }\n${NETWORKS}`
    const other = `endpoint: 198.18.0.2:51821, publicKey: ${KEY_B}, networks: [tap1]`
    expect(faultsOf(own + peers(other))).toEqual([])
  })

  test('says nothing of ports when nothing secure or nothing plain wants one', () => {
    const ports = 'underlay: { vxlanPort: 51820 }\n'
    expect(faultsOf(`${ports}networks: { b: { vni: 2, security: plain } }`)).toEqual([])
    expect(faultsOf(`${ports}${OWN}networks: { b: { vni: 2 } }`)).toEqual([])
  })

  test('takes a key without a secure network, and sourceCheck: true in one', () => {
    expect(faultsOf(`${OWN}networks: { a: { vni: 1, security: plain } }`)).toEqual([])
    expect(faultsOf(network('sourceCheck: true'))).toEqual([])
  })

  test('blames nothing else for a security or a publicKey that is faulty itself', () => {
    const one = `networks: { a: { vni: 1, security: non, port: 1 } }\n${peers('endpoint: 198.18.0.2', KEYED)}`
    expect(faultsOf(one).map((fault) => fault.split(':')[0])).toEqual(['networks.a.security'])
    const other = withPeer('endpoint: 198.18.0.2, publicKey: x, keepalive: 25s, networks: [tap1]')
    expect(faultsOf(other).map((fault) => fault.split(':')[0])).toEqual(['peers.p0.publicKey'])
    const third = `privateKeyFile: 7\nnetworks: { a: { vni: 1 } }`
    expect(faultsOf(third).map((fault) => fault.split(':')[0])).toEqual(['privateKeyFile'])
  })
})
