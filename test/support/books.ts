// What agents and devices of one network count, compared: nothing is lost without a reason.
import { expect } from 'vitest'
import type { LabAgent } from '../../src/lab/agent.ts'
import type { Host } from '../../src/lab/lab.ts'
import { drops, networkOf, settled, until } from './overlay.ts'

export interface Books {
  /** Frames that devices gave to their agents, and got from them. */
  devices: number
  delivered: number
  copies: number
  sent: number
  received: number
  dropped: number
}

/** How much each number has grown, once everything has arrived. */
export type Growth = (key: keyof Books) => number

/**
 * Opens the books of all members of a network. Each call of the answer waits until both laws hold again (what devices gave, plus
 * copies, is what went out; that is what came in) and expects no drop meanwhile.
 */
export async function openBooks(
  hosts: readonly Host[],
  agents: readonly LabAgent[],
  device: string,
): Promise<() => Promise<Growth>> {
  const read = (): Promise<Books> => readBooks(hosts, agents, device)
  // What was sent before everybody listened is lost, and nothing else ever.
  const before = await settled(read)
  const lost = before.sent - before.received - before.dropped
  return async () => {
    // Devices and agents are asked one after the other, so a frame may be on its way between them: both laws hold once it
    // has arrived, and never if one was miscounted.
    const after = await until(
      'books',
      read,
      (b) =>
        b.sent === b.received + b.dropped + lost &&
        b.devices - before.devices + b.copies - before.copies === b.sent - before.sent,
    )
    const grown: Growth = (key) => after[key] - before[key]
    expect(grown('dropped')).toBe(0)
    return grown
  }
}

async function readBooks(hosts: readonly Host[], agents: readonly LabAgent[], device: string): Promise<Books> {
  const networks = await Promise.all(agents.map((agent) => networkOf(agent)))
  const given = await Promise.all(hosts.map((host) => counted(host, device)))
  const dropped = await Promise.all(agents.map(async (agent) => Object.values(await drops(agent))))
  const sum = (values: number[]): number => values.reduce((x, y) => x + y, 0)
  // A flooded frame goes to every other member; one of its copies is the frame itself.
  const others = agents.length - 1
  return {
    devices: sum(given.map((g) => g.tx)),
    delivered: sum(given.map((g) => g.rx)),
    copies: sum(networks.map((n) => n.floodedPackets)) * (others - 1),
    sent: sum(networks.map((n) => n.txPackets)),
    received: sum(networks.map((n) => n.rxPackets)),
    dropped: sum(dropped.flat()),
  }
}

async function counted(host: Host, device: string): Promise<{ tx: number; rx: number }> {
  const [link] = JSON.parse(await host.ip('-j', '-s', 'link', 'show', device)) as [
    { stats64: { rx: { packets: number }; tx: { packets: number } } },
  ]
  return { tx: link.stats64.tx.packets, rx: link.stats64.rx.packets }
}
