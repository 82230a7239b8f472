import { describe, expect, test } from 'vitest'
import { expected, faultsOf, matched, parse, type Row } from '../../../support/config.ts'

const NOT = 'not in this version'

function atRoot(keys: string, path: string, mend: string, what = NOT): Row {
  return { text: `networks: {}\n${keys}`, path, what, mend, line: 2 }
}

function ofNetwork(keys: string, key: string, mend: string, what = NOT): Row {
  return { text: `networks:\n  blue: { vni: 1, ${keys} }`, path: `networks.blue.${key}`, what, mend, line: 2 }
}

const ROWS: Row[] = [
  atRoot('workers: 2', 'workers', 'write 1', 'more than one is not in this version'),
  ofNetwork('security: plain, bridge: br0', 'bridge', 'remove it'),
]

describe('what is named but not delivered', () => {
  test.each(ROWS)('$path: $what', (row) => expect(matched(faultsOf(row.text), row)).toEqual(expected(row)))

  test('the values of the same keys that are delivered pass', () => {
    const config = parse(`
workers: 1
networks: { a: { vni: 1, type: vxlan, security: plain } }
peers: { b: { endpoint: 198.18.0.2, type: vtepd } }
`)
    expect(config.networks).toHaveLength(1)
  })
})
