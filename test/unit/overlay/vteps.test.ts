import { expect, test } from 'vitest'
import { NONE } from '../../../src/drop.ts'
import { Vteps } from '../../../src/overlay/vteps.ts'

const SEED = 0x5eed1234
const four = (n: number) => [0, 0, 0xffff, (0xc6120000 + n) | 0] as const
const six = (n: number) => [0xfd000000 | 0, 0, 0, n] as const

test('an address has one id in each network, and another in the next', () => {
  const vteps = new Vteps(8, SEED)
  const a = vteps.add(0, ...four(1), false)
  const b = vteps.add(1, ...four(1), false)
  expect(a).not.toBe(b)
  expect(vteps.add(0, ...four(1), false)).toBe(a)
  expect(vteps.find(0, ...four(1))).toBe(a)
  expect(vteps.find(1, ...four(1))).toBe(b)
  expect(vteps.find(2, ...four(1))).toBe(NONE)
})

test('the underlay takes 28 bytes over IPv4 and 48 over IPv6', () => {
  const vteps = new Vteps(8, SEED)
  expect(vteps.overhead[vteps.add(0, ...four(1), false)]).toBe(28)
  expect(vteps.overhead[vteps.add(0, ...six(1), false)]).toBe(48)
})

test('an id that comes back knows nothing of its last owner', () => {
  const vteps = new Vteps(1, SEED)
  const id = vteps.add(0, ...four(1), true)
  vteps.mtu[id] = 1400
  vteps.macHi[id] = 0x0200
  vteps.macLo[id] = 5
  vteps.macFixed[id] = 1
  expect(vteps.strangers).toBe(1)
  vteps.remove(id)
  expect(vteps).toMatchObject({ strangers: 0 })
  expect(vteps.network[id]).toBe(NONE)
  expect(vteps.add(3, ...six(9), false)).toBe(id)
  expect([vteps.mtu, vteps.macHi, vteps.macLo, vteps.macFixed, vteps.stranger].map((c) => c[id])).toEqual([
    0, 0xffff, -1, 0, 0,
  ])
  expect([...vteps.words]).toEqual([0xfd000000 | 0, 0, 0, 9])
})

test('when all ids are taken there is none, until one is freed', () => {
  const vteps = new Vteps(100, SEED)
  const ids = Array.from({ length: 100 }, (_, i) => vteps.add(0, ...four(i), false))
  expect(new Set(ids).size).toBe(100)
  expect(vteps.add(0, ...four(500), false)).toBe(NONE)
  vteps.remove(ids[40]!)
  expect(vteps.find(0, ...four(40))).toBe(NONE)
  expect(vteps.add(0, ...four(500), false)).toBe(ids[40])
  for (let i = 0; i < 100; i++) {
    if (i !== 40) expect(vteps.find(0, ...four(i))).toBe(ids[i])
  }
})

test('strangers are counted when they become peers, and peers when they become strangers', () => {
  const vteps = new Vteps(8, SEED)
  const id = vteps.add(0, ...four(1), true)
  vteps.setStranger(id, true)
  expect(vteps.strangers).toBe(1)
  vteps.setStranger(id, false)
  expect(vteps.strangers).toBe(0)
  vteps.setStranger(id, true)
  vteps.remove(id)
  expect(vteps.strangers).toBe(0)
})

test('an address may have more ids than one; one is found, and another once that has gone', () => {
  const vteps = new Vteps(8, SEED)
  const first = vteps.add(0, ...four(1), false)
  const other = vteps.add(0, ...four(2), false)
  const second = vteps.addBeside(first)
  expect(new Set([first, other, second]).size).toBe(3)
  expect(vteps.find(0, ...four(1))).toBe(first)
  expect([vteps.isPair(first, second), vteps.isPair(first, other)]).toEqual([true, false])
  vteps.remove(second)
  expect(vteps.find(0, ...four(1))).toBe(first)
  const third = vteps.addBeside(first)
  vteps.promote(third)
  vteps.remove(first)
  expect(vteps.find(0, ...four(1))).toBe(third)
  vteps.remove(third)
  expect(vteps.find(0, ...four(1))).toBe(NONE)
  expect(vteps.find(0, ...four(2))).toBe(other)
})
