// What a configuration asks for and will not get everywhere: no fault, and worth a line. Pure; cold.
import type { Config } from './model.ts'

export function notesOf({ networks, flannels, rules }: Config): string[] {
  if (rules.firewall === 'off') return []
  const asked = [rules.masquerade ? 'masquerade' : '', rules.ports.length > 0 ? 'ports' : ''].filter(Boolean)
  if (asked.length === 0) return []
  const apart = [...networks, ...flannels].filter(({ netns }) => netns !== null)
  return apart.map(({ name, netns }) => {
    const what = `namespace ${netns} has a firewall of its own, which the agent leaves alone`
    return `networks.${name}.netns: ${what}: ${asked.join(' and ')} of this file mean nothing there (docs/host-rules.md)`
  })
}
