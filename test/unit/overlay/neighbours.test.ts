import { describe, expect, test } from 'vitest'
import { NONE } from '../../../src/drop.ts'
import { CONTROL, LEARNED, LOCAL, Neighbours, OVERRIDE, STATIC, UNTOLD } from '../../../src/overlay/neighbours.ts'

const AGEING = 3000
const MINUTE = 600
const WORDS: [number, number, number, number] = [0, 0, 0xffff, 0x0a2a0002]
const A = [0x0200, 0xa] as const
const B = [0x0200, 0xb] as const
const HOST_1 = 1
const HOST_2 = 2

const table = (limit = 16) => new Neighbours(limit, AGEING, 7)
const claim = (n: Neighbours, mac: readonly [number, number], vtep: number, tick: number, flags = OVERRIDE) =>
  n.claim(...WORDS, ...mac, vtep, flags, tick)
/** The MAC that may be answered, as its low word; null: none. */
function answer(n: Neighbours, tick: number): number | null {
  const at = n.owner(...WORDS, tick)
  return at === NONE ? null : n.lo(at)
}
const rows = (n: Neighbours, tick: number) => {
  const all: [number, number, number][] = []
  n.each(tick, (b) => all.push([b.lo, b.vtep, b.origin]))
  return all
}

describe('learned bindings', () => {
  test('are answered until a minute after they were last said, and kept until `ageing`', () => {
    const n = table()
    expect(answer(n, 0)).toBe(null)
    claim(n, A, HOST_1, 10)
    expect(answer(n, MINUTE + 9)).toBe(0xa)
    expect(answer(n, MINUTE + 10)).toBe(null)
    expect(rows(n, AGEING + 9)).toHaveLength(1)
    expect(rows(n, AGEING + 10)).toHaveLength(0)
    claim(n, A, HOST_1, MINUTE + 5)
    expect(answer(n, MINUTE + 10)).toBe(0xa)
  })

  test('are not answered beyond an `ageing` that is shorter', () => {
    const n = new Neighbours(16, 20, 7)
    claim(n, A, HOST_1, 0)
    expect([answer(n, 19), answer(n, 20)]).toEqual([0xa, null])
  })

  test('are swept when they are overdue', () => {
    const n = table()
    claim(n, A, HOST_1, 0)
    n.expire(AGEING - 1)
    expect(n.size).toBe(1)
    n.expire(AGEING)
    expect(n.size).toBe(0)
  })

  test('follow who spoke last: another MAC, another VTEP, our own side', () => {
    const n = table()
    claim(n, A, HOST_1, 0)
    claim(n, B, HOST_2, 1)
    expect(rows(n, 1)).toEqual([[0xb, HOST_2, LEARNED]])
    claim(n, B, LOCAL, 2)
    expect(rows(n, 2)).toEqual([[0xb, LOCAL, LEARNED]])
  })

  test('further ones than the limit are not learned, and known ones go on', () => {
    const n = table(1)
    claim(n, A, HOST_1, 0)
    n.claim(0, 0, 0xffff, 99, ...B, HOST_1, OVERRIDE, 0)
    expect(n.size).toBe(1)
    claim(n, B, HOST_2, 1)
    expect(answer(n, 1)).toBe(0xb)
  })

  test('go with their VTEP', () => {
    const n = table()
    claim(n, A, HOST_1, 0)
    n.forgetVtep(HOST_2)
    expect(n.size).toBe(1)
    n.forgetVtep(HOST_1)
    expect(n.size).toBe(0)
  })
})

describe('doubt', () => {
  test('an owner that is asked and has not answered is not answered for; once it has, it is', () => {
    const n = table()
    claim(n, A, HOST_1, 0)
    n.asked(...WORDS, 10)
    expect(answer(n, 11)).toBe(null)
    claim(n, A, HOST_1, 12)
    expect(answer(n, 13)).toBe(0xa)
  })

  test('a question at tick 0 is one too', () => {
    const n = table()
    claim(n, A, HOST_1, 0)
    n.asked(...WORDS, 0)
    expect(answer(n, 0)).toBe(null)
  })

  test('somebody else speaking for another MAC makes it forget; for the same MAC it does not', () => {
    const n = table()
    claim(n, A, HOST_1, 0)
    n.doubt(...WORDS, ...A)
    expect(answer(n, 1)).toBe(0xa)
    n.doubt(...WORDS, ...B)
    expect(answer(n, 1)).toBe(null)
    expect(n.size).toBe(0)
  })
})

describe('flags of advertisements', () => {
  test('are kept as told; a solicitation alone is not answered, and does not change what an advertisement told', () => {
    const n = table()
    claim(n, A, HOST_1, 0, UNTOLD)
    expect(answer(n, 0)).toBe(null)
    claim(n, A, HOST_1, 1, 0x80 | OVERRIDE)
    claim(n, A, HOST_1, 2, UNTOLD)
    expect(n.flags(n.owner(...WORDS, 2))).toBe(0x80 | OVERRIDE)
  })

  test('another MAC by solicitation takes over, and is not answered before it advertises', () => {
    const n = table()
    claim(n, A, HOST_1, 0, OVERRIDE)
    claim(n, B, HOST_2, 1, UNTOLD)
    expect(rows(n, 1)).toEqual([[0xb, HOST_2, LEARNED]])
    expect(answer(n, 1)).toBe(null)
  })

  test('without the O flag another MAC does not take over while the first is fresh (anycast)', () => {
    const n = table()
    claim(n, A, HOST_1, 0, 0)
    for (let k = 0; k < 10; k++) claim(n, B, HOST_2, 1, 0)
    expect(answer(n, 1)).toBe(0xa)
    expect(n.takeDuplicate(1)).toBe(null)
    claim(n, B, HOST_2, AGEING, 0)
    expect(answer(n, AGEING)).toBe(0xb)
  })
})

describe('duplicate addresses (RFC 9161 §3.7)', () => {
  const contest = (n: Neighbours, moves: number, from: number, step = 10) => {
    for (let k = 0; k <= moves; k++) claim(n, k % 2 === 0 ? A : B, k % 2 === 0 ? HOST_1 : HOST_2, from + k * step)
  }

  test('four changes are a fail-over, five within three minutes a duplicate: told, and not answered for', () => {
    const four = table()
    contest(four, 4, 0)
    expect(four.takeDuplicate(50)).toBe(null)
    expect(answer(four, 50)).toBe(0xa)
    const five = table()
    contest(five, 5, 0)
    expect(answer(five, 60)).toBe(null)
    expect(five.takeDuplicate(60)).toEqual({ words: WORDS, had: A, claimed: B })
    // Three minutes after the first of them.
    claim(five, B, HOST_2, 1850)
    expect(answer(five, 1850)).toBe(0xb)
  })

  test('five changes in ten minutes are none', () => {
    const n = table()
    contest(n, 5, 0, 1200)
    expect(n.takeDuplicate(6000)).toBe(null)
    expect(answer(n, 6000)).toBe(0xb)
  })

  test('are told of once a minute', () => {
    const n = table()
    contest(n, 8, 0)
    expect(n.takeDuplicate(100)).not.toBe(null)
    contest(n, 2, 100)
    expect(n.takeDuplicate(150)).toBe(null)
    expect(n.takeDuplicate(700)).not.toBe(null)
    expect(n.takeDuplicate(1400)).toBe(null)
  })
})

describe('origins', () => {
  test("the operator's binding neither ages nor moves, and whoever claims it is told of", () => {
    const n = table()
    n.put(WORDS, ...A, HOST_1, OVERRIDE, STATIC)
    claim(n, B, HOST_2, 5)
    n.asked(...WORDS, 6)
    n.doubt(...WORDS, ...B)
    n.expire(99_999)
    expect(answer(n, 99_999)).toBe(0xa)
    expect(n.takeDuplicate(10)).toEqual({ words: WORDS, had: A, claimed: B })
  })

  test('static beats control beats learned', () => {
    const n = table()
    claim(n, B, HOST_2, 0)
    n.put(WORDS, ...A, HOST_1, OVERRIDE, CONTROL)
    expect(rows(n, 0)).toEqual([[0xa, HOST_1, CONTROL]])
    n.put(WORDS, ...B, HOST_2, OVERRIDE, STATIC)
    n.put(WORDS, ...A, HOST_1, OVERRIDE, CONTROL)
    expect(rows(n, 0)).toEqual([[0xb, HOST_2, STATIC]])
  })

  test('are forgotten one by one, and bound ones beyond the limit', () => {
    const n = table(1)
    for (let k = 0; k < 200; k++) n.put([0, 0, 0xffff, k], ...A, HOST_1, OVERRIDE, k % 2 ? STATIC : CONTROL)
    expect(n.size).toBe(200)
    n.forgetOrigin(CONTROL)
    expect(n.size).toBe(100)
    expect(n.owner(0, 0, 0xffff, 199, 0)).not.toBe(NONE)
    expect(n.owner(0, 0, 0xffff, 198, 0)).toBe(NONE)
  })
})

test('a larger limit keeps what there is', () => {
  const n = table(32)
  for (let k = 0; k < 32; k++) n.claim(0xfd000042 | 0, 0, 0, k, 0x0200, k, HOST_1, OVERRIDE, 0)
  n.configure(4096, AGEING)
  for (let k = 0; k < 32; k++) expect(n.lo(n.owner(0xfd000042 | 0, 0, 0, k, 1))).toBe(k)
})
