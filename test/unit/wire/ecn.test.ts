import { describe, expect, it } from 'vitest'
import * as drop from '../../../src/drop.ts'
import * as ecn from '../../../src/wire/ecn.ts'

const NAMES = ['Not-ECT', 'ECT(1)', 'ECT(0)', 'CE']
const { NOT_ECT, ECT0, ECT1, CE } = ecn

// RFC 6040 §4.2, figure 4, cell by cell: inner, outer, result.
const CELLS: readonly (readonly [number, number, number])[] = [
  [NOT_ECT, NOT_ECT, NOT_ECT],
  [NOT_ECT, ECT0, NOT_ECT],
  [NOT_ECT, ECT1, NOT_ECT],
  [NOT_ECT, CE, drop.ECN_CE_ON_NOT_ECT],
  [ECT0, NOT_ECT, ECT0],
  [ECT0, ECT0, ECT0],
  [ECT0, ECT1, ECT1],
  [ECT0, CE, CE],
  [ECT1, NOT_ECT, ECT1],
  [ECT1, ECT0, ECT1],
  [ECT1, ECT1, ECT1],
  [ECT1, CE, CE],
  [CE, NOT_ECT, CE],
  [CE, ECT0, CE],
  [CE, ECT1, CE],
  [CE, CE, CE],
]

it('the bits are those of RFC 3168 §5', () => {
  expect([NOT_ECT, ECT1, ECT0, CE]).toEqual([0b00, 0b01, 0b10, 0b11])
})

describe('decapsulate', () => {
  it.each(CELLS.map(([inner, outer, result]) => [NAMES[inner], NAMES[outer], inner, outer, result] as const))(
    'VX30, EC4: inner %s, outer %s',
    (_inner, _outer, inner, outer, result) => expect(ecn.decapsulate(inner, outer)).toBe(result),
  )
})

it('encapsulate: EC1, EC5: copies the ECN bits and no DSCP', () => {
  for (let tos = 0; tos < 256; tos++) expect(ecn.encapsulate(tos)).toBe(tos & 3)
})
