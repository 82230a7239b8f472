// What the counters tell of tunnels: the state that `status` shows.
import { expect, it } from 'vitest'
import { TUNNEL_HANDSHAKING, TUNNEL_IDLE, TUNNEL_STATE } from '../../../src/counters.ts'
import { pack } from '../../../src/host/sockaddr.ts'
import { Vtep } from '../../support/vtep.ts'

it('shows a peer as handshaking while it is called, and not one that nobody knows a place of', () => {
  const v = new Vtep()
  v.tables.handle({ kind: 'set-tunnel-pools', pool4: 4, pool6: 6 })
  const set = (endpoint: Uint8Array | null): void => {
    v.tables.handle({ kind: 'set-tunnel', tunnel: 3, keepalive: 1000, endpoint })
  }
  const states: number[] = []
  const pass = (now: number): void => {
    v.tables.tunnels.now = now
    v.tables.tunnels.expire()
    v.tables.tunnels.sweep()
    states.push(v.counters.tunnel(3, TUNNEL_STATE))
  }
  set(null)
  pass(10_000)
  set(pack('198.18.0.2', 51820))
  pass(20_000)
  expect(states).toEqual([TUNNEL_IDLE, TUNNEL_HANDSHAKING])
})
