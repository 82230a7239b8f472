import { expect, it } from 'vitest'
import { TunnelControl } from '../../../src/control/tunnels.ts'
import { Counters } from '../../../src/counters.ts'
import type { Mailbox, Order } from '../../../src/datapath/mailbox.ts'

it('says that handshake messages are done with before all that came together are: else those count as waiting, and as load', async () => {
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
