import { describe, expect, test } from 'vitest'
import { bitRate, bytes, count, packetRate, span } from '../../../src/cli/units.ts'

describe('numbers for people', () => {
  test.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.00 KiB'],
    [1536, '1.50 KiB'],
    [10_240, '10.0 KiB'],
    [102_400, '100 KiB'],
    [1_048_575, '1.00 MiB'],
    [1_048_576, '1.00 MiB'],
    [5 * 2 ** 40, '5.00 TiB'],
    [2 ** 53, '8.00 PiB'],
    [2 ** 62, '4096 PiB'],
  ])('%d bytes are %s', (n, text) => expect(bytes(n)).toBe(text))

  test.each([
    [0, '0'],
    [999, '999'],
    [1000, '1.00 k'],
    [999_999, '1.00 M'],
    [12_345_678, '12.3 M'],
  ])('a count of %d is %s', (n, text) => expect(count(n)).toBe(text))

  test.each([
    [0, '0 bit/s'],
    [125, '1.00 kbit/s'],
    [1.25e9, '10.0 Gbit/s'],
  ])('%d bytes a second are %s', (n, text) => expect(bitRate(n)).toBe(text))

  test.each([
    [0, '0 pps'],
    [999, '999 pps'],
    [84_200, '84.2 kpps'],
  ])('%d packets a second are %s', (n, text) => expect(packetRate(n)).toBe(text))

  test.each([
    [0, '0s'],
    [59.9, '59s'],
    [60, '1m 0s'],
    [3725, '1h 2m'],
    [86_400, '1d 0h'],
    [-1, '0s'],
  ])('%d seconds are %s', (n, text) => expect(span(n)).toBe(text))
})
