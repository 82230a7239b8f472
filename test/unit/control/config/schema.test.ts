// Each key's form: one row a fault. The texts are whole configurations, since that is where an operator meets them.
import { describe, expect, test } from 'vitest'
import { expected, faultsOf, matched, parse, type Row } from '../../../support/config.ts'

function blue(keys: string): string {
  return `networks:\n  blue:\n    vni: 42\n    security: plain\n    ${keys}\n`
}

function inBlue(keys: string, key: string, what: string, mend: string): Row {
  return { text: blue(keys), path: `networks.blue.${key}`, what, mend, line: 5 }
}

function atRoot(keys: string, path: string, what: string, mend: string): Row {
  return { text: `networks: {}\n${keys}\n`, path, what, mend, line: 2 }
}

function ofPeer(keys: string, key: string, what: string, mend: string): Row {
  const text = `networks: { blue: { vni: 1, security: plain } }\npeers:\n  host-b:\n    ${keys}\n`
  return { text, path: `peers.host-b.${key}`, what, mend, line: 4 }
}

const MAC = 'want a MAC address'
const CIDR = 'want ADDRESS/LENGTH'
const INTERFACE = 'want 1..15 bytes without'
const ENDPOINT = 'want host, host:port, IPv6 or [IPv6]:port'

const ROWS: Row[] = [
  { text: '', path: 'configuration', what: 'empty', mend: 'networks: { blue:', line: 1 },
  { text: '# nothing', path: 'configuration', what: 'empty', mend: 'networks: { blue:' },
  { text: '[1]', path: 'configuration', what: 'want a map, got a list', mend: 'keys such as', line: 1 },
  { text: 'blue', path: 'configuration', what: 'want a map, got "blue"', mend: 'keys such as', line: 1 },
  { text: 'networks: [blue]', path: 'networks', what: 'want a map, got a list', mend: '{ blue: { vni: 42' },
  {
    text: 'networks: { blue: 42 }',
    path: 'networks.blue',
    what: 'want a map, got 42',
    mend: '{ vni: 42 }',
  },
  {
    text: 'networks: { "a b": { vni: 1, security: plain } }',
    path: 'networks["a b"]',
    what: 'want 1..63 letters',
    mend: 'rename it',
  },
  {
    text: 'networks: { -a: { vni: 1, security: plain } }',
    path: 'networks.-a',
    what: 'a letter or digit first, got "-a"',
    mend: 'rename it',
  },
  {
    text: `networks: { ${'a'.repeat(64)}: { vni: 1, security: plain } }`,
    path: `networks.${'a'.repeat(64)}`,
    what: 'want 1..63',
    mend: 'rename',
  },
  {
    text: 'networks:\n  blue:\n    security: plain',
    path: 'networks.blue.vni',
    what: 'missing, want 0..16777215',
    mend: 'write a number',
    line: 2,
  },

  atRoot('node: 42', 'node', 'digits, dots, underscores and hyphens, a letter or digit first, got 42', 'in quotes'),
  atRoot('node: "a b"', 'node', 'got "a b"', 'write such a name'),
  atRoot(`node: ${'n'.repeat(64)}`, 'node', 'want 1..63', 'write such a name'),
  atRoot('nodes: x', 'nodes', 'unknown key', 'did you mean node?'),
  atRoot('Networks: {}', 'Networks', 'unknown key', 'did you mean networks?'),
  atRoot('<<: { node: a }', '["<<"]', 'YAML 1.2 has no merge keys', 'write out what it stands for'),
  atRoot('vxlanPort: 8472', 'vxlanPort', 'unknown key', 'did you mean underlay.vxlanPort?'),
  atRoot('endpoint: x', 'endpoint', 'unknown key', 'did you mean peers.NAME.endpoint?'),
  {
    text: 'networks: { blue: { vni: 1, security: plain, workers: 1 } }',
    path: 'networks.blue.workers',
    what: 'unknown key',
    mend: 'move workers to the top level',
  },
  atRoot('zebra: 1', 'zebra', 'unknown key', 'known here are node, privateKeyFile, underlay, networks'),
  atRoot('workers: 0', 'workers', 'want 1, got 0', 'write 1'),
  atRoot('workers: many', 'workers', 'want 1, got "many"', 'write 1'),
  atRoot('peers: [a]', 'peers', 'want a map, got a list', 'peers: { host-b:'),
  atRoot('metrics: 9478', 'metrics', 'want a map, got 9478', '{ listen: 127.0.0.1:9478 }'),
  atRoot('metrics: {}', 'metrics.listen', 'missing, want ADDRESS:PORT', '127.0.0.1:9478'),
  atRoot('metrics: { listen: 9478 }', 'metrics.listen', 'want ADDRESS:PORT, got 9478', '127.0.0.1:9478'),
  atRoot('metrics: { listen: ":9478" }', 'metrics.listen', 'got ":9478"', '0.0.0.0:9478'),
  atRoot('metrics: { listen: 127.0.0.1 }', 'metrics.listen', 'got "127.0.0.1"', '127.0.0.1:9478'),
  atRoot('metrics: { listen: "127.0.0.1:0" }', 'metrics.listen', 'got "127.0.0.1:0"', '127.0.0.1:9478'),
  atRoot('offloads: { tso: true }', 'offloads.tso', 'want auto | on | off, got true', 'one of these'),
  atRoot('offloads: { uso: yes }', 'offloads.uso', 'want auto | on | off, got "yes"', 'one of these'),
  atRoot('offloads: { gso: on }', 'offloads.gso', 'unknown key', 'did you mean tso?'),

  atRoot(
    'underlay: { address: 198.18.0.300 }',
    'underlay.address',
    'want an IP address of this host, got "198.18.0.300"',
    '198.18.0.1',
  ),
  atRoot('underlay: { address: 198.18.0.1/24 }', 'underlay.address', 'want an IP address', '198.18.0.1'),
  atRoot('underlay: { address: "fd00::1%eth0" }', 'underlay.address', 'want an IP address', '198.18.0.1'),
  atRoot('underlay: { address: 0.0.0.0 }', 'underlay.address', 'not every one', 'that peers send to'),
  atRoot('underlay: { address: ["::"] }', 'underlay.address[0]', 'not every one', 'that peers send to'),
  atRoot('underlay: { address: 239.1.1.1 }', 'underlay.address', 'want an IP address', '198.18.0.1'),
  atRoot('underlay: { address: "fe80::1" }', 'underlay.address', 'not link-local', 'unique local'),
  atRoot('underlay: { address: [] }', 'underlay.address', 'want at least one', 'remove the key'),
  atRoot('underlay: { vxlanPort: 0 }', 'underlay.vxlanPort', 'want 1..65535, got 0', 'a UDP port'),
  atRoot('underlay: { vxlanPort: 65536 }', 'underlay.vxlanPort', 'want 1..65535, got 65536', 'a UDP port'),
  atRoot('underlay: { interface: "" }', 'underlay.interface', INTERFACE, 'vt42'),
  atRoot('underlay: { vxlanport: 1 }', 'underlay.vxlanport', 'unknown key', 'did you mean vxlanPort?'),

  {
    text: 'networks:\n  blue: { security: plain, vni: -1 }',
    path: 'networks.blue.vni',
    what: 'want 0..16777215, got -1',
    mend: 'in that range',
    line: 2,
  },
  {
    text: 'networks: { b: { security: plain, vni: 16777216 } }',
    path: 'networks.b.vni',
    what: 'got 16777216',
    mend: 'in that range',
  },
  {
    text: 'networks: { b: { security: plain, vni: 1.5 } }',
    path: 'networks.b.vni',
    what: 'got 1.5',
    mend: 'in that range',
  },
  {
    text: 'networks: { b: { security: plain, vni: .nan } }',
    path: 'networks.b.vni',
    what: 'got NaN',
    mend: 'in that range',
  },
  {
    text: 'networks: { b: { security: plain, vni: "7" } }',
    path: 'networks.b.vni',
    what: 'got "7"',
    mend: 'without quotes',
  },
  {
    text: 'networks: { b: { security: plain, vni: } }',
    path: 'networks.b.vni',
    what: 'got nothing',
    mend: 'write a number',
  },
  {
    text: 'networks: { b: { security: none, vni: 1 } }',
    path: 'networks.b.security',
    what: 'want secure | plain, got "none"',
    mend: 'write',
  },
  inBlue('type: geneve', 'type', 'want vxlan | flannel, got "geneve"', 'one of these'),
  inBlue('device: taps', 'device', 'want tap | tun, got "taps"', 'one of these'),
  inBlue('interface: a/b', 'interface', INTERFACE, 'vt42'),
  inBlue('interface: "a b"', 'interface', INTERFACE, 'vt42'),
  inBlue('interface: "vt:1"', 'interface', INTERFACE, 'vt42'),
  inBlue('interface: "vt%d"', 'interface', INTERFACE, 'vt42'),
  inBlue('interface: "."', 'interface', INTERFACE, 'vt42'),
  inBlue('interface: ".."', 'interface', INTERFACE, 'vt42'),
  inBlue('interface: abcdefghijklmnop', 'interface', INTERFACE, 'vt42'),
  inBlue('interface: üüüüüüüü', 'interface', INTERFACE, 'vt42'),
  inBlue('interface: "a\\nb"', 'interface', INTERFACE, 'vt42'),
  inBlue('interface: 42', 'interface', INTERFACE, 'vt42'),
  inBlue('interface: all', 'interface', 'want a name that is free, got "all"', "kernel's own"),
  inBlue('port: 0', 'port', 'want 1..65535', 'a UDP port'),
  inBlue('port: "4789"', 'port', 'got "4789"', 'without quotes'),
  inBlue('address: 10.42.0.1', 'address', 'want a prefix length', 'write 10.42.0.1/24'),
  inBlue('address: "fd00::1"', 'address', 'want a prefix length', 'write fd00::1/64'),
  inBlue('address: [10.42.0.1/33]', 'address[0]', CIDR, '10.42.0.1/24'),
  inBlue('address: [10.42.0.1/24, 10.42.0.1/024]', 'address[1]', CIDR, '10.42.0.1/24'),
  inBlue('address: ["::ffff:10.0.0.1/120"]', 'address[0]', CIDR, 'fd00:42::1/64'),
  inBlue('address: 224.0.0.1/4', 'address', 'want the address of one host', '10.42.0.1/24'),
  inBlue('address: 0.0.0.0/0', 'address', 'want the address of one host', '10.42.0.1/24'),
  inBlue('address: []', 'address', 'want at least one', 'remove the key'),
  inBlue('mac: 01:00:5e:00:00:01', 'mac', 'want a unicast MAC', 'first byte even'),
  inBlue('mac: ff:ff:ff:ff:ff:ff', 'mac', 'want a unicast MAC', 'first byte even'),
  inBlue('mac: 00:00:00:00:00:00', 'mac', 'not zero', '02:00:5e:10:00:01'),
  inBlue('mac: 02:00:00:00:00', 'mac', MAC, '02:00:5e:10:00:01'),
  inBlue('mac: 02:00-00:00:00:01', 'mac', MAC, '02:00:5e:10:00:01'),
  inBlue('mtu: 67', 'mtu', 'want 68..65485, got 67', 'remove the key'),
  inBlue('mtu: 65486', 'mtu', 'want 68..65485', 'remove the key'),
  inBlue('mtu: auto', 'mtu', 'got "auto"', 'remove the key'),
  inBlue('netns: 0', 'netns', 'NAME, /path or PID, got 0', 'ip netns'),
  inBlue('netns: a/b', 'netns', 'NAME, /path or PID', 'ip netns'),
  inBlue('netns: ".."', 'netns', 'NAME, /path or PID', 'ip netns'),
  inBlue('netns: ""', 'netns', 'NAME, /path or PID', 'ip netns'),
  inBlue('learning: on', 'learning', 'want true | false, got "on"', 'without quotes'),
  inBlue('ageing: 300', 'ageing', 'want a duration, got 300', '300s'),
  inBlue('ageing: 5 m', 'ageing', 'want a duration, got "5 m"', '5m'),
  inBlue('ageing: 1d', 'ageing', 'want a duration', '1h'),
  inBlue('ageing: off', 'ageing', 'want a duration, got "off"', '0s for never'),
  inBlue('ageing: 8761h', 'ageing', 'a year at most', '8760h'),
  inBlue('macLimit: 0', 'macLimit', 'want 1..4194304, got 0', 'how many stations'),
  inBlue('macLimit: 4194305', 'macLimit', 'want 1..4194304', 'how many stations'),
  inBlue('flood: on', 'flood', 'want replicate | off | { group, interface }, got "on"', 'a group like'),
  inBlue('flood: {}', 'flood.group', 'missing, want a multicast address', '239.1.1.42'),
  inBlue('flood: { group: 198.18.0.9 }', 'flood.group', 'want a multicast address, got "198.18.0.9"', '239.1.1.42'),
  inBlue('flood: { group: ff05::1, dev: eth0 }', 'flood.dev', 'unknown key', 'known here are group, interface'),
  inBlue('flood: { group: ff05::1, interface: a/b }', 'flood.interface', 'want 1..15 bytes', 'vt42'),
  inBlue('stormLimit: -1', 'stormLimit', 'want 0..14880952, got -1', 'packets per second'),
  inBlue('suppressArp: off', 'suppressArp', 'want true | false', 'without quotes'),
  inBlue('accept: all', 'accept', 'want peers | any | [CIDR, ...], got "all"', 'one of these'),
  inBlue('accept: [peers]', 'accept[0]', CIDR, '10.42.0.0/24'),
  inBlue('accept: [198.18.0.1/24]', 'accept[0]', 'want no host bits', 'write 198.18.0.0/24'),
  inBlue('innerVlan: strip', 'innerVlan', 'want drop | keep', 'one of these'),
  inBlue('ecn: on', 'ecn', 'want copy | off', 'one of these'),
  inBlue('dscp: 64', 'dscp', 'want 0..63 | inherit, got 64', 'one of these'),
  inBlue('dscp: ef', 'dscp', 'want 0..63 | inherit, got "ef"', 'one of these'),
  inBlue('udpChecksum: false', 'udpChecksum', 'want on | off | auto, got false', 'one of these'),
  inBlue('sourcePort: 4789', 'sourcePort', 'want hash | fixed', 'one of these'),
  inBlue('fdb: {}', 'fdb', 'want a list, got a map', '[{ mac:'),
  inBlue('fdb: [02:00:00:00:00:01]', 'fdb[0]', 'want a map', '{ mac:'),
  inBlue('fdb: [{ mac: 02:00:00:00:00:01 }]', 'fdb[0].vtep', 'missing', 'one of this network'),
  inBlue('fdb: [{ mac: 03:00:00:00:00:01, vtep: b }]', 'fdb[0].mac', 'want a unicast MAC', 'first byte even'),
  inBlue(
    'fdb: [{ mac: 02:00:00:00:00:01, vtep: b, age: 1 }]',
    'fdb[0].age',
    'unknown key',
    'known here are mac, vtep, ip',
  ),
  inBlue(
    'fdb: [{ mac: 02:00:00:00:00:01, vtep: b, ip: 239.1.1.1 }]',
    'fdb[0].ip',
    'want the address of a host',
    '10.42.0.17',
  ),
  inBlue('routes: 1', 'routes', 'want true | false, got 1', 'one of these'),
  inBlue('sourceCheck: "no"', 'sourceCheck', 'want true | false, got "no"', 'one of these'),
  inBlue('sourcecheck: true', 'sourcecheck', 'unknown key', 'did you mean sourceCheck?'),
  inBlue('mtu:', 'mtu', 'got nothing', 'remove the key'),

  { ...ofPeer('networks: [blue]', 'endpoint', 'missing, want host', '198.18.0.2'), line: 3 },
  ofPeer('endpoint: 198.18.0', 'endpoint', ENDPOINT, '198.18.0.2:4789'),
  ofPeer('endpoint: 198.18.0.2:0', 'endpoint', ENDPOINT, '198.18.0.2:4789'),
  ofPeer('endpoint: 198.18.0.2:65536', 'endpoint', ENDPOINT, '198.18.0.2:4789'),
  ofPeer('endpoint: "[fd00::2:4789"', 'endpoint', ENDPOINT, '[fd00::2]:4789'),
  ofPeer('endpoint: "[198.18.0.2]:4789"', 'endpoint', ENDPOINT, '198.18.0.2:4789'),
  ofPeer('endpoint: http://host', 'endpoint', ENDPOINT, '198.18.0.2'),
  ofPeer('endpoint: ""', 'endpoint', ENDPOINT, '198.18.0.2'),
  ofPeer('endpoint: 0.0.0.0', 'endpoint', 'want the address of one host', 'underlay address'),
  ofPeer('endpoint: 239.1.1.1', 'endpoint', 'want the address of one host', 'underlay address'),
  ofPeer('endpoint: "fe80::2"', 'endpoint', 'not link-local', 'unique local'),
  ofPeer('{ endpoint: 198.18.0.2, type: kernel }', 'type', 'want vtepd | wireguard, got "kernel"', 'one of these'),
  ofPeer('{ endpoint: 198.18.0.2, networks: blue }', 'networks', 'want a list or a map of networks', '[blue]'),
  ofPeer('{ endpoint: 198.18.0.2, networks: [1] }', 'networks[0]', "want a network's name, got 1", 'write one'),
  ofPeer('{ endpoint: 198.18.0.2, networks: { blue: [] } }', 'networks.blue', 'want a map, got a list', 'allowedIps'),
  ofPeer(
    '{ endpoint: 198.18.0.2, networks: { blue: { allowedIp: [] } } }',
    'networks.blue.allowedIp',
    'unknown key',
    'did you mean allowedIps?',
  ),
  ofPeer('{ endpoint: 198.18.0.2, allowedIps: 10.0.0.0/8 }', 'allowedIps', 'want a list', '[10.42.0.2/32]'),
  ofPeer(
    '{ endpoint: 198.18.0.2, allowedIps: [10.42.0.1/24] }',
    'allowedIps[0]',
    'want no host bits',
    'write 10.42.0.0/24',
  ),
  ofPeer(
    '{ endpoint: 198.18.0.2, allowedIps: ["fd00::1/64"] }',
    'allowedIps[0]',
    'want no host bits',
    'write fd00::/64',
  ),
  ofPeer('{ endpoint: 198.18.0.2, mac: x }', 'mac', MAC, '02:00:5e:10:00:01'),
  ofPeer('{ endpoint: 198.18.0.2, name: x }', 'name', 'unknown key', 'known here are endpoint'),
]

describe('the form of each key', () => {
  test.each(ROWS)('$path: $what', (row) => expect(matched(faultsOf(row.text), row)).toEqual(expected(row)))
})

describe('what is allowed', () => {
  test.each([
    ['the lowest VNI and MTU', 'mtu: 68', 'mtu', 68],
    ['the highest MTU', 'mtu: 65485', 'mtu', 65485],
    ['an interface name of 15 bytes', 'interface: abcdefghijklmno', 'interface', 'abcdefghijklmno'],
    ['a namespace by path', 'netns: /run/netns/x', 'netns', '/run/netns/x'],
    ['no ageing', 'ageing: 0s', 'ageingSec', 0],
    ['a year of ageing', 'ageing: 8760h', 'ageingSec', 31536000],
    ['host bits in an address', 'address: 10.42.0.0/16', 'addresses', ['10.42.0.0/16']],
    ['a hexadecimal number', 'port: 0x12b5', 'port', 4789],
    ['the highest DSCP', 'dscp: 63', 'dscp', 63],
    ['nobody accepted beside the peers', 'accept: []', 'accept', []],
  ])('%s', (_, keys, key, value) => {
    expect(parse(blue(keys)).networks[0]![key as 'mtu']).toEqual(value)
  })

  test('VNI 0', () => expect(parse('networks: { a: { vni: 0, security: plain } }').networks[0]!.interface).toBe('vt0'))
})
