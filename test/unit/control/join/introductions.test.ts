// A host that invited two others, and one of those: how it hears of the other. The wire between them loses nothing here; what is lost
// is asker.test.ts's business.
import { describe, expect, it, onTestFinished } from 'vitest'
import { Introducers } from '../../../../src/control/join/introducers.ts'
import { Introductions } from '../../../../src/control/join/introductions.ts'
import { InvitationBook } from '../../../../src/control/join/invitation-book.ts'
import { type Member, readMessage } from '../../../../src/control/join/join-message.ts'
import { KEY_B, KEY_C, publicKey } from '../../../support/config.ts'
import { BLUE, bare, guest, host, type Inviting, joined, joinWith, TUN } from '../../../support/inviting.ts'
import { until } from '../../../support/overlay.ts'
import type { OwnHome } from '../../../support/own-home.ts'

/** The agent of a host that came by invitation, and `said`: what it tells whom. */
class Guest {
  readonly home: OwnHome
  readonly introducers = new Introducers()
  readonly introductions: Introductions
  readonly told: [key: string, what: unknown][] = []
  /** What the host that invited answers; null: nothing. */
  host: Inviting | null
  members: readonly Member[] | null = null

  constructor(home: OwnHome, a: Inviting, direct = true) {
    this.home = home
    this.host = a
    this.introducers.set('blue', { key: a.home.config()!.publicKey!, name: 'host-a', direct })
    const tell = (key: string, body: Uint8Array): void => void this.tell(key, body)
    const book = new InvitationBook()
    const inTurn = <T>(change: () => Promise<T>): Promise<T> => change()
    this.introductions = new Introductions({ home, book, introducers: this.introducers, tell, inTurn })
    onTestFinished(() => this.introductions.close())
  }

  get peers(): string[] {
    return this.home.config()!.peers.map((p) => p.name)
  }

  private async tell(key: string, body: Uint8Array): Promise<void> {
    const message = readMessage(body)!
    this.told.push([key, message])
    if (!('ask' in message) || !this.host || key !== this.host.home.config()!.publicKey) return
    const { id, ...question } = message
    const page = this.members && { page: { version: '0'.repeat(16), from: 0, next: null, members: [...this.members] } }
    const speaker = { publicKey: this.home.config()!.publicKey!, place: null, guest: false }
    const reply = page ?? (await this.host.ask(speaker, question))
    this.introductions.handleAnswer(key, { id, ...reply })
  }
}

async function network(networks = BLUE): Promise<{ a: Inviting; b: Guest }> {
  const a = await host(networks)
  const home = await bare('198.18.0.2')
  await joined(a, home, await a.token('host-b'))
  return { a, b: new Guest(home, a) }
}

const NEWS = { changed: 'blue' }

describe('a member', () => {
  it('hears at its start of who came meanwhile, and greets its peers', async () => {
    const { a, b } = await network()
    await a.ask(guest(await a.token('host-c')), joinWith(KEY_C))
    b.introductions.start()
    await until(
      'peers',
      () => b.peers,
      (peers) => peers.includes('host-c'),
    )
    expect(b.home.text('conf.d/host-c.yaml')).toContain(
      '# Written by vtepd: host host-c of network blue, introduced by host-a.',
    )
    expect(b.home.config()!.peers.find((p) => p.name === 'host-c')).toMatchObject({
      publicKey: KEY_C,
      keepaliveSec: 0,
      networks: [{ network: 'blue' }],
    })
    expect(b.told).toContainEqual([a.home.config()!.publicKey, { hello: 'blue' }])
  })

  it('asks when who brought it says that there is news, and nobody else', async () => {
    const { a, b } = await network()
    b.introductions.handleNotice(KEY_C, NEWS)
    b.introductions.handleNotice(a.home.config()!.publicKey!, { changed: 'red' })
    b.introductions.handleNotice(a.home.config()!.publicKey!, { hello: 'blue' })
    expect(b.told).toEqual([])
    b.introductions.handleNotice(a.home.config()!.publicKey!, NEWS)
    expect(b.told).toMatchObject([[a.home.config()!.publicKey, { ask: 'members', network: 'blue', from: 0 }]])
  })

  it('takes answers from who brought it alone', async () => {
    const { a, b } = await network()
    b.host = null
    b.introductions.handleNotice(a.home.config()!.publicKey!, NEWS)
    const [, question] = b.told[0] as [string, { id: number }]
    const member: Member = { name: 'evil', key: publicKey(66), endpoint: null, ips: [], told: true }
    const page = { version: '0'.repeat(16), from: 0, next: null, members: [member] }
    b.introductions.handleAnswer(KEY_C, { id: question.id, page })
    await new Promise((resolve) => setImmediate(resolve))
    expect(b.peers).toEqual(['host-a'])
  })

  it('gives nothing that it has to somebody else', async () => {
    const { a, b } = await network(TUN)
    const has = b.home.files()
    b.members = [
      { name: 'host-a', key: publicKey(70), endpoint: null, ips: ['10.42.0.1/32'], told: true },
      { name: 'thief', key: publicKey(71), endpoint: null, ips: ['10.42.0.2/32', '0.0.0.0/0'], told: true },
    ]
    b.introductions.handleNotice(a.home.config()!.publicKey!, NEWS)
    await until(
      'a word about it',
      () => b.home.log.length,
      (n) => n >= 2,
    )
    expect(b.home.files()).toEqual(has)
    expect(b.home.reloads).toBe(1)
  })

  it('knows a host that was made anew by its new key', async () => {
    const { a, b } = await network()
    await a.ask(guest(await a.token('host-c')), joinWith(KEY_C))
    b.introductions.start()
    await until(
      'peers',
      () => b.peers,
      (peers) => peers.includes('host-c'),
    )
    await a.ask(guest(await a.token('host-c')), joinWith(publicKey(9)))
    b.introductions.handleNotice(a.home.config()!.publicKey!, NEWS)
    const keyOf = (): string | null => b.home.config()!.peers.find((p) => p.name === 'host-c')!.publicKey
    await until('its key', keyOf, (key) => key === publicKey(9))
    expect(b.peers.sort()).toEqual(['host-a', 'host-c'])
  })

  it('leaves its files as they were when the agent cannot take them', async () => {
    const { a, b } = await network()
    const has = b.home.files()
    await a.ask(guest(await a.token('host-c')), joinWith(KEY_C))
    b.home.refusal = new Error('no room')
    b.introductions.start()
    await until(
      'a reload',
      () => b.home.reloads,
      (n) => n >= 2,
    )
    await until(
      'files',
      () => JSON.stringify(b.home.files()),
      (files) => files === JSON.stringify(has),
    )
  })

  it('that cannot be called sends keepalives to those who can', async () => {
    const a = await host(BLUE)
    const home = await bare('198.18.0.2')
    await joined(a, home, await a.token('host-b'))
    const b = new Guest(home, a, false)
    const place = { address: '198.18.0.2', port: 51820 }
    await a.ask(guest(await a.token('host-c'), place), joinWith(KEY_C))
    home.addressList = ['192.168.7.7']
    b.introductions.start()
    await until(
      'peers',
      () => b.peers,
      (peers) => peers.includes('host-c'),
    )
    expect(home.config()!.peers.find((p) => p.name === 'host-c')).toMatchObject({ keepaliveSec: 25 })
  })
})

describe('who invited them', () => {
  it('tells all that it brought into the network but the one that came', async () => {
    const { a } = await network()
    await a.ask(guest(await a.token('host-c')), joinWith(KEY_C))
    const told: string[] = []
    const introductions = new Introductions({
      home: a.home,
      book: a.book,
      introducers: a.introducers,
      tell: (key) => void told.push(key),
      inTurn: (change) => change(),
    })
    onTestFinished(() => introductions.close())
    introductions.announce('blue', KEY_C)
    introductions.announce('red', null)
    expect(told).toEqual([a.book.brought('blue')[0]!.key])
    expect(told).not.toContain(KEY_B)
  })
})
