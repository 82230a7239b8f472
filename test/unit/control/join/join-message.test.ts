import { describe, expect, it, test } from 'vitest'
import {
  BODY_MAX,
  type JoinMessage,
  type Member,
  no,
  pageOf,
  readMessage,
  writeMessage,
} from '../../../../src/control/join/join-message.ts'
import { KEY_B, KEY_C } from '../../../support/config.ts'

const MEMBER: Member = { name: 'host-c', key: KEY_C, endpoint: '198.18.0.3:51820', ips: ['10.42.0.3/32'], told: true }
const VERSION = '0123456789abcdef'

const MESSAGES: JoinMessage[] = [
  { id: 0, ask: 'offer' },
  { id: 0xffffffff, ask: 'join', key: KEY_B, port: 51820, at: ['198.18.0.2', 'fd00::2'], want: ['10.42.0.7'] },
  { id: 7, ask: 'done' },
  { id: 8, ask: 'undo' },
  { id: 9, ask: 'members', network: 'blue', from: 12 },
  {
    id: 1,
    offer: {
      network: { name: 'blue', vni: 42, device: 'tun', mtu: null },
      prefixes: ['10.42.0.0/24'],
      ips: ['10.42.0.1/32'],
    },
  },
  { id: 2, grant: { addresses: ['10.42.0.2/24'], direct: true } },
  { id: 3, page: { version: VERSION, from: 0, next: null, members: [MEMBER, { ...MEMBER, endpoint: null, ips: [] }] } },
  { id: 4, done: true },
  { id: 5, ...no('used', '', 1_795_613_670) },
  { changed: 'blue' },
  { hello: 'blue' },
]

describe('a message', () => {
  test.each(MESSAGES.map((m) => [m] as const))('%j is read as it was written', (m) => {
    expect(readMessage(writeMessage(m))).toEqual(m)
  })

  test.each<[string, unknown]>([
    ['a key more', { id: 0, ask: 'offer', more: 1 }],
    ['a key of zeros', { ...MESSAGES[1], key: `${'A'.repeat(43)}=` }],
    ['a key with stray bits', { ...MESSAGES[1], key: `${'A'.repeat(42)}B=` }],
    ['no id', { ask: 'offer' }],
    ['an id that is none', { id: -1, ask: 'offer' }],
    ['a port of 0', { ...MESSAGES[1], port: 0 }],
    ['a name with a path in it', { changed: '../blue' }],
    ['a network’s number that is too large', { id: 1, offer: { ...offerWith({ vni: 1 << 24 }) } }],
    ['an MTU that is none', { id: 1, offer: { ...offerWith({ mtu: 1 }) } }],
    ['a prefix that is none', { id: 2, grant: { addresses: ['10.42.0.300/24'], direct: true } }],
    ['a reason that there is not', { id: 5, no: { why: 'because', at: null, text: '' } }],
    ['words that a terminal would obey', { id: 5, no: { why: 'full', at: null, text: '\u001b[2J' } }],
    ['a member’s endpoint that is none', pageWith({ endpoint: 'host-c:99999' })],
    ['a member’s name that is none', pageWith({ name: 'host c' })],
    ['more prefixes than a host has', pageWith({ ips: Array(9).fill('10.42.0.3/32') })],
    ['a list', []],
    ['nothing', null],
  ])('with %s is none', (_, value) => {
    expect(readMessage(Uint8Array.from([1, ...Buffer.from(JSON.stringify(value))]))).toBeNull()
  })

  test.each<[string, Uint8Array]>([
    ['empty', new Uint8Array(0)],
    ['of another version', Uint8Array.from([2, ...Buffer.from('{"id":0,"ask":"offer"}')])],
    ['no JSON', Uint8Array.from([1, ...Buffer.from('{"id":0,')])],
    ['too long', Uint8Array.from([1, ...Buffer.from(`{"id":0,"ask":"offer"}${' '.repeat(BODY_MAX)}`)])],
  ])('that is %s is none', (_, body) => {
    expect(readMessage(body)).toBeNull()
  })
})

describe('a page', () => {
  it('holds as many members as a message carries, and says where the next begins', () => {
    const members = Array.from({ length: 300 }, (_, i) => ({ ...MEMBER, name: `host-${i}` }))
    const seen: Member[] = []
    let pages = 0
    for (let from: number | null = 0; from !== null; pages++) {
      const page = pageOf(members, from, VERSION)
      const body = writeMessage({ id: 0xffffffff, page })
      expect(body.length).toBeLessThanOrEqual(BODY_MAX)
      expect(readMessage(body)).toEqual({ id: 0xffffffff, page })
      seen.push(...page.members)
      from = page.next
    }
    expect(seen).toEqual(members)
    expect(pages).toBeLessThan(60)
  })

  it('holds one at least, however long it is', () => {
    const longest: Member = {
      name: 'h'.repeat(63),
      key: KEY_B,
      endpoint: `${`${'a'.repeat(63)}.`.repeat(3)}${'b'.repeat(60)}:51820`,
      ips: Array.from({ length: 8 }, (_, i) => `fd00:1111:2222:3333:4444:5555:6666:${i}777/128`),
      told: false,
    }
    const page = pageOf([longest, longest], 0, VERSION)
    expect(page).toMatchObject({ next: 1, members: [longest] })
    expect(readMessage(writeMessage({ id: 1, page }))).toEqual({ id: 1, page })
  })

  it('beyond the end is empty, and the last', () => {
    expect(pageOf([MEMBER], 5, VERSION)).toEqual({ version: VERSION, from: 5, next: null, members: [] })
  })
})

function offerWith(change: object): object {
  return { network: { name: 'blue', vni: 42, device: 'tap', mtu: null, ...change }, prefixes: [], ips: [] }
}

function pageWith(change: object): object {
  return { id: 3, page: { version: VERSION, from: 0, next: null, members: [{ ...MEMBER, ...change }] } }
}
