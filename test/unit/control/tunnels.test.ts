import { expect, it } from 'vitest'
import type { PeerConfig } from '../../../src/control/config/model.ts'
import { Secret } from '../../../src/control/secret.ts'
import { TunnelControl } from '../../../src/control/tunnels.ts'
import { Counters } from '../../../src/counters.ts'
import type { Mailbox, Order } from '../../../src/datapath/mailbox.ts'
import { KEY_B, KEY_C, keyBytes } from '../../support/config.ts'

async function opened() {
  const orders: Order[] = []
  const tell = (order: Order): number => orders.push(order)
  const mailbox = { ask: (order: Order) => Promise.resolve(tell(order)), tell } as unknown as Mailbox
  const resolver = { address: () => undefined } as never
  const counters = new Counters()
  const tunnels = await TunnelControl.open({
    mailbox,
    counters,
    resolver,
    lookUp: () => Promise.resolve(false),
    said: () => {},
  })
  return { orders, tunnels }
}

it('says that handshake messages are done with before all that came together are: else those count as waiting, and as load', async () => {
  const { orders, tunnels } = await opened()
  const told = (): number =>
    orders.reduce((sum, order) => sum + (order.kind === 'handled' ? order.outcomes.length : 0), 0)
  const message = new Uint8Array(148)
  message[0] = 1
  for (let came = 1; came <= 1000; came++) {
    tunnels.hear({ kind: 'handshake', message, from: new Uint8Array(32), local: new Uint8Array(32), waiting: 1 })
    expect(came - told()).toBeLessThan(128)
  }
  await new Promise((resolve) => setImmediate(resolve))
  expect(told()).toBe(1000)
  expect(orders.length).toBeLessThan(100)
})

it('has sessions go on after a new key of ours where the far end comes from a store, and there alone', async () => {
  const { orders, tunnels } = await opened()
  const peer = (name: string, publicKey: string) =>
    ({ name, publicKey, endpoint: null, presharedKey: null, keepaliveSec: 0, networks: [] }) as unknown as PeerConfig
  const [first, next] = [101, 102].map((seed) => new Secret(keyBytes(seed)))
  await tunnels.setPrivateKey(first!)
  await tunnels.want([peer('listed', KEY_B)], 51820)
  await tunnels.hold(peer('stored', KEY_C), 51820)
  expect(orders.some(({ kind }) => kind === 'renew-tunnels')).toBe(false)
  await tunnels.setPrivateKey(next!)
  expect(orders.at(-1)).toEqual({ kind: 'renew-tunnels', kept: [tunnels.tunnel(KEY_C)] })
})
