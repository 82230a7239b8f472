// Changes in secure networks: agents that end and come back, files reloaded, keys replaced, addresses and ports that move.
//
//   a: agent, vt42 10.42.0.1 ─ eth0 198.18.0.1 ─┐
//   b: agent, vt42 10.42.0.2 ─ eth0 198.18.0.2 ─┼─ br0 of switch
//   c: agent, vt42 10.42.0.3 ─ eth0 198.18.0.3 ─┘
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { type LabAgent, startAgent } from '../../src/lab/agent.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import * as overlay from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { keyFile, type Pair, pair, presharedKey, rewrite, secureConfiguration, untilPeer } from '../support/secure.ts'
import { transferTcp } from '../support/transfer.ts'

const { cannotReach, drops, networkOf, reaches, status, until, untilReaches, vtepd } = overlay
type Keys = overlay.Keys

let lab: Lab | null = null

afterEach(async () => {
  await lab?.close()
  lab = null
})

interface World {
  readonly hosts: [Host, Host, Host]
  /** By host; a test may replace one. */
  readonly keys: Pair[]
}

async function threeHosts(): Promise<World> {
  const made = new Lab()
  lab = made
  const hosts: [Host, Host, Host] = [await made.host('a'), await made.host('b'), await made.host('c')]
  await made.connect(hosts.map((host, i) => ({ host, addresses: [`198.18.0.${i + 1}/24`] })))
  return { hosts, keys: hosts.map(() => pair()) }
}

interface Shape {
  /** Keys of every peer, beside the usual ones. */
  readonly peer?: Keys
  readonly network?: Keys
  readonly more?: Keys
}

/** The file of host n (1, 2, 3) with these peers. */
function file({ hosts, keys }: World, n: number, peers: readonly number[], shape: Shape = {}): Keys {
  const { peer = {}, network = {}, more = {} } = shape
  const layer3 = network['device'] === 'tun'
  const others = peers.map((i): [string, Keys] => [
    `host-${i}`,
    {
      endpoint: `198.18.0.${i}`,
      publicKey: keys[i - 1]!.public,
      ...(layer3 ? { allowedIps: [`10.42.0.${i}/32`] } : {}),
      ...peer,
    },
  ])
  const blue = { vni: 42, address: `10.42.0.${n}/24`, ...network }
  return secureConfiguration(hosts[n - 1]!, keys[n - 1]!, {
    networks: { blue },
    peers: Object.fromEntries(others),
    ...more,
  })
}

async function reload(agent: LabAgent, config: Keys): Promise<void> {
  rewrite(agent, config)
  await agent.reload()
}

describeRoot('agents of secure networks that change', () => {
  it('go on when one of them has ended and comes back and speaks', async () => {
    const world = await threeHosts()
    const [a, b] = world.hosts
    const [agent, other] = await Promise.all([startAgent(a, file(world, 1, [2])), startAgent(b, file(world, 2, [1]))])
    await reaches(a, '10.42.0.2')
    await other.stop()
    await cannotReach(a, '10.42.0.2')
    await startAgent(b, file(world, 2, [1]))
    // It has an endpoint and a packet, so it makes a handshake at once.
    await reaches(b, '10.42.0.1')
    await reaches(a, '10.42.0.2')
    expect((await untilPeer(agent, 'host-2', (p) => p.state === 'up')).lastHandshakeSeconds).not.toBeNull()
  })

  it('start again after kill -9, and are reached', async () => {
    const world = await threeHosts()
    const [a, b] = world.hosts
    const [agent] = await Promise.all([startAgent(a, file(world, 1, [2])), startAgent(b, file(world, 2, [1]))])
    await reaches(a, '10.42.0.2')
    process.kill(agent.pid, 'SIGKILL')
    await until(
      'the device',
      () => a.ip('-o', 'link'),
      (links) => !links.includes('vt42'),
    )
    await startAgent(a, file(world, 1, [2]))
    await reaches(a, '10.42.0.2')
    await transferTcp({ from: b, to: a, address: '10.42.0.1' }, 10_000_000)
  })

  it('take peers and let them go by reload, under a transfer that loses nothing', async () => {
    const world = await threeHosts()
    const [a, b, c] = world.hosts
    const [agent] = await Promise.all([startAgent(a, file(world, 1, [2])), startAgent(b, file(world, 2, [1]))])
    const third = await startAgent(c, file(world, 3, [1]))
    await reaches(a, '10.42.0.2')
    let running = true
    const transfer = transferTcp({ from: a, to: b, address: '10.42.0.2' }, 150_000_000).finally(() => {
      running = false
    })
    let rounds = 0
    while (running || rounds < 2) {
      await reload(agent, file(world, 1, [2, 3]))
      // a speaks first: c still has the session that a has forgotten.
      await untilReaches(a, '10.42.0.3')
      await reload(agent, file(world, 1, [2]))
      await cannotReach(c, '10.42.0.1')
      expect((await drops(agent))['unknown-peer']).toBeGreaterThan(rounds)
      expect((await status(agent)).peers.map((p) => p.name)).toEqual(['host-2'])
      rounds++
    }
    await transfer
    await reload(agent, file(world, 1, [2, 3]))
    await untilReaches(a, '10.42.0.3')
    expect((await status(third)).peers[0]!.state).toBe('up')
  })

  it('take a new private key by reload, and the peers its public half', async () => {
    const world = await threeHosts()
    const [a, b] = world.hosts
    const [agent, other] = await Promise.all([startAgent(a, file(world, 1, [2])), startAgent(b, file(world, 2, [1]))])
    await reaches(a, '10.42.0.2')
    const old = world.keys[0]!
    world.keys[0] = pair()
    const before = await networkOf(agent)
    await reload(agent, file(world, 1, [2]))
    // The session of the old key sends nothing more, and b does not know the new one.
    await cannotReach(a, '10.42.0.2')
    expect((await drops(other))['unknown-peer']).toBeGreaterThan(0)
    await reload(other, file(world, 2, [1]))
    await untilReaches(a, '10.42.0.2')
    await reaches(b, '10.42.0.1')
    expect((await status(other)).peers.map((p) => p.publicKey)).toEqual([world.keys[0]!.public])
    expect((await networkOf(agent)).mac).toBe(before.mac)
    // The old one opens nothing: a host that still has it is a stranger.
    const [, , c] = world.hosts
    world.keys[2] = old
    await startAgent(c, file(world, 3, [2]))
    await cannotReach(c, '10.42.0.2')
  })

  it('take a new preshared key by reload: the session goes on, the next handshake wants it', async () => {
    const world = await threeHosts()
    const [a, b] = world.hosts
    const psk = (name: string): Shape => ({ peer: { presharedKeyFile: keyFile(lab!, name, presharedKey()) } })
    const [first, second] = [psk('first'), psk('second')]
    let [agent, other] = await Promise.all([
      startAgent(a, file(world, 1, [2], first)),
      startAgent(b, file(world, 2, [1], first)),
    ])
    await reaches(a, '10.42.0.2')
    await reload(agent, file(world, 1, [2], second))
    await reaches(a, '10.42.0.2')
    await other.stop()
    other = await startAgent(b, file(world, 2, [1], first))
    await cannotReach(b, '10.42.0.1')
    expect((await drops(other))['bad-tag']).toBeGreaterThan(0)
    await reload(other, file(world, 2, [1], second))
    await untilReaches(b, '10.42.0.1')
    await reload(other, file(world, 2, [1]))
    await reaches(b, '10.42.0.1')
  })

  it('move to another port by reload, and are followed', async () => {
    const world = await threeHosts()
    const [a, b] = world.hosts
    const [agent, other] = await Promise.all([
      startAgent(a, file(world, 1, [2], { peer: { endpoint: '198.18.0.2:51820' } })),
      startAgent(b, file(world, 2, [1])),
    ])
    await reaches(a, '10.42.0.2')
    const moved = {
      peer: { endpoint: '198.18.0.2:51820' },
      more: { underlay: { interface: 'eth0', wireguardPort: 7 } },
    }
    await reload(agent, file(world, 1, [2], moved))
    await reaches(a, '10.42.0.2')
    expect((await untilPeer(other, 'host-1', (p) => p.state === 'up')).endpoint).toBe('198.18.0.1:7')
    expect((await a.run(['ss', '-Huln'])).stdout).not.toContain(':51820')
    await transferTcp({ from: b, to: a, address: '10.42.0.1' }, 10_000_000)
  })

  it('move to another address in the middle of a transfer, and are followed', async () => {
    const world = await threeHosts()
    const [a, b] = world.hosts
    const [agent] = await Promise.all([startAgent(a, file(world, 1, [2])), startAgent(b, file(world, 2, [1]))])
    await reaches(a, '10.42.0.2')
    const transfer = transferTcp({ from: b, to: a, address: '10.42.0.1' }, 200_000_000)
    const moves = [22, 2, 23]
    let at = 2
    for (const n of moves) {
      const before = await networkOf(agent)
      await until(
        'traffic',
        () => networkOf(agent),
        (now) => now.rxBytes > before.rxBytes + 1_000_000,
      )
      await b.ip('addr', 'del', `198.18.0.${at}/24`, 'dev', 'eth0')
      await b.ip('addr', 'add', `198.18.0.${n}/24`, 'dev', 'eth0')
      await untilPeer(agent, 'host-2', (p) => p.endpoint === `198.18.0.${n}:51820`)
      at = n
    }
    await transfer
  })

  it('say no secret anywhere', async () => {
    const world = await threeHosts()
    const [a, b] = world.hosts
    const psk = presharedKey()
    const shape = { peer: { presharedKeyFile: keyFile(lab!, 'psk', psk) } }
    const [agent, other] = await Promise.all([
      startAgent(a, file(world, 1, [2], shape)),
      startAgent(b, file(world, 2, [1], shape)),
    ])
    await reaches(a, '10.42.0.2')
    const old = world.keys[0]!
    world.keys[0] = pair()
    await reload(agent, file(world, 1, [2], shape))
    // A key that is none, and one that others may read, are named; what they hold is not.
    const faulty = {
      ...file(world, 1, [2], shape),
      privateKeyFile: keyFile(lab!, 'cut', world.keys[0]!.private.slice(1)),
    }
    await expect(reload(agent, faulty)).rejects.toThrow('privateKeyFile')
    const said = [
      agent.stderr,
      other.stderr,
      JSON.stringify(await status(agent)),
      await agent.text('/metrics'),
      await agent.text('/v1/fdb'),
      (await vtepd(agent, '-v', 'peers')).stdout,
      (
        await vtepd(agent, 'config', 'check', join(agent.runtimeDir, 'vtepd.yaml')).catch((e: Error) => ({
          stdout: e.message,
        }))
      ).stdout,
      ...[agent, other].flatMap(({ pid }) =>
        ['cmdline', 'environ'].map((f) => readFileSync(`/proc/${pid}/${f}`, 'utf8')),
      ),
    ].join('\n')
    // By name, so that a failure does not print what must not be printed.
    const secrets = { old: old.private, new: world.keys[0]!.private, theirs: world.keys[1]!.private, psk }
    const shows = (base64: string): boolean =>
      said.includes(base64.slice(1, -1)) ||
      said.toLowerCase().includes(Buffer.from(base64, 'base64').toString('hex').slice(2))
    expect(shows(world.keys[1]!.public)).toBe(true)
    expect(Object.entries(secrets).flatMap(([name, secret]) => (shows(secret) ? [name] : []))).toEqual([])
  })
}, ['ping', 'ss'])
