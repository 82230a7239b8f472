import { expect, test } from 'vitest'
import { type Repair, Repairs } from '../../../../src/control/upkeep/repairs.ts'

const BLUE = { name: 'blue', vni: 42 }
const RED = { name: 'red', vni: 43 }
const ROUTES: Repair = { reason: 'route', text: '3 routes put back', count: 3 }
const MTU: Repair = { reason: 'mtu', text: 'MTU put back', count: 1 }

test('all is counted, and said once a minute by network and kind', () => {
  const repairs = new Repairs()
  expect(repairs.note(BLUE, ROUTES, 0)).toBe('3 routes put back')
  expect(repairs.note(BLUE, MTU, 10)).toBe('MTU put back')
  expect(repairs.note(RED, ROUTES, 20)).toBe('3 routes put back')
  expect(repairs.note(BLUE, ROUTES, 30)).toBeNull()
  expect(repairs.note(BLUE, ROUTES, 59_999)).toBeNull()
  expect(repairs.note(BLUE, ROUTES, 60_000)).toBe('3 routes put back (and 2 times before, unsaid)')
  expect(repairs.note(BLUE, ROUTES, 120_000)).toBe('3 routes put back')
  expect(repairs.counts()).toEqual([
    { network: 'blue', vni: 42, reason: 'route', count: 15 },
    { network: 'blue', vni: 42, reason: 'mtu', count: 1 },
    { network: 'red', vni: 43, reason: 'route', count: 3 },
  ])
})
