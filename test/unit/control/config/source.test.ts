import { describe, expect, test } from 'vitest'
import { readSource } from '../../../../src/control/config/source.ts'
import { faultsOf } from '../../../support/config.ts'

describe('readSource', () => {
  test.each([
    ['a: [1', /^configuration: YAML syntax at line 1, column 6: .*; mend the text there \(line 1\)$/],
    ['a: 1\n\tb: 2', /line 2, column 1: .*[Tt]ab/],
    ['a: "x\nb: 1', /YAML syntax at line/],
    ['a:\n  b: *nobody', /^a\.b: nothing before it is called &nobody; write the value itself \(line 2\)$/],
    ['a: [*x, &x 1]', /^a\[0\]: nothing before it is called &x/],
    ['a: 1\n---\nb: 2', /line 2, column 1: a second document begins/],
    ['a: !secret x', /line 1, column 4: Unresolved tag/],
    ['a: }', /YAML syntax at line 1, column 4/],
  ])('says where %j is faulty', (text, fault) => {
    const { faults } = readSource(text)
    expect(faults.texts()[0]).toMatch(fault)
  })

  test('names every duplicate key with both of its lines', () => {
    const { faults } = readSource('a:\n  x: 1\n  y: [{ z: 1, z: 2 }]\n  x: 2\na: 3\n')
    expect(faults.texts()).toEqual([
      'a.y[0].z: given twice; keep one of them; the first is at line 3 (line 3)',
      'a.x: given twice; keep one of them; the first is at line 2 (line 4)',
      'a: given twice; keep one of them; the first is at line 1 (line 5)',
    ])
  })

  test('goes on to the values after a duplicate', () => {
    expect(faultsOf('networks: {}\nnode: 1\nnode: 2')).toHaveLength(2)
  })

  test('reads YAML 1.2: on, off, yes and no are words', () => {
    expect(readSource('[on, off, yes, no, 017, 1_000, 12:30]').value).toEqual([
      'on',
      'off',
      'yes',
      'no',
      17,
      '1_000',
      '12:30',
    ])
    // A file cannot switch to another set of types either.
    expect(readSource('%YAML 1.1\n---\n[on]').value).toEqual(['on'])
  })

  test.each([
    ['lists', '['.repeat(100_000)],
    ['maps', '{a: '.repeat(50_000)],
    ['entries', '- '.repeat(50_000)],
    ['keys', '? '.repeat(20_000)],
  ])('refuses %s nested beyond measure', (_, text) => {
    expect(readSource(text).faults.texts()).toEqual(['configuration: nested too deeply; write it out flat (line 1)'])
  })

  test('refuses aliases that multiply', () => {
    const rows = ['a: &a [x, x, x, x, x, x, x, x, x]']
    for (const [name, of] of ['ba', 'cb', 'dc', 'ed', 'fe', 'gf', 'hg'].map((pair) => [pair[0], pair[1]])) {
      rows.push(`${name}: &${name} [${Array(9).fill(`*${of}`).join(', ')}]`)
    }
    expect(readSource(rows.join('\n')).faults.texts()).toEqual([expect.stringContaining('multiply without end')])
  })

  test('survives a value that holds itself', () => {
    expect(faultsOf('networks: &n { a: *n }\npeers: &p { b: { endpoint: *p, networks: *p } }').length).toBeGreaterThan(
      1,
    )
  })

  test('finds lines through aliases, and of what is not there in what should hold it', () => {
    const text = `
networks:
  a: &a
    vni: 1
    security: plain
    mtu: 1
  b: *a
peers:
  p:
    networks: []
`
    const lines = faultsOf(text).map((fault) => [fault.split(':')[0], fault.match(/line \d+/)![0]])
    expect(lines).toContainEqual(['networks.a.mtu', 'line 6'])
    expect(lines).toContainEqual(['networks.b.mtu', 'line 6'])
    expect(lines).toContainEqual(['peers.p.endpoint', 'line 9'])
  })

  test('names a key that would change the map instead of its content', () => {
    const faults = faultsOf('networks: {}\npeers: { __proto__: { endpoint: 198.18.0.2 } }\n__proto__: {}')
    expect(faults).toEqual([
      'peers.__proto__: unknown key; remove it (line 2)',
      '__proto__: unknown key; remove it (line 3)',
    ])
  })

  test('takes words of JavaScript for words', () => {
    const faults = faultsOf('networks: { constructor: { vni: 1, security: plain, toString: 1 } }\nvalueOf: 1')
    expect(faults.map((fault) => fault.split(':')[0])).toEqual(['networks.constructor.toString', 'valueOf'])
  })
})
