// What happens to a running agent: stations age and move, files are reloaded, devices are meddled with, processes are killed.
//
//   a vt42 10.42.0.1/24 ═══ VNI 42 ═══ 10.42.0.2/24 vt42 b, 10.42.0.3/24 vt42 c
//   a eth0 198.18.0.1 ──── bridge ──── 198.18.0.2 b, 198.18.0.3 c
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { type LabAgent, startAgent } from '../../src/lab/agent.ts'
import { built } from '../../src/lab/built.ts'
import { CommandError } from '../../src/lab/command.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import {
  cannotReach,
  configuration,
  fdbOf,
  type Keys,
  networkOf,
  reaches,
  status,
  until,
  untilReaches,
  vtepd,
} from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'

let lab: Lab | null = null

afterEach(async () => {
  await lab?.close()
  lab = null
})

async function hosts(...names: string[]): Promise<Host[]> {
  const made = new Lab()
  lab = made
  const all: Host[] = []
  for (const name of names) all.push(await made.host(name))
  await made.connect(all.map((host, k) => ({ host, addresses: [`198.18.0.${k + 1}/24`] })))
  return all
}

function file(k: number, peers: readonly number[], network: Keys = {}, more: Keys = {}): Keys {
  return configuration({
    underlay: `198.18.0.${k}`,
    networks: { blue: { vni: 42, address: `10.42.0.${k}/24`, ...network } },
    peers: Object.fromEntries(peers.map((i) => [`host-${i}`, `198.18.0.${i}`])),
    ...more,
  })
}

/** Writes the agent's file anew and asks it to reload. */
async function reload(agent: LabAgent, config: Keys): Promise<void> {
  writeFileSync(join(agent.runtimeDir, 'vtepd.yaml'), JSON.stringify({ node: agent.host.name, ...config }))
  await vtepd(agent, 'reload')
}

async function codeOf(run: Promise<unknown>): Promise<{ code: number | null; said: string }> {
  const error = await run.then(
    () => null,
    (e: unknown) => e,
  )
  if (!(error instanceof CommandError)) throw new Error(`expected a failure, got ${error}`)
  return { code: error.exitCode, said: error.stderr }
}

describeRoot('a running agent', () => {
  it('forgets a station that has aged, and takes static entries by command', async () => {
    const [a, b] = (await hosts('a', 'b')) as [Host, Host]
    const agent = await startAgent(a, file(1, [2], { ageing: '1s' }))
    const other = await startAgent(b, file(2, [1]))
    await reaches(a, '10.42.0.2')
    const { mac } = await networkOf(other)
    await other.stop()
    await until(
      'the table',
      () => fdbOf(agent),
      (entries) => entries.length === 0,
    )
    await vtepd(agent, 'fdb', 'add', mac!, 'host-2', '--network', 'blue')
    expect(await fdbOf(agent)).toMatchObject([{ mac, peer: 'host-2', origin: 'static' }])
    await vtepd(agent, 'fdb', 'del', mac!, '--network', 'blue')
    expect(await fdbOf(agent)).toEqual([])
    const { code, said } = await codeOf(vtepd(agent, 'fdb', 'del', mac!, '--network', 'blue'))
    expect([code, said]).toEqual([2, expect.stringContaining('no entry')])
    const { mac: own } = await networkOf(agent)
    const added = await codeOf(vtepd(agent, 'fdb', 'add', own!, 'host-2', '--network', 'blue'))
    expect(added).toMatchObject({ code: 2, said: expect.stringContaining('own MAC') })
  })

  it('follows a station to another host', async () => {
    const [a, b, c] = (await hosts('a', 'b', 'c')) as [Host, Host, Host]
    const agent = await startAgent(a, file(1, [2, 3]))
    const mac = '02:00:00:00:00:99'
    const first = await startAgent(b, file(2, [1], { mac, address: '10.42.0.9/24' }))
    await reaches(a, '10.42.0.9')
    await until(
      'where it is',
      () => fdbOf(agent),
      (all) => all.some((e) => e.mac === mac && e.peer === 'host-2'),
    )
    await first.stop()
    await startAgent(c, file(3, [1], { mac, address: '10.42.0.9/24' }))
    await reaches(c, '10.42.0.1')
    await until(
      'where it is',
      () => fdbOf(agent),
      (all) => all.some((e) => e.mac === mac && e.peer === 'host-3'),
    )
    await reaches(a, '10.42.0.9')
  })

  it('reloads: peers and networks come and go, what stays is not touched, what is faulty is refused whole', async () => {
    const [a, b, c] = (await hosts('a', 'b', 'c')) as [Host, Host, Host]
    const agent = await startAgent(a, file(1, [2]))
    await startAgent(b, file(2, [1]))
    await startAgent(c, file(3, [1]))
    await reaches(a, '10.42.0.2')
    await cannotReach(a, '10.42.0.3')
    const before = await a.ip('-o', 'link', 'show', 'vt42')
    await reload(agent, file(1, [2, 3]))
    await untilReaches(a, '10.42.0.3')
    await reaches(a, '10.42.0.2')
    expect((await a.ip('-o', 'link', 'show', 'vt42')).split(':')[0]).toBe(before.split(':')[0])

    const { code, said } = await codeOf(reload(agent, file(1, [2], { vni: -1, mtu: 7 })))
    expect(code).not.toBe(0)
    expect(said).toContain('networks.blue.vni')
    expect(said).toContain('networks.blue.mtu')
    await reaches(a, '10.42.0.2', '10.42.0.3')

    const red = { red: { vni: 43, security: 'plain', address: '10.42.7.1/24' } }
    const config = file(1, [2, 3]) as { networks: Keys }
    await reload(agent, { ...config, networks: { ...config.networks, ...red } })
    expect((await status(agent)).networks.map((n) => n.name).sort()).toEqual(['blue', 'red'])
    await reload(agent, file(1, [2]))
    expect((await status(agent)).networks.map((n) => n.name)).toEqual(['blue'])
    expect(await a.ip('-o', 'link')).not.toContain('vt43')
    await reaches(a, '10.42.0.2')
    await cannotReach(a, '10.42.0.3')
  })

  it('makes a deleted device again, puts back what its file names, follows what it does not', async () => {
    const [a, b] = (await hosts('a', 'b')) as [Host, Host]
    const agent = await startAgent(a, file(1, [2]))
    await startAgent(b, file(2, [1], { mtu: 1400 }))
    await reaches(a, '10.42.0.2')
    await a.ip('link', 'del', 'vt42')
    await untilReaches(a, '10.42.0.2')
    expect(agent.stderr).toContain('made again')
    await a.ip('addr', 'del', '10.42.0.1/24', 'dev', 'vt42')
    await untilReaches(a, '10.42.0.2')
    await a.ip('link', 'set', 'vt42', 'mtu', '1300')
    await until(
      'its MTU',
      async () => (await networkOf(agent)).mtu,
      (mtu) => mtu === 1300,
    )
    await b.ip('link', 'set', 'vt42', 'mtu', '1300')
    await until(
      'the named MTU',
      () => b.ip('-o', 'link', 'show', 'vt42'),
      (line) => line.includes('mtu 1400'),
    )
    await a.ip('addr', 'add', '10.42.0.77/24', 'dev', 'vt42')
    await reaches(b, '10.42.0.77')
    await a.ip('link', 'set', 'vt42', 'down')
    await until(
      'ready',
      async () => (await status(agent)).ready,
      (ready) => !ready,
    )
    expect((await status(agent)).undesired).toMatchObject([{ what: 'state', want: 'up', have: 'down' }])
    await a.ip('link', 'set', 'vt42', 'up')
    await until('ready', async () => (await status(agent)).ready, Boolean)
  })

  it('leaves nothing behind when it stops, and starts again after kill -9', async () => {
    const [a] = (await hosts('a', 'b')) as [Host, Host]
    const agent = await startAgent(a, file(1, [2]))
    process.kill(agent.pid, 'SIGKILL')
    await until(
      'the device',
      () => a.ip('-o', 'link'),
      (links) => !links.includes('vt42'),
    )
    const again = await startAgent(a, file(1, [2]))
    await vtepd(again, 'stop')
    expect(await a.ip('-o', 'link')).not.toContain('vt42')
    const { code } = await codeOf(vtepd(again, 'status'))
    expect(code).toBe(3)
    expect((await a.run(['ss', '-uln'])).stdout).not.toContain(':4789')
  })

  it('refuses to start in one line, with the right code, and leaves the host as it was', async () => {
    const [a] = (await hosts('a', 'b')) as [Host, Host]
    const agent = await startAgent(a, file(1, [2]))
    const up = async (name: string, config: Keys, dir: string): Promise<{ code: number | null; said: string }> => {
      const path = join(a.lab.dir, `${name}.yaml`)
      writeFileSync(path, JSON.stringify(config))
      return codeOf(a.run([process.execPath, built('main.js'), 'up', '-c', path, '--runtime-dir', dir]))
    }
    const elsewhere = join(a.lab.dir, 'elsewhere')
    const links = await a.ip('-o', 'link')
    const cases: [string, Keys, string, number, string][] = [
      ['second', file(1, [2]), agent.runtimeDir, 1, 'another agent is running'],
      ['port', file(1, [2], { interface: 'vt99' }), elsewhere, 1, 'in use'],
      ['device', file(1, [2], { port: 4790 }), elsewhere, 1, 'busy'],
      ['foreign', file(1, [2], { port: 4790, interface: 'eth0' }), elsewhere, 1, 'eth0'],
      ['myself', file(1, [1]), elsewhere, 2, 'this host itself'],
      ['address', file(9, [2], { port: 4790 }), elsewhere, 1, '198.18.0.9'],
      ['keyless', file(1, [2], { security: 'secure' }), elsewhere, 2, 'privateKeyFile: missing'],
      ['faults', file(1, [2], { vni: 'x', mtu: 1 }), elsewhere, 2, 'networks.blue.vni'],
    ]
    for (const [name, config, dir, code, word] of cases) {
      const answer = await up(name, config, dir)
      expect(answer, name).toEqual({ code, said: expect.stringContaining(word) })
    }
    expect(await a.ip('-o', 'link')).toBe(links)
    const path = join(a.lab.dir, 'open.yaml')
    writeFileSync(path, JSON.stringify(file(1, [2], { port: 4790, interface: 'vt99' })), { mode: 0o644 })
    const { code } = await codeOf(
      a.run([
        'setpriv',
        '--reuid=65534',
        '--regid=65534',
        '--clear-groups',
        process.execPath,
        built('main.js'),
        'up',
        '-c',
        path,
      ]),
    )
    expect(code).toBe(4)
    expect(readFileSync(path, 'utf8')).toContain('vt99')
  })
})
