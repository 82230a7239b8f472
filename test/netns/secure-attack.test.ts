// Who may not speak: frames in the clear, strangers, replays, damaged and senseless messages, peers outside of their networks.
//
//   a: agent, vt42 10.42.0.1 (secure), vt44 10.44.0.1 (plain) ─ eth0 198.18.0.1 ─┐
//   b: agent, vt42 10.42.0.2, vt43 10.43.0.2 (both secure)  ─── eth0 198.18.0.2 ─┼─ br0 of switch
//   c: no peer of a's secure networks, and scapy            ─── eth0 198.18.0.3 ─┘
//
// a has vt43 too, but b is not in it there. b's eth0 has no offloads: what scapy hears there are single datagrams.
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type LabAgent, startAgent } from '../../src/lab/agent.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import * as overlay from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { pair, secureConfiguration, untilPeer, WIREGUARD_PORT } from '../support/secure.ts'
import { seed } from '../support/seed.ts'
import { transferTcp } from '../support/transfer.ts'
import { type Heard, scapyPython, Wire } from '../support/wire.ts'

const { cannotReach, drops, networkOf, reaches, status, until, untilDropped } = overlay
type Keys = overlay.Keys

const NOISE = fileURLToPath(new URL('../support/noise-child.mjs', import.meta.url))
const OFF = ['tx', 'off', 'rx', 'off', 'gso', 'off', 'gro', 'off', 'tso', 'off']
/** Where a UDP payload begins in a frame over IPv4. */
const PAYLOAD = 14 + 20 + 8

let lab: Lab
let [a, b, c]: Host[] = []
let agent: LabAgent
let other: LabAgent
let stranger: LabAgent
let configB: Keys
let wire: Wire
let before: Record<string, number>

/** A broadcast of a station in the VXLAN of a VNI, in hex. */
function vxlan(vni: number): string {
  const arp = 'ffffffffffff02000000005508060001080006040001020000000055' + '0a2a0063000000000000' + '0a2a0001'
  return `08000000${vni.toString(16).padStart(6, '0')}00${arp}`
}

/** Sends UDP payloads (hex) from a host to a's address. */
async function sendFrom(host: Host, port: number, ...payloads: string[]): Promise<void> {
  const script = [
    'import socket, sys',
    's = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)',
    `for text in sys.argv[1:]: s.sendto(bytes.fromhex(text), ("198.18.0.1", ${port}))`,
  ]
  await host.run(['/usr/bin/python3', '-c', script.join('\n'), ...payloads])
}

/** b's messages of a type to a, whole frames in hex, that have left while `doing`. */
async function heardWhile(type: number, n: number, doing: () => Promise<unknown>): Promise<string[]> {
  await wire.heard('eth0')
  await doing()
  const isOurs = (h: Heard): boolean =>
    h.out && h.layers['UDP']?.['dport'] === WIREGUARD_PORT && h.hex.startsWith(`0${type}000000`, 2 * PAYLOAD)
  return (await wire.untilHeard('eth0', isOurs, n)).map((h) => h.hex)
}

async function received(): Promise<number> {
  return (await status(agent)).networks.reduce((sum, n) => sum + n.rxPackets, 0)
}

describeRoot('a secure network', () => {
  beforeAll(async () => {
    lab = new Lab()
    ;[a, b, c] = [await lab.host('a'), await lab.host('b'), await lab.host('c')]
    const hosts = [a, b, c].map((host, i) => ({ host, addresses: [`198.18.0.${i + 1}/24`] }))
    await lab.connect(hosts)
    await b.run(['ethtool', '-K', 'eth0', ...OFF])
    const [keyA, keyB, keyD] = [pair(), pair(), pair()]
    const network = (vni: number, n: number): object => ({ vni, address: `10.${vni}.0.${n}/24` })
    agent = await startAgent(
      a,
      secureConfiguration(a, keyA, {
        networks: {
          blue: network(42, 1),
          red: network(43, 1),
          grey: { ...network(44, 1), security: 'plain' },
        } as never,
        peers: {
          b: { endpoint: '198.18.0.2', publicKey: keyB.public, networks: ['blue'] },
          // Nobody: that red has a peer.
          d: { publicKey: keyD.public, networks: ['red'] },
          c: { endpoint: '198.18.0.3', networks: ['grey'] },
        },
      }),
    )
    configB = secureConfiguration(b, keyB, {
      networks: { blue: network(42, 2), red: network(43, 2) } as never,
      peers: { a: { endpoint: '198.18.0.1', publicKey: keyA.public } },
    })
    other = await startAgent(b, configB)
    // c has a's public key, and a has never heard of c's.
    stranger = await startAgent(
      c,
      secureConfiguration(c, pair(), {
        networks: { blue: { ...network(42, 3), interface: 'stranger' } } as never,
        peers: { a: { endpoint: '198.18.0.1', publicKey: keyA.public } },
      }),
    )
    wire = new Wire(b, scapyPython()!)
    await wire.listen('eth0')
    await reaches(a, '10.42.0.2')
  })
  afterAll(() => lab?.close())

  beforeEach(async () => {
    before = await drops(agent)
  })

  it('takes no frame in the clear, whoever sends it', async () => {
    const rx = await received()
    await sendFrom(b!, 4789, vxlan(42), vxlan(42))
    await sendFrom(c!, 4789, vxlan(42), vxlan(43))
    await untilDropped(agent, 'plain-for-secure', before, 4)
    // The socket is the plain network's, which takes its own.
    await sendFrom(c!, 4789, vxlan(44))
    await until('grey', received, (n) => n > rx)
  })

  it('hears VXLAN nowhere when all of its networks are secure', async () => {
    const { stdout } = await b!.run(['ss', '-Huln'])
    expect(stdout.match(/:\d+ /g)).toEqual([`:${WIREGUARD_PORT} `, `:${WIREGUARD_PORT} `])
  })

  it('takes no VXLAN on its WireGuard port', async () => {
    await sendFrom(b!, WIREGUARD_PORT, vxlan(42))
    await untilDropped(agent, 'not-wireguard', before)
  })

  it('hears a peer in its networks only', async () => {
    const rx = await networkOf(agent, 'red')
    await expect(b!.run(['ping', '-n', '-c', '1', '-W', '1', '10.43.0.1'])).rejects.toThrow('ended with 1')
    await until(
      'not-in-network',
      () => drops(agent),
      (d) => (d['not-in-network'] ?? 0) > (before['not-in-network'] ?? 0),
    )
    expect((await networkOf(agent, 'red')).rxPackets).toBe(rx.rxPackets)
    await reaches(b!, '10.42.0.1')
  })

  it('answers a stranger with silence', async () => {
    const heard = async (): Promise<number> => {
      const { stdout } = await c!.run(['cat', '/proc/net/snmp'])
      const [names, values] = stdout.split('\n').filter((line) => line.startsWith('Udp:'))
      return Number(values!.split(' ')[names!.split(' ').indexOf('InDatagrams')])
    }
    await cannotReach(c!, '10.42.0.1')
    await until(
      'unknown-peer',
      () => drops(agent),
      (d) => (d['unknown-peer'] ?? 0) > 0,
    )
    expect(await heard()).toBe(0)
    expect((await status(agent)).peers.map((p) => [p.name, p.endpoint])).toEqual([
      ['b', `198.18.0.2:${WIREGUARD_PORT}`],
      ['d', null],
      ['c', '198.18.0.3:4789'],
    ])
    await stranger.stop()
  })

  it('refuses what was captured and is sent again, from wherever', async () => {
    const messages = await heardWhile(4, 5, () => reaches(b!, '10.42.0.1'))
    const rx = await received()
    before = await drops(agent)
    const again = [...messages, ...messages].map((hex) => `0x${hex}`)
    await wire.send('eth0', ...again)
    await untilDropped(agent, 'replay', before, again.length)
    expect(await received()).toBe(rx)
    // The peer has not moved to where a replay came from.
    await sendFrom(c!, WIREGUARD_PORT, ...messages.map((hex) => hex.slice(2 * PAYLOAD)))
    await untilDropped(agent, 'replay', before, again.length + messages.length)
    expect((await untilPeer(agent, 'b', () => true)).endpoint).toBe(`198.18.0.2:${WIREGUARD_PORT}`)
    await reaches(b!, '10.42.0.1')
  })

  it('refuses what was changed on the way, bit by bit', async () => {
    const [message] = await heardWhile(4, 1, () => reaches(b!, '10.42.0.1'))
    const payload = message!.slice(2 * PAYLOAD)
    before = await drops(agent)
    const changed = Array.from({ length: 40 }, (_, k) => {
      const bytes = Buffer.from(payload, 'hex')
      // Behind the header: counter and index say which key, and are wrong in other ways.
      bytes[16 + k]! ^= 1 << (k % 8)
      return bytes.toString('hex')
    })
    const cut = [33, 48, payload.length / 2 - 1].map((length) => payload.slice(0, 2 * length))
    await sendFrom(b!, WIREGUARD_PORT, ...changed, ...cut)
    await untilDropped(agent, 'bad-tag', before, changed.length + cut.length)
  })

  it('refuses an initiation that was captured, and keeps its session', async () => {
    await other.stop()
    const keys = await heardWhile(1, 1, async () => {
      other = await startAgent(b!, configB)
      await overlay.untilReaches(b!, '10.42.0.1')
    })
    before = await drops(agent)
    const { lastHandshakeSeconds } = await untilPeer(agent, 'b', (p) => p.state === 'up')
    await sendFrom(c!, WIREGUARD_PORT, ...keys.map((hex) => hex.slice(2 * PAYLOAD)))
    await untilDropped(agent, 'replay', before, keys.length)
    const after = await untilPeer(agent, 'b', (p) => p.state === 'up')
    expect(after.endpoint).toBe(`198.18.0.2:${WIREGUARD_PORT}`)
    expect(after.lastHandshakeSeconds).toBeGreaterThanOrEqual(lastHandshakeSeconds!)
    await reaches(b!, '10.42.0.1')
  })

  it('carries a transfer through noise, and counts every datagram of it', async () => {
    const real = await heardWhile(4, 3, () => reaches(b!, '10.42.0.1'))
    before = await drops(agent)
    const count = 20_000
    const words = ['198.18.0.1', WIREGUARD_PORT, seed, count, ...real.map((hex) => hex.slice(2 * PAYLOAD))].map(String)
    const noise = c!.run([process.execPath, NOISE, ...words])
    await transferTcp({ from: b!, to: a!, address: '10.42.0.1' }, 40_000_000)
    await transferTcp({ from: a!, to: b!, address: '10.42.0.2' }, 40_000_000)
    const sent = JSON.parse((await noise).stdout) as Record<string, number>
    expect(Object.values(sent).reduce((x, y) => x + y)).toBe(count)
    // b goes on speaking of its own accord in the network that it is not in.
    const sum = ({ 'not-in-network': _own, ...d }: Record<string, number>): number =>
      Object.values(d).reduce((x, y) => x + y, 0)
    const after = await until(
      'drops',
      () => drops(agent),
      (d) => sum(d) - sum(before) >= count,
    )
    // The agents may drop a few of each other's meanwhile: what was under way when a session ended.
    expect(sum(after) - sum(before)).toBeLessThan(count + 10)
    const grown = (reason: string): number => (after[reason] ?? 0) - (before[reason] ?? 0)
    if (grown('udp-receive-overflow') === 0) {
      expect(grown('unknown-peer')).toBe(sent['transport'])
      const shaped = sent['initiation']! + sent['response']!
      // The limit takes what comes, cookies too.
      expect(grown('bad-mac')).toBeLessThanOrEqual(shaped)
      expect(grown('bad-mac') + grown('handshake-limited')).toBeGreaterThanOrEqual(shaped)
    }
    expect(grown('bad-tag')).toBeGreaterThan(0)
  })

  it('ends in good order while strangers knock', async () => {
    const noise = ['198.18.0.1', WIREGUARD_PORT, seed, 1_000_000].map(String)
    before = await drops(agent)
    c!.spawn([process.execPath, NOISE, ...noise])
    await until(
      'noise',
      () => drops(agent),
      (d) => (d['bad-mac'] ?? 0) > (before['bad-mac'] ?? 0) + 1000,
    )
    await agent.stop()
    expect(await a!.ip('-o', 'link')).not.toContain('vt42')
  })
}, ['ping', 'ss', 'ethtool', ...(scapyPython() === null ? ['scapy'] : [])])
