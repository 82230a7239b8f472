import { describe, expect, it } from 'vitest'
import { macBytes, macText } from '../../../src/host/mac.ts'

describe('mac', () => {
  it('reads upper and lower case and writes lower', () => {
    expect(macText(macBytes('02:AB:cd:00:0F:ff'))).toBe('02:ab:cd:00:0f:ff')
  })

  it.each([
    '',
    '02:00:00:00:00',
    '02:00:00:00:00:00:00',
    '02-00-00-00-00-01',
    '0g:00:00:00:00:00',
    '2:0:0:0:0:1',
    ' 02:00:00:00:00:01',
  ])('refuses %j', (text) => {
    expect(() => macBytes(text)).toThrow(TypeError)
  })

  it('refuses a group address', () => {
    expect(() => macBytes('01:00:5e:00:00:01')).toThrow(/group/)
  })
})
