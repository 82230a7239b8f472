// Any bytes whatever into the UDP port while traffic passes: all of it counted, no crash, no growth.
//
//   a: agent, vt42 10.42.0.1 ─ eth0 198.18.0.1, fd00:18::1 ──── 198.18.0.2, fd00:18::2 eth0 ─ agent, vt42 10.42.0.2 :b
//                                                                                    a storm from b's own address
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type LabAgent, startAgent } from '../../src/lab/agent.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { configuration, drops, fdbOf, networkOf, reaches, settled, until } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { seed } from '../support/seed.ts'
import { transferTcp } from '../support/transfer.ts'

const CHILD = fileURLToPath(new URL('../support/storm-child.mjs', import.meta.url))
const V4 = ['198.18.0.1', '198.18.0.2']
const V6 = ['fd00:18::1', 'fd00:18::2']
const WARM = 10_000
const STORM = 50_000
const STATIONS = 200
/** Bytes of resident memory that a storm may leave: what the collector has not yet taken back, and no more. */
const GROWTH = 12e6
const PATIENCE = 60_000

describeRoot('a storm of any bytes', () => {
  let lab: Lab
  let hosts: Host[]
  let agents: LabAgent[]

  beforeAll(async () => {
    lab = new Lab()
    hosts = [await lab.host('a'), await lab.host('b')]
    await lab.connect(hosts.map((host, i) => ({ host, addresses: [`${V4[i]}/24`, `${V6[i]}/64`] })))
    agents = await Promise.all(
      hosts.map((host, i) => {
        const networks = {
          blue: { vni: 42, macLimit: STATIONS, address: `10.42.0.${i + 1}/24` },
          // Layer 3 hears the same storm.
          red: {
            vni: 7,
            device: 'tun',
            address: `10.43.0.${i + 1}/24`,
          },
        }
        const peer = (ends: readonly string[]): object => ({
          endpoint: ends[1 - i],
          networks: { blue: {}, red: { allowedIps: [ends === V4 ? `10.43.0.${2 - i}/32` : `fd00:43::${2 - i}/128`] } },
        })
        const peers = { four: peer(V4), six: peer(V6) } as unknown as Record<string, never>
        return startAgent(host, configuration({ underlay: [V4[i]!, V6[i]!], networks, peers }))
      }),
    )
    await reaches(hosts[0]!, '10.42.0.2', '10.43.0.2')
  })
  afterAll(() => lab?.close())

  async function storm(address: string, vni: number, count: number): Promise<void> {
    const words = [address, 4789, vni, count, seed].map(String)
    expect((await hosts[1]!.run([process.execPath, CHILD, ...words], PATIENCE)).stdout.trim()).toBe(String(count))
  }

  /** Datagrams that b sent less those that a gave to a device, and those that it dropped. */
  async function books(): Promise<{ open: number; dropped: number }> {
    const names = ['blue', 'red']
    const sent = await Promise.all(names.map(async (name) => (await networkOf(agents[1]!, name)).txPackets))
    const taken = await Promise.all(names.map(async (name) => (await networkOf(agents[0]!, name)).rxPackets))
    const sum = (values: readonly number[]): number => values.reduce((x, y) => x + y, 0)
    return { open: sum(sent) - sum(taken), dropped: sum(Object.values(await inDrops(agents[0]!))) }
  }

  it.each([
    ['IPv4, layer 2', V4[0]!, 42],
    ['IPv6, layer 2', V6[0]!, 42],
    ['IPv4, layer 3', V4[0]!, 7],
  ])('over %s is counted to the last datagram and disturbs nobody', async (_title, address, vni) => {
    await storm(address, vni, WARM)
    const before = await settled(books)
    const memory = resident(agents[0]!)
    const transfer = transferTcp({ from: hosts[1]!, to: hosts[0]!, address: '10.42.0.1' }, 5_000_000)
    await Promise.all([storm(address, vni, STORM), transfer])
    // What overflowed the socket's buffer is known with the next datagram that does not.
    await reaches(hosts[1]!, '10.42.0.1', '10.43.0.1')
    await until('the books', books, ({ open, dropped }) => before.open - open + dropped - before.dropped === STORM)
    expect(resident(agents[0]!) - memory).toBeLessThan(GROWTH)
    expect((await fdbOf(agents[0]!)).length).toBeLessThanOrEqual(2 * STATIONS)
    expect(agents[0]!.stderr).not.toMatch(/"level":(50|60)/)
  })
}, ['ping'])

/** Drops on the way in; what the host's own chatter loses on the way out is not the storm's. */
async function inDrops(agent: LabAgent): Promise<Record<string, number>> {
  const { 'no-route': _noRoute, 'no-peer': _noPeer, 'too-big': _tooBig, ...rest } = await drops(agent)
  return rest
}

function resident({ pid }: LabAgent): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024
}
