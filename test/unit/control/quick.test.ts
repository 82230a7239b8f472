import { describe, expect, test } from 'vitest'
import { fromQuickFlags, type QuickFlags } from '../../../src/control/config.ts'
import { expected, faultsOfFlags, matched } from '../../support/config.ts'

const GOOD: QuickFlags = {
  vni: '42',
  local: '198.18.0.1',
  peer: ['198.18.0.2'],
  address: ['10.42.0.1/24'],
  plain: true,
}

const HOST = { hostname: 'host-a' }

describe('fromQuickFlags', () => {
  test('makes one plain layer 2 network', () => {
    const config = fromQuickFlags(
      { ...GOOD, peer: ['198.18.0.2', '[fd00::3]:8472'], local: ['198.18.0.1', 'fd00::1'] },
      HOST,
    )
    expect(config.node).toBe('host-a')
    expect(config.underlay).toEqual({ addresses: ['198.18.0.1', 'fd00::1'], interface: null, vxlanPort: 4789 })
    expect(config.networks).toHaveLength(1)
    expect(config.networks[0]).toMatchObject({
      name: 'vt42',
      vni: 42,
      device: 'tap',
      interface: 'vt42',
      port: 4789,
      addresses: ['10.42.0.1/24'],
      mtu: null,
      security: 'plain',
    })
    expect(config.peers).toEqual([
      {
        name: '198.18.0.2',
        endpoint: { host: '198.18.0.2', port: null },
        networks: [{ network: 'vt42', allowedIps: [], mac: null }],
      },
      {
        name: 'fd00::3',
        endpoint: { host: 'fd00::3', port: 8472 },
        networks: [{ network: 'vt42', allowedIps: [], mac: null }],
      },
    ])
    expect(Object.isFrozen(config.networks[0])).toBe(true)
  })

  test('takes every flag, numbers as numbers or as text', () => {
    const more = { ...GOOD, vni: 7, interface: 'x0', port: '8472', mtu: 1400, device: 'tap', local: undefined }
    expect(fromQuickFlags(more, HOST).networks[0]).toMatchObject({ vni: 7, interface: 'x0', port: 8472, mtu: 1400 })
  })

  test('needs no address for layer 2', () => {
    expect(fromQuickFlags({ ...GOOD, address: undefined }, HOST).networks[0]!.addresses).toEqual([])
  })

  test('gives the one peer of a layer 3 network the prefixes of the device', () => {
    const config = fromQuickFlags({ ...GOOD, device: 'tun', address: ['10.42.0.1/24', 'fd00:42::1/64'] }, HOST)
    expect(config.peers[0]!.networks[0]!.allowedIps).toEqual(['10.42.0.0/24', 'fd00:42::/64'])
  })

  test.each([
    [
      { plain: undefined },
      '--plain',
      'missing, and without it a network is secure, which is not in this version',
      'clear text is meant',
    ],
    [{ plain: false }, '--plain', 'not in this version', 'add --plain'],
    [{ plain: undefined, key: '/etc/key' }, '--key', 'not in this version', 'add --plain'],
    [{ peer: ['c2VjcmV0@198.18.0.2:51820'] }, '--peer', 'a public key is not in this version', 'the host alone'],
    [{ vni: undefined }, '--vni', 'missing, want 0..16777215', 'write a number'],
    [{ vni: 'blue' }, '--vni', 'want 0..16777215, got "blue"', 'write a number'],
    [{ vni: 16777216 }, '--vni', 'got 16777216', 'write a number'],
    [{ vni: Number.NaN }, '--vni', 'got NaN', 'write a number'],
    [{ local: 'eth0' }, '--local', 'want an IP address of this host, got "eth0"', '198.18.0.1'],
    [{ local: ['198.18.0.1', '198.18.0.3'] }, '--local', 'one address of each family', 'keep one'],
    [{ peer: undefined }, '--peer', 'missing', '--peer 198.18.0.2'],
    [{ peer: [] }, '--peer', 'missing', '--peer 198.18.0.2'],
    [{ peer: ['198.18.0.2:0'] }, '--peer', 'want host, host:port', '198.18.0.2'],
    [{ peer: ['198.18.0.2', '198.18.0.2:8472'] }, '--peer', '"198.18.0.2" is given twice', 'once'],
    [{ peer: ['198.18.0.1'] }, '--peer', '198.18.0.1 is this host itself', "the other host's address"],
    [{ peer: ['fd00::2'] }, '--peer', 'it is IPv6', 'give this host an IPv6 underlay address'],
    [{ address: ['10.42.0.1'] }, '--address', 'want a prefix length', '10.42.0.1/24'],
    [{ address: '10.42.0.1/40' }, '--address', 'want ADDRESS/LENGTH', '10.42.0.1/24'],
    [{ device: 'tab' }, '--device', 'want tap | tun, got "tab"', 'one of these'],
    [{ interface: 'a/b' }, '--interface', 'want 1..15 bytes', 'vt42'],
    [{ port: 'vxlan' }, '--port', 'want 1..65535, got "vxlan"', 'UDP port'],
    [{ mtu: 20 }, '--mtu', 'want 68..65485, got 20', 'MTU'],
    [{ mtu: 1000, address: 'fd00::1/64' }, '--mtu', 'want 1280 or more', 'raise it'],
    [{ device: 'tun', peer: ['198.18.0.2', '198.18.0.3'] }, '--peer', 'want one with --device tun, got 2', 'keep one'],
    [{ device: 'tun', address: undefined }, '--address', 'missing, and a tun peer gets its prefix', '10.42.0.1/24'],
    [{ device: 'tun', address: '10.42.0.1/32' }, '--address', 'no room for the peer', '/24'],
    [{ device: 'tun', address: '10.42.0.1/33' }, '--address', 'want ADDRESS/LENGTH', '10.42.0.1/24'],
  ] as [QuickFlags, string, string, string][])('%j: %s: %s', (flags, path, what, mend) => {
    const row = { text: '', path, what, mend }
    expect(matched(faultsOfFlags({ ...GOOD, ...flags }), row)).toEqual(expected(row))
  })

  test('names all faults at once', () => {
    const faults = faultsOfFlags({ vni: 'x', peer: 'y:0', address: 'z', plain: true, mtu: '1' })
    expect(faults.map((fault) => fault.split(':')[0])).toEqual(['--vni', '--address', '--mtu', '--peer'])
  })

  test('does not repeat what may be a key', () => {
    expect(faultsOfFlags({ ...GOOD, peer: 'c2VjcmV0@h' }).join()).not.toContain('c2VjcmV0')
  })
})
