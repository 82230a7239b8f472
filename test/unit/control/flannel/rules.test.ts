import { expect, test } from 'vitest'
import type { FlannelConfig } from '../../../../src/control/config/model.ts'
import type { Backend, Membership } from '../../../../src/control/flannel/model.ts'
import { memberRules } from '../../../../src/control/flannel/rules.ts'

const VXLAN: Backend = { type: 'vxlan', vni: 1, port: 8472, mtu: null, directRouting: false }

function membership(backend: Backend): Membership {
  const range = (network: string) => ({ network, subnetLength: 24, subnetMin: '', subnetMax: '' })
  const own = { subnet: '10.5.34.0/24', subnet6: 'fd00:5:0:1::/64' }
  return {
    config: { ipv4: range('10.5.0.0/16'), ipv6: range('fd00:5::/48'), backend },
    own,
  } as unknown as Membership
}

function file(more: Partial<FlannelConfig>): FlannelConfig {
  return { name: 'f', security: 'plain', netns: null, ...more } as FlannelConfig
}

test('what is ours of the network, in both families, and the port of the back end', () => {
  expect(memberRules(file({}), membership(VXLAN), 'flannel.1', 51820)).toEqual({
    prefixes: [
      { network: 'f', cidr: '10.5.0.0/16', own: '10.5.34.0/24', interface: 'flannel.1' },
      { network: 'f', cidr: 'fd00:5::/48', own: 'fd00:5:0:1::/64', interface: 'flannel.1' },
    ],
    untracked: { own: [8472], far: [8472] },
  })
})

test('a sealed network comes in where WireGuard does, one of routes alone nowhere', () => {
  const sealed = memberRules(file({ security: 'secure' }), membership(VXLAN), 'f', 51820)
  expect(sealed.untracked).toEqual({ own: [51820], far: [] })
  const stock: Backend = { type: 'wireguard', port: 7, mode: 'auto', mtu: null, psk: null, keepaliveSec: 0 }
  const other = memberRules(file({ security: 'secure' }), membership(stock), 'f', 51820)
  expect(other.untracked).toEqual({ own: [51820, 7], far: [] })
  const routed = memberRules(file({}), membership({ type: 'host-gw' }), '', 51820)
  expect(routed).toMatchObject({ untracked: { own: [], far: [] }, prefixes: [{ interface: '' }, {}] })
})

test('in a namespace of its own it has no rules here', () => {
  expect(memberRules(file({ netns: 'tenant' }), membership(VXLAN), 'f', 51820).prefixes).toEqual([])
})
