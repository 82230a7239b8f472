// Damage on the host that a person, a network manager or a script does: all is put back as the file names it, whatever else
// somebody has set stays.
//
//   a: agent, vt42 (tap), tn7 (tun) ─ eth0 198.18.0.1 ──── eth0 198.18.0.2 ─ the same: b
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, expect, it } from 'vitest'
import type { Undesired } from '../../src/control/api/api.ts'
import { type LabAgent, startAgent } from '../../src/lab/agent.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { stream } from '../support/flannel-lab.ts'
import { configuration, type Keys, status, until, untilReaches } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { generator, seed } from '../support/seed.ts'

/** So long is damaged at random; VTEPD_DAMAGE_SECONDS for longer. */
const SECONDS = Number(process.env['VTEPD_DAMAGE_SECONDS'] ?? 8)
const MAC = '02:00:5e:00:00:42'

let lab: Lab | null = null

afterEach(async () => {
  await lab?.close()
  lab = null
})

async function twoHosts(): Promise<[Host, Host]> {
  const made = new Lab()
  lab = made
  const hosts: [Host, Host] = [await made.host('a'), await made.host('b')]
  await made.connect(hosts.map((host, i) => ({ host, addresses: [`198.18.0.${i + 1}/24`] })))
  return hosts
}

function file(n: number, mac: string | undefined): Keys {
  const far = 3 - n
  const prefixes = [`10.43.${far}.1/32`, `10.44.${far}.0/24`, `10.45.${far}.0/24`, `fd00:44:${far}::/64`]
  return configuration({
    underlay: `198.18.0.${n}`,
    networks: {
      blue: { vni: 42, mac, mtu: 1400, address: [`10.42.0.${n}/24`, `fd00:42::${n}/64`] },
      green: { vni: 7, device: 'tun', interface: 'tn7', mtu: 1380, address: [`10.43.${n}.1/24`, `10.44.${n}.1/24`] },
    },
    peers: { far: { endpoint: `198.18.0.${far}`, networks: { blue: {}, green: { allowedIps: prefixes } } } },
  })
}

/** What the file names, as the host has it. */
async function picture(host: Host): Promise<string[]> {
  const lines: string[] = []
  for (const device of ['vt42', 'tn7']) {
    const text = await host.ip('addr', 'show', device).catch(() => '')
    lines.push(`${device} ${/mtu \d+/.exec(text)?.[0]} ${/[<,]UP[,>]/.test(text) ? 'up' : 'down'}`)
    lines.push(...[...text.matchAll(/(?:inet6?|link\/ether) (?!fe80)\S+/g)].map(([found]) => `${device} ${found}`))
  }
  for (const family of ['-4', '-6']) {
    const text = await host.ip(family, 'route', 'show', 'proto', '118')
    lines.push(...text.split('\n').map((line) => line.trim()))
  }
  return lines.filter((line) => line !== '').sort()
}

const DAMAGE: readonly (readonly string[])[] = [
  ['link', 'del', 'vt42'],
  ['link', 'del', 'tn7'],
  ['link', 'set', 'vt42', 'address', '02:00:00:00:00:99'],
  ['link', 'set', 'vt42', 'mtu', '1280'],
  ['link', 'set', 'tn7', 'mtu', '1300'],
  ['addr', 'del', '10.42.0.1/24', 'dev', 'vt42'],
  ['addr', 'del', 'fd00:42::1/64', 'dev', 'vt42'],
  ['addr', 'flush', 'dev', 'tn7'],
  ['route', 'flush', 'dev', 'tn7'],
  ['route', 'del', '10.44.2.0/24'],
  ['route', 'replace', '10.45.2.0/24', 'via', '198.18.0.99'],
  ['route', 'replace', 'blackhole', '10.44.2.0/24'],
  ['-6', 'route', 'replace', 'fd00:44:2::/64', 'dev', 'eth0'],
  ['-6', 'route', 'flush', 'dev', 'tn7'],
]

async function untilPicture(agent: LabAgent, wanted: readonly string[]): Promise<void> {
  const text = wanted.join('\n')
  await until(
    'the host',
    async () => (await picture(agent.host)).join('\n'),
    (now) => now === text,
  )
}

describeRoot('damage', () => {
  it(
    `of ${SECONDS} seconds at random is put back, and what is not the agent’s stays`,
    async ({ annotate }) => {
      const random = generator(seed)
      const [a, b] = await twoHosts()
      const agent = await startAgent(a, file(1, MAC))
      await startAgent(b, file(2, undefined))
      for (const address of ['10.42.0.2', '10.44.2.1']) await untilReaches(a, address)
      await a.ip('route', 'add', '10.99.0.0/16', 'via', '198.18.0.2')
      await a.ip('addr', 'add', '10.42.77.1/24', 'dev', 'vt42')
      const before = await picture(a)
      expect(before).toHaveLength(12)
      // Once this is mended the agent has looked, and knows what else is there.
      await a.ip('link', 'set', 'tn7', 'mtu', '1300')
      await untilPicture(agent, before)
      const flows = [stream(a, '10.42.0.1', '10.42.0.2'), stream(a, '10.44.1.1', '10.44.2.1')]
      const end = performance.now() + SECONDS * 1000
      const done: string[] = []
      while (performance.now() < end) {
        const words = DAMAGE[random() % DAMAGE.length]!
        // What is damaged already cannot always be damaged again.
        await a.ip(...words).catch(() => {})
        done.push(words.join(' '))
        await pause(random() % 200)
      }
      await untilPicture(agent, before).catch((error: unknown) => {
        throw new Error(`seed ${seed}: after ${done.slice(-10).join(' · ')}: ${error}\n${agent.stderr}`)
      })
      const [layer2, layer3] = await Promise.all(flows.map((flow) => flow.lost()))
      await annotate(`${done.length} times damaged; pings lost, one each 10 ms: ${layer2} on vt42, ${layer3} on tn7`)
      const now = await until(
        'nothing undesired',
        () => status(agent),
        ({ undesired, ready }) => ready && undesired.length === 0,
      )
      expect(now.repairs.length).toBeGreaterThan(0)
      expect(await a.ip('route', 'show', '10.99.0.0/16')).toContain('via 198.18.0.2')
      // Counted each time, said once a minute for each kind and network.
      const said = agent.stderr.split('\n').filter((line) => line.includes('put back') || line.includes('made again'))
      expect(said.length).toBeLessThanOrEqual(now.repairs.length * (1 + SECONDS / 60))
    },
    (SECONDS + 60) * 1000,
  )

  it('that cannot be mended is named, and mended when it can be', async () => {
    const [a] = await twoHosts()
    const other = await lab!.host('c')
    await a.ip('route', 'add', '10.45.2.0/24', 'via', '198.18.0.2')
    const red = { vni: 43, security: 'plain', netns: other.namespace, address: '10.46.0.1/24' }
    const { networks, ...rest } = file(1, MAC) as { networks: Keys }
    const agent = await startAgent(a, { ...rest, networks: { ...networks, red } })
    const undesired = async (): Promise<Undesired[]> => (await status(agent)).undesired
    // A route that somebody had before us.
    expect(await undesired()).toMatchObject([
      {
        what: 'route 10.45.2.0/24',
        want: 'dev tn7',
        have: "somebody else's route: via 198.18.0.2 dev eth0 proto boot",
      },
    ])
    await a.ip('route', 'del', '10.45.2.0/24')
    await until('nothing undesired', undesired, (all) => all.length === 0)
    const before = await picture(a)
    expect(before.filter((line) => line.includes('dev tn7'))).toHaveLength(4)

    // A device of another kind has the name before the agent can make its own again.
    process.kill(agent.pid, 'SIGSTOP')
    await a.ip('link', 'del', 'vt42')
    await a.ip('link', 'add', 'vt42', 'type', 'bridge')
    process.kill(agent.pid, 'SIGCONT')
    const named = await until('undesired', undesired, (all) => all.some((u) => u.what === 'device'))
    expect(named).toMatchObject([{ what: 'device', where: 'vt42', want: 'a tap device' }])
    expect(named[0]!.have).toContain('busy')
    expect((await status(agent)).ready).toBe(false)
    await a.ip('link', 'del', 'vt42')
    await untilPicture(agent, before)

    await a.ip('link', 'set', 'tn7', 'down')
    await a.ip('link', 'set', 'tn7', 'name', 'lost7')
    await until(
      'its name',
      () => a.ip('-br', 'link'),
      (text) => /^tn7 /m.test(text),
    )
    await a.ip('link', 'set', 'tn7', 'up')
    await untilPicture(agent, before)

    // Out of the namespace that the file names: it is brought back, up and with its address.
    await other.ip('link', 'set', 'vt43', 'netns', a.namespace)
    await until(
      'it back',
      () => other.ip('addr', 'show', 'vt43').catch(() => ''),
      (text) => text.includes('10.46.0.1/24') && /[<,]UP[,>]/.test(text),
    )

    // To another namespace, which the file does not forbid: it is kept there as it should be.
    await a.ip('link', 'set', 'vt42', 'netns', other.namespace)
    await other.ip('link', 'set', 'vt42', 'up')
    await until(
      'its addresses over there',
      () => other.ip('addr', 'show', 'vt42'),
      (text) => text.includes('10.42.0.1/24') && text.includes('fd00:42::1/64'),
    )
    await until('nothing undesired', undesired, (all) => all.length === 0)
  })
}, ['ping'])
