// A layer 2 network between two agents, over IPv4 and IPv6, with all offloads and with none. tap.test.ts has three hosts.
//
//   a vt42 10.42.0.1/24 ═══ VNI 42 ═══ 10.42.0.2/24 vt42 b
//   a eth0 198.18.0.1, fd00::1 ─────── 198.18.0.2, fd00::2 eth0 b
import { afterEach, expect, it } from 'vitest'
import { type LabAgent, startAgent } from '../../src/lab/agent.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { configuration, drops, fdbOf, networkOf, reaches, status, until } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { transferTcp, transferUdp } from '../support/transfer.ts'

const MEGABYTE = 1 << 20
/** Looks, 20 ms apart, that must find the same. */
const STILL = 25

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
  const ends = all.map((host, k) => ({ host, addresses: [`198.18.0.${k + 1}/24`, `fd00::${k + 1}/64`] }))
  await made.connect(ends)
  return all
}

/** The agent of host number k of n, in a full mesh; `v6`: over IPv6. */
function agentOn(host: Host, k: number, n: number, network: Record<string, unknown> = {}, v6 = false) {
  const address = (i: number): string => (v6 ? `fd00::${i}` : `198.18.0.${i}`)
  const others = Array.from({ length: n }, (_, i) => i + 1).filter((i) => i !== k)
  return startAgent(
    host,
    configuration({
      underlay: address(k),
      networks: { blue: { vni: 42, address: [`10.42.0.${k}/24`, `fd00:42::${k}/64`], ...network } },
      peers: Object.fromEntries(others.map((i) => [`host-${i}`, address(i)])),
    }),
  )
}

async function sentLessReceived(agents: readonly LabAgent[]): Promise<number> {
  const all = await Promise.all(agents.map((agent) => networkOf(agent)))
  return all.reduce((n, { txPackets, rxPackets }) => n + txPackets - rxPackets, 0)
}

/** The same, once it has stood still: frames on their way have arrived. */
async function settledLoss(agents: readonly LabAgent[]): Promise<number> {
  let last = Number.NaN
  let times = 0
  return until(
    'sent less received',
    async () => {
      const now = await sentLessReceived(agents)
      times = now === last ? times + 1 : 0
      last = now
      return now
    },
    () => times >= STILL,
  )
}

describeRoot('layer 2', () => {
  for (const v6 of [false, true]) {
    it(`carries TCP and UDP both ways over IPv${v6 ? 6 : 4}, and learns who is where (VX22)`, async () => {
      const [a, b] = (await hosts('a', 'b')) as [Host, Host]
      const agentA = await agentOn(a, 1, 2, {}, v6)
      const agentB = await agentOn(b, 2, 2, {}, v6)
      const agents = [agentA, agentB]
      const lost = await settledLoss(agents)
      await reaches(a, '10.42.0.2', 'fd00:42::2')
      await transferTcp({ from: a, to: b, address: '10.42.0.2' }, 8 * MEGABYTE)
      await transferTcp({ from: b, to: a, address: 'fd00:42::1' }, 8 * MEGABYTE)
      await transferUdp({ from: a, to: b, address: '10.42.0.2' }, 20, [16, 64, 1400, 4000])
      const [theirs] = await fdbOf(agentA)
      const ofB = await networkOf(agentB)
      expect(theirs).toMatchObject({ network: 'blue', vni: 42, mac: ofB.mac, peer: 'host-2', origin: 'learned' })
      expect(theirs!.vtep).toBe(v6 ? 'fd00::2' : '198.18.0.2')
      expect(await drops(agentA)).toEqual({})
      // What one sent the other received, trains and all.
      expect(await settledLoss(agents)).toBe(lost)
    })
  }

  it('answers ready, with the offloads that it uses', async () => {
    const [a] = (await hosts('a', 'b')) as [Host, Host]
    const agent = await agentOn(a, 1, 2)
    const now = await status(agent)
    expect(now).toMatchObject({ schema: 1, node: 'a', ready: true, undesired: [] })
    expect(Object.keys(now.offloads).sort()).toEqual(['aead', 'tso', 'udpGro', 'udpGso', 'uso'])
    expect(now.peers).toMatchObject([{ name: 'host-2', endpoint: '198.18.0.2:4789', mtu: 1500, state: 'static' }])
  })

  it('works the same with every offload off', async () => {
    const [a, b] = (await hosts('a', 'b')) as [Host, Host]
    const off = { tso: 'off', uso: 'off', udpGso: 'off', udpGro: 'off' }
    const file = (k: number) =>
      configuration({
        underlay: `198.18.0.${k}`,
        networks: { blue: { vni: 42, address: `10.42.0.${k}/24` } },
        peers: { other: `198.18.0.${3 - k}` },
        offloads: off,
      })
    const agent = await startAgent(a, file(1))
    await startAgent(b, file(2))
    await transferTcp({ from: a, to: b, address: '10.42.0.2' }, 2 * MEGABYTE)
    await transferUdp({ from: b, to: a, address: '10.42.0.1' }, 20, [16, 1400, 4000])
    expect((await status(agent)).offloads['tso']).toMatch(/^off/)
  })
})
