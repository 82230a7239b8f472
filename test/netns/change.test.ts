// Changes under traffic: files reloaded, stations and addresses that move, signals. What a change does not name goes on.
//
//   a: agent, vt42 10.42.0.1 ─ eth0 198.18.0.1 ─┐
//   b: agent, vt42 10.42.0.2 ─ eth0 198.18.0.2 ─┼─ br0 of switch
//   c: agent, vt42 10.42.0.3 ─ eth0 198.18.0.3 ─┘
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { type LabAgent, startAgent } from '../../src/lab/agent.ts'
import { built } from '../../src/lab/built.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import * as overlay from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { transferTcp } from '../support/transfer.ts'

const { configuration, drops, fdbOf, networkOf, reaches, status, until, untilReaches, vtepd } = overlay
type Keys = overlay.Keys

const STATION = '02:00:5e:00:00:99'

let lab: Lab | null = null

afterEach(async () => {
  await lab?.close()
  lab = null
})

async function threeHosts(): Promise<[Host, Host, Host]> {
  const made = new Lab()
  lab = made
  const hosts: [Host, Host, Host] = [await made.host('a'), await made.host('b'), await made.host('c')]
  await made.connect(hosts.map((host, i) => ({ host, addresses: [`198.18.0.${i + 1}/24`] })))
  return hosts
}

function file(n: number, peers: readonly number[], blue: Keys = {}, more: Record<string, Keys> = {}): Keys {
  return configuration({
    underlay: `198.18.0.${n}`,
    networks: { blue: { vni: 42, address: `10.42.0.${n}/24`, ...blue }, ...more },
    peers: Object.fromEntries(peers.map((i) => [`host-${i}`, `198.18.0.${i}`])),
  })
}

function write(agent: LabAgent, config: Keys | string): void {
  const text = typeof config === 'string' ? config : JSON.stringify({ node: agent.host.name, ...config })
  writeFileSync(join(agent.runtimeDir, 'vtepd.yaml'), text)
}

function openFiles(agent: LabAgent): number {
  return readdirSync(`/proc/${agent.pid}/fd`).length
}

function has(entry: { mac: string; peer: string | null; origin: string }): (all: (typeof entry)[]) => boolean {
  return (all) => all.some((e) => e.mac === entry.mac && e.peer === entry.peer && e.origin === entry.origin)
}

describeRoot('an agent that changes', () => {
  it('reloads again and again under a TCP transfer, which loses nothing', async () => {
    const [a, b, c] = await threeHosts()
    const agent = await startAgent(a, file(1, [2]))
    await startAgent(b, file(2, [1]))
    // It never speaks to a, which knows it but now and then.
    await startAgent(c, file(3, [2]))
    await reaches(a, '10.42.0.2')
    const index = await a.run(['cat', '/sys/class/net/vt42/ifindex'])
    const red = { red: { vni: 43, address: '10.43.0.1/24' } }
    let running = true
    const transfer = transferTcp({ from: a, to: b, address: '10.42.0.2' }, 100_000_000).finally(() => {
      running = false
    })
    let rounds = 0
    let files = 0
    while (running || rounds < 2) {
      write(agent, file(1, [2, 3], {}, red))
      await vtepd(agent, 'reload')
      expect((await status(agent)).networks).toHaveLength(2)
      write(agent, 'networks: { blue: { vni: 16777216 } }')
      await expect(vtepd(agent, 'reload')).rejects.toThrow('networks.blue.vni')
      expect((await status(agent)).networks).toHaveLength(2)
      write(agent, file(1, [2]))
      await vtepd(agent, 'reload')
      rounds++
      if (rounds === 1) files = openFiles(agent)
    }
    await transfer
    // What was asked last may still be hanging up.
    await until(
      'as many open files as before',
      () => openFiles(agent),
      (n) => n === files,
    )
    expect((await a.run(['cat', '/sys/class/net/vt42/ifindex'])).stdout).toBe(index.stdout)
    expect((await status(agent)).peers.map((p) => p.name)).toEqual(['host-2'])
    // The network that came and went had nobody to send to; a busy machine's buffers overflow, and TCP heals that.
    const { 'no-peer': _nobody, 'udp-receive-overflow': _busy, ...lost } = await drops(agent)
    expect(lost).toEqual({})
  })

  it('drops nothing of what arrives while it starts', async () => {
    const [a, b] = await threeHosts()
    const mac = '02:00:00:00:00:01'
    const agent = await startAgent(b, file(2, [1]))
    await b.ip('neigh', 'replace', '10.42.0.1', 'lladdr', mac, 'dev', 'vt42')
    const stream = b.spawn(['ping', '-n', '-i', '0.002', '10.42.0.1'])
    try {
      for (let round = 0; round < 2; round++) {
        const started = await startAgent(a, file(1, [2], { mac }))
        const { rxPackets } = await networkOf(started)
        await until(
          'pings',
          async () => (await networkOf(started)).rxPackets,
          (n) => n > rxPackets + 20,
        )
        expect(await drops(started)).toEqual({})
        await started.stop()
      }
    } finally {
      stream.kill('SIGKILL')
    }
    expect((await networkOf(agent)).txPackets).toBeGreaterThan(0)
  })

  it('takes SIGHUP for reload, and says when it refuses a file', async () => {
    const [a] = await threeHosts()
    const agent = await startAgent(a, file(1, [2]))
    write(agent, file(1, [2, 3]))
    process.kill(agent.pid, 'SIGHUP')
    await until(
      'peers',
      async () => (await status(agent)).peers.length,
      (n) => n === 2,
    )
    write(agent, file(1, [1]))
    process.kill(agent.pid, 'SIGHUP')
    await until(
      'the log',
      () => agent.stderr,
      (log) => log.includes('reload refused'),
    )
    expect((await status(agent)).peers.map((p) => p.name)).toEqual(['host-2', 'host-3'])
  })

  it('follows a station from peer to peer, but not one that a static entry binds', async () => {
    const [a, b, c] = await threeHosts()
    const agent = await startAgent(a, file(1, [2, 3]))
    const agents = [await startAgent(b, file(2, [1])), await startAgent(c, file(3, [1]))] as const
    // The station lives beside the agent's own device, as a container on a bridge would: it speaks on b, then on c.
    const speak = (host: Host): Promise<unknown> => host.run(['/usr/bin/python3', '-c', announce('vt42', STATION)])
    await speak(b)
    await until('on b', () => fdbOf(agent), has({ mac: STATION, peer: 'host-2', origin: 'learned' }))
    await speak(c)
    await until('on c', () => fdbOf(agent), has({ mac: STATION, peer: 'host-3', origin: 'learned' }))
    await vtepd(agent, 'fdb', 'add', STATION, 'host-2', '--network', 'blue')
    const before = await drops(agent)
    await speak(c)
    await overlay.untilDropped(agent, 'static-mac', before)
    expect(has({ mac: STATION, peer: 'host-2', origin: 'static' })(await fdbOf(agent))).toBe(true)
    // It comes to our side: what was learned of it goes; a static entry stays.
    expect((await networkOf(agents[0])).name).toBe('blue')
    await speak(a)
    expect(has({ mac: STATION, peer: 'host-2', origin: 'static' })(await fdbOf(agent))).toBe(true)
    await vtepd(agent, 'fdb', 'del', STATION, '--network', 'blue')
    await speak(c)
    await until('on c', () => fdbOf(agent), has({ mac: STATION, peer: 'host-3', origin: 'learned' }))
    await speak(a)
    await until(
      'here',
      () => fdbOf(agent),
      (all) => all.every((e) => e.mac !== STATION),
    )
  })

  it('follows a MAC that is changed by hand, and puts back one that its file names', async () => {
    const [a, b] = await threeHosts()
    const agent = await startAgent(a, file(1, [2]))
    const other = await startAgent(b, file(2, [1], { mac: '02:00:5e:00:00:22' }))
    await a.ip('link', 'set', 'vt42', 'address', '02:00:5e:00:00:11')
    await until(
      'followed',
      async () => (await networkOf(agent)).mac,
      (mac) => mac === '02:00:5e:00:00:11',
    )
    await b.ip('link', 'set', 'vt42', 'address', '02:00:5e:00:00:33')
    await until(
      'put back',
      () => b.ip('link', 'show', 'vt42'),
      (text) => text.includes('02:00:5e:00:00:22'),
    )
    expect((await networkOf(other)).mac).toBe('02:00:5e:00:00:22')
    await untilReaches(a, '10.42.0.2')
  })

  it('follows the address of the interface that its file names', async () => {
    const [a, b] = await threeHosts()
    const { underlay: _fixed, ...rest } = file(1, [2])
    const agent = await startAgent(a, { ...rest, underlay: { interface: 'eth0' } })
    const other = await startAgent(b, file(2, [1]))
    await reaches(a, '10.42.0.2')
    await a.ip('addr', 'del', '198.18.0.1/24', 'dev', 'eth0')
    await a.ip('addr', 'add', '198.18.0.77/24', 'dev', 'eth0')
    await until(
      'the log',
      () => agent.stderr,
      (log) => log.includes('198.18.0.77'),
    )
    write(other, { ...file(2, []), peers: { moved: { endpoint: '198.18.0.77' } } })
    await other.reload()
    await untilReaches(a, '10.42.0.2')
  })

  it.each(['SIGTERM', 'SIGINT'] as const)('ends with 0 at %s and leaves nothing', async (signal) => {
    const [a] = await threeHosts()
    const dir = join(a.lab.dir, 'quick')
    const flags = [
      '--vni',
      '42',
      '--local',
      '198.18.0.1',
      '--peer',
      '198.18.0.2',
      '--address',
      '10.42.0.1/24',
      '--plain',
    ]
    const before = await a.ip('-o', 'link')
    const child = a.spawn([process.execPath, built('main.js'), 'up', ...flags, '--runtime-dir', dir])
    const ended = new Promise((resolve) => child.once('close', resolve))
    await until(
      'the device',
      () => a.ip('-o', 'link'),
      (links) => /vt42: .*[<,]UP[,>]/.test(links),
    )
    child.kill(signal)
    expect(await ended).toBe(0)
    expect(await a.ip('-o', 'link')).toBe(before)
    expect((await a.run(['cat', '/proc/net/udp'])).stdout.trim().split('\n')).toHaveLength(1)
    expect(readdirSync(dir)).toEqual([])
  })
}, ['ping', 'python3'])

/** Python that sends one gratuitous ARP request of a station out of a device. */
function announce(device: string, mac: string): string {
  const station = mac.replaceAll(':', '')
  const frame = `ffffffffffff${station}08060001080006040001${station}0a2a00630000000000000a2a0063`
  return [
    'import socket',
    's = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)',
    `s.bind(("${device}", 0))`,
    `s.send(bytes.fromhex("${frame}"))`,
  ].join('\n')
}
