import { describe, expect, test } from 'vitest'
import { parsePortMapping } from '../../../../src/control/config/port-mapping.ts'
import { hostRules, masqueradedFrom, prefixesOf } from '../../../../src/control/firewall/host-rules.ts'
import { KEY_B, parse } from '../../../support/config.ts'

const FILE = `
privateKeyFile: /keys/own
underlay: { address: 198.18.0.1, vxlanPort: 8472, wireguardPort: 51821 }
networks:
  blue: { vni: 42, security: plain, address: [10.42.0.1/24, 10.42.0.5/24, "fd00:42::1/64", "fe80::1/64"] }
  tunnel: { vni: 45, device: tun, security: plain }
  red: { vni: 43, interface: 'vt+', address: 10.43.0.1/16 }
  apart: { vni: 44, security: plain, port: 4789, netns: tenant, address: 10.44.0.1/24 }
peers:
  b: { endpoint: "198.18.0.2:4790", networks: [blue] }
  c: { endpoint: "198.18.0.3:51000", publicKey: "${KEY_B}" }
notrack: true
`
const FLANNEL = {
  prefixes: [{ network: 'f', cidr: '10.5.0.0/16', own: '10.5.34.0/24', interface: 'flannel.1' }],
  untracked: { own: [8473], far: [8473] },
}

describe('host rules', () => {
  const rules = hostRules(parse(FILE), FLANNEL)

  test('are about networks of our namespace, by the prefixes of their devices', () => {
    expect(prefixesOf(rules, 4)).toEqual([
      { cidr: '10.42.0.0/24', own: ['10.42.0.1/32', '10.42.0.5/32'], flat: true },
      { cidr: '10.43.0.0/16', own: ['10.43.0.1/32'], flat: true },
      { cidr: '10.5.0.0/16', own: ['10.5.34.0/24'], flat: false },
    ])
    expect(prefixesOf(rules, 6)).toEqual([{ cidr: 'fd00:42::/64', own: ['fd00:42::1/128'], flat: true }])
  })

  test('name no device whose name a firewall would take for several', () => {
    expect(rules.interfaces).toEqual(['vt42', 'vt45'])
    expect(rules.bridgeable).toEqual(['vt42'])
  })

  test('leave every outer port untracked, and the VXLAN ports of others', () => {
    expect(rules.untracked).toEqual({ own: [4789, 8472, 8473, 51821], far: [4789, 4790, 8472, 8473] })
    const tracked = hostRules(parse(FILE.replace('notrack: true', '')), FLANNEL)
    expect(tracked.untracked).toEqual({ own: [], far: [] })
  })

  test('keep the address of who calls a target behind us, and of nobody who calls another', () => {
    expect(masqueradedFrom(parsePortMapping('80:10.5.34.7:80'), rules)).toBe('10.5.0.0/16')
    expect(masqueradedFrom(parsePortMapping('80:10.5.35.7:80'), rules)).toBeNull()
    expect(masqueradedFrom(parsePortMapping('80:10.42.0.1:80'), rules)).toBeNull()
  })
})
