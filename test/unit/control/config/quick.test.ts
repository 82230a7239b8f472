import { describe, expect, test } from 'vitest'
import { fromQuickFlags, type QuickFlags } from '../../../../src/control/config/config.ts'
import { expected, faultsOfFlags, KEY_B, KEY_C, matched, OWN_KEY, publicKey, readKey } from '../../../support/config.ts'

const KEY_D = publicKey(4)

const GOOD: QuickFlags = {
  vni: '42',
  local: '198.18.0.1',
  peer: ['198.18.0.2'],
  address: ['10.42.0.1/24'],
  plain: true,
}

const SECURE: QuickFlags = {
  ...GOOD,
  plain: undefined,
  key: '/keys/own',
  peer: [`${KEY_B}@198.18.0.2:51821`],
}

const HOST = { hostname: 'host-a', readKey }

/** Without either, each is named. */
const SAYS_BOTH =
  'give --key FILE, which `(umask 077 && vtepd genkey > FILE)` makes, with --peer PUBLICKEY@HOST, or add --plain if clear text is meant'

describe('fromQuickFlags', () => {
  test('makes one plain layer 2 network', () => {
    const config = fromQuickFlags(
      { ...GOOD, peer: ['198.18.0.2', '[fd00::3]:8472'], local: ['198.18.0.1', 'fd00::1'] },
      HOST,
    )
    expect(config.node).toBe('host-a')
    expect(config.underlay.addresses).toEqual(['198.18.0.1', 'fd00::1'])
    expect(config.privateKey).toBeNull()
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
    expect(config.peers).toMatchObject([
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

  test('makes one secure network of a key and peers with theirs', () => {
    const more = { ...SECURE, peer: [`${KEY_B}@198.18.0.2:51821`, `${KEY_C}@198.18.0.2:51822`, `${KEY_D}@[fd00::3]`] }
    const config = fromQuickFlags(more, HOST)
    expect(config.publicKey).toBe(OWN_KEY)
    expect(config.underlay).toMatchObject({ wireguardPort: 51820, vxlanPort: 4789 })
    expect(config.networks).toMatchObject([{ name: 'vt42', security: 'secure', device: 'tap' }])
    expect(config.peers.map(({ name, publicKey, endpoint }) => [name, publicKey, endpoint])).toEqual([
      ['198.18.0.2', KEY_B, { host: '198.18.0.2', port: 51821 }],
      ['198.18.0.2:51822', KEY_C, { host: '198.18.0.2', port: 51822 }],
      ['fd00::3', KEY_D, { host: 'fd00::3', port: null }],
    ])
    expect(config.peers[0]!.networks).toEqual([{ network: 'vt42', allowedIps: [], mac: null }])
  })

  test('listens where --port says, for WireGuard with a key and for VXLAN without', () => {
    expect(fromQuickFlags({ ...SECURE, port: '4000' }, HOST).underlay.wireguardPort).toBe(4000)
    expect(fromQuickFlags({ ...GOOD, port: '4000' }, HOST).networks[0]!.port).toBe(4000)
  })

  test('gives the one peer of a secure layer 3 network the prefixes of the device', () => {
    const config = fromQuickFlags({ ...SECURE, device: 'tun' }, HOST)
    expect(config.peers[0]!.networks[0]!.allowedIps).toEqual(['10.42.0.0/24'])
  })

  test('finds a key file from where one is', () => {
    const asked: string[] = []
    const spy: typeof readKey = (path) => {
      asked.push(path)
      return readKey('/keys/own', '')
    }
    fromQuickFlags({ ...SECURE, key: 'key' }, { hostname: 'host-a', readKey: spy })
    expect(asked).toEqual([`${process.cwd()}/key`])
  })

  test('needs no address for layer 2', () => {
    expect(fromQuickFlags({ ...GOOD, address: undefined }, HOST).networks[0]!.addresses).toEqual([])
  })

  test('gives the one peer of a layer 3 network the prefixes of the device', () => {
    const config = fromQuickFlags({ ...GOOD, device: 'tun', address: ['10.42.0.1/24', 'fd00:42::1/64'] }, HOST)
    expect(config.peers[0]!.networks[0]!.allowedIps).toEqual(['10.42.0.0/24', 'fd00:42::/64'])
  })

  test.each([
    [{ plain: undefined }, '--key', 'missing, and a network is secure unless --plain says otherwise', SAYS_BOTH],
    [{ plain: false }, '--key', 'a network is secure unless --plain', SAYS_BOTH],
    [{ plain: undefined, peer: [`${KEY_B}@198.18.0.2`] }, '--key', 'a network is secure unless --plain', SAYS_BOTH],
    [{ peer: ['c2VjcmV0@198.18.0.2:51820'] }, '--peer', 'a public key is of no use with --plain', 'the host alone'],
    [{ ...SECURE, plain: true }, '--plain', 'given with --key, which makes the network secure', 'keep one'],
    [{ ...SECURE, key: '/keys/none' }, '--key', 'there is no file /keys/none', 'vtepd genkey'],
    [{ ...SECURE, key: KEY_B }, '--key', 'want the name of a file, not a key', 'mode 0600'],
    [{ ...SECURE, peer: ['198.18.0.2'] }, '--peer', 'want PUBLICKEY@HOST or', '--peer PUBLICKEY@198.18.0.2:51820'],
    [{ ...SECURE, peer: undefined }, '--peer', 'missing', '--peer PUBLICKEY@198.18.0.2:51820 say'],
    [{ ...SECURE, peer: ['c2VjcmV0@198.18.0.2'] }, '--peer', 'want a public key', 'vtepd pubkey'],
    [{ ...SECURE, peer: ['@198.18.0.2'] }, '--peer', 'want a public key', 'vtepd pubkey'],
    [{ ...SECURE, peer: [`${KEY_B}@`] }, '--peer', 'want host, host:port', '198.18.0.2'],
    [{ ...SECURE, peer: [`${KEY_B}@198.18.0.2:0`] }, '--peer', 'want host, host:port', '198.18.0.2'],
    [{ ...SECURE, peer: [`${OWN_KEY}@198.18.0.2`] }, '--peer', "this host's own public key", "the other host's"],
    [{ ...SECURE, peer: [`${KEY_B}@h`, `${KEY_B}@i`] }, '--peer', "it is peer h's too", 'its own key'],
    [{ ...SECURE, peer: [`${KEY_B}@h`, `${KEY_C}@h`] }, '--peer', '"h" is given twice', 'once'],
    [{ ...SECURE, peer: [`${KEY_B}@198.18.0.1`] }, '--peer', '198.18.0.1 is this host itself', "the other host's"],
    [{ ...SECURE, port: 0 }, '--port', 'want 1..65535, got 0', 'UDP port'],
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
    for (const flags of [GOOD, SECURE, { ...GOOD, plain: false }]) {
      const faults = faultsOfFlags({ ...flags, peer: 'c2VjcmV0@h' })
      expect(faults).toHaveLength(1)
      expect(faults.join()).not.toContain('c2VjcmV0')
    }
  })
})
