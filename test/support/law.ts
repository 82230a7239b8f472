// The law of counters: what came in, plus copies, is what went out, was dropped or waits.
import { expect } from 'vitest'
import type { Vtep } from './vtep.ts'

export function holds(v: Vtep): void {
  const [given, told] = v.law()
  expect(given).toBe(told)
}
