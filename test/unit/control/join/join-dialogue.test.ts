import { describe, expect, it, test } from 'vitest'
import { NoAnswer } from '../../../../src/control/join/asker.ts'
import {
  type Ask,
  allMembers,
  type JoinSide,
  joinDialogue,
  Refusing,
} from '../../../../src/control/join/join-dialogue.ts'
import {
  type Member,
  no,
  type Offer,
  pageOf,
  type Reply,
  type Request,
} from '../../../../src/control/join/join-message.ts'
import { KEY_B, KEY_C } from '../../../support/config.ts'
import { JoinWire, type WireOptions } from '../../../support/join-wire.ts'
import { seed } from '../../../support/seed.ts'

const OFFER: Offer = {
  network: { name: 'blue', vni: 42, device: 'tap', mtu: null },
  prefixes: ['10.42.0.0/24'],
  ips: [],
}
const GRANT = { addresses: ['10.42.0.2/24'], direct: true }
const OWN = { key: KEY_B, port: 51820, at: ['198.18.0.2'], want: [] }
const BAD: WireOptions = { seed, loss: 40, doubled: 30, delay: [1, 900] }

function members(n: number): Member[] {
  return Array.from({ length: n }, (_, i) => ({
    name: `host-${i}`,
    key: KEY_C,
    endpoint: '198.18.0.3:51820',
    ips: [],
    told: true,
  }))
}

/** A host that takes everybody, and notes what it was asked. */
class Host {
  readonly asked: string[] = []
  list = members(40)
  version = '0000000000000001'
  reply = (request: Request): Reply => {
    switch (request.ask) {
      case 'offer':
        return { offer: OFFER }
      case 'members':
        return { page: pageOf(this.list, request.from, this.version) }
      case 'join':
        return { grant: GRANT }
      default:
        return { done: true }
    }
  }

  answer = async (request: Request): Promise<Reply> => {
    this.asked.push(request.ask)
    return this.reply(request)
  }
}

/** What the joining side did with the answers. */
class Side implements JoinSide {
  readonly seen: unknown[] = []
  broken = false

  consider(offer: Offer, list: readonly Member[]): typeof OWN {
    this.seen.push(offer, list.length)
    return OWN
  }

  async settle(_offer: Offer, _members: readonly Member[], grant: unknown): Promise<void> {
    this.seen.push(grant)
    if (this.broken) throw new Error('a device is in the way')
  }
}

function between(host: Host, options: Partial<WireOptions> = {}): { wire: JoinWire; ask: Ask } {
  const wire = new JoinWire({ seed, loss: 0, doubled: 0, delay: [5, 5], ...options }, host.answer)
  return { wire, ask: (question) => wire.asker.ask(question, wire.now, 60_000) }
}

describe('a join', () => {
  it('asks for the offer, the members, a place, and says when it runs', async () => {
    const [host, side] = [new Host(), new Side()]
    const { wire, ask } = between(host)
    await wire.drive(joinDialogue(ask, side))
    expect(side.seen).toEqual([OFFER, 40, GRANT])
    expect(host.asked.filter((one) => one !== 'members')).toEqual(['offer', 'join', 'done'])
    expect(host.asked.indexOf('join')).toBeGreaterThan(host.asked.lastIndexOf('members'))
  })

  test.each(Array.from({ length: 20 }, (_, i) => [i]))(
    'comes through a wire that loses, doubles and reorders (%i), and each question is answered once',
    async (n) => {
      const [host, side] = [new Host(), new Side()]
      const { wire, ask } = between(host, { ...BAD, seed: seed + n })
      await wire.drive(joinDialogue(ask, side))
      expect(side.seen).toEqual([OFFER, 40, GRANT])
      expect(host.asked.filter((one) => one === 'join')).toHaveLength(1)
      expect(host.asked.at(-1)).toBe('done')
    },
  )

  it('that comes to nothing here is taken back there, and says why', async () => {
    const [host, side] = [new Host(), new Side()]
    side.broken = true
    const { wire, ask } = between(host, { ...BAD, loss: 20 })
    await expect(wire.drive(joinDialogue(ask, side))).rejects.toThrow('a device is in the way')
    expect(host.asked.at(-1)).toBe('undo')
    expect(host.asked).not.toContain('done')
  })

  it('that does not fit here takes no place there', async () => {
    const [host, side] = [new Host(), new Side()]
    side.consider = () => {
      throw new Error('there is a network blue already')
    }
    const { wire, ask } = between(host)
    await expect(wire.drive(joinDialogue(ask, side))).rejects.toThrow('there is a network blue already')
    expect(host.asked).not.toContain('join')
  })

  it.each(['offer', 'members', 'join'])('ends with the reason when the host says no to %s', async (what) => {
    const [host, side] = [new Host(), new Side()]
    const { reply } = host
    host.reply = (request) => (request.ask === what ? no('used', '', 1_700_000_000) : reply(request))
    const { wire, ask } = between(host)
    const error = await wire.drive(joinDialogue(ask, side)).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(Refusing)
    expect((error as Refusing).no).toEqual({ why: 'used', at: 1_700_000_000, text: '' })
    expect(side.seen).not.toContainEqual(GRANT)
  })

  it('ends when nobody answers', async () => {
    const { wire, ask } = between(new Host())
    wire.deaf = true
    await expect(wire.drive(joinDialogue(ask, new Side()))).rejects.toThrow(NoAnswer)
  })

  it('holds when only its last word gets no answer', async () => {
    const [host, side] = [new Host(), new Side()]
    const { wire, ask } = between(host)
    const settle = side.settle.bind(side)
    side.settle = async (...given) => {
      await settle(...given)
      wire.deaf = true
    }
    await wire.drive(joinDialogue(ask, side))
    expect(side.seen).toContainEqual(GRANT)
  })

  it('ends when answers are to something else', async () => {
    const host = new Host()
    host.reply = () => ({ done: true })
    const { wire, ask } = between(host)
    await expect(wire.drive(joinDialogue(ask, new Side()))).rejects.toThrow(Refusing)
  })
})

describe('the members of a network', () => {
  it('are asked for anew when the list changes on the way', async () => {
    const host = new Host()
    const { reply } = host
    let pages = 0
    host.reply = (request) => {
      pages++
      if (pages === 2) {
        host.list = members(7)
        host.version = '0000000000000002'
      }
      return reply(request)
    }
    const { wire, ask } = between(host)
    expect(await wire.drive(allMembers(ask, 'blue'))).toHaveLength(7)
  })

  it('are given up when the list never stands still', async () => {
    const host = new Host()
    const { reply } = host
    let n = 0
    host.reply = (request) => {
      host.version = String(++n).padStart(16, '0')
      return reply(request)
    }
    const { wire, ask } = between(host)
    await expect(wire.drive(allMembers(ask, 'blue'))).rejects.toThrow(Refusing)
  })

  it('are given up when pages lead back', async () => {
    const host = new Host()
    host.reply = () => ({ page: { version: host.version, from: 0, next: 0, members: members(1) } })
    const { wire, ask } = between(host)
    await expect(wire.drive(allMembers(ask, 'blue'))).rejects.toThrow(Refusing)
  })

  it('are no more than any network has', async () => {
    const host = new Host()
    host.reply = (request) => {
      const from = request.ask === 'members' ? request.from : 0
      return { page: { version: host.version, from, next: from + 1, members: members(5) } }
    }
    const { wire, ask } = between(host)
    await expect(wire.drive(allMembers(ask, 'blue'))).rejects.toThrow(Refusing)
  })
})
