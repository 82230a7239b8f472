import { expect, test } from 'vitest'
import { Pace } from '../../../../src/control/upkeep/pace.ts'

const NOW = 1_700_000_000_000

function taken(pace: Pace, now: number): number {
  let n = 0
  while (pace.take(now)) n++
  return n
}

test('lets twenty pass at once, then five a second, and twenty again after a rest', () => {
  const pace = new Pace()
  expect(taken(pace, NOW)).toBe(20)
  expect(taken(pace, NOW + 199)).toBe(0)
  expect(taken(pace, NOW + 200)).toBe(1)
  expect(taken(pace, NOW + 1200)).toBe(5)
  expect(taken(pace, NOW + 60_000)).toBe(20)
})

test('goes on when the clock is set back', () => {
  const pace = new Pace()
  expect(taken(pace, NOW)).toBe(20)
  expect(taken(pace, NOW - 3_600_000)).toBe(0)
  expect(taken(pace, NOW - 3_600_000 + 400)).toBe(2)
})
