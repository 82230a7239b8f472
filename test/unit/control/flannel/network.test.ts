// One flannel network: a new key, said to the store first and used only when the store has it; a store that is away.
import { EventEmitter } from 'node:events'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Config, FlannelConfig } from '../../../../src/control/config/model.ts'
import type { Identity } from '../../../../src/control/flannel/model.ts'
import { Flannel } from '../../../../src/control/flannel/network.ts'
import { KEY_B, KEY_C, OWN_KEY } from '../../../support/config.ts'

const FILE = { name: 'pods', security: 'secure', netns: null, mac: '02:00:00:00:00:01' } as FlannelConfig

function config(publicKey: string, more: Partial<Config> = {}): Config {
  return { node: 'a', publicKey, underlay: { wireguardPort: 51820 }, flannels: [FILE], networks: [], ...more } as Config
}

class FakeFollower extends EventEmitter {
  readonly current = null
  readonly keys: (string | null)[] = []
  answer: (isTaken: boolean) => void = () => {}

  start(): void {}

  setIdentity({ publicKey }: Identity): void {
    this.keys.push(publicKey)
  }

  published(): Promise<boolean> {
    return new Promise((resolve) => {
      this.answer = resolve
    })
  }
}

let follower: FakeFollower
let one: Flannel

beforeEach(() => {
  follower = new FakeFollower()
  one = new Flannel(
    {
      runtimeDir: '/nowhere',
      inTurn: async () => {},
      follow: () => follower,
      log: { info: () => {}, warn: () => {} },
    } as never,
    FILE,
    config(OWN_KEY),
    [],
  )
  one.network = {} as never
  one.ready = true
})

describe('a new key', () => {
  test('that the store does not take is taken back, and its use refused', async () => {
    const announced = one.announce(config(KEY_B))
    expect(one.undesired()).toMatchObject([{ what: 'key', where: 'pods', want: 'the new one' }])
    follower.answer(false)
    await expect(announced).rejects.toMatchObject({
      status: 503,
      message: expect.stringContaining('the old one stays'),
    })
    expect(follower.keys).toEqual([KEY_B, OWN_KEY])
    expect(one.undesired()).toEqual([])
  })

  test('is said on when the underlay moves meanwhile, until it is settled what becomes of it', () => {
    void one.announce(config(KEY_B))
    one.change(FILE, config(OWN_KEY), [])
    one.settle()
    one.change(FILE, config(OWN_KEY), [])
    expect(follower.keys).toEqual([KEY_B, KEY_B, OWN_KEY])
  })

  test('is nobody’s business where there is no secure network, or will be none', async () => {
    await one.announce(config(KEY_B, { flannels: [] }))
    await one.announce(config(KEY_B, { flannels: [{ ...FILE, security: 'plain' }] }))
    one.network = null
    await one.announce(config(KEY_C))
    expect(follower.keys).toEqual([])
  })
})

test('a store that is away is told of while the network goes on', () => {
  follower.emit('trouble', 'the store does not answer', ['the store does not answer'])
  expect(one.undesired()).toMatchObject([
    { what: 'store', where: 'pods', want: 'followed', have: 'the store does not answer; what was known goes on' },
  ])
  one.ready = false
  expect(one.undesired()).toMatchObject([{ what: 'network', have: 'not joined: the store does not answer' }])
  one.ready = true
  follower.emit('well')
  expect(one.undesired()).toEqual([])
})
