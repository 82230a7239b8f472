// Agents on the hosts of a lab: their configurations, and what they are asked in tests.
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import type { FdbEntry, NetworkStatus, Status } from '../../src/control/api/api.ts'
import type { LabAgent } from '../../src/lab/agent.ts'
import { built } from '../../src/lab/built.ts'
import type { Result } from '../../src/lab/command.ts'
import type { Host } from '../../src/lab/lab.ts'

/** A network and a peer as a file has them. */
export type Keys = Record<string, unknown>

export interface Shape {
  readonly underlay: string | readonly string[]
  readonly networks: Record<string, Keys>
  readonly peers: Record<string, Keys | string>
  readonly [key: string]: unknown
}

/** A whole file: networks are plain unless they say otherwise, a peer's name may stand for its endpoint. */
export function configuration({ underlay, networks, peers, ...more }: Shape): Keys {
  const plain = (network: Keys): Keys => ({ security: 'plain', ...network })
  const peer = (of: Keys | string): Keys => (typeof of === 'string' ? { endpoint: of } : of)
  return {
    underlay: { address: underlay },
    networks: mapped(networks, plain),
    peers: mapped(peers, peer),
    ...more,
  }
}

function mapped<A, B>(of: Record<string, A>, f: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(of).map(([name, value]) => [name, f(value)]))
}

/** Asks until the answer satisfies. The last answer, or the last failure, is in the error when it never does. */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
  enough: (answer: T) => boolean,
  patience = 20_000,
): Promise<T> {
  const end = performance.now() + patience
  for (;;) {
    const answer = await ask()
    if (enough(answer)) return answer
    if (performance.now() > end) throw new Error(`${what}: still ${JSON.stringify(answer)} after ${patience / 1000} s`)
    await pause(20)
  }
}

/** The answer once it has been the same five times: nothing is on its way any more. */
export async function settled<T>(ask: () => Promise<T>): Promise<T> {
  let same = 0
  let last = ''
  return until('quiet', ask, (answer) => {
    const text = JSON.stringify(answer)
    same = text === last ? same + 1 : 1
    last = text
    return same === 5
  })
}

export function status(agent: LabAgent): Promise<Status> {
  return agent.get<Status>('/v1/status')
}

/** A network of an agent; its first one without a name. */
export async function networkOf(agent: LabAgent, name?: string): Promise<NetworkStatus> {
  const { networks } = await status(agent)
  const found = name === undefined ? networks[0] : networks.find((n) => n.name === name)
  if (!found) throw new Error(`no network ${name} on ${agent.host.name}`)
  return found
}

export async function drops(agent: LabAgent): Promise<Record<string, number>> {
  const all = Object.entries((await status(agent)).drops)
  return Object.fromEntries(all.filter(([, n]) => n !== 0))
}

export async function fdbOf(agent: LabAgent): Promise<FdbEntry[]> {
  return (await agent.get<{ entries: FdbEntry[] }>('/v1/fdb')).entries
}

/** Waits until the drop has been counted `n` times more than `before`. */
export async function untilDropped(
  agent: LabAgent,
  reason: string,
  before: Record<string, number>,
  n = 1,
): Promise<void> {
  const want = (before[reason] ?? 0) + n
  const now = await until(
    `${reason} on ${agent.host.name}`,
    () => drops(agent),
    (d) => (d[reason] ?? 0) >= want,
  )
  expect(now[reason]).toBe(want)
}

/** `vtepd …` against a running agent. */
export function vtepd(agent: LabAgent, ...words: string[]): Promise<Result> {
  return agent.host.run([process.execPath, built('main.js'), ...words, '--runtime-dir', agent.runtimeDir])
}

/** Expects all of three pings to come back, sent at once, so that ping(8) waits for the last of them for as long as the interval. */
export async function reaches(host: Host, ...addresses: string[]): Promise<void> {
  for (const address of addresses) {
    const { stdout } = await host.run(['ping', '-n', '-c', '3', '-l', '3', '-i', '2', address])
    expect(stdout, `${host.name} → ${address}`).toContain(' 3 received')
  }
}

/** Repeats a ping until one comes back, however late: after something was changed. ping(8) ends early when it is told of an error. */
export async function untilReaches(host: Host, address: string): Promise<void> {
  await until(
    `${host.name} → ${address}`,
    () =>
      host.run(['ping', '-n', '-c', '1', '-w', '5', '-i', '0.2', address]).then(
        () => true,
        () => false,
      ),
    Boolean,
  )
}

/** No ping comes back. `from`: the address or device that they leave by. */
export async function cannotReach(host: Host, address: string, from?: string): Promise<void> {
  const by = from === undefined ? [] : ['-I', from]
  const two = ['ping', '-n', '-c', '2', '-i', '0.1', '-W', '0.3', ...by, address]
  await expect(host.run(two)).rejects.toThrow('ended with 1')
}
