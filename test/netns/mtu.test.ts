// Frames too big for the path: told to the sender, counted, never silently lost (RFC 4459 §3.2; RFC 1191; RFC 8201).
//
//   a vt42 10.42.0.1/24, MTU 1500 ═══ VNI 42 ═══ 10.42.0.2/24, MTU 1500 vt42 b
//   a eth0 198.18.0.1, MTU 1500 ──────────────── 198.18.0.2 eth0 b: 50 bytes too little, and less where a route says so
import { afterEach, expect, it } from 'vitest'
import { type LabAgent, startAgent } from '../../src/lab/agent.ts'
import { type Host, Lab, UNDERLAY } from '../../src/lab/lab.ts'
import { configuration, drops, reaches, status, until, untilReaches } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { transferTcp } from '../support/transfer.ts'

/** Sends each number of bytes as one datagram, whatever is known of the path: IP_MTU_DISCOVER (10) is IP_PMTUDISC_OMIT (5). */
const SENDER = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, 10, 5)
for n in sys.argv[1:]:
    s.sendto(bytes(k % 251 for k in range(int(n))), ("10.42.0.2", 7000))
s.sendto(b"", ("10.42.0.2", 7000))
`
const RECEIVER = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.42.0.2", 7000))
print("ready")
while d := s.recv(65535):
    print(len(d), "right" if d == bytes(k % 251 for k in range(len(d))) else "wrong")
print("end")
`

let lab: Lab | null = null

afterEach(async () => {
  await lab?.close()
  lab = null
})

async function pair(kind: 'tap' | 'tun', mtu?: number): Promise<{ a: Host; b: Host; agentA: LabAgent }> {
  lab = new Lab()
  const a = await lab.host('a')
  const b = await lab.host('b')
  await lab.connect([
    { host: a, addresses: ['198.18.0.1/24'] },
    { host: b, addresses: ['198.18.0.2/24'] },
  ])
  const start = (host: Host, k: number) =>
    startAgent(
      host,
      configuration({
        underlay: `198.18.0.${k}`,
        networks: {
          blue: { vni: 42, device: kind, address: [`10.42.0.${k}/24`, `fd00:42::${k}/64`], ...(mtu ? { mtu } : {}) },
        },
        peers: {
          other: {
            endpoint: `198.18.0.${3 - k}`,
            ...(kind === 'tun' ? { allowedIps: [`10.42.0.${3 - k}/32`, `fd00:42::${3 - k}/128`] } : {}),
          },
        },
      }),
    )
  const [agentA] = await Promise.all([start(a, 1), start(b, 2)])
  await reaches(a, '10.42.0.2', 'fd00:42::2')
  return { a, b, agentA }
}

/** What one ping of `size` bytes of IP packet says. */
async function pingOf(a: Host, address: string, size: number): Promise<string> {
  const header = address.includes(':') ? 48 : 28
  const words = ['ping', '-n', '-c', '1', '-W', '1', '-M', 'do', '-s', String(size - header), address]
  return a.run(words).then(
    ({ stdout }) => stdout,
    (error: { stdout?: string; stderr?: string }) => `${error.stdout} ${error.stderr}`,
  )
}

describeRoot('the path', () => {
  for (const kind of ['tap', 'tun'] as const) {
    it(`carries the default MTU of a ${kind} network to the last byte, and follows a route's smaller one`, async () => {
      const { a, b, agentA } = await pair(kind)
      expect((await status(agentA)).networks[0]!.mtu).toBe(1450)
      expect(await pingOf(a, '10.42.0.2', 1450)).toContain('1 received')
      expect(await pingOf(a, 'fd00:42::2', 1450)).toContain('1 received')
      expect((await drops(agentA))['too-big']).toBeUndefined()
      await a.ip('route', 'add', '198.18.0.2/32', 'dev', UNDERLAY, 'mtu', '1350')
      await until(
        "the peer's MTU",
        async () => (await status(agentA)).peers[0]!.mtu,
        (mtu) => mtu === 1350,
      )
      expect(await pingOf(a, '10.42.0.2', 1301)).toMatch(/mtu ?=? ?1300/i)
      expect(await pingOf(a, '10.42.0.2', 1300)).toContain('1 received')
      await transferTcp({ from: a, to: b, address: '10.42.0.2' }, 4 << 20)
      expect((await drops(agentA))['too-big']).toBeGreaterThan(0)
    })

    it(`answers what is too big into a ${kind} network, and transfers complete`, async () => {
      const { a, b, agentA } = await pair(kind, 1500)
      expect(await pingOf(a, '10.42.0.2', 1451)).toMatch(/mtu ?=? ?1450/i)
      expect(await pingOf(a, 'fd00:42::2', 1451)).toMatch(/mtu ?=? ?1450/i)
      expect((await drops(agentA))['too-big']).toBe(2)
      expect(await pingOf(a, '10.42.0.2', 1450)).toContain('1 received')
      await transferTcp({ from: a, to: b, address: '10.42.0.2' }, 4 << 20)
      await transferTcp({ from: b, to: a, address: 'fd00:42::1' }, 4 << 20)
    })
  }

  for (const kind of ['tap', 'tun'] as const) {
    it(`cuts what may be cut of a ${kind} network, for hosts that ask for no path MTU`, async () => {
      const { a, b, agentA } = await pair(kind)
      await a.ip('route', 'add', '198.18.0.2/32', 'dev', UNDERLAY, 'mtu', '1000')
      await until(
        "the peer's MTU",
        async () => (await status(agentA)).peers[0]!.mtu,
        (mtu) => mtu === 1000,
      )
      const receiver = b.spawn(['/usr/bin/python3', '-u', '-c', RECEIVER])
      let heard = ''
      receiver.stdout!.on('data', (text) => {
        heard += text
      })
      await until(
        'the receiver',
        () => heard,
        (text) => text.includes('ready'),
      )
      const sizes = [100, 922, 923, 1400]
      await a.run(['/usr/bin/python3', '-c', SENDER, ...sizes.map(String)])
      await until(
        'all datagrams',
        () => heard,
        (text) => text.endsWith('end\n'),
      )
      expect(heard.split('\n').filter((line) => line.endsWith(' right'))).toEqual(sizes.map((n) => `${n} right`))
      expect((await drops(agentA))['too-big']).toBeUndefined()
    })
  }

  it('is used in full again once it is wide again, also towards one that accept lets in', async () => {
    const made = new Lab()
    lab = made
    const [a, b] = [await made.host('a'), await made.host('b')]
    await made.connect([a, b].map((host, k) => ({ host, addresses: [`198.18.0.${k + 1}/24`] })))
    const start = (host: Host, k: number, more: object, peers: Record<string, string>) =>
      startAgent(
        host,
        configuration({
          underlay: `198.18.0.${k}`,
          networks: { blue: { vni: 42, address: `10.42.0.${k}/24`, ...more } },
          peers,
        }),
      )
    await start(a, 1, { accept: 'any' }, {})
    await start(b, 2, {}, { a: '198.18.0.1' })
    await untilReaches(b, '10.42.0.1')
    const narrow = ['198.18.0.2/32', 'dev', UNDERLAY, 'mtu', '1300']
    await a.ip('route', 'add', ...narrow)
    expect(await pingOf(a, '10.42.0.2', 1400)).toMatch(/mtu ?=? ?1250/i)
    await a.ip('route', 'del', ...narrow)
    await until(
      'a large ping',
      async () => {
        // What the host itself has heard of its way.
        await a.ip('route', 'flush', 'cache')
        return pingOf(a, '10.42.0.2', 1400)
      },
      (said) => said.includes('1 received'),
    )
  })

  it('follows the underlay when its MTU shrinks under traffic', async () => {
    const { a, b, agentA } = await pair('tap')
    await a.ip('link', 'set', UNDERLAY, 'mtu', '1400')
    await b.ip('link', 'set', UNDERLAY, 'mtu', '1400')
    await until(
      "the peer's MTU",
      async () => (await status(agentA)).peers[0]!.mtu,
      (mtu) => mtu === 1400,
    )
    await transferTcp({ from: a, to: b, address: '10.42.0.2' }, 4 << 20)
    expect((await drops(agentA))['too-big']).toBeGreaterThan(0)
  })
})
