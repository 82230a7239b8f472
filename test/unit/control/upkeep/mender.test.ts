import { expect, test } from 'vitest'
import { Mender, type Mending, PRESENT } from '../../../../src/control/upkeep/mender.ts'

const NOW = 5000

function mtu(have: string, mend = (): void => {}): Mending {
  return { reason: 'mtu', what: 'MTU', want: '1400', have, mend }
}

test('what is put back is told, and is no fault', () => {
  const mender = new Mender(() => 'vt42')
  let mended = 0
  const address = { reason: 'address', what: 'address 10.42.0.1/24', want: PRESENT, have: 'missing' } as const
  const all = [mtu('1280', () => mended++), { ...address, mend: () => mended++ }]
  expect(mender.mend(all, NOW)).toEqual([
    { reason: 'mtu', count: 1, text: 'MTU was 1280: put back to 1400' },
    { reason: 'address', count: 1, text: 'address 10.42.0.1/24 was missing: put back' },
  ])
  expect(mended).toBe(2)
  expect(mender.undesired()).toEqual([])
})

test('what cannot be put back is a fault since then, until it can or is as it should be', () => {
  const mender = new Mender(() => 'vt42')
  const refuse = (): void => {
    throw new Error('EPERM')
  }
  expect(mender.mend([mtu('1280', refuse)], NOW)).toEqual([])
  mender.mend([mtu('1280', refuse)], NOW + 2000)
  const fault = { what: 'MTU', where: 'vt42', want: '1400', have: '1280, and cannot be put back: EPERM' }
  expect(mender.undesired()).toEqual([{ ...fault, since: 5 }])
  expect(mender.mend([mtu('1280')], NOW + 3000)).toHaveLength(1)
  expect(mender.undesired()).toEqual([])
  mender.mend([mtu('1280', refuse)], NOW)
  mender.mend([], NOW)
  expect(mender.undesired()).toEqual([])
})

test('against somebody who changes it again and again it keeps a pace, and says so', () => {
  const mender = new Mender(() => 'vt42')
  let mended = 0
  for (let i = 0; i < 30; i++) mender.mend([mtu('1280', () => mended++)], NOW)
  expect(mended).toBe(20)
  expect(mender.undesired()).toMatchObject([{ what: 'MTU', have: '1280: somebody changes it again and again' }])
  expect(mender.mend([mtu('1280', () => mended++)], NOW + 200)).toHaveLength(1)
  expect(mender.undesired()).toEqual([])
})
