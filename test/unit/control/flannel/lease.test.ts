import { describe, expect, test } from 'vitest'
import { cidrText } from '../../../../src/control/cidr.ts'
import { keyOf, parseKey, parseValue, valueText } from '../../../../src/control/flannel/lease.ts'
import { DUAL, flanneldValue, identity, storeConfig } from '../../../support/flannel.ts'

const MARK = { node: 'host-1', instance: '00c0ffee' }
const KEY = 'GxGgnxN3TQgwJ0kOyl8Az4oNIPNBeVhDTCg4vPxqoUo='

describe('keys', () => {
  test.each([
    ['10.5.34.0-24', '10.5.34.0/24', null],
    ['10.12.13.0-24&fd00:12:13::-56', '10.12.13.0/24', 'fd00:12:13::/56'],
    ['0.0.0.0-0&fd00:1:2:3::-64', null, 'fd00:1:2:3::/64'],
    ['198.18.0.254-31', '198.18.0.254/31', null],
    ['0.0.0.0-0', '0.0.0.0/0', null],
  ])('%s is there and back', (key, subnet, subnet6) => {
    const parsed = parseKey(key)!
    expect(parsed.subnet && cidrText(parsed.subnet)).toBe(subnet)
    expect(parsed.subnet6 && cidrText(parsed.subnet6)).toBe(subnet6)
    expect(keyOf(parsed)).toBe(key)
  })

  // The first eleven are what flanneld refuses.
  test.each([
    '10',
    '10.12.13.0',
    '10.12.13-24',
    '10.12.13.300-24',
    '10.12.13.0-24hi',
    '&2001::-56',
    '10.12.13.0-24&:12:13:-56',
    '10.12.13.0-24&20011::-56',
    '10.12.13.0-24&2001-56',
    '10.12.13.0-24&2001::',
    '10.12.13.0-24&2001::-56hi',
    '',
    'x10.42.200.0-24',
    'sub/10.42.200.0-24',
    '10.12.13.0-32',
    '10.12.13.0-024',
    '10.12.13.7-24',
    '10.12.13.0-24&fd00::1-64',
    '10.12.13.0-24&fd00::-128',
    '10.12.13.0-24&FD00::-64',
  ])('%j is none', (key) => expect(parseKey(key)).toBeNull())
})

describe('values', () => {
  const OURS = ',"Vtepd":{"Node":"host-1","Instance":"00c0ffee"}}'
  const written = (config: string, more = {}) => valueText(storeConfig(config), identity(1, more), MARK)

  test.each([
    [
      '{"Network":"10.42.0.0/16","Backend":{"Type":"vxlan"}}',
      '{"PublicIP":"198.18.0.1","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:01"}',
    ],
    [
      DUAL,
      '{"PublicIP":"198.18.0.1","PublicIPv6":"fd00::1","BackendType":"vxlan","BackendData":{"VNI":7,"VtepMAC":"02:00:00:00:00:01"}' +
        ',"BackendV6Data":{"VNI":7,"VtepMAC":"02:00:00:00:06:01"}',
    ],
    ['{"Network":"10.42.0.0/16"}', '{"PublicIP":"198.18.0.1","PublicIPv6":null'],
    [
      '{"Network":"10.42.0.0/16","Backend":{"Type":"host-gw"}}',
      '{"PublicIP":"198.18.0.1","PublicIPv6":null,"BackendType":"host-gw"',
    ],
  ])('of %s begin as flanneld writes them, and end with who wrote them', (config, value) =>
    expect(written(config)).toBe(value + OURS),
  )

  test('name the public key where there is one to use', () => {
    const wireguard = '{"Network":"10.42.0.0/16","Backend":{"Type":"wireguard"}}'
    expect(written(wireguard, { publicKey: KEY })).toBe(
      `{"PublicIP":"198.18.0.1","PublicIPv6":null,"BackendType":"wireguard","BackendData":{"PublicKey":"${KEY}","Port":51820}${OURS}`,
    )
    const secure = valueText(storeConfig(), identity(1, { publicKey: KEY, secure: true }), MARK)
    expect(secure).toContain(
      `"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:01","PublicKey":"${KEY}"`,
    )
    expect(valueText(storeConfig(), identity(1, { publicKey: KEY }), MARK)).not.toContain(KEY)
  })

  test('of flanneld are read', () => {
    expect(parseValue(flanneldValue('192.168.64.3', 'C6-D2-32-6F-8F-44'))).toEqual({
      publicIp: '192.168.64.3',
      publicIpv6: null,
      backendType: 'vxlan',
      vtepMac: 'c6:d2:32:6f:8f:44',
      vtepMac6: null,
      publicKey: null,
      wireguardPort: null,
      mark: null,
    })
    expect(parseValue('{"PublicIP":"1.2.3.4","PublicIPv6":null}')).toMatchObject({
      publicIp: '1.2.3.4',
      backendType: null,
    })
    expect(parseValue(`{"BackendV6Data":{"publickey":"${KEY}","port":7}}`)).toMatchObject({
      publicIp: null,
      publicKey: KEY,
      wireguardPort: 7,
    })
  })

  test('of ours are read back, with who wrote them', () => {
    const config = storeConfig(DUAL)
    const me = identity(1, { publicKey: KEY, secure: true })
    expect(parseValue(valueText(config, me, MARK))).toEqual({
      publicIp: me.publicIp,
      publicIpv6: me.publicIpv6,
      backendType: 'vxlan',
      vtepMac: me.vtepMac,
      vtepMac6: me.vtepMac6,
      publicKey: KEY,
      wireguardPort: 51820,
      mark: MARK,
    })
  })

  test.each([
    '{"PublicIP":"0.0.0.0"}',
    '{"PublicIP":null}',
    '{"BackendData":{"VtepMAC":7,"PublicKey":[],"Port":-1}}',
    '{"BackendData":{"VtepMAC":"02:00:00:00:00:01:02:03","PublicKey":"short"}}',
    '{"Vtepd":"me"}',
  ])('%s says nothing that is of use', (text) =>
    expect(Object.values(parseValue(text)).filter((v) => v !== null)).toEqual([]),
  )

  test.each([
    ['', 'no JSON'],
    ['"x"', 'want an object'],
    ['{"PublicIP":"example"}', 'PublicIP: want an address'],
    ['{"PublicIP":"fd00::1"}', 'PublicIP: want an address'],
    ['{"PublicIP":7}', 'PublicIP: want a string'],
    ['{"PublicIPv6":"10.0.0.1"}', 'PublicIPv6: want an address'],
    ['{"BackendData":"x"}', 'BackendData: want an object'],
    [`{"PublicIP":${'['.repeat(300_000)}${']'.repeat(300_000)}}`, 'PublicIP: want a string, got a list'],
  ])('refuses %#', (text, why) => expect(() => parseValue(text)).toThrow(why))
})
