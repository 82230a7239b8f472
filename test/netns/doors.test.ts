// What a running agent says at its socket, as built: dist/ is bundled, and what it loads late is not there for the unit tests.
//
//   a vt42 10.42.0.1/24 ═══ VNI 42, secure ═══ 10.42.0.2/24 vt42 b
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { LabAgent, startAgent } from '../../src/lab/agent.ts'
import { built } from '../../src/lab/built.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { reaches, until, vtepd } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { pair, secureConfiguration } from '../support/secure.ts'

const SAMPLE = /^([a-z_]+)(\{[a-z]+="[^"]*"(?:,[a-z]+="[^"]*")*\})? (\S+)$/

describeRoot('an agent at its doors', () => {
  let lab: Lab
  let hosts: Host[]
  let agents: LabAgent[]

  beforeAll(async () => {
    lab = new Lab()
    const keys = [pair(), pair()]
    hosts = [await lab.host('a'), await lab.host('b')]
    await lab.connect(hosts.map((host, i) => ({ host, addresses: [`198.18.0.${i + 1}/24`] })))
    agents = await Promise.all(
      hosts.map((host, i) => {
        const networks = { blue: { vni: 42, address: `10.42.0.${i + 1}/24` } }
        const peers = { other: { endpoint: `198.18.0.${2 - i}`, publicKey: keys[1 - i]!.public } }
        return startAgent(host, secureConfiguration(host, keys[i]!, { networks, peers }))
      }),
    )
  })
  afterAll(() => lab?.close())

  it('serves metrics that Prometheus reads, and the same time of a handshake again and again', async () => {
    await reaches(hosts[0]!, '10.42.0.2')
    const texts = [await agents[0]!.text('/metrics')]
    const { uptimeSeconds } = await agents[0]!.get<{ uptimeSeconds: number }>('/v1/status')
    await until(
      'a second later',
      () => agents[0]!.get<{ uptimeSeconds: number }>('/v1/status'),
      (later) => later.uptimeSeconds > uptimeSeconds,
    )
    texts.push(await agents[0]!.text('/metrics'))
    const read = texts.map(parsed)
    expect(read[0]!.get('vtepd_sent_packets_total{network="blue",vni="42"}')).toBeGreaterThan(0)
    const handshake = read.map((samples) => samples.get('vtepd_peer_last_handshake_timestamp_seconds{peer="other"}'))
    expect(handshake[0]).toBeGreaterThan(1_700_000_000)
    expect(handshake[1]).toBe(handshake[0])
  })

  it('knows which networks there are, also for lists that are empty', async () => {
    expect((await vtepd(agents[0]!, 'leases', '--network', 'blue')).stdout).toBe('')
    await expect(vtepd(agents[0]!, 'leases', '--network', 'blu')).rejects.toMatchObject({ exitCode: 2 })
  })

  it('is stopped as a library also while it starts, and starts again', async () => {
    const script = `
      import { createAgent } from ${JSON.stringify(built('index.js'))}
      const config = { underlay: { address: '198.18.0.1', vxlanPort: 4790 }, networks: { lib: { vni: 7, security: 'plain' } } }
      const agent = createAgent(config, { runtimeDir: ${JSON.stringify(join(lab.dir, 'library'))} })
      const started = agent.start()
      const again = await agent.start().catch((error) => error.message)
      await agent.stop()
      await started
      const running = () => { try { return agent.status().ready } catch (error) { return error.message } }
      const said = [again, running()]
      await agent.start()
      said.push(running())
      await agent.stop()
      console.log(JSON.stringify(said))`
    const { stdout } = await hosts[0]!.run([process.execPath, '--input-type=module', '-e', script])
    expect(JSON.parse(stdout)).toEqual(['the agent runs already', 'the agent does not run', true])
    expect(await hosts[0]!.ip('-br', 'link')).not.toContain('vt7')
  })

  it('goes on when nobody can take its log', async () => {
    const dir = join(lab.dir, 'unheard')
    mkdirSync(dir)
    const config = {
      underlay: { address: '198.18.0.1', vxlanPort: 4790 },
      networks: { lib: { vni: 7, security: 'plain' } },
    }
    writeFileSync(join(dir, 'vtepd.yaml'), JSON.stringify(config))
    const words = [process.execPath, built('main.js'), 'up', '-c', join(dir, 'vtepd.yaml'), '--runtime-dir', dir]
    const child = hosts[0]!.spawn(['sh', '-c', 'exec "$@" 2>/dev/full', 'sh', ...words])
    const unheard = new LabAgent(hosts[0]!, child, dir)
    await unheard.untilReady()
    await unheard.reload()
    await unheard.stop()
    expect(child.exitCode).toBe(0)
  })

  it('says in its log that it was asked to stop', async () => {
    await vtepd(agents[1]!, 'stop')
    await until(
      'its end',
      () => agents[1]!.alive,
      (alive) => !alive,
    )
    expect(agents[1]!.stderr).toContain('asked to stop: cleaning up')
  })
})

/** Values by name and labels. Throws for what the text format (version 0.0.4) or promtool's rules do not have. */
function parsed(text: string): Map<string, number> {
  const types = new Map<string, string>()
  const samples = new Map<string, number>()
  expect(text.endsWith('\n')).toBe(true)
  for (const line of text.split('\n').filter((one) => one !== '')) {
    const [, name, type] = /^# TYPE (\S+) (counter|gauge)$/.exec(line) ?? []
    if (name !== undefined) {
      expect(types.has(name), line).toBe(false)
      expect(name.endsWith('_total'), line).toBe(type === 'counter')
      types.set(name, type!)
    } else if (!line.startsWith('# HELP ')) {
      const [, of, labels, value] = SAMPLE.exec(line) ?? []
      expect(types.has(of ?? ''), line).toBe(true)
      const key = `${of}${labels ?? ''}`
      expect(samples.has(key) || Number.isNaN(Number(value)), line).toBe(false)
      samples.set(key, Number(value))
    }
  }
  return samples
}
