// What the host's firewall has to know of a flannel network. Pure; cold.

import type { FlannelConfig } from '../config/model.ts'
import type { MoreNetworks } from '../firewall/host-rules.ts'
import type { Membership } from './model.ts'

/** `device`: the network's; '' with a back end that has none. */
export function memberRules(file: FlannelConfig, m: Membership, device: string, wireguardPort: number): MoreNetworks {
  const { ipv4, ipv6, backend } = m.config
  const pairs = [
    [ipv4, m.own.subnet],
    [ipv6, m.own.subnet6],
  ] as const
  // A namespace of its own has its own firewall.
  const prefixes = pairs.flatMap(([range, own]) =>
    range && own !== null && file.netns === null
      ? [{ network: file.name, cidr: range.network, own, interface: device }]
      : [],
  )
  if (file.security === 'secure') {
    const own = [...new Set([wireguardPort, ...(backend.type === 'wireguard' ? [backend.port] : [])])]
    return { prefixes, untracked: { own, far: [] } }
  }
  const ports = backend.type === 'vxlan' || backend.type === 'udp' ? [backend.port] : []
  return { prefixes, untracked: { own: ports, far: ports } }
}
