import { describe, expect, test } from 'vitest'
import { Faults, gotText, nearest, pathText, shown } from '../../../../src/control/config/fault.ts'

describe('Faults', () => {
  test('come in the order of lines, and within a line as they were found; the same one once', () => {
    const lines: Record<string, number> = { a: 3, b: 1, c: 3 }
    const faults = new Faults({ label: pathText, line: ([key]) => lines[key!]! })
    faults.add(['c'], 'w', 'm')
    faults.add(['a'], 'w', 'm')
    faults.add(['b'], 'w', 'm')
    faults.add(['a'], 'w', 'm')
    expect(faults.texts()).toEqual(['b: w; m (line 1)', 'c: w; m (line 3)', 'a: w; m (line 3)'])
    expect(faults.count).toBe(3)
  })

  test('are one line of printable characters, whatever they quote', () => {
    const faults = new Faults({ label: () => 'a', line: () => 0 })
    faults.add([], 'x\n\u001b[31m\u202e', 'm')
    expect(faults.texts()).toEqual(['a: x\\u000a\\u001b[31m\\u202e; m'])
  })

  test('have no line where there is no file', () => {
    const faults = new Faults({ label: () => '--vni', line: () => 0 })
    faults.add(['x'], 'missing', 'add it')
    expect(faults.texts()).toEqual(['--vni: missing; add it'])
  })
})

test.each([
  [[], 'configuration'],
  [['networks', 'blue', 'fdb', 2, 'mac'], 'networks.blue.fdb[2].mac'],
  [['peers', 'a.b', 'endpoint'], 'peers["a.b"].endpoint'],
  [['a\nb'], '["a\\nb"]'],
])('the path %j is written %s', (path, text) => expect(pathText(path)).toBe(text))

test.each([
  ['x"y', '"x\\"y"'],
  ['a\u001b[31m', '"a\\u001b[31m"'],
  ['a'.repeat(61), `"${'a'.repeat(57)}..."`],
  [Number.NaN, 'NaN'],
  [['a'], 'a list'],
  [{ a: 1 }, 'a map'],
])('%j is shown as %s', (value, text) => expect(shown(value)).toBe(text))

test('what was got may be nothing, or not there', () => {
  expect(gotText(null)).toBe('got nothing')
  expect(gotText(undefined)).toBe('missing')
  expect(gotText(false)).toBe('got false')
})

describe('nearest', () => {
  const keys = ['vni', 'device', 'interface', 'address', 'mac', 'mtu', 'macLimit']
  test.each([
    ['vin', 'vni'],
    ['adress', 'address'],
    ['MTU', 'mtu'],
    ['maclimit', 'macLimit'],
    ['divice', 'device'],
    ['interfaces', 'interface'],
    ['zebra', null],
    ['', null],
  ])('%j means %j', (word, meant) => expect(nearest(word, keys)).toBe(meant))

  test('ends early on long words', () => expect(nearest('x'.repeat(100_000), keys)).toBeNull())
})
