// Layer 3 networks between agents.
//
//   a vt7 10.42.0.1/32 ═══ VNI 7 ═══ 10.42.0.2/32 vt7 b, 10.42.9.0/24 and fd00:9::/64 behind it (on b's lo)
//   a eth0 198.18.0.1 ──────────────── 198.18.0.2 eth0 b
import { afterEach, expect, it } from 'vitest'
import { startAgent } from '../../src/lab/agent.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { configuration, drops, reaches, untilDropped } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { transferTcp, transferUdp } from '../support/transfer.ts'

let lab: Lab | null = null

afterEach(async () => {
  await lab?.close()
  lab = null
})

async function pair() {
  lab = new Lab()
  const a = await lab.host('a')
  const b = await lab.host('b')
  await lab.connect([
    { host: a, addresses: ['198.18.0.1/24'] },
    { host: b, addresses: ['198.18.0.2/24'] },
  ])
  const start = (host: Host, k: number, allowedIps: string[]) =>
    startAgent(
      host,
      configuration({
        underlay: `198.18.0.${k}`,
        networks: { l3: { vni: 7, device: 'tun', address: [`10.42.0.${k}/24`, `fd00:42::${k}/64`] } },
        peers: { other: { endpoint: `198.18.0.${3 - k}`, networks: { l3: { allowedIps } } } },
      }),
    )
  const agentA = await start(a, 1, ['10.42.0.2/32', 'fd00:42::2/128', '10.42.9.0/24', 'fd00:9::/64'])
  const agentB = await start(b, 2, ['10.42.0.1/32', 'fd00:42::1/128'])
  await b.ip('addr', 'add', '10.42.9.1/24', 'dev', 'lo')
  await b.ip('addr', 'add', 'fd00:9::1/64', 'dev', 'lo', 'nodad')
  return { a, b, agentA, agentB }
}

describeRoot('layer 3', () => {
  it('carries IPv4 and IPv6, and routes what lies behind the peer', async () => {
    const { a, b } = await pair()
    await reaches(a, '10.42.0.2', 'fd00:42::2', '10.42.9.1', 'fd00:9::1')
    expect(await a.ip('route', 'show', '10.42.9.0/24')).toContain('dev vt7')
    await transferTcp({ from: a, to: b, address: '10.42.9.1' }, 8 << 20)
    await transferTcp({ from: b, to: a, address: 'fd00:42::1' }, 8 << 20)
    await transferUdp({ from: a, to: b, address: '10.42.0.2' }, 20, [16, 1400, 4000])
  })

  it('counts what no peer is for, and refuses sources that are not allowed', async () => {
    const { a, b, agentA } = await pair()
    const before = await drops(agentA)
    await a.run(['ping', '-n', '-c', '1', '-W', '0.1', '10.42.0.77']).catch(() => null)
    await untilDropped(agentA, 'no-route', before)
    await b.ip('addr', 'add', '10.42.0.66/32', 'dev', 'lo')
    const then = await drops(agentA)
    await b.run(['ping', '-n', '-c', '1', '-W', '0.1', '-I', '10.42.0.66', '10.42.0.1']).catch(() => null)
    await untilDropped(agentA, 'source-not-allowed', then)
  })
})
