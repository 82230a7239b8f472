// Debian's wireguard-go as a stock peer of an agent, each of them in both roles: sessions, what is counted, transfers, restarts,
// roaming, who may say what. The hosts are drawn in test/support/stock-peer.ts.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Lab } from '../../src/lab/lab.ts'
import { cannotReach, drops, reaches, status, until, untilDropped, untilReaches } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { pair, untilPeer } from '../support/secure.ts'
import { A, StockPeer, W } from '../support/stock-peer.ts'
import { transferTcp, transferUdp } from '../support/transfer.ts'

const MANY = 20_000_000
// Bytes of UDP payload: the two messages of a handshake, and ten pings of 84 bytes, filled up to 96, in messages of 32 more.
const INITIATOR = 148 + 10 * 128
const RESPONDER = 92 + 10 * 128
const KEEPALIVE = 32

let lab: Lab

beforeEach(() => {
  lab = new Lab()
})

afterEach(() => lab.close())

const TEN = ['ping', '-n', '-c', '10', '-i', '0.02', '-W', '1']

describeRoot('wireguard-go as a peer', () => {
  it('calls us: the first exchange costs what it costs between two kernels, and both count it', async () => {
    const s = await StockPeer.start(lab, { caller: 'wireguard-go' })
    expect(await untilPeer(s.agent, 'go', () => true)).toMatchObject({ endpoint: null, state: 'idle' })
    await s.w.run([...TEN, A.inner4])
    expect(await s.seenByGo('transfer')).toBe(`${RESPONDER}\t${INITIATOR}`)
    expect(await s.seenByAgent('transfer')).toBe(`${INITIATOR}\t${RESPONDER}`)
    const peer = await untilPeer(s.agent, 'go', (p) => p.state === 'up')
    expect(peer).toMatchObject({ endpoint: `${W.outer4}:${W.port}`, security: 'secure', publicKey: s.goKeys.public })
    expect(await s.seenByGo('latest-handshakes')).toMatch(/^[1-9]\d+$/)
  })

  it('is called by us: the same the other way round', async () => {
    const s = await StockPeer.start(lab, { caller: 'agent' })
    expect(await s.seenByGo('endpoints')).toBe('(none)')
    await s.a.run([...TEN, W.inner4])
    expect(await s.seenByAgent('transfer')).toBe(`${RESPONDER}\t${INITIATOR}`)
    expect(await s.seenByGo('transfer')).toBe(`${INITIATOR}\t${RESPONDER}`)
    expect(await s.seenByGo('endpoints')).toBe(`${A.outer4}:${A.port}`)
    expect(await s.seenByAgent('latest-handshakes')).toMatch(/^[1-9]\d+$/)
  })

  describe.each([
    ['IPv4', false],
    ['IPv6', true],
  ])('over %s', (_family, v6) => {
    it('carries every byte both ways', async () => {
      const s = await StockPeer.start(lab, { v6 })
      await reaches(s.a, W.inner4, W.inner6)
      await reaches(s.w, A.inner4, A.inner6)
      const [there4, there6] = [W.inner4, W.inner6].map((address) => ({ from: s.a, to: s.w, address }))
      const [back4, back6] = [A.inner4, A.inner6].map((address) => ({ from: s.w, to: s.a, address }))
      for (const way of [there4!, there6!, back4!, back6!]) {
        await transferTcp(way, MANY)
        await transferUdp(way, 50, [4, 64, 1000, 1372, 5000])
      }
      for (const size of [1391, 1392]) await s.w.run(['ping', '-n', '-c', '1', '-M', 'do', '-s', `${size}`, A.inner4])
      const { 'udp-receive-overflow': _busy, 'no-route': _own, ...lost } = await drops(s.agent)
      expect(lost).toEqual({})
    })
  })

  it('is known by its preshared key too', async () => {
    const s = await StockPeer.start(lab, { caller: 'wireguard-go', peer: { presharedKeyFile: undefined } })
    await cannotReach(s.w, A.inner4)
    expect((await untilPeer(s.agent, 'go', () => true)).lastHandshakeSeconds).toBeNull()
    await s.reload({ peer: {} })
    await until(
      'an answer',
      () => ping(s),
      (n) => n === 1,
    )
  })

  it('goes on when it has been started anew and calls', async () => {
    const s = await StockPeer.start(lab)
    await reaches(s.a, W.inner4)
    await s.go.remove()
    await s.startGo()
    await reaches(s.w, A.inner4)
    await reaches(s.a, W.inner4)
  })

  it('goes on when we have been started anew', async () => {
    const s = await StockPeer.start(lab)
    await reaches(s.w, A.inner4)
    await s.agent.stop()
    await s.startAgent()
    await reaches(s.a, W.inner4)
    process.kill(s.agent.pid, 'SIGKILL')
    await until(
      'the device',
      () => s.a.ip('-o', 'link'),
      (links) => !links.includes(s.device),
    )
    await s.startAgent()
    await reaches(s.a, W.inner6)
    await reaches(s.w, A.inner4)
  })

  it('is followed when it roams, and follows us', async () => {
    const s = await StockPeer.start(lab)
    await reaches(s.a, W.inner4)
    // Its port, its address, its family.
    await s.go.set('listen-port', '20001')
    await reaches(s.w, A.inner4)
    expect((await untilPeer(s.agent, 'go', () => true)).endpoint).toBe(`${W.outer4}:20001`)
    await s.w.ip('addr', 'del', `${W.outer4}/24`, 'dev', 'eth0')
    await s.w.ip('addr', 'add', '198.18.0.22/24', 'dev', 'eth0')
    await s.go.set('peer', s.keys.public, 'endpoint', `${A.outer4}:${A.port}`)
    await untilReaches(s.w, A.inner4)
    expect((await untilPeer(s.agent, 'go', () => true)).endpoint).toBe('198.18.0.22:20001')
    await s.go.set('peer', s.keys.public, 'endpoint', `[${A.outer6}]:${A.port}`)
    await reaches(s.w, A.inner6)
    expect((await untilPeer(s.agent, 'go', () => true)).endpoint).toBe(`[${W.outer6}]:20001`)
    await reaches(s.a, W.inner4)
    // Ours: a reload that moves the port, and leaves the peer where it is by now.
    await s.reload({ more: { underlay: { interface: 'eth0', wireguardPort: 7 } } })
    await reaches(s.a, W.inner4)
    expect(await s.seenByGo('endpoints')).toBe(`[${A.outer6}]:7`)
    await s.a.ip('addr', 'del', `${A.outer6}/64`, 'dev', 'eth0')
    await s.a.ip('addr', 'add', 'fd00:18::11/64', 'dev', 'eth0', 'nodad')
    await untilReaches(s.a, W.inner4)
    expect(await s.seenByGo('endpoints')).toBe('[fd00:18::11]:7')
    await transferTcp({ from: s.w, to: s.a, address: A.inner4 }, MANY)
  })

  it('says nothing under a prefix that is not its own, and is followed all the same', async () => {
    const s = await StockPeer.start(lab)
    await reaches(s.w, A.inner4)
    const stranger = { publicKey: pair().public, allowedIps: [`${W.inner4}/32`] }
    await s.reload({ peer: { allowedIps: ['10.43.0.3/32', `${W.inner6}/128`] }, others: { stranger } })
    const before = await drops(s.agent)
    await s.go.set('listen-port', '20002')
    const ping = ['ping', '-n', '-c', '3', '-i', '0.05', '-W', '0.1', A.inner4]
    await expect(s.w.run(ping)).rejects.toThrow('ended with 1')
    await untilDropped(s.agent, 'source-not-allowed', before, 3)
    // What it says is not let in, but it is it that says so.
    expect((await untilPeer(s.agent, 'go', () => true)).endpoint).toBe(`${W.outer4}:20002`)
    await reaches(s.w, A.inner6)
    await s.reload({})
    await reaches(s.w, A.inner4)
  })

  it('hears our keepalives, and we hear its', async () => {
    const s = await StockPeer.start(lab, { caller: 'agent', peer: { keepalive: '1s' } })
    // Nobody has said anything.
    const got = async (): Promise<number> => Number((await s.seenByGo('transfer')).split('\t')[0])
    await until('three keepalives', got, (n) => n >= 148 + 3 * KEEPALIVE)
    await s.reload({ peer: {} })
    await s.go.set('peer', s.keys.public, 'persistent-keepalive', '1')
    const ours = async (): Promise<number> => Number((await s.seenByAgent('transfer')).split('\t')[0])
    const then = await ours()
    await until('three keepalives', ours, (n) => n >= then + 3 * KEEPALIVE)
    expect((await status(s.agent)).networks[0]).toMatchObject({ rxPackets: 0, txPackets: 0 })
  })
}, ['ping', 'wg', 'wireguard-go'])

async function ping(s: StockPeer): Promise<number> {
  const one = ['ping', '-n', '-c', '1', '-W', '0.5', A.inner4]
  return s.w.run(one).then(
    () => 1,
    () => 0,
  )
}
