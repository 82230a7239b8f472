// Debian's wg(8) on a running agent: what it shows of secure networks, what it changes, and for how long.
//
//   a vt⟨n⟩ (TAP), vt⟨n+1⟩ (TUN) ─ eth0 198.18.0.1 ──── 198.18.0.2 eth0 ─ the same on b
import { existsSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type LabAgent, startAgent } from '../../src/lab/agent.ts'
import { finish, start } from '../../src/lab/command.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { cannotReach, reaches, status, until } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { type Pair, pair, secureConfiguration } from '../support/secure.ts'

// Sockets of wg(8) have one directory for all namespaces.
const UNIQUE = process.pid % 10_000
const TAP = { a: `wa${UNIQUE}`, b: `wb${UNIQUE}` } as const
const TUN = { a: `wc${UNIQUE}`, b: `wd${UNIQUE}` } as const

async function wg(...args: string[]): Promise<string> {
  const command = ['wg', ...args]
  return (await finish(start(command, { env: { ...process.env, WG_COLOR_MODE: 'never' } }), command)).stdout.trim()
}

/** What `wg show` says of a peer: "key\tvalue" for each. */
async function shown(device: string, what: string): Promise<Map<string, string>> {
  const lines = (await wg('show', device, what)).split('\n').filter((line) => line !== '')
  return new Map(lines.map((line) => line.split('\t') as [string, string]))
}

describeRoot('wg(8) on an agent', () => {
  let lab: Lab
  let hosts: Record<'a' | 'b', Host>
  let agents: Record<'a' | 'b', LabAgent>
  let keys: Record<'a' | 'b', Pair>

  beforeAll(async () => {
    lab = new Lab()
    hosts = { a: await lab.host('a'), b: await lab.host('b') }
    await lab.connect([
      { host: hosts.a, addresses: ['198.18.0.1/24'] },
      { host: hosts.b, addresses: ['198.18.0.2/24'] },
    ])
    keys = { a: pair(), b: pair() }
    const config = (me: 'a' | 'b', n: number, other: 'a' | 'b', m: number) =>
      secureConfiguration(hosts[me], keys[me], {
        networks: {
          blue: { vni: 42, interface: TAP[me], address: `10.42.0.${n}/24` },
          red: { vni: 43, interface: TUN[me], device: 'tun', address: `10.44.0.${n}/24` },
        },
        peers: {
          [other]: {
            endpoint: `198.18.0.${m}`,
            publicKey: keys[other].public,
            networks: { blue: {}, red: { allowedIps: [`10.44.0.${m}/32`] } },
          },
        } as never,
      })
    agents = {
      a: await startAgent(hosts.a, config('a', 1, 'b', 2)),
      b: await startAgent(hosts.b, config('b', 2, 'a', 1)),
    }
    await reaches(hosts.a, '10.42.0.2', '10.44.0.2')
  })
  afterAll(() => lab?.close())

  it('shows a socket for each secure network, with its peers, endpoints, handshakes and traffic', async () => {
    for (const device of [TAP.a, TUN.a]) {
      expect(await wg('show', device, 'public-key')).toBe(keys.a.public)
      expect(await wg('show', device, 'listen-port')).toBe('51820')
      expect(await shown(device, 'endpoints')).toEqual(new Map([[keys.b.public, '198.18.0.2:51820']]))
      expect(Number((await shown(device, 'latest-handshakes')).get(keys.b.public))).toBeGreaterThan(1_700_000_000)
    }
    expect((await shown(TUN.a, 'allowed-ips')).get(keys.b.public)).toBe('10.44.0.2/32')
    expect((await shown(TAP.a, 'allowed-ips')).get(keys.b.public)).toBe('(none)')
    const [received, sent] = (await wg('show', TUN.a, 'transfer')).split('\t').slice(1).map(Number)
    expect(received).toBeGreaterThan(148)
    expect(sent).toBeGreaterThan(148)
  })

  it('changes a peer, which keeps its session', async () => {
    const before = (await shown(TUN.a, 'latest-handshakes')).get(keys.b.public)
    await wg(
      'set',
      TUN.a,
      'peer',
      keys.b.public,
      'persistent-keepalive',
      '25',
      'allowed-ips',
      '10.44.0.2/32,10.60.0.0/16',
    )
    expect((await shown(TUN.a, 'persistent-keepalive')).get(keys.b.public)).toBe('25')
    expect((await shown(TUN.a, 'allowed-ips')).get(keys.b.public)).toBe('10.44.0.2/32 10.60.0.0/16')
    await reaches(hosts.a, '10.44.0.2')
    expect((await shown(TUN.a, 'latest-handshakes')).get(keys.b.public)).toBe(before)
  })

  it('adds and removes a peer of one network and leaves the other alone', async () => {
    const stranger = pair()
    await wg('set', TUN.a, 'peer', stranger.public, 'allowed-ips', '10.61.0.0/16', 'endpoint', '198.18.0.99:51820')
    const peers = (await status(agents.a)).peers
    expect(peers.find((p) => p.publicKey === stranger.public)).toMatchObject({ networks: ['red'], state: 'idle' })
    expect([...(await shown(TAP.a, 'endpoints')).keys()]).toEqual([keys.b.public])
    await wg('set', TUN.a, 'peer', stranger.public, 'remove')
    expect((await status(agents.a)).peers.map((p) => p.name)).toEqual(['b'])
    await wg('set', TUN.a, 'peer', keys.b.public, 'remove')
    await cannotReach(hosts.a, '10.44.0.2')
    await reaches(hosts.a, '10.42.0.2')
  })

  it('says what the file says after a reload', async () => {
    await agents.a.reload()
    expect((await shown(TUN.a, 'allowed-ips')).get(keys.b.public)).toBe('10.44.0.2/32')
    expect((await shown(TUN.a, 'persistent-keepalive')).get(keys.b.public)).toBe('off')
    await reaches(hosts.a, '10.44.0.2')
  })

  it('moves the port of all networks; peers stay where they are and follow', async () => {
    await wg('set', TAP.a, 'listen-port', '51999')
    expect(await wg('show', TUN.a, 'listen-port')).toBe('51999')
    await reaches(hosts.a, '10.42.0.2', '10.44.0.2')
    await until(
      'b to follow',
      async () => (await shown(TUN.b, 'endpoints')).get(keys.a.public),
      (endpoint) => endpoint === '198.18.0.1:51999',
    )
  })

  it('changes the private key of all networks', async () => {
    const fresh = pair()
    const file = join(lab.dir, 'fresh')
    writeFileSync(file, `${fresh.private}\n`, { mode: 0o600 })
    await wg('set', TUN.a, 'private-key', file)
    expect(await wg('show', TAP.a, 'public-key')).toBe(fresh.public)
    await cannotReach(hosts.a, '10.42.0.2')
    await agents.a.reload()
    expect(await wg('show', TAP.a, 'public-key')).toBe(keys.a.public)
    await reaches(hosts.a, '10.42.0.2')
  })

  it('goes on without a socket that somebody has removed', async () => {
    const path = `/var/run/wireguard/${TAP.a}.sock`
    unlinkSync(path)
    await reaches(hosts.a, '10.42.0.2', '10.44.0.2')
    expect(existsSync(path)).toBe(false)
    expect(await wg('show', TUN.a, 'public-key')).toBe(keys.a.public)
  })

  it('takes its sockets with it', async () => {
    await agents.a.stop()
    await agents.b.stop()
    for (const device of [TUN.a, TAP.b, TUN.b]) expect(existsSync(`/var/run/wireguard/${device}.sock`)).toBe(false)
  })
})
