import { describe, expect, test } from 'vitest'
import { isGroupMac, isZeroMac, MAC_PATTERN, parseMac } from '../../../src/control/mac.ts'

describe('parseMac', () => {
  test.each([
    ['02:00:5E:10:00:01', '02:00:5e:10:00:01'],
    ['02-00-5e-10-00-01', '02:00:5e:10:00:01'],
  ])('reads %s', (text, mac) => {
    expect(parseMac(text)).toBe(mac)
    expect(text).toMatch(new RegExp(MAC_PATTERN))
  })

  test.each([
    '',
    '02:00:5e:10:00',
    '02:00:5e:10:00:01:02',
    '2:0:5e:10:0:1',
    '02:00-5e:10:00:01',
    '02005e100001',
    '0g:00:00:00:00:00',
  ])('refuses %j', (text) => expect(parseMac(text)).toBeNull())
})

test('a group address has the lowest bit of its first byte', () => {
  expect(['01:00:5e:00:00:01', 'ff:ff:ff:ff:ff:ff', '33:33:00:00:00:01'].every(isGroupMac)).toBe(true)
  expect(['02:00:00:00:00:01', 'fe:ff:ff:ff:ff:ff', '00:00:00:00:00:00'].some(isGroupMac)).toBe(false)
})

test('the zero address is nobody’s', () => {
  expect(isZeroMac('00:00:00:00:00:00')).toBe(true)
  expect(isZeroMac('00:00:00:00:00:01')).toBe(false)
})
