// The flannel networks of a host, before the store says anything.
import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import type { Follower, FollowerEvents } from '../../../../src/control/flannel/model.ts'
import { Flannels } from '../../../../src/control/flannel/networks.ts'
import { Traces } from '../../../../src/control/traces.ts'
import { parse } from '../../../support/config.ts'

class SilentFollower extends EventEmitter<FollowerEvents> {
  readonly current = null
  start(): void {}
  setIdentity(): void {}
  async stop(): Promise<void> {}
}

test('a network that is not there says why', async () => {
  const follower = new SilentFollower()
  const said: string[] = []
  const flannels = new Flannels({
    runtimeDir: '/run/vtepd',
    traces: new Traces('/run/vtepd', () => {}),
    log: { info: (line) => said.push(line), warn: (line) => said.push(line) },
    follow: () => follower as unknown as Follower,
    overlay: () => {
      throw new Error('nothing to place')
    },
    apply: async () => {},
    applyRules: async () => {},
    inTurn: (change) => change(),
    ready: () => said.push('ready'),
    repaired: () => {},
  })
  // Nor is anything ready before it is known what there is.
  expect(flannels.ready).toBe(false)
  await flannels.sync(parse(CONFIG), [])
  expect(flannels.ready).toBe(false)
  const have = () => flannels.undesired().map((u) => `${u.where}: ${u.what} is ${u.have}`)
  expect(have()).toEqual(['pods: network is not joined: nothing was heard of the store yet'])
  follower.emit('trouble', 'no subnet of 10.42.0.0/16 is free', ['no subnet of 10.42.0.0/16 is free'])
  follower.emit('trouble', 'no subnet of 10.42.0.0/16 is free', [])
  expect(have()).toEqual(['pods: network is not joined: no subnet of 10.42.0.0/16 is free'])
  follower.emit('well')
  expect(have()).toEqual(['pods: network is not joined: nothing was heard of the store yet'])
  expect(said).toEqual([
    'network pods: no subnet of 10.42.0.0/16 is free',
    'network pods: all is well with the store again',
  ])
})

const CONFIG = `
underlay: { address: 198.18.0.1 }
control: { etcd: { endpoints: [http://198.18.0.9:2379] } }
networks: { pods: { type: flannel, security: plain } }
`
