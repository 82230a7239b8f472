// Two flannel networks of one store on the same hosts: who is in one is not in the other. What stands on the host beside devices and
// routes is kept, and removed in the end.
//
//   a 198.18.0.1: red, blue ─┐                             red: /red, VNI 1, 10.42.0.0/16
//   b 198.18.0.2: red, blue ─┼─ switch ─ store             blue: /blue, VNI 2, 10.43.0.0/16
//   c 198.18.0.3: blue      ─┘
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { type LabAgent, startAgent } from '../../src/lab/agent.ts'
import type { Host } from '../../src/lab/lab.ts'
import { FlannelLab, leasesOf } from '../support/flannel-lab.ts'
import { cannotReach, drops, reaches, status, until, untilDropped, vtepd } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'

const RED = '/red'
const BLUE = '/blue'

let lab: FlannelLab

afterEach(async () => {
  await lab?.close()
})

interface Member {
  readonly agent: LabAgent
  readonly host: Host
  /** By network. */
  readonly pods: Record<string, string>
  file(network: string): string
}

async function member(name: string, n: number, prefixes: Record<string, string>, more: object = {}): Promise<Member> {
  const host = lab.host(name)
  const file = (network: string): string => join(lab.lab.dir, name, `${network}.env`)
  const networks = Object.entries(prefixes).map(([network, prefix]) => [
    network,
    { type: 'flannel', security: 'plain', prefix, subnetFile: file(network) },
  ])
  const { networks: others = {}, ...rest } = more as { networks?: object }
  const agent = await startAgent(
    host,
    lab.member(n, {}, { networks: { ...Object.fromEntries(networks), ...others }, ...rest }),
  )
  const pods: Record<string, string> = {}
  for (const network of Object.keys(prefixes)) pods[network] = await lab.pod(host, agent, network)
  return { agent, host, pods, file }
}

/** c is a stranger to red, and speaks to b with red's VNI all the same. */
const STRANGER = {
  networks: {
    red: { vni: 1, port: 8472, security: 'plain', device: 'tun', interface: 'vt1', address: '10.42.254.1/32' },
  },
  peers: { b: { endpoint: '198.18.0.2', networks: { red: { allowedIps: ['10.42.0.0/17', '10.42.128.0/18'] } } } },
}

async function twoNetworks(): Promise<{ a: Member; b: Member; c: Member }> {
  lab = await FlannelLab.open({ a: 1, b: 2, c: 3 })
  await lab.configure({ SubnetMin: '10.42.1.0', SubnetMax: '10.42.99.0', Backend: { Type: 'vxlan', VNI: 1 } }, RED)
  await lab.configure({ Network: '10.43.0.0/16', Backend: { Type: 'vxlan', VNI: 2 } }, BLUE)
  const both = { red: RED, blue: BLUE }
  const [a, b, c] = (await Promise.all([
    member('a', 1, both),
    member('b', 2, both, { masquerade: true, firewall: 'nftables' }),
    member('c', 3, { blue: BLUE }, STRANGER),
  ])) as [Member, Member, Member]
  for (const [{ agent }, count] of [
    [a, 5],
    [b, 5],
    [c, 3],
  ] as const) {
    await until(
      'all members',
      () => leasesOf(agent),
      (all) => all.filter(({ state }) => state === 'programmed').length === count,
    )
  }
  return { a, b, c }
}

const nothingOf = (host: Host): Promise<string> =>
  host.run(['nft', 'list', 'ruleset']).then(({ stdout }) => stdout.trim())

describeRoot('two flannel networks', () => {
  it('are apart on hosts that are in both, are kept, and are left without a trace', async () => {
    const { a, b, c } = await twoNetworks()
    await reaches(a.host, b.pods['red']!, b.pods['blue']!, c.pods['blue']!)
    await reaches(c.host, a.pods['blue']!, b.pods['blue']!)

    // By the other one's device, from the other one's address, and with the other one's number.
    await cannotReach(a.host, b.pods['blue']!, 'vt1')
    await cannotReach(a.host, c.pods['blue']!, 'vt1')
    await cannotReach(a.host, b.pods['red']!, 'vt2')
    expect((await drops(a.agent))['no-route']).toBeGreaterThan(0)
    const atB = await drops(b.agent)
    await cannotReach(a.host, b.pods['blue']!, a.pods['red']!)
    await untilDropped(b.agent, 'source-not-allowed', atB, 2)
    await cannotReach(c.host, b.pods['red']!)
    await untilDropped(b.agent, 'vxlan-unknown-vtep', atB, 2)

    // Files come back, each time, counted and said once.
    const text = (one: Member, network: string): string | null =>
      existsSync(one.file(network)) ? readFileSync(one.file(network), 'utf8') : null
    const [red, blue] = [text(a, 'red'), text(a, 'blue')]
    expect(red).toContain(`FLANNEL_SUBNET=${a.pods['red']}/24\n`)
    expect(blue).toContain(`FLANNEL_SUBNET=${a.pods['blue']}/24\n`)
    for (let k = 0; k < 2; k++) {
      rmSync(a.file('red'))
      writeFileSync(a.file('blue'), 'FLANNEL_MTU=9000\n')
      await until(
        'both files',
        () => [text(a, 'red'), text(a, 'blue')],
        (now) => now[0] === red && now[1] === blue,
      )
    }
    expect((await status(a.agent)).repairs).toEqual([
      { network: 'red', vni: 1, reason: 'subnet-env', count: 2 },
      { network: 'blue', vni: 2, reason: 'subnet-env', count: 2 },
    ])
    expect(a.agent.stderr.match(/subnet.env was missing: put back/g)).toHaveLength(1)

    // Given back: the others know it at once, and nothing is left on the host.
    expect(text(b, 'red')).toContain('FLANNEL_IPMASQ=true\n')
    expect(await nothingOf(b.host)).toContain('masquerade')
    await vtepd(b.agent, 'stop', '--cleanup')
    const holders = async (prefix: string): Promise<string[]> =>
      Object.values(await lab.leases(prefix)).map(({ PublicIP }) => PublicIP)
    expect([await holders(RED), (await holders(BLUE)).sort()]).toEqual([['198.18.0.1'], ['198.18.0.1', '198.18.0.3']])
    expect([text(b, 'red'), text(b, 'blue'), await nothingOf(b.host)]).toEqual([null, null, ''])
    expect(await b.host.ip('route', 'show', 'proto', '118')).toBe('')
    await until(
      'no route',
      () => a.host.ip('route', 'show'),
      (routes) => !routes.includes(b.pods['red']!.replace(/1$/, '0/24')),
    )

    // A network that is taken out of the file takes subnet.env and lease with it. An agent that is only stopped leaves both for the
    // next start.
    const written = join(a.agent.runtimeDir, 'vtepd.yaml')
    const { networks, ...rest } = JSON.parse(readFileSync(written, 'utf8'))
    writeFileSync(written, JSON.stringify({ ...rest, networks: { blue: networks.blue } }))
    await a.agent.reload()
    expect([text(a, 'red'), text(a, 'blue')]).toEqual([null, blue])
    await a.agent.stop()
    expect(text(a, 'blue')).toBe(blue)
    expect([await holders(RED), (await holders(BLUE)).sort()]).toEqual([[], ['198.18.0.1', '198.18.0.3']])
  })
}, ['etcd', 'etcdctl', 'nft'])
