// Host rules for tests: a flannel network's, as the agent gets them.
import type { HostRules } from '../../src/control/firewall/host-rules.ts'

/** Masquerade and forward of a member that has leased 10.42.1.0/24 of 10.42.0.0/16, and its IPv6 likewise. */
export const FLANNEL: HostRules = {
  masquerade: true,
  forward: true,
  prefixes: [
    { network: 'f', cidr: '10.42.0.0/16', own: '10.42.1.0/24', interface: 'flannel.1' },
    { network: 'f', cidr: 'fd00:42::/48', own: 'fd00:42:0:1::/64', interface: 'flannel.1' },
  ],
  interfaces: [],
  bridgeable: [],
  untracked: { own: [], far: [] },
  ports: [],
  asked: true,
}

/** A layer 2 network whose device has 10.42.0.1/24: who is where nobody knows. */
export const FLAT: HostRules = {
  ...FLANNEL,
  prefixes: [{ network: 'blue', cidr: '10.42.0.0/24', own: '10.42.0.1/32', interface: 'vt42' }],
  interfaces: ['vt42'],
  bridgeable: ['vt42'],
}

/** Nothing asked for. */
export const NONE: HostRules = { ...FLANNEL, masquerade: false, forward: false, asked: false }
