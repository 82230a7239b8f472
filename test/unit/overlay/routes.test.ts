import { expect, test } from 'vitest'
import { NONE } from '../../../src/drop.ts'
import { Routes } from '../../../src/overlay/routes.ts'

const v4 = (a: number, length: number) => ({ words: [a | 0, 0, 0, 0], v6: false, length })
const v6 = (words: number[], length: number) => ({ words, v6: true, length })
const TEN = 0x0a000000

function routes(...entries: { prefix: ReturnType<typeof v4>; vtep: number }[]): Routes {
  const made = new Routes(0x5eed1234)
  for (const { prefix, vtep } of entries) made.put(prefix, vtep)
  return made
}

test('an empty table has no route', () => {
  expect(new Routes(1).find4(TEN)).toBe(NONE)
  expect(routes().find6(1, 2, 3, 4)).toBe(NONE)
})

test('the longest prefix wins, from /0 to /32', () => {
  const all = Array.from({ length: 33 }, (_, n) => ({
    prefix: v4(n === 0 ? 0 : 0xc0a80101 & (-1 << (32 - n)), n),
    vtep: n,
  }))
  const table = routes(...all)
  expect(table.find4(0xc0a80101 | 0)).toBe(32)
  for (let n = 0; n < 32; n++) expect(table.find4((0xc0a80101 ^ (1 << (31 - n))) | 0)).toBe(n)
})

test('the same for IPv6, across words', () => {
  const all = [0, 1, 31, 32, 33, 64, 96, 127, 128].map((n) => ({
    prefix: v6(
      [0, 1, 2, 3].map((k) => (n >= 32 * k + 32 ? -1 : n <= 32 * k ? 0 : -1 << (32 * k + 32 - n))),
      n,
    ),
    vtep: n,
  }))
  const table = routes(...all)
  expect(table.find6(-1, -1, -1, -1)).toBe(128)
  expect(table.find6(-1, -1, -1, -2)).toBe(127)
  expect(table.find6(-1, -1, -1, 0)).toBe(96)
  expect(table.find6(-1, -1, 0, -1)).toBe(64)
  expect(table.find6(-1, -(2 ** 31), 0, 0)).toBe(33)
  expect(table.find6(-1, 0, 0, 0)).toBe(32)
  expect(table.find6(-2, 0, 0, 0)).toBe(31)
  expect(table.find6(-(2 ** 31), 0, 0, 0)).toBe(1)
  expect(table.find6(1, -1, -1, -1)).toBe(0)
})

test('families do not mix: ::/0 is no route for IPv4', () => {
  const table = routes({ prefix: v6([0, 0, 0, 0], 0), vtep: 6 })
  expect(table.find4(0)).toBe(NONE)
  expect(table.find6(0, 0, 0, 0)).toBe(6)
  table.put(v4(0, 0), 4)
  table.remove(v6([0, 0, 0, 0], 0), 6)
  expect(table.find4(-1)).toBe(4)
  expect(table.find6(0, 0, 0, 0)).toBe(NONE)
})

test('a prefix given twice belongs to the last; its first owner cannot take it away', () => {
  const table = routes({ prefix: v4(TEN, 8), vtep: 1 }, { prefix: v4(TEN, 8), vtep: 2 })
  expect(table.find4(TEN + 5)).toBe(2)
  table.remove(v4(TEN, 8), 1)
  expect(table.find4(TEN + 5)).toBe(2)
  table.remove(v4(TEN, 8), 2)
  expect(table.find4(TEN + 5)).toBe(NONE)
  expect(table.size).toBe(0)
})

test('a thousand hosts are found, their neighbours are not', () => {
  const table = routes(...Array.from({ length: 1000 }, (_, i) => ({ prefix: v4(TEN + 2 * i, 32), vtep: i })))
  for (let i = 0; i < 1000; i++) {
    expect(table.find4(TEN + 2 * i)).toBe(i)
    expect(table.find4(TEN + 2 * i + 1)).toBe(NONE)
  }
})
