// Path MTUs of tunnels where they are joined with the rest: probes leave by the side door, answers come in opened, and what is
// found is the members' MTU. The machine itself: path-probe.test.ts.
import { beforeEach, describe, expect, test } from 'vitest'
import { Batch, HEADROOM } from '../../../src/batch.ts'
import { TUNNEL_TX_BYTES, VTEP_MTU } from '../../../src/counters.ts'
import { BASE, NEVER } from '../../../src/datapath/path-probe.ts'
import { NONE, UNKNOWN_PAYLOAD } from '../../../src/drop.ts'
import { pack } from '../../../src/host/sockaddr.ts'
import { keyWords } from '../../../src/overlay/vteps.ts'
import * as agentMessage from '../../../src/wire/agent-message.ts'
import { hex } from '../../support/bytes.ts'
import { far, SETTINGS, type Sent, Vtep } from '../../support/vtep.ts'

const TUNNEL = 3
const NOWHERE = new Uint8Array(16)
const EMSGSIZE = -90
const ENOBUFS = -105
/** Outer IPv4 and IPv6, UDP, and what seals. */
const OVERHEAD = { '198.18.0.2': 60, 'fd00:18::2': 80 }

let v: Vtep
let vtep: number

/** A host with a session through one tunnel, and a member of it in a network. */
function host(address: keyof typeof OVERHEAD = '198.18.0.2', stock = false, mtu = 1500): void {
  v = new Vtep()
  v.native.mtus.set(address, mtu)
  at(1000)
  v.tables.handle({ kind: 'set-tunnel-pools', pool4: 4, pool6: 6 })
  v.tables.handle({ kind: 'set-tunnel', tunnel: TUNNEL, keepalive: 0, endpoint: pack(address, 51820), stock })
  v.tables.handle({ kind: 'add-network', id: 0, vni: 42, layer2: true, port: 0, settings: SETTINGS })
  const peers = [far('0.0.0.0', { words: keyWords(TUNNEL), tunnel: TUNNEL })]
  vtep = (v.tables.handle({ kind: 'set-peers', id: 0, peers, statics: [] }) as number[])[0]!
  session(address)
}

function session(address: string): void {
  const key = (): Uint8Array => new Uint8Array(32)
  const made = { local: 7, remote: 8, initiator: true, send: key(), receive: key(), yields: false }
  v.tables.handle({
    ...{ kind: 'session', tunnel: TUNNEL, session: made, from: pack(address, 51820), local: NOWHERE, message: null },
  })
  leave()
}

function at(now: number): void {
  v.tables.now = now
  v.tables.tunnels.now = now
}

/** What leaves by the side door. */
function leave(): Sent[] {
  v.tables.tunnels.door.flush(v.udp)
  return v.udp.take()
}

function data(bytes = 1400): void {
  v.tables.tunnels.sealedSent(TUNNEL, bytes)
  v.tables.tunnels.expire()
}

/** The messages of agents' own among what left: [kind, nonce, size, bytes of the message]. */
function said(sent: readonly Sent[]): number[][] {
  return sent
    .filter((s) => s.bytes[0] === 0x76)
    .map(({ bytes }) => [bytes[1]!, agentMessage.nonce(bytes, 0), agentMessage.size(bytes, 0), bytes.length])
}

function hear(bytes: Uint8Array): number {
  const b = new Batch(8, new Uint8Array(HEADROOM + bytes.length))
  b.bytes.set(bytes, HEADROOM)
  return v.tables.tunnels.agentMessage(TUNNEL, b, HEADROOM, HEADROOM + bytes.length)
}

/** The far end answers those of the probes that are no larger than the path. */
function answer(probes: readonly number[][], mtu: number): void {
  for (const [, nonce, size] of probes) {
    if (size! > mtu) continue
    const bytes = new Uint8Array(agentMessage.PROBE_LEN)
    agentMessage.writeProbe(bytes, 0, agentMessage.PROBE_ANSWER, nonce!, size!)
    expect(hear(bytes)).toBe(0)
  }
}

/** Lets the far end answer as the path allows until nothing is due any more. */
function settle(mtu: number): void {
  for (let n = 0; n < 100; n++) {
    answer(said(leave()), mtu)
    const next = v.tables.tunnels.paths.nextDeadline()
    if (next === NEVER) return
    // What is due at once leaves the clock as it is.
    at(Math.max(next, v.tables.now))
    v.tables.tunnels.expire()
  }
}

const mtus = (): number[] =>
  v.news.flatMap((n) => (n.kind === 'mtu' ? [n.mtu] : [])).concat(v.counters.vtep(vtep, VTEP_MTU))

beforeEach(() => host())

describe('data through a tunnel', () => {
  test.each(['198.18.0.2', 'fd00:18::2'] as const)(
    'to %s asks how much arrives, in messages of that length',
    (address) => {
      host(address)
      data(64)
      const probes = said(leave())
      const overhead = OVERHEAD[address]
      expect(probes.map(([kind, , size, bytes]) => [kind, size, bytes])).toEqual(
        [128, BASE, 1500].map((size) => [agentMessage.PROBE, size, size - overhead]),
      )
    },
  )

  test('nothing but the first eight bytes of a probe is set', () => {
    data()
    const [probe] = leave().filter((s) => s.bytes.length === 1440)
    expect(probe!.bytes.subarray(agentMessage.PROBE_LEN).every((byte) => byte === 0)).toBe(true)
  })

  test('whose full size arrives changes nothing', () => {
    data()
    settle(1500)
    expect(mtus()).toEqual([1500])
  })

  test('whose path is narrow is told so once', () => {
    data()
    settle(1400)
    expect(mtus()).toEqual([1400, 1400])
    expect(v.tables.vteps.mtu[vtep]).toBe(1400)
    expect(v.drops()).toEqual({})
  })

  test('a stock peer is asked nothing, and nor is one that becomes it', () => {
    host('198.18.0.2', true)
    data()
    expect(leave()).toEqual([])
    host()
    data()
    settle(1400)
    v.tables.handle({ kind: 'set-tunnel', tunnel: TUNNEL, keepalive: 0, endpoint: null, stock: true })
    expect(v.tables.vteps.mtu[vtep]).toBe(1500)
    at(100_000)
    data()
    expect(leave()).toEqual([])
  })

  test('one that is no stock peer after all is asked', () => {
    host('198.18.0.2', true)
    v.tables.handle({ kind: 'set-tunnel', tunnel: TUNNEL, keepalive: 0, endpoint: null, stock: false })
    data()
    settle(1400)
    expect(v.tables.vteps.mtu[vtep]).toBe(1400)
  })

  test('counts probes among what the tunnel sends', () => {
    const before = v.counters.tunnel(TUNNEL, TUNNEL_TX_BYTES)
    v.tables.tunnels.paths.sent(TUNNEL, 1400)
    v.tables.tunnels.expire()
    leave()
    // UDP payload: less the outer IPv4 and UDP headers.
    expect(v.counters.tunnel(TUNNEL, TUNNEL_TX_BYTES) - before).toBe(128 + 1280 + 1500 - 3 * 28)
  })
})

describe('what goes wrong', () => {
  test("no session: nothing is sent, no handshake begins, and the kernel's word holds", () => {
    host()
    at(1000 + 200_000)
    v.news.length = 0
    v.tables.tunnels.paths.sent(TUNNEL, 1400)
    settle(1500)
    expect(v.udp.take()).toEqual([])
    expect(v.news.map((n) => n.kind)).toEqual(['retired'])
    expect(v.tables.vteps.mtu[vtep]).toBe(1500)
  })

  test('a full socket: probes wait, and answers count as ever', () => {
    data()
    v.udp.full = 1
    expect(v.tables.tunnels.door.flush(v.udp)).toBe(false)
    at(1050)
    expect(v.tables.tunnels.door.resume(v.udp)).toBe(true)
    answer(said(v.udp.take()), 1400)
    settle(1400)
    expect(v.tables.vteps.mtu[vtep]).toBe(1400)
  })

  test('the kernel refuses a probe: it knows of a narrower path, and its word is asked for instead', () => {
    v.udp.refuse = (s) => (s.bytes.length + 60 > 1450 ? EMSGSIZE : 0)
    data()
    v.native.mtus.set('198.18.0.2', 1450)
    settle(1450)
    expect(mtus()).toEqual([1450, 1450])
    expect(v.tables.tunnels.paths.nextDeadline()).toBe(NEVER)
  })

  test.each([ENOBUFS, EMSGSIZE])('error %i for no good reason proves nothing', (error) => {
    v.udp.refuse = (s) => (s.bytes.length + 60 > 1450 ? error : 0)
    data()
    settle(1500)
    expect(mtus()).toEqual([1500])
    expect(v.tables.tunnels.paths.nextDeadline()).toBe(NEVER)
  })

  test('a tunnel that goes while it is asked', () => {
    data()
    v.tables.handle({ kind: 'set-peers', id: 0, peers: [], statics: [] })
    v.tables.handle({ kind: 'remove-tunnel', tunnel: TUNNEL })
    leave()
    settle(1500)
    expect(v.drops()).toEqual({})
  })

  test('an answer for a tunnel that asks nothing', () => {
    answer([[0, 1, 1500]], 1500)
    expect(mtus()).toEqual([1500])
  })
})

describe('the far end', () => {
  test('asks: it is told the nonce and the size, and no device hears of it', () => {
    const probe = new Uint8Array(1440)
    agentMessage.writeProbe(probe, 0, agentMessage.PROBE, 0xfedcba98, 1500)
    expect(hear(probe)).toBe(0)
    expect(said(leave())).toEqual([[agentMessage.PROBE_ANSWER, 0xfedcba98, 1500, 8]])
    expect(v.counters.control).toBe(1)
  })

  test('that we do not ask gets no answer either', () => {
    host('198.18.0.2', true)
    const probe = new Uint8Array(8)
    agentMessage.writeProbe(probe, 0, agentMessage.PROBE, 1, 128)
    expect(hear(probe)).toBe(0)
    expect(leave()).toEqual([])
  })

  test('asks with less than a probe', () => {
    expect(hear(hex('76 01 00000001 05'))).toBe(UNKNOWN_PAYLOAD)
    expect(leave()).toEqual([])
    expect(v.counters.control).toBe(0)
  })

  test('asks more than can leave: what is too much is not answered, and counted all the same', () => {
    const probe = new Uint8Array(8)
    agentMessage.writeProbe(probe, 0, agentMessage.PROBE, 1, 128)
    for (let n = 0; n < 5000; n++) expect(hear(probe)).toBe(0)
    expect(leave().length).toBeLessThanOrEqual(1024)
    expect(v.counters.control).toBe(5000)
  })

  test('moves: what was found is void, and the next data asks anew', () => {
    data()
    settle(1400)
    v.native.mtus.set('198.18.0.9', 1500)
    v.tables.tunnels.endpoints.moved(TUNNEL, pack('198.18.0.9', 51820), 0, NOWHERE, 0)
    expect(v.tables.vteps.mtu[vtep]).toBe(1500)
    expect(said(leave())).toEqual([])
    data(64)
    expect(said(leave()).map(([, , size]) => size)).toEqual([128, BASE, 1500])
  })

  test('is nowhere', () => {
    v = new Vtep()
    v.tables.handle({ kind: 'set-tunnel', tunnel: TUNNEL, keepalive: 0, endpoint: null, stock: false })
    data()
    expect(leave()).toEqual([])
    expect(v.tables.farEnds.bare[TUNNEL]).toBe(NONE)
  })
})
