// What a member of a flannel network has left when it was killed: its lease, a route by the host's own interface, a subnet.env
// outside the runtime directory. The next agent takes it over or removes it, and so does `stop --cleanup`, from nobody else.
//
//   a 198.18.0.1: agent ─┐
//   b 198.18.0.2: agent ─┼─ switch ─ store
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { type LabAgent, startAgent } from '../../src/lab/agent.ts'
import { FlannelLab } from '../support/flannel-lab.ts'
import { until, vtepd } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'

const HOST_GW = { Backend: { Type: 'host-gw' } }
const OTHER = '/other/network'
const TRACES = expect.stringMatching(/traces\.json$/)
/** Of a host that has no flannel network any more. */
const PLAIN = { underlay: { address: ['198.18.0.1'] }, networks: { blue: { vni: 42, security: 'plain' } } }

let lab: FlannelLab

afterEach(async () => {
  await lab?.close()
})

interface Scene {
  readonly file: string
  start(network?: object): Promise<LabAgent>
  kill(agent: LabAgent): Promise<void>
  holders(prefix?: string): Promise<string[]>
  /** What is left on a: routes, subnet.env, traces. */
  left(): Promise<string[]>
}

async function twoMembers(): Promise<Scene> {
  lab = await FlannelLab.open({ a: 1, b: 2 })
  await lab.configure(HOST_GW)
  const a = lab.host('a')
  const dir = join(lab.lab.dir, 'a')
  const file = join(lab.lab.dir, 'flannel', 'subnet.env')
  const start = (network: object = {}): Promise<LabAgent> =>
    startAgent(a, lab.member(1, { subnetFile: file, ...network }))
  await startAgent(lab.host('b'), lab.member(2))
  return {
    file,
    start,
    kill: async (agent) => {
      process.kill(agent.pid, 'SIGKILL')
      await until(
        'dead',
        () => agent.alive,
        (alive) => !alive,
      )
    },
    holders: async (prefix) =>
      Object.values(await lab.leases(prefix))
        .map(({ PublicIP }) => PublicIP)
        .sort(),
    left: async () => [
      ...(await a.ip('route', 'show', 'proto', '118')).split('\n').filter((line) => line !== ''),
      ...[file, join(dir, 'traces.json'), join(dir, 'subnet.env')].filter((path) => existsSync(path)),
    ],
  }
}

describeRoot('what a killed member of a flannel network has left', () => {
  it('is removed by stop --cleanup, also when the agent was stopped in good order', async () => {
    const { start, kill, holders, left, file } = await twoMembers()
    let agent = await start()
    await kill(agent)
    expect(await left()).toEqual([expect.stringMatching(/^10\.42\..* via 198\.18\.0\.2 dev eth0/), file, TRACES])
    expect(await holders()).toEqual(['198.18.0.1', '198.18.0.2'])
    await vtepd(agent, 'stop', '--cleanup')
    expect([await left(), await holders()]).toEqual([[], ['198.18.0.2']])
    await vtepd(agent, 'stop', '--cleanup')

    agent = await start()
    await agent.stop()
    expect([await left(), await holders()]).toMatchObject([
      [file, /traces/],
      ['198.18.0.1', '198.18.0.2'],
    ])
    // flanneld has come after us.
    writeFileSync(file, 'FLANNEL_MTU=1450\n')
    await vtepd(agent, 'stop', '--cleanup')
    expect([await left(), await holders()]).toEqual([[file], ['198.18.0.2']])
    expect(readFileSync(file, 'utf8')).toBe('FLANNEL_MTU=1450\n')
  })

  it('is said when the store does not answer, and removed when it does', async () => {
    const { start, kill, holders, left } = await twoMembers()
    const agent = await start()
    await kill(agent)
    lab.signalStore('SIGSTOP')
    const said = await vtepd(agent, 'stop', '--cleanup').catch(String)
    lab.signalStore('SIGCONT')
    expect(said).toMatch(/something of a killed agent is left: the lease .*10\.42\.\d+\.0-24 stays in the store/)
    expect(await left()).toEqual([TRACES])
    await vtepd(agent, 'stop', '--cleanup')
    expect([await left(), await holders()]).toEqual([[], ['198.18.0.2']])
  })

  it('is taken over by an agent that is a member, and removed by one that is not', async () => {
    const { start, kill, holders, left } = await twoMembers()
    let agent = await start()
    const before = await left()
    const lease = Object.keys(await lab.leases()).sort()
    await kill(agent)
    agent = await start()
    expect(await left()).toEqual(before)
    expect(Object.keys(await lab.leases()).sort()).toEqual(lease)
    await kill(agent)
    agent = await startAgent(lab.host('a'), PLAIN)
    await until('nothing', left, (lines) => lines.length === 0)
    expect(await holders()).toEqual(['198.18.0.2'])
  })

  it('is nothing in a place that a reload has moved it away from', async () => {
    const { start, holders, left, file } = await twoMembers()
    await lab.configure({ Network: '10.43.0.0/16', ...HOST_GW }, OTHER)
    const agent = await start()
    const written = join(agent.runtimeDir, 'vtepd.yaml')
    const moved = join(lab.lab.dir, 'flannel', 'moved.env')
    writeFileSync(written, JSON.stringify({ node: 'a', ...lab.member(1, { subnetFile: moved, prefix: OTHER }) }))
    await agent.reload()
    await agent.untilReady()
    expect(readFileSync(moved, 'utf8')).toContain('FLANNEL_NETWORK=10.43.0.0/16\n')
    expect(existsSync(file)).toBe(false)
    expect([await holders(), await holders(OTHER)]).toEqual([['198.18.0.2'], ['198.18.0.1']])
    // Under another name it is the same network.
    const { networks, ...rest } = JSON.parse(readFileSync(written, 'utf8'))
    writeFileSync(written, JSON.stringify({ ...rest, networks: { renamed: networks.pods } }))
    const lease = await lab.leases(OTHER)
    await agent.reload()
    await agent.untilReady()
    expect(Object.keys(await lab.leases(OTHER))).toEqual(Object.keys(lease))
    writeFileSync(written, JSON.stringify({ ...rest, ...PLAIN }))
    await agent.reload()
    expect([await holders(OTHER), existsSync(moved), await left()]).toEqual([[], false, []])
  })
}, ['etcd', 'etcdctl'])
