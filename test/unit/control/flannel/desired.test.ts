// What a flannel network wants of a host, derived from what file and store say.
import { describe, expect, test } from 'vitest'
import type { FlannelConfig } from '../../../../src/control/config/model.ts'
import { clash, desiredNetwork, type Here, Placer, storeFault } from '../../../../src/control/flannel/desired.ts'
import type { Lease, Membership } from '../../../../src/control/flannel/model.ts'
import { KEY_B, parse } from '../../../support/config.ts'
import { DUAL, storeConfig, VXLAN } from '../../../support/flannel.ts'

const STORE = 'control: { etcd: { endpoints: [http://198.18.0.9:2379] } }\n'
const MAC = '02:00:00:00:00:01'
const V4 = { address: '198.18.0.1', v6: false, interface: 'eth0', mtu: 1500 }
const V6 = { address: 'fd18::1', v6: true, interface: 'eth0', mtu: 1500 }
const HERE: Here = { underlay: [V4, V6], mac: MAC, wireguardPort: 51820, onLink: () => null }

function file(more = 'security: plain'): FlannelConfig {
  return parse(`${STORE}privateKeyFile: /keys/own\nnetworks: { pods: { type: flannel, ${more} } }`).flannels[0]!
}

function lease(more: Partial<Lease> = {}): Lease {
  return {
    key: '10.42.2.0-24',
    subnet: '10.42.2.0/24',
    subnet6: null,
    publicIp: '198.18.0.2',
    publicIpv6: null,
    backendType: 'vxlan',
    vtepMac: '02:00:00:00:00:02',
    vtepMac6: null,
    publicKey: null,
    wireguardPort: null,
    own: false,
    expires: 0,
    ...more,
  }
}

function membership(config = VXLAN, own: Partial<Lease> = {}): Membership {
  const mine = lease({ subnet: '10.42.1.0/24', own: true, publicIp: V4.address, ...own })
  return { config: storeConfig(config), own: mine, members: new Map(), ignored: [] }
}

const backend = (text: string): string => `{"Network":"10.42.0.0/16","Backend":${text}}`

describe('the network', () => {
  test("has the store's VNI and port, the first address of our subnet and the MAC of our lease", () => {
    const { network, mtu } = desiredNetwork(file(), membership(), HERE)
    expect(network).toMatchObject({
      name: 'pods',
      vni: 1,
      port: 8472,
      device: 'tun',
      interface: 'vt1',
      addresses: ['10.42.1.0/32'],
      mac: MAC,
      mtu: 1450,
      security: 'plain',
      accept: 'peers',
      keptUp: true,
      sourceCheck: true,
    })
    expect(mtu).toBe(1450)
    for (const key of ['prefix', 'subnetFile', 'bare']) expect(network).not.toHaveProperty(key)
  })

  test('of both families takes off what IPv6 outside costs, and has two addresses', () => {
    const { network } = desiredNetwork(file(), membership(DUAL, { subnet6: 'fd00:42:0:1::/64' }), HERE)
    expect(network).toMatchObject({ mtu: 1430, addresses: ['10.42.1.0/32', 'fd00:42:0:1::/128'], vni: 7 })
  })

  test.each([
    ['the store names one of the outer packet', backend('{"Type":"vxlan","MTU":1400}'), 'security: plain', 1350],
    ['which the underlay must carry', backend('{"Type":"vxlan","MTU":9000}'), 'security: plain', 1450],
    ['the file has the last word', backend('{"Type":"vxlan","MTU":1400}'), 'security: plain, mtu: 1300', 1300],
    ['bare IP', backend('{"Type":"udp"}'), 'security: plain', 1472],
    ['routes', backend('{"Type":"host-gw"}'), 'security: plain', 1500],
    ['stock WireGuard', backend('{"Type":"wireguard"}'), 'security: secure', 1420],
    ['IP in WireGuard', VXLAN, 'security: secure', 1440],
  ])('MTU: %s', (_what, config, own, mtu) => {
    expect(desiredNetwork(file(own), membership(config), HERE).mtu).toBe(mtu)
  })

  test('udp: no VXLAN, from and to one port; the device is called after the network', () => {
    const { network } = desiredNetwork(file(), membership(backend('{"Type":"udp"}')), HERE)
    expect(network).toMatchObject({ bare: true, port: 8285, sourcePort: 'fixed', interface: 'vtpods' })
  })

  test('host-gw: none', () => {
    expect(desiredNetwork(file(), membership(backend('{"Type":"host-gw"}')), HERE).network).toBeNull()
  })

  test('is refused beside a network that has its VNI, interface or port', () => {
    const { network } = desiredNetwork(file(), membership(), HERE)
    const bare = desiredNetwork(file(), membership(backend('{"Type":"udp","Port":4789}')), HERE).network!
    const other = (more: string) => parse(`networks: { blue: { security: plain, ${more} } }`).networks
    expect(clash(network!, other('vni: 2'))).toBeNull()
    expect(clash(network!, other('vni: 1'))).toMatch(/VNI 1 is network blue's/)
    expect(clash(network!, other('vni: 2, interface: vt1'))).toMatch(/interface vt1/)
    expect(clash(bare, other('vni: 0'))).toMatch(/port 4789/)
    expect(clash(bare, other('vni: 0, port: 8472'))).toBeNull()
  })

  test('is refused where file and store want what excludes each other', () => {
    const fault = (own: string, config: string, here = HERE) => storeFault(file(own), storeConfig(config), here)
    expect(fault('security: plain', VXLAN)).toBeNull()
    expect(fault('security: secure', VXLAN)).toBeNull()
    expect(fault('security: secure', backend('{"Type":"udp"}'))).toMatch(/^the store's back end is udp, which is clear/)
    expect(fault('security: secure', backend('{"Type":"host-gw"}'))).toMatch(/clear text/)
    expect(fault('security: plain', backend('{"Type":"wireguard"}'))).toMatch(/take `security: plain` out/)
    const inside = { ...HERE, underlay: [{ ...V4, address: '10.42.9.9' }] }
    expect(fault('security: plain', VXLAN, inside)).toMatch(/^our own underlay address 10.42.9.9 is inside/)
  })
})

describe('a member', () => {
  const placer = (own = 'security: plain', config = VXLAN, here = HERE) =>
    new Placer(file(own), storeConfig(config), here)

  test('in clear text is known by its address; what is behind it is its subnet', () => {
    const { peers, routes, fault } = placer().place(lease())
    expect(peers).toEqual([
      {
        name: '10.42.2.0-24',
        endpoint: { host: '198.18.0.2', port: null },
        publicKey: null,
        presharedKey: null,
        keepaliveSec: 0,
        type: 'vtepd',
        networks: [{ network: 'pods', allowedIps: ['10.42.2.0/24'], mac: '02:00:00:00:00:02' }],
      },
    ])
    expect([routes, fault]).toEqual([[], null])
  })

  test('of both families has an end in each, with the MAC of that device', () => {
    const both = lease({
      subnet6: 'fd00:42:0:2::/64',
      publicIpv6: 'fd18::2',
      vtepMac6: '02:00:00:00:06:02',
      key: '10.42.2.0-24&fd00:42:0:2::-64',
    })
    const { peers } = placer('security: plain', DUAL).place(both)
    expect(peers.map((p) => [p.endpoint!.host, ...p.networks[0]!.allowedIps, p.networks[0]!.mac])).toEqual([
      ['198.18.0.2', '10.42.2.0/24', '02:00:00:00:00:02'],
      ['fd18::2', 'fd00:42:0:2::/64', '02:00:00:00:06:02'],
    ])
  })

  test('of a secure network is known by its key, with all that is behind it', () => {
    const { peers } = placer('security: secure', DUAL).place(
      lease({ subnet6: 'fd00:42:0:2::/64', publicIpv6: 'fd18::2', publicKey: KEY_B, wireguardPort: 7000 }),
    )
    expect(peers).toHaveLength(1)
    expect(peers[0]).toMatchObject({
      endpoint: { host: '198.18.0.2', port: 7000 },
      publicKey: KEY_B,
      type: 'vtepd',
      networks: [{ network: 'pods', allowedIps: ['10.42.2.0/24', 'fd00:42:0:2::/64'], mac: null }],
    })
  })

  test('of a stock WireGuard network has what the store says of all', () => {
    const psk = Buffer.alloc(32, 7).toString('base64')
    const text = backend(`{"Type":"wireguard","ListenPort":51821,"PSK":"${psk}","PersistentKeepaliveInterval":25}`)
    const { peers } = placer('security: secure', text).place(lease({ publicKey: KEY_B }))
    expect(peers[0]).toMatchObject({ endpoint: { port: 51821 }, type: 'wireguard', keepaliveSec: 25 })
    expect(Buffer.from(peers[0]!.presharedKey!.copy()).toString('base64')).toBe(psk)
  })

  test('of a stock WireGuard network of two families is reached as far as one tunnel reaches', () => {
    const both = { subnet6: 'fd00:42:0:2::/64', publicIpv6: 'fd18::2', publicKey: KEY_B }
    const found = (mode: string, more: object = {}) => {
      const { peers, fault } = placer(
        'security: secure',
        DUAL.replace(/"Backend":.*/, `"Backend":{"Type":"wireguard","Mode":"${mode}"}}`),
      ).place(lease({ ...both, ...more }))
      return [peers[0]!.endpoint!.host, ...peers[0]!.networks[0]!.allowedIps, ...(fault === null ? [] : [fault])]
    }
    const [four, six] = ['10.42.2.0/24', 'fd00:42:0:2::/64']
    expect(found('auto')).toEqual(['198.18.0.2', four, six])
    expect(found('ipv6')).toEqual(['fd18::2', four, six])
    expect(found('separate')).toEqual([
      '198.18.0.2',
      four,
      expect.stringMatching(/^fd00:42:0:2::\/64: flanneld has IPv6 in/),
    ])
    // One of ours.
    expect(found('separate', { wireguardPort: 51820 })).toEqual(['198.18.0.2', four, six])
  })

  test.each([
    ['no key where all is sealed', 'security: secure', {}, /^it has no PublicKey/],
    ['no address', 'security: plain', { publicIp: null }, /it has no public IPv4 address/],
    ['our own address', 'security: plain', { publicIp: V4.address }, /198.18.0.1 is this host's own/],
    ['an address inside the network', 'security: plain', { publicIp: '10.42.7.7' }, /10.42.7.7 is itself inside/],
  ] as const)('is not reached: %s', (_what, own, more, why) => {
    const place = placer(own).place(lease(more))
    expect(place.fault).toMatch(why)
    expect([place.peers, place.routes]).toEqual([[], []])
  })

  test('on our own link is routed where the back end wants it, and tunnelled again when it has gone from there', () => {
    let link: string | null = 'eth0'
    const here = { ...HERE, onLink: () => link }
    const direct = placer('security: plain', backend('{"Type":"vxlan","DirectRouting":true}'), here)
    const one = lease()
    const near = direct.place(one)
    expect(near.routes).toEqual([{ prefix: '10.42.2.0/24', via: '198.18.0.2', interface: 'eth0' }])
    // It may itself reach us by the tunnel.
    expect(near.peers).toMatchObject([{ name: '10.42.2.0-24', networks: [{ direct: true }] }])
    direct.look(here)
    expect(direct.place(one)).toBe(near)
    link = null
    expect(direct.place(one)).toBe(near)
    direct.look(here)
    const far = direct.place(one)
    expect(far).toMatchObject({ routes: [], peers: [{ name: '10.42.2.0-24' }] })
    expect(far.peers[0]!.networks[0]!.direct).toBeUndefined()
    expect(placer('security: plain', VXLAN, { ...HERE, onLink: () => 'eth0' }).place(one).routes).toEqual([])
  })

  test('of host-gw that is on no link of ours is not reached', () => {
    const { fault } = placer('security: plain', backend('{"Type":"host-gw"}')).place(lease())
    expect(fault).toBe('10.42.2.0/24: 198.18.0.2 is not on our own link')
  })

  test('is the same object while its lease is', () => {
    const all = placer()
    const one = lease()
    expect(all.place(one)).toBe(all.place(one))
    expect(all.place({ ...one })).not.toBe(all.place(one))
  })
})
