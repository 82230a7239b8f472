// A member of a flannel network, and what happens to it: its device and routes go, it is killed, its address changes, another takes
// its lease. The others reach it again each time, and it keeps its subnet as long as that is its own.
//
//   a 198.18.0.1, then .11 ─┐
//   b 198.18.0.2           ─┴─ switch ─ store
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { type LabAgent, startAgent } from '../../src/lab/agent.ts'
import { FlannelLab, leasesOf } from '../support/flannel-lab.ts'
import { status, until, untilReaches } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'

let lab: FlannelLab

afterEach(async () => {
  await lab?.close()
})

/** What is in the store of the host with this address. */
async function leaseOf(address: string): Promise<{ key: string; mac: unknown } | null> {
  const found = Object.entries(await lab.leases()).find(([, { PublicIP }]) => PublicIP === address)
  return found ? { key: found[0], mac: (found[1]['BackendData'] as { VtepMAC: string }).VtepMAC } : null
}

async function repairs(agent: LabAgent): Promise<string[]> {
  return (await status(agent)).repairs.map(({ reason }) => reason)
}

describeRoot('a member of a flannel network', () => {
  it('is reached again whatever happens to it, with the subnet that is its own', async () => {
    lab = await FlannelLab.open({ a: 1, b: 2 })
    await lab.configure({ Backend: { Type: 'vxlan' } })
    const file = lab.member(1, {}, { underlay: { interface: 'eth0' } })
    let [a, b] = (await Promise.all([startAgent(lab.host('a'), file), startAgent(lab.host('b'), lab.member(2))])) as [
      LabAgent,
      LabAgent,
    ]
    const [podA, podB] = [await lab.pod(a.host, a), await lab.pod(b.host, b)]
    const reached = async (pod = podA): Promise<void> => {
      await untilReaches(a.host, podB)
      await untilReaches(b.host, pod)
    }
    await reached()
    const lease = await leaseOf('198.18.0.1')

    await a.host.ip('link', 'del', 'vt1')
    await until(
      'the device',
      () => repairs(a),
      (all) => all.includes('device'),
    )
    await reached()
    await a.host.ip('route', 'flush', 'proto', '118')
    await until(
      'the routes',
      () => repairs(a),
      (all) => all.includes('route'),
    )
    await reached()
    expect(await leaseOf('198.18.0.1')).toEqual(lease)

    process.kill(a.pid, 'SIGKILL')
    await until(
      'its end',
      () => a.alive,
      (alive) => !alive,
    )
    a = await startAgent(lab.host('a'), file)
    await reached()
    expect(await leaseOf('198.18.0.1')).toEqual(lease)

    await a.host.ip('addr', 'del', '198.18.0.1/24', 'dev', 'eth0')
    await a.host.ip('addr', 'add', '198.18.0.11/24', 'dev', 'eth0')
    await until(
      'the new address',
      () => leaseOf('198.18.0.11'),
      (now) => now !== null,
    )
    expect(await leaseOf('198.18.0.11')).toEqual(lease)
    await reached()

    // Somebody else's from now on.
    await lab.lease(0, '198.18.0.66', '02:00:00:00:00:66', lease!.key)
    const env = (): string => readFileSync(join(a.runtimeDir, 'subnet.env'), 'utf8')
    await until('another subnet', env, (text) => !text.includes(podA), 20_000)
    const next = await lab.pod(a.host, a)
    expect(env()).toContain(`FLANNEL_SUBNET=${next}/24\n`)
    expect((await leaseOf('198.18.0.66'))!.key).toBe(lease!.key)
    await reached(next)
    await until(
      'both on b',
      () => leasesOf(b),
      (all) => all.filter(({ state, own }) => state === 'programmed' && !own).length === 2,
    )
  })
}, ['etcd', 'etcdctl'])
