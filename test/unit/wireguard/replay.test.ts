import { describe, expect, it } from 'vitest'
import { REJECT_AFTER_MESSAGES } from '../../../src/wireguard/constants.ts'
import { Replay, WINDOW } from '../../../src/wireguard/replay.ts'

// The kernel's drivers/net/wireguard/selftest/counter.c: its cases and sweeps, by its names.
const T_LIM = WINDOW + 1

describe("the kernel's table", () => {
  it('one after the other', () => {
    const cases: [number, boolean][] = [
      [0, true],
      [1, true],
      [1, false],
      [9, true],
      [8, true],
      [7, true],
      [7, false],
      [T_LIM, true],
      [T_LIM - 1, true],
      [T_LIM - 1, false],
      [T_LIM - 2, true],
      [2, true],
      [2, false],
      [T_LIM + 16, true],
      [3, false],
      [T_LIM + 16, false],
      [T_LIM * 4, true],
      [T_LIM * 4 - (T_LIM - 1), true],
      [10, false],
      [T_LIM * 4 - T_LIM, false],
      [T_LIM * 4 - (T_LIM + 1), false],
      [T_LIM * 4 - (T_LIM - 2), true],
      [T_LIM * 4 + 1 - T_LIM, false],
      [0, false],
      [REJECT_AFTER_MESSAGES, false],
      [REJECT_AFTER_MESSAGES - 1, true],
      [REJECT_AFTER_MESSAGES, false],
      [REJECT_AFTER_MESSAGES - 1, false],
      [REJECT_AFTER_MESSAGES - 2, true],
      [REJECT_AFTER_MESSAGES + 1, false],
      [REJECT_AFTER_MESSAGES + 2, false],
      [REJECT_AFTER_MESSAGES - 2, false],
      [REJECT_AFTER_MESSAGES - 3, true],
      [0, false],
    ]
    expect(cases.length).toBe(34)
    const replay = new Replay()
    const got = cases.map(([counter]) => [counter, replay.accept(counter)])
    expect(got).toEqual(cases)
  })
})

describe("the kernel's sweeps", () => {
  /** Counters from `first` to `last`, both included, up or down. */
  function sweep(first: number, last: number): number[] {
    const step = first <= last ? 1 : -1
    return Array.from({ length: Math.abs(last - first) + 1 }, (_, i) => first + i * step)
  }

  it.each([
    ['1 up to the window, then 0 once', sweep(1, WINDOW), [0], [0]],
    ['2 up to one more than the window, then 1 but not 0', sweep(2, WINDOW + 1), [1], [0]],
    ['the window down to 0', sweep(WINDOW, 0), [], []],
    ['one more than the window down to 1, not 0', sweep(WINDOW + 1, 1), [], [0]],
    ['the window down to 1, then one more, not 0', sweep(WINDOW, 1), [WINDOW + 1], [0]],
    ['the window down to 1, then 0, then one more', sweep(WINDOW, 1), [0, WINDOW + 1], []],
  ])('%s', (_name, counters, then, refused) => {
    const replay = new Replay()
    expect(counters.filter((n) => !replay.accept(n))).toEqual([])
    expect(then.filter((n) => !replay.accept(n))).toEqual([])
    expect(refused.filter((n) => replay.accept(n))).toEqual([])
  })
})

describe('a window that moves on', () => {
  it.each([1, 31, 32, 33, 8127, 8128, 8159, 8160, 8161, 8191, 8192, 8193, 2 ** 31, 2 ** 32, 2 ** 40])(
    'by %d leaves nothing behind of what it was',
    (step) => {
      for (const start of [0, 5, 31, 8191, 2 ** 32 - 1, 2 ** 33 + 12345]) {
        const replay = new Replay()
        expect(replay.accept(start)).toBe(true)
        expect(replay.accept(start + step)).toBe(true)
        // Everything in the window between the two is new, once.
        const from = Math.max(start + 1, start + step - WINDOW)
        for (let n = from; n < start + step; n += 7) {
          expect(replay.accept(n), `${start} + ${step}: ${n}`).toBe(true)
          expect(replay.accept(n)).toBe(false)
        }
        expect(replay.accept(start)).toBe(false)
      }
    },
  )
})
