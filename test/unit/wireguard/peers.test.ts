import { describe, expect, it } from 'vitest'
import { REJECT_AFTER_MESSAGES, REKEY_AFTER_MESSAGES } from '../../../src/wireguard/constants.ts'
import type { NewSession } from '../../../src/wireguard/new-session.ts'
import { type Effects, Peers } from '../../../src/wireguard/peers.ts'
import type { Session } from '../../../src/wireguard/session.ts'

const SECOND = 1000
const START = 1_000_000
const ID = 3

/** Peers with a clock in hand; what it asks for becomes lines, with the seconds since START. */
class Bench implements Effects {
  now = START
  lines: string[] = []
  /** How many packets wait. */
  waiting = 0
  slots = new Set<number>()
  room = 1000
  readonly peers: Peers
  private nextSlot = 0
  private nextIndex = 100

  constructor(chance = 0) {
    this.peers = new Peers(this, () => chance, 0x5eed)
    this.peers.set(ID, 0, this.now)
  }

  initiate = (peer: number) => this.note(`initiate ${peer}`)
  keepalive = (peer: number) => {
    this.note(`keepalive ${peer}`)
    this.peers.sender(peer, 1, this.now)!.counter += 1
    this.peers.sent(peer, false, this.now)
  }
  ready = (peer: number) => {
    if (this.waiting === 0) return false
    this.note(`ready ${peer}`)
    this.waiting = 0
    return true
  }
  dropStaged = (peer: number) => {
    this.waiting = 0
    this.note(`drop ${peer}`)
  }
  installKey = (key: Uint8Array, remoteIndex: number) => {
    expect(key.some((byte) => byte !== 0)).toBe(true)
    expect(remoteIndex).toBe(77)
    key.fill(0)
    if (this.slots.size >= this.room) return -1
    this.slots.add(this.nextSlot)
    return this.nextSlot++
  }
  retireKey = (slot: number) => {
    expect(this.slots.delete(slot)).toBe(true)
  }
  retired = (index: number) => this.note(`retired ${index}`)
  clearHandshake = (peer: number) => this.note(`clear ${peer}`)
  forgetSource = (peer: number) => this.note(`forget ${peer}`)

  /** Lines since the last call. */
  said(): string[] {
    return this.lines.splice(0)
  }

  /** Lets time pass, doing what is due when it is due. */
  pass(ms: number): void {
    const end = this.now + ms
    while (this.peers.nextDeadline() <= end) {
      this.now = Math.max(this.now, this.peers.nextDeadline())
      this.peers.expire(this.now)
    }
    this.now = end
  }

  /** A handshake has succeeded. */
  begin(initiator: boolean, yields = false): NewSession {
    const made = fresh(this.nextIndex++, initiator, yields)
    this.peers.begin(ID, made, this.now)
    return made
  }

  /** Data for the peer: sent, or staged. */
  send(packets = 1): Session | undefined {
    const session = this.peers.sender(ID, packets, this.now)
    if (session === undefined) {
      this.waiting++
      return undefined
    }
    session.counter += packets
    this.peers.sent(ID, true, this.now)
    return session
  }

  /** A message of the session comes in. */
  hear(index: number, data = true): boolean {
    const session = this.peers.find(index, this.now)
    if (session === undefined) return false
    this.peers.received(session, data, this.now)
    return true
  }

  private note(line: string): void {
    this.lines.push(`${(this.now - START) / SECOND} ${line}`)
  }
}

function fresh(local: number, initiator: boolean, yields = false): NewSession {
  const key = () => new Uint8Array(32).fill(1)
  return { local, remote: 77, initiator, yields, send: key(), receive: key() }
}

const local = (session: Session | undefined) => session?.local

describe('a packet without a session', () => {
  it('asks for a handshake, which is repeated every 5 s until it is given up', () => {
    const b = new Bench()
    expect(b.send()).toBeUndefined()
    expect(b.said()).toEqual(['0 initiate 3'])
    b.pass(99.999 * SECOND)
    const times = Array.from({ length: 19 }, (_, i) => (i + 1) * 5)
    expect(b.said()).toEqual(times.flatMap((t) => [`${t} forget 3`, `${t} initiate 3`]))
    expect(b.peers.status(ID, b.now).state).toBe('handshaking')
    b.pass(100 * SECOND)
    expect(b.said()).toEqual(['100 drop 3'])
    expect(b.peers.status(ID, b.now).state).toBe('idle')
    b.send()
    expect(b.said()).toEqual(['199.999 initiate 3'])
  })

  it('waits up to 333 ms longer than that, by chance', () => {
    const b = new Bench(0.9999)
    b.send()
    b.pass(5.332 * SECOND)
    expect(b.said()).toEqual(['0 initiate 3'])
    b.pass(1)
    expect(b.said()).toEqual(['5.333 forget 3', '5.333 initiate 3'])
  })

  it('asks no more often than every 5 s, and while packets come nothing is given up', () => {
    const b = new Bench()
    for (let i = 0; i < 300; i++) {
      b.send()
      b.pass(SECOND)
    }
    const said = b.said()
    expect(said.filter((line) => line.includes('initiate')).length).toBe(61)
    expect(said.filter((line) => line.includes('drop'))).toEqual([])
  })

  it('of a peer that is not there asks for nothing', () => {
    const b = new Bench()
    expect(b.peers.sender(99, 1, b.now)).toBeUndefined()
    b.peers.sent(99, true, b.now)
    expect(b.said()).toEqual([])
    expect(b.peers.nextDeadline()).toBe(Number.POSITIVE_INFINITY)
  })
})

describe('a new session', () => {
  it('as initiator sends at once: what waits, or else a keepalive', () => {
    const b = new Bench()
    b.send()
    b.begin(true)
    expect(b.said()).toEqual(['0 initiate 3', '0 ready 3'])
    const c = new Bench()
    c.begin(true)
    expect(c.said()).toEqual(['0 keepalive 3'])
    expect(c.peers.find(100, c.now)?.counter).toBe(1)
    expect(c.peers.status(ID, c.now)).toEqual({ state: 'up', completedAt: c.now })
  })

  it('as responder waits until something comes in it', () => {
    const b = new Bench()
    b.send()
    b.begin(false)
    expect(b.send()).toBeUndefined()
    expect(b.peers.status(ID, b.now)).toEqual({ state: 'handshaking', completedAt: Number.NEGATIVE_INFINITY })
    b.said()
    b.pass(20)
    expect(b.hear(100, false)).toBe(true)
    expect(b.said()).toEqual(['0.02 ready 3'])
    expect(local(b.send())).toBe(100)
    expect(b.peers.status(ID, b.now)).toEqual({ state: 'up', completedAt: b.now })
  })

  it('stops the repetition of initiations', () => {
    for (const initiator of [true, false]) {
      const b = new Bench()
      b.send()
      b.begin(initiator)
      b.hear(100, false)
      b.said()
      b.pass(60 * SECOND)
      expect(b.said().filter((line) => line.includes('initiate'))).toEqual([])
    }
  })

  it('holds two keys in native memory and none here', () => {
    const b = new Bench()
    const made = b.begin(true)
    expect([...made.send, ...made.receive].every((byte) => byte === 0)).toBe(true)
    const session = b.peers.find(100, b.now)!
    expect([...b.slots]).toEqual([session.sendKey, session.receiveKey])
  })

  it.each([0, 1])('for whose keys there is no room (but for %d) is none, and holds none', (room) => {
    const b = new Bench()
    b.room = room
    const made = b.begin(true)
    expect(b.said()).toEqual(['0 retired 100'])
    expect(b.slots.size).toBe(0)
    expect(b.peers.find(100, b.now)).toBeUndefined()
    expect(b.send()).toBeUndefined()
    expect([...made.send, ...made.receive].every((byte) => byte === 0)).toBe(true)
  })

  it('for a peer that is gone is none', () => {
    const b = new Bench()
    b.peers.remove(ID)
    b.said()
    const made = b.begin(true)
    expect(b.said()).toEqual(['0 retired 100'])
    expect([...made.send, ...made.receive].every((byte) => byte === 0)).toBe(true)
  })
})

describe('rotation', () => {
  /** Which of the sessions made so far are still heard. */
  const heard = (b: Bench, count: number) =>
    Array.from({ length: count }, (_, i) => 100 + i).filter((index) => b.peers.find(index, b.now) !== undefined)

  it('as initiator keeps the session before for what is under way, and no more', () => {
    const b = new Bench()
    b.begin(true)
    b.begin(true)
    expect([local(b.send()), heard(b, 2)]).toEqual([101, [100, 101]])
    b.begin(true)
    expect([local(b.send()), heard(b, 3)]).toEqual([102, [101, 102]])
    expect(b.slots.size).toBe(4)
  })

  it('as initiator keeps what is still heard, be it older', () => {
    const b = new Bench()
    b.begin(true)
    b.begin(true)
    b.hear(100)
    b.begin(true)
    expect([local(b.send()), heard(b, 3)]).toEqual([102, [100, 102]])
    b.hear(102)
    b.begin(true)
    expect([local(b.send()), heard(b, 4)]).toEqual([103, [102, 103]])
  })

  it('as responder goes on sending with the old one until the new one is used', () => {
    const b = new Bench()
    b.begin(true)
    b.begin(false)
    expect([local(b.send()), heard(b, 2)]).toEqual([100, [100, 101]])
    b.hear(100)
    expect(local(b.send())).toBe(100)
    b.hear(101)
    expect([local(b.send()), heard(b, 2)]).toEqual([101, [100, 101]])
    // A late packet of the old one changes nothing.
    b.hear(100)
    expect(local(b.send())).toBe(101)
  })

  it('as responder replaces what nobody has used', () => {
    const b = new Bench()
    b.begin(true)
    b.begin(true)
    b.begin(false)
    // The far end may still send with the one before, when both had begun at once.
    expect(heard(b, 3)).toEqual([100, 101, 102])
    b.begin(false)
    expect(heard(b, 4)).toEqual([100, 101, 103])
    expect(local(b.send())).toBe(101)
    expect(b.slots.size).toBe(6)
  })

  it('as initiator keeps for receiving what the other side may have begun to use', () => {
    const b = new Bench()
    b.begin(true)
    b.begin(false)
    b.begin(true)
    expect([local(b.send()), heard(b, 3)]).toEqual([102, [101, 102]])
    b.hear(101)
    expect(local(b.send())).toBe(102)
  })

  it('tells when an index names nothing any more', () => {
    const b = new Bench()
    b.begin(true)
    b.begin(true)
    b.begin(true)
    expect(b.said().filter((line) => line.includes('retired'))).toEqual(['0 retired 100'])
  })
})

describe('renewal', () => {
  const renewals = (b: Bench) => b.said().filter((line) => line.includes('initiate'))

  it.each([
    ['the initiator sends 120 s after it', true, false, 120],
    ['both had begun and it is for the other side, 10 s later', true, true, 130],
  ])('when %s', (_name, initiator, yields, age) => {
    const b = new Bench()
    b.begin(initiator, yields)
    b.pass(age * SECOND - 1)
    b.said()
    b.hear(100)
    b.send()
    expect(renewals(b)).toEqual([])
    b.pass(1)
    b.hear(100)
    expect(renewals(b)).toEqual([])
    b.send()
    expect(renewals(b)).toEqual([`${age} initiate 3`])
  })

  it('is not for the responder, however old the session', () => {
    const b = new Bench()
    b.begin(false)
    for (let age = 0; age < 179; age++) {
      b.hear(100)
      b.send()
      b.pass(SECOND)
    }
    expect(renewals(b)).toEqual([])
  })

  it('is asked for once when the initiator receives 165 s after it, and again in the next session', () => {
    const b = new Bench()
    for (const at of [165, 330]) {
      b.begin(true)
      b.said()
      b.pass(165 * SECOND - 1)
      b.hear(b.peers.sender(ID, 1, b.now)!.local)
      expect(renewals(b)).toEqual([])
      b.pass(1)
      for (let i = 0; i < 3; i++) b.hear(b.peers.sender(ID, 1, b.now)!.local, false)
      expect(renewals(b)).toEqual([`${at} initiate 3`])
    }
  })

  it.each([true, false])('comes by number too, initiator or not (%s)', (initiator) => {
    const b = new Bench()
    b.begin(initiator)
    b.hear(100)
    b.pass(6 * SECOND)
    b.peers.find(100, b.now)!.counter = REKEY_AFTER_MESSAGES - 1
    b.send()
    expect(renewals(b)).toEqual([])
    b.send()
    expect(renewals(b)).toEqual(['6 initiate 3'])
  })
})

describe('the end of a session', () => {
  it('comes 180 s after it: nothing is sent, nothing heard, its keys go', () => {
    const b = new Bench()
    b.begin(true)
    b.pass(180 * SECOND - 1)
    expect(b.peers.find(100, b.now)).toBeDefined()
    expect(b.peers.sender(ID, 1, b.now)).toBeDefined()
    b.said()
    // Before `expire` has run, too.
    b.now += 1
    expect(b.peers.find(100, b.now)).toBeUndefined()
    expect(b.peers.sender(ID, 1, b.now)).toBeUndefined()
    b.pass(0)
    expect(b.said()).toEqual(['180 retired 100', '180 initiate 3'])
    expect(b.slots.size).toBe(0)
  })

  it('comes for each of three in its turn', () => {
    const b = new Bench()
    b.begin(true)
    b.pass(10 * SECOND)
    b.begin(true)
    b.pass(10 * SECOND)
    b.peers.begin(ID, fresh(102, false), b.now)
    b.said()
    b.pass(200 * SECOND)
    const retired = ['180 retired 100', '190 retired 101', '200 retired 102']
    expect(b.said().filter((line) => line.includes('retired'))).toEqual(retired)
  })

  it('comes before its counters run out', () => {
    const b = new Bench()
    b.begin(true)
    const session = b.peers.find(100, b.now)!
    session.counter = REJECT_AFTER_MESSAGES - 3
    expect(b.peers.sender(ID, 4, b.now)).toBeUndefined()
    expect(b.peers.sender(ID, 3, b.now)).toBe(session)
  })

  it('540 s after the last one all is forgotten, the handshake and what waits as well', () => {
    const b = new Bench()
    b.begin(true)
    b.pass(30 * SECOND)
    b.begin(true)
    b.said()
    b.pass(540 * SECOND - 1)
    expect(b.said().filter((line) => line.includes('clear'))).toEqual([])
    b.pass(1)
    expect(b.said()).toEqual(['570 clear 3', '570 drop 3'])
    expect(b.peers.nextDeadline()).toBe(Number.POSITIVE_INFINITY)
  })

  it('540 s after giving up as well', () => {
    const b = new Bench()
    b.send()
    b.pass(640 * SECOND)
    expect(b.said().slice(-3)).toEqual(['100 drop 3', '640 clear 3', '640 drop 3'])
  })

  it('may be used by a caller that still holds it, to no effect', () => {
    const b = new Bench()
    b.begin(false)
    const session = b.peers.find(100, b.now)!
    b.begin(false)
    b.said()
    b.peers.received(session, true, b.now)
    expect(b.send()).toBeUndefined()
    b.peers.remove(ID)
    b.peers.received(session, true, b.now)
    expect(b.slots.size).toBe(0)
  })
})

describe('silence', () => {
  /** An initiator's session whose first keepalive has left, all quiet. */
  function quiet(): Bench {
    const b = new Bench()
    b.begin(true)
    b.said()
    return b
  }

  it('after data came is broken by a keepalive in 10 s', () => {
    const b = quiet()
    b.hear(100)
    b.pass(10 * SECOND - 1)
    expect(b.said()).toEqual([])
    b.pass(60 * SECOND)
    expect(b.said()).toEqual(['10 keepalive 3'])
  })

  it('after more data came is broken once more', () => {
    const b = quiet()
    b.hear(100)
    b.pass(5 * SECOND)
    b.hear(100)
    b.pass(60 * SECOND)
    expect(b.said()).toEqual(['10 keepalive 3', '20 keepalive 3'])
  })

  it('after a keepalive came is not broken', () => {
    const b = quiet()
    b.hear(100, false)
    b.pass(60 * SECOND)
    expect(b.said()).toEqual([])
  })

  it('is none when we have sent something', () => {
    const b = quiet()
    b.hear(100)
    b.pass(9 * SECOND)
    b.send()
    b.hear(100, false)
    b.pass(60 * SECOND)
    expect(b.said()).toEqual([])
  })

  it('after data left means a new handshake in 15 s', () => {
    const b = quiet()
    b.send()
    b.pass(10 * SECOND)
    b.send()
    b.pass(5 * SECOND)
    expect(b.said()).toEqual(['15 forget 3', '15 initiate 3'])
  })

  it('after data left is over when anything comes', () => {
    const b = quiet()
    b.send()
    b.pass(14 * SECOND)
    b.hear(100, false)
    b.pass(60 * SECOND)
    expect(b.said()).toEqual([])
  })

  it.each([true, false])('after data left is over when a new session is made (as initiator: %s)', (initiator) => {
    const b = quiet()
    b.send()
    b.pass(10 * SECOND)
    b.begin(initiator)
    b.said()
    b.pass(40 * SECOND)
    expect(b.said()).toEqual([])
  })

  it('after a keepalive left means nothing', () => {
    const b = quiet()
    b.pass(60 * SECOND)
    expect(b.said()).toEqual([])
  })
})

describe('persistent keepalive', () => {
  const every = 25 * SECOND

  it('begins when it is configured, with a handshake where there is no session', () => {
    const b = new Bench()
    b.peers.set(ID, every, b.now)
    b.pass(0)
    expect(b.said()).toEqual(['0 initiate 3'])
    b.begin(true)
    b.pass(60 * SECOND)
    expect(b.said()).toEqual(['0 keepalive 3', '25 keepalive 3', '50 keepalive 3'])
  })

  it('counts from whatever left or came last', () => {
    const b = new Bench()
    b.begin(true)
    b.peers.set(ID, every, b.now)
    b.pass(0)
    b.pass(10 * SECOND)
    b.hear(100, false)
    b.pass(5 * SECOND)
    b.peers.initiated(ID, b.now)
    b.said()
    b.pass(30 * SECOND)
    expect(b.said()).toEqual(['40 keepalive 3'])
  })

  it('renews the session that it keeps, so that it is always up', () => {
    const b = new Bench()
    b.peers.set(ID, every, b.now)
    b.pass(0)
    b.begin(true)
    for (let i = 0; i < 40; i++) {
      b.pass(every)
      if (b.said().some((line) => line.includes('initiate'))) b.begin(true)
      expect(b.peers.status(ID, b.now).state).toBe('up')
    }
  })

  it('goes on where nobody answers and nothing can be sent', () => {
    const b = new Bench()
    b.peers.set(ID, every, b.now)
    b.pass(1000 * SECOND)
    expect(b.said().filter((line) => line.includes('initiate')).length).toBeGreaterThan(150)
  })

  it('is changed and taken away again', () => {
    const b = new Bench()
    b.begin(true)
    b.peers.set(ID, every, b.now)
    b.pass(0)
    b.peers.set(ID, 5 * SECOND, b.now)
    b.said()
    b.pass(7 * SECOND)
    expect(b.said()).toEqual(['5 keepalive 3'])
    b.peers.set(ID, 0, b.now)
    b.pass(60 * SECOND)
    expect(b.said()).toEqual([])
  })
})

describe('a new key of our own', () => {
  it('ends sending at once and not hearing, and asks without waiting', () => {
    const b = new Bench()
    b.send()
    b.begin(true)
    b.said()
    b.pass(SECOND)
    b.peers.expireAll(ID)
    expect(b.peers.find(100, b.now)).toBeDefined()
    expect(b.send()).toBeUndefined()
    expect(b.said()).toEqual(['1 initiate 3'])
    b.begin(true)
    expect(local(b.send())).toBe(101)
  })
})

describe('a new key of our own that the far end will hear of', () => {
  it('asks with the next that is sent, which goes on as before until there is another session', () => {
    const b = new Bench()
    b.send()
    b.begin(true)
    b.said()
    b.pass(SECOND)
    b.peers.renew(ID)
    expect(b.said()).toEqual([])
    expect(local(b.send())).toBe(100)
    expect(local(b.send())).toBe(100)
    expect(b.said()).toEqual(['1 initiate 3'])
    b.pass(5 * SECOND)
    expect(b.said()).toEqual(['6 forget 3', '6 initiate 3'])
    b.begin(true)
    expect(local(b.send())).toBe(101)
    b.said()
    b.pass(SECOND)
    expect(local(b.send())).toBe(101)
    expect(b.said()).toEqual([])
  })
})

describe('a peer that is removed', () => {
  it('takes its sessions and what waits with it', () => {
    const b = new Bench()
    b.begin(true)
    b.begin(false)
    b.said()
    b.peers.remove(ID)
    expect(b.said()).toEqual(['0 retired 100', '0 retired 101', '0 drop 3'])
    expect(b.slots.size).toBe(0)
    b.pass(1000 * SECOND)
    expect(b.said()).toEqual([])
    b.peers.set(ID, 0, b.now)
    expect(b.send()).toBeUndefined()
  })
})

describe('after a response', () => {
  it('we do not begin ourselves for 5 s, but then we do if nothing came of it', () => {
    const b = new Bench()
    b.begin(false)
    b.pass(SECOND)
    b.send()
    expect(b.said()).toEqual([])
    b.pass(4 * SECOND)
    expect(b.said()).toEqual(['5 forget 3', '5 initiate 3'])
  })
})

describe('deadlines', () => {
  it('of many peers fire each at its time', () => {
    const b = new Bench()
    for (let id = 10; id < 200; id++) b.peers.set(id, id * 100, b.now)
    b.pass(0)
    expect(b.said().length).toBe(190)
    b.pass(4.9 * SECOND)
    // Some are due already; nobody asks again before 5 s are over.
    expect(b.said()).toEqual([])
    b.pass(0.1 * SECOND)
    expect(b.said().length).toBe(2 * 190)
  })

  it('of one peer do not hide those of another', () => {
    const b = new Bench()
    b.peers.set(ID + 1, 0, b.now)
    b.send()
    b.peers.sent(ID + 1, true, b.now)
    expect(b.peers.nextDeadline()).toBe(START + 5 * SECOND)
  })

  it('are looked at only when one may be due', () => {
    const b = new Bench()
    b.send()
    const at = b.peers.nextDeadline()
    expect(at).toBe(START + 5 * SECOND)
    b.peers.expire(at - 1)
    expect(b.said()).toEqual(['0 initiate 3'])
  })
})
