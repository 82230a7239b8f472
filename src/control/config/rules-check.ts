// What the keys about the host's firewall mean together and beside the rest: mapped ports exist once, and are not those that our
// tunnels come in at. Their form is schema.ts's business.
import type { Draft } from './draft.ts'
import type { Faults } from './fault.ts'
import { claim } from './network-check.ts'
import { listensAt } from './port-mapping.ts'

export function checkRules(draft: Draft, faults: Faults): void {
  const { ports } = draft.rules
  if (!ports) return
  const tunnels = tunnelPorts(draft)
  const seen = new Map<string, string>()
  ports.forEach((mapping, i) => {
    const at = listensAt(mapping)
    const first = claim(seen, at, String(i))
    if (first !== String(i)) faults.add(['ports', i], `${at} is ports[${first}] too`, 'keep one of them')
    const whose = mapping.protocol === 'udp' ? tunnels.get(mapping.hostPort) : undefined
    if (whose !== undefined) {
      const what = `UDP port ${mapping.hostPort} is where ${whose} comes in`
      faults.add(['ports', i], what, 'map another port of this host')
    }
  })
}

function tunnelPorts({ networks, underlay }: Draft): Map<number, string> {
  const ports = new Map<number, string>()
  for (const { name, security, port, flannel } of networks?.values() ?? []) {
    // The store says at which port a flannel network comes in.
    if (security === 'plain' && port !== undefined && !flannel) ports.set(port, `network ${name}`)
    if (security === 'secure' && underlay.wireguardPort !== undefined) ports.set(underlay.wireguardPort, 'WireGuard')
  }
  return ports
}
