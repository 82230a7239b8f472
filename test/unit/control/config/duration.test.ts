import { describe, expect, test } from 'vitest'
import { parseDuration } from '../../../../src/control/config/duration.ts'

describe('parseDuration', () => {
  test.each([
    ['300s', 300],
    ['5m', 300],
    ['1h', 3600],
    ['1h30m', 5400],
    ['1h0m1s', 3601],
    ['0s', 0],
    ['007s', 7],
  ])('%s is %d seconds', (text, seconds) => expect(parseDuration(text)).toBe(seconds))

  test.each(['', '300', 's', '5 m', '1.5h', '-1s', '5m1h', '1d', '300ms', '1S', '9999999999s', ' 1s', '1s\n'])(
    'refuses %j',
    (text) => expect(parseDuration(text)).toBeNull(),
  )
})
