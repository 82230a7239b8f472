import { expect, test } from 'vitest'
import type { Undesired } from '../../../../src/control/api/api.ts'
import { Faults, FaultTeller } from '../../../../src/control/upkeep/faults.ts'
import { type Log, NO_LOG } from '../../../../src/log.ts'

test('a fault keeps its beginning while it is the same', () => {
  const faults = new Faults()
  faults.note('MTU', 'vt42', '1400', '1280', 5500)
  faults.note('MTU', 'vt42', '1400', '1280', 9000)
  expect(faults.list()).toEqual([{ what: 'MTU', where: 'vt42', want: '1400', have: '1280', since: 5 }])
  faults.note('MTU', 'vt42', '1400', '1300', 9000)
  expect(faults.list()).toMatchObject([{ have: '1300', since: 9 }])
  faults.clear('MTU')
  expect(faults.list()).toEqual([])
})

const fault = (what: string): Undesired => ({ what, where: 'vt42', want: 'a', have: 'b', since: 0 })

function listener(): { log: Log; said: string[] } {
  const said: string[] = []
  return { log: { ...NO_LOG, warn: (text) => said.push(text), info: (text) => said.push(text) }, said }
}

test('the log hears of a fault and of its end, once a minute', () => {
  const { log, said } = listener()
  const teller = new FaultTeller()
  teller.tell([fault('route x'), fault('state')], [], 0, log)
  teller.tell([], ['vt42 route x'], 10, log)
  for (let now = 20; now < 60_000; now += 1000) {
    teller.tell([fault('route x')], [], now, log)
    teller.tell([], ['vt42 route x'], now, log)
  }
  expect(said).toEqual(['vt42: route x: want a, have b', 'vt42 route x is as it should be again'])
  teller.tell([fault('route x')], [], 60_000, log)
  expect(said).toHaveLength(3)
})

test('many at once are counted', () => {
  const { log, said } = listener()
  new FaultTeller().tell(
    Array.from({ length: 100 }, (_, i) => fault(`route ${i}`)),
    [],
    0,
    log,
  )
  expect(said).toHaveLength(6)
  expect(said.at(-1)).toBe('95 more are not as they should be: vtepd status')
})
