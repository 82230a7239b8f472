// A host of a secure network over a store takes another private key, while packets go both ways. Whoever hears of it early or late,
// nothing is lost: the walks, sessions and handshakes of two hosts on a wire in memory, and the second's members (control/members).
//
//   10.42.1.1 ─ host 1 ══ wire ══ host 2 ─ 10.42.2.1          host 1's key changes at 10 s
import { beforeAll, describe, expect, test } from 'vitest'
import type { NetworkConfig, PeerConfig } from '../../src/control/config/model.ts'
import { farBehind } from '../../src/control/far.ts'
import { Members } from '../../src/control/members.ts'
import { generate, type KeyPair } from '../../src/crypto/x25519.ts'
import type { Order } from '../../src/datapath/mailbox.ts'
import { ready } from '../../src/wireguard/handshakes.ts'
import { chance } from '../support/keys.ts'
import { SecureVtep, World } from '../support/secure-vtep.ts'
import { seed } from '../support/seed.ts'
import { idOf, packet } from '../support/stations.ts'

const NETWORK = { name: 'pods', security: 'secure', device: 'tun' } as NetworkConfig
const SWITCH = 10_000
const END = 60_000
/** Between two packets, and between two looks of control. */
const EVERY = 50

beforeAll(() => ready())

/** A host, and its members as control places them. Keys are known by their tunnels. */
class Member {
  readonly host: SecureVtep
  readonly members: Members
  private readonly world: World
  private readonly far: string
  private readonly keys = new Map<string, number>()

  constructor(world: World, n: number, own: KeyPair) {
    this.world = world
    this.far = `198.18.0.${3 - n}`
    this.host = new SecureVtep(world, `198.18.0.${n}`, own)
    this.host.network(0, 42, [], {}, false)
    const { tables } = this.host
    tables.handle({ kind: 'set-device', id: 0, fd: 9, layer2: false, tcp: true, udp: true, mtu: 1400, pad: 1400 })
    this.members = new Members({
      mailbox: { ask: async (order: Order) => tables.handle(order) } as never,
      far: async (peer) => ({ far: farBehind(this.tunnel(peer.publicKey!), peer, NETWORK), address: null, port: 0 }),
      release: async (key) => {
        this.host.handshakes.removePeer(this.keys.get(key)!)
        tables.handle({ kind: 'remove-tunnel', tunnel: this.keys.get(key)! })
        this.keys.delete(key)
      },
      call: (key) => tables.handle({ kind: 'tell', tunnel: this.keys.get(key)!, body: new Uint8Array(0) }),
      isUp: (key) => tables.tunnels.peers.status(this.keys.get(key)!, world.now).state === 'up',
    })
  }

  /** The store says that the other host has this key. */
  async place(subnet: string, key: Uint8Array): Promise<void> {
    const peer: PeerConfig = {
      name: subnet,
      endpoint: { host: this.far, port: null },
      publicKey: Buffer.from(key).toString('base64'),
      presharedKey: null,
      keepaliveSec: 0,
      type: 'vtepd',
      networks: [{ network: 'pods', allowedIps: [subnet], mac: null }],
    }
    await this.members.apply(0, NETWORK, new Map([[subnet, peer]]), { all: false, now: this.world.now })
  }

  private tunnel(key: string): number {
    const had = this.keys.get(key)
    if (had !== undefined) return had
    const taken = new Set(this.keys.values())
    const tunnel = [0, 1, 2].find((one) => !taken.has(one))!
    this.keys.set(key, tunnel)
    this.host.meet(tunnel, Buffer.from(key, 'base64'), { endpoint: this.far })
    return tunnel
  }
}

interface Story {
  /** When host 2 hears of the key, and when host 1 uses it; null: never. */
  readonly heard: number
  readonly used: number | null
  /** When host 2 hears that it is the old one after all. */
  readonly back?: number
}

async function tell({ heard, used, back = Number.POSITIVE_INFINITY }: Story) {
  const world = new World(seed)
  const random = chance(world.random())
  const [old, next, other] = [generate(random), generate(random), generate(random)]
  const [one, two] = [new Member(world, 1, old), new Member(world, 2, other)]
  const said: [number[], number[]] = [[], []]
  await one.place('10.42.2.0/24', other.public)
  const begin = world.now
  let id = 0
  for (let now = 0; now < END; now += EVERY) {
    if (now === used) {
      one.host.handshakes.setPrivateKey(next.private)
      one.host.tables.handle({ kind: 'renew-tunnels', kept: [0] })
    }
    await two.place('10.42.1.0/24', now >= heard && now < back ? next.public : old.public)
    for (const [k, { host }] of [one, two].entries()) {
      const [from, to] = k === 0 ? [1, 2] : [2, 1]
      said[k]!.push(++id)
      host.queue.push({ bytes: packet([from!, 1], [to!, 1], id, 60), link: 0 })
    }
    world.pass(begin + now + EVERY - world.now)
  }
  world.settle()
  for (const { host } of [one, two]) {
    const [given, told] = host.law()
    expect(told).toBe(given)
  }
  const came = ({ host }: Member): number[] => host.got.map((sent) => idOf(sent, false)).sort((a, b) => a - b)
  expect(came(two)).toEqual(said[0])
  expect(came(one)).toEqual(said[1])
  return { rolling: two.members.rolling, ends: [...two.members.all()].length }
}

describe('a new key loses nothing', () => {
  test.each<[string, Story]>([
    ['when the other has had time to hear of it', { heard: SWITCH - 1000, used: SWITCH }],
    ['when both happen at once', { heard: SWITCH, used: SWITCH }],
    ['when the other hears of it a little later', { heard: SWITCH + 300, used: SWITCH }],
    ['when the other hears of it much later', { heard: SWITCH + 30_000, used: SWITCH }],
    ['that is not used for long', { heard: SWITCH, used: SWITCH + 30_000 }],
    ['that is never used', { heard: SWITCH, used: null }],
    ['that is taken back', { heard: SWITCH, used: null, back: SWITCH + 20_000 }],
  ])('%s', async (_, story) => {
    const { rolling, ends } = await tell(story)
    const isOpen = story.used === null && story.back === undefined
    expect([rolling, ends]).toEqual([isOpen, isOpen ? 2 : 1])
  })
})
