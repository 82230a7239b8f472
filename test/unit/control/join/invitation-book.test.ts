import { describe, expect, it, test } from 'vitest'
import { bookSchema, type Invitation, InvitationBook, KEPT } from '../../../../src/control/join/invitation-book.ts'
import { Secret } from '../../../../src/control/secret.ts'
import { KEY_B, KEY_C, publicKey } from '../../../support/config.ts'

const GUEST = publicKey(50)
const NOW = 1_700_000_000

function invitation(more: Partial<Invitation> = {}): Invitation {
  const presharedKey = new Secret(new Uint8Array(32).fill(7))
  return {
    name: 'host-b',
    network: 'blue',
    guest: GUEST,
    presharedKey,
    expires: NOW + 3600,
    came: null,
    replaced: null,
    ...more,
  }
}

function came(at: number, done = true, key = KEY_B) {
  return { key, addresses: ['10.42.0.2/24'], direct: true, at, done }
}

describe('an invitation', () => {
  const book = new InvitationBook()

  test.each<[string, Partial<Invitation>, number, unknown]>([
    ['is good before it expires', {}, NOW + 3599, null],
    ['says when it expired', {}, NOW + 3600, { why: 'expired', at: NOW + 3600, text: '' }],
    ['says when it was used', { came: came(NOW + 5.5) }, NOW + 10, { why: 'used', at: NOW + 5, text: '' }],
    ['was used rather than expired', { came: came(NOW + 5) }, NOW + 9000, { why: 'used', at: NOW + 5, text: '' }],
    ['says when it was replaced', { replaced: NOW + 7 }, NOW + 9, { why: 'replaced', at: NOW + 7, text: '' }],
  ])('%s', (_, more, now, no) => {
    expect(book.refusal(invitation(more), now)?.no ?? null).toEqual(no)
  })

  it('tells who just used it its place again, and nobody else, until that host runs', () => {
    const one = invitation({ came: came(NOW, false) })
    expect(book.refusal(one, NOW + 10, KEY_B)).toBeNull()
    expect(book.refusal(one, NOW + 10, KEY_C)).toMatchObject({ no: { why: 'used' } })
    expect(book.refusal(one, NOW + 60, KEY_B)).toMatchObject({ no: { why: 'used' } })
    one.came!.done = true
    expect(book.refusal(one, NOW + 10, KEY_B)).toMatchObject({ no: { why: 'used' } })
  })

  it('may be taken back for a minute, until the host runs', () => {
    expect(book.mayUndo(invitation({ came: came(NOW, false) }), NOW + 59)).toBe(true)
    expect(book.mayUndo(invitation({ came: came(NOW, false) }), NOW + 60)).toBe(false)
    expect(book.mayUndo(invitation({ came: came(NOW, true) }), NOW + 1)).toBe(false)
    expect(book.mayUndo(invitation(), NOW)).toBe(false)
  })
})

describe('the book', () => {
  it('lets another invitation for the same name take the place of one that is open, and of no other', () => {
    const book = new InvitationBook()
    const [first, used, second] = [
      invitation(),
      invitation({ guest: publicKey(51), came: came(NOW) }),
      invitation({ guest: publicKey(52) }),
    ]
    book.add(used, NOW)
    book.add(first, NOW)
    book.add(second, NOW + 1)
    expect([used.replaced, first.replaced, second.replaced]).toEqual([null, NOW + 1, null])
    expect(book.find(second.guest)).toBe(second)
  })

  it('keeps what has ended for a day', () => {
    const book = new InvitationBook()
    book.add(invitation(), NOW)
    book.add(invitation({ name: 'host-c', guest: publicKey(51), came: came(NOW + 10) }), NOW)
    expect(book.nextPrune()).toBe(NOW + 10 + KEPT)
    expect(book.prune(NOW + 9 + KEPT)).toBe(false)
    expect(book.prune(NOW + 10 + KEPT)).toBe(true)
    expect(book.all.map((one) => one.name)).toEqual(['host-b'])
    expect(book.prune(NOW + 3600 + KEPT)).toBe(true)
    expect(book.nextPrune()).toBe(Number.POSITIVE_INFINITY)
  })

  it('remembers whom it brought, by name, until they are no peers any more', () => {
    const book = new InvitationBook()
    book.bring(invitation({ came: came(NOW) }))
    book.bring(invitation({ name: 'host-c', came: came(NOW, true, KEY_C) }))
    expect(book.brought('blue').map((b) => b.name)).toEqual(['host-b', 'host-c'])
    expect(book.brought('red')).toEqual([])
    book.bring(invitation({ came: came(NOW, true, publicKey(9)) }))
    expect(book.brought('blue').map((b) => b.key)).toEqual([KEY_C, publicKey(9)])
    book.retain((b) => b.key === KEY_C)
    expect(book.brought('blue').map((b) => b.name)).toEqual(['host-c'])
    book.forget('host-c')
    expect(book.brought('blue')).toEqual([])
  })

  it('is the same after it was written and read, but for joins that were under way', () => {
    const book = new InvitationBook()
    book.add(invitation(), NOW)
    const used = invitation({ name: 'host-c', guest: publicKey(51), came: came(NOW, false) })
    book.add(used, NOW)
    book.bring(used)
    const text = JSON.stringify(book)
    const again = new InvitationBook(bookSchema.parse(JSON.parse(text)))
    expect(JSON.stringify(again)).toBe(text.replace('"done":false', '"done":true'))
    expect([...again.find(GUEST)!.presharedKey.copy()]).toEqual(new Array(32).fill(7))
    expect(again.brought('blue')).toEqual(book.brought('blue'))
  })
})
