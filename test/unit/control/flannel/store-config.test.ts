import { describe, expect, test } from 'vitest'
import { parseStoreConfig } from '../../../../src/control/flannel/store-config.ts'

const range4 = (text: string) => parseStoreConfig(text).ipv4
const range6 = (text: string) => parseStoreConfig(text).ipv6
const backend = (text: string) => parseStoreConfig(`{"Network":"10.5.0.0/16","Backend":${text}}`).backend

describe('ranges', () => {
  test('have the defaults of flanneld', () => {
    expect(parseStoreConfig('{ "network": "10.3.0.0/16" }')).toEqual({
      ipv4: { network: '10.3.0.0/16', subnetLength: 24, subnetMin: '10.3.1.0', subnetMax: '10.3.255.0' },
      ipv6: null,
      backend: { type: 'udp', port: 8285 },
    })
    const six = '{"enableIPv6":true,"ipv6Network":"fc00::/48","enableIPv4":false,"Backend":{"Type":"vxlan"}}'
    expect(range6(six)).toEqual({
      network: 'fc00::/48',
      subnetLength: 64,
      subnetMin: 'fc00:0:0:1::',
      subnetMax: 'fc00:0:0:ffff::',
    })
    expect(range4(six)).toBeNull()
  })

  test.each([
    ['10.0.0.0/22', 24, '10.0.1.0', '10.0.3.0'],
    ['10.0.0.0/23', 25, '10.0.0.128', '10.0.1.128'],
    ['10.0.0.0/28', 30, '10.0.0.4', '10.0.0.12'],
    ['10.3.7.9/16', 24, '10.3.1.0', '10.3.255.0'],
    ['0.0.0.0/0', 24, '0.0.1.0', '255.255.255.0'],
  ])('of %s: length %i, from %s to %s', (network, subnetLength, subnetMin, subnetMax) =>
    expect(range4(`{"Network":"${network}"}`)).toMatchObject({ subnetLength, subnetMin, subnetMax }),
  )

  test('are as written, whatever the case of the names; the last of two wins', () => {
    const text = '{"NETWORK":"10.3.0.0/16","subnetmin":"10.3.5.0","SubnetMAX":"10.3.8.0","SubnetLen":24,"subnetLen":28}'
    expect(range4(text)).toMatchObject({ subnetLength: 28, subnetMin: '10.3.5.0', subnetMax: '10.3.8.0' })
    expect(
      range6(
        '{"EnableIPv6":true,"IPv6Network":"fc00::/48","Network":"10.3.0.0/16","IPv6SubnetLen":124,' +
          '"IPv6SubnetMin":"fc00:0:0:1::","IPv6SubnetMax":"fc00:0:0:f::"}',
      ),
    ).toMatchObject({
      subnetLength: 124,
      subnetMin: 'fc00:0:0:1::',
      subnetMax: 'fc00:0:0:f::',
    })
  })

  test('take null, 0 and 0.0.0.0 for nothing', () =>
    expect(
      range4('{"Network":"10.3.0.0/16","SubnetLen":0,"SubnetMin":"0.0.0.0","SubnetMax":null,"Other":[1]}'),
    ).toEqual({
      network: '10.3.0.0/16',
      subnetLength: 24,
      subnetMin: '10.3.1.0',
      subnetMax: '10.3.255.0',
    }))

  test.each([
    ['', 'it is no JSON'],
    ['[]', 'want an object'],
    ['{}', 'Network: missing'],
    ['{"Network":7}', 'Network: want a string, got 7'],
    ['{"Network":"10.3.0.0"}', 'Network: want a prefix'],
    ['{"Network":"fc00::/48"}', 'Network: want a prefix'],
    ['{"Network":"10.3.0.0/29"}', 'Network: 10.3.0.0/29 is too small; want a /28 or larger'],
    ['{"Network":"10.3.0.0/16","SubnetLen":31}', 'SubnetLen: want 30 at most'],
    ['{"Network":"10.3.0.0/16","SubnetLen":17}', 'SubnetLen: want 18 at least'],
    ['{"Network":"10.3.0.0/16","SubnetLen":24.5}', 'SubnetLen: want a whole number'],
    ['{"Network":"10.3.0.0/16","SubnetMin":"10.4.0.0"}', 'SubnetMin: 10.4.0.0 is not in 10.3.0.0/16'],
    ['{"Network":"10.3.0.0/16","SubnetMax":"10.3.9.8"}', 'SubnetMax: 10.3.9.8 does not begin a subnet of length 24'],
    ['{"Network":"10.3.0.0/16","SubnetMin":"10.3.9.0","SubnetMax":"10.3.8.0"}', 'SubnetMin: it is behind SubnetMax'],
    ['{"EnableIPv4":false}', 'want one of them true'],
    ['{"Network":"10.3.0.0/16","EnableIPv6":true}', 'IPv6Network: missing'],
    ['{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fc00::/48"}', 'udp carries IPv4 only'],
    ['{"EnableIPv6":true,"Network":"10.3.0.0/16","IPv6Network":"fc00::/125"}', 'IPv6Network: fc00::/125 is too small'],
  ])('refuses %s: %s', (text, why) => expect(() => parseStoreConfig(text)).toThrow(why))
})

const WIREGUARD = { type: 'wireguard', port: 51820, mode: 'separate', mtu: null, psk: null, keepaliveSec: 0 }

describe('back ends', () => {
  test.each([
    ['{"Type":"vxlan"}', { type: 'vxlan', vni: 1, port: 8472, mtu: null, directRouting: false }],
    [
      '{"type":"VXLAN","vni":4096,"PORT":4789,"MTU":1400,"directrouting":true,"Learning":true}',
      { type: 'vxlan', vni: 4096, port: 4789, mtu: 1400, directRouting: true },
    ],
    [
      '{"Type":"vxlan","Port":0,"MTU":0,"GBP":false}',
      { type: 'vxlan', vni: 1, port: 8472, mtu: null, directRouting: false },
    ],
    ['{"Type":"host-gw"}', { type: 'host-gw' }],
    ['{"Type":"udp"}', { type: 'udp', port: 8285 }],
    ['{"Type":"udp","Port":9000}', { type: 'udp', port: 9000 }],
    ['{"Type":"wireguard"}', WIREGUARD],
    ['{"Type":"wireguard","Mode":"auto","ListenPortV6":9}', { ...WIREGUARD, mode: 'auto' }],
    ['{"Type":"wireguard","Mode":"","ListenPort":0}', WIREGUARD],
    [
      `{"Type":"wireguard","ListenPort":7,"PSK":"${'A'.repeat(43)}=","PersistentKeepaliveInterval":25}`,
      { ...WIREGUARD, port: 7, psk: `${'A'.repeat(43)}=`, keepaliveSec: 25 },
    ],
  ])('%s', (text, want) => expect(backend(text)).toEqual(want))

  test.each([
    ['{}', 'Backend.Type: missing'],
    ['"vxlan"', 'Backend: want an object'],
    ['{"Type":"ipip"}', 'Backend.Type: "ipip" is not in this version'],
    ['{"Type":"vxlan","VNI":16777216}', 'Backend.VNI: want a whole number from 0 to 16777215'],
    ['{"Type":"vxlan","Port":"8472"}', 'Backend.Port: want a whole number'],
    ['{"Type":"vxlan","MTU":40}', 'Backend.MTU: want 68 at least'],
    ['{"Type":"vxlan","GBP":true}', 'Backend.GBP: not in this version'],
    ['{"Type":"wireguard","PSK":"hush"}', 'Backend.PSK: want a key'],
    ['{"Type":"wireguard","Mode":"Auto"}', 'Backend.Mode: want one of separate, auto, ipv4, ipv6, got "Auto"'],
  ])('refuses %s: %s', (text, why) => expect(() => backend(text)).toThrow(why))

  test.each([
    ['', 51821],
    [',"ListenPortV6":9', 9],
    [',"Mode":"ipv6","ListenPortV6":9', 51820],
  ])('wireguard%s in a network of IPv6 alone has port %s', (more, port) => {
    const of6 = `"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fc00::/48","Backend":{"Type":"wireguard"${more}}`
    expect(parseStoreConfig(`{${of6}}`).backend).toMatchObject({ port })
  })

  test('never show a preshared key', () =>
    expect(() => backend('{"Type":"wireguard","PSK":"hush"}')).not.toThrow(/hush/))
})
