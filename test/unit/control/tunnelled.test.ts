// The peers of a secure network: what the data thread hears when some of them change.
import { expect, it } from 'vitest'
import type { Config, PeerConfig } from '../../../src/control/config/model.ts'
import type { PlacedPeer } from '../../../src/control/placed-peer.ts'
import { placeTunnelled } from '../../../src/control/tunnelled.ts'
import type { Mailbox, Order } from '../../../src/datapath/mailbox.ts'
import { KEY_B, KEY_C, parse } from '../../support/config.ts'

const FILE = (b: string, c: string): Config =>
  parse(`
privateKeyFile: /keys/own
networks: { red: { vni: 43, device: tun, address: 10.42.0.1/24 } }
peers:
  b: { publicKey: ${KEY_B}, allowedIps: [${b}] }
  c: { publicKey: ${KEY_C}, keepalive: 25s, allowedIps: [${c}] }
`)

/** An order as far as it matters here: prefixes by tunnel, and who goes. */
type Told = { put: [number, number][]; gone: readonly number[] }

function network(full: number | null = null) {
  const told: Told[] = []
  let next = 10
  const ask = async (order: Order): Promise<number[]> => {
    if (order.kind !== 'change-peers') throw new Error(order.kind)
    told.push({ put: order.peers.map((far) => [far.tunnel, far.prefixes.length]), gone: order.gone })
    return order.peers.map((far) => (far.tunnel === full ? -1 : next++))
  }
  const tunnel = (key: string): number => (key === KEY_B ? 1 : 2)
  let placed: PlacedPeer[] = []
  const place = async (config: Config, peers: readonly PeerConfig[] = config.peers): Promise<number[]> => {
    const red = { id: 0, config: config.networks[0]! }
    placed = await placeTunnelled(red, placed, peers, { mailbox: { ask } as unknown as Mailbox, tunnel })
    return placed.map(({ vtep }) => vtep)
  }
  return { told, place }
}

it('tells of all peers once, and then of what is different alone', async () => {
  const { told, place } = network()
  expect(await place(FILE('10.42.0.2/32', '10.42.0.3/32'))).toEqual([10, 11])
  expect(await place(FILE('10.42.0.2/32', '10.42.0.3/32'))).toEqual([10, 11])
  expect(told.splice(0)).toEqual([
    {
      put: [
        [1, 1],
        [2, 1],
      ],
      gone: [],
    },
  ])
  expect(await place(FILE('10.42.0.2/32', '10.42.0.3/32, 10.7.0.0/16'))).toEqual([10, 12])
  expect(told.splice(0)).toEqual([{ put: [[2, 2]], gone: [] }])
})

it('tells of both peers that a prefix moves between in one order, and of one that goes by its number', async () => {
  const { told, place } = network()
  await place(FILE('10.42.0.2/32', '10.42.0.3/32, 10.7.0.0/16'))
  told.splice(0)
  const moved = FILE('10.42.0.2/32, 10.7.0.0/16', '10.42.0.3/32')
  expect(await place(moved)).toEqual([12, 13])
  expect(await place(moved, moved.peers.slice(1))).toEqual([13])
  expect(told).toEqual([
    {
      put: [
        [1, 2],
        [2, 1],
      ],
      gone: [],
    },
    { put: [], gone: [12] },
  ])
})

it('tries again where there was no room', async () => {
  const { told, place } = network(2)
  const config = FILE('10.42.0.2/32', '10.42.0.3/32')
  expect(await place(config)).toEqual([10, -1])
  expect(await place(config)).toEqual([10, -1])
  expect(told.at(-1)).toEqual({ put: [[2, 1]], gone: [] })
})
