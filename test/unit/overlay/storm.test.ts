import { expect, test } from 'vitest'
import { Storm } from '../../../src/overlay/storm.ts'

/** How many of `count` packets pass at `now`. */
const passed = (storm: Storm, count: number, now: number) =>
  Array.from({ length: count }, () => storm.take(1, now)).filter(Boolean).length

test("one second's worth passes at once, then as much as time brings", () => {
  const storm = new Storm(100, 5000)
  expect(passed(storm, 150, 5000)).toBe(100)
  expect(passed(storm, 150, 5000)).toBe(0)
  expect(passed(storm, 150, 5250)).toBe(25)
  expect(passed(storm, 500, 60_000)).toBe(100)
})

test('over an hour it is the rate, whatever the steps', () => {
  const storm = new Storm(7, 0)
  let sum = 0
  for (let now = 0; now < 3_600_000; now += 333) sum += passed(storm, 20, now)
  expect(Math.abs(sum - 3600 * 7)).toBeLessThan(20)
})

test('a train counts as its segments, and one larger than the bucket waits for a full one and is paid for', () => {
  const storm = new Storm(10, 0)
  expect(storm.take(4, 0)).toBe(true)
  expect(storm.take(7, 0)).toBe(false)
  expect(storm.take(6, 0)).toBe(true)
  expect(storm.take(44, 900)).toBe(false)
  expect(storm.take(44, 1000)).toBe(true)
  // 34 are owed: 3.4 s, and one packet more.
  expect(storm.take(1, 4400)).toBe(false)
  expect(storm.take(1, 4500)).toBe(true)
})

test('a new rate holds at once', () => {
  const storm = new Storm(1000, 0)
  storm.configure(5)
  expect(passed(storm, 100, 0)).toBe(5)
  storm.configure(50)
  expect(passed(storm, 100, 1000)).toBe(50)
})
