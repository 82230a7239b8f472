import { describe, expect, test } from 'vitest'
import type { WantedTable } from '../../../../src/control/firewall/chains.ts'
import { NO_TABLE, parseSave, type SavedTable } from '../../../../src/control/firewall/iptables-save.ts'
import { change, isUsed, stateOf } from '../../../../src/control/firewall/tables.ts'

const OURS = new Set(['VTEPD-0a1b2c3d', 'FLANNEL-FWD', 'FLANNEL-FWD-0a1b2c3d'])
const JUMP = '-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD'
const WANTED: WantedTable = {
  chains: new Map([
    ['VTEPD-0a1b2c3d', []],
    ['FLANNEL-FWD', ['-s 10.42.0.0/16 -j ACCEPT', '-d 10.42.0.0/16 -j ACCEPT']],
  ]),
  jumps: [JUMP.slice(3)],
}

function filter(...lines: string[]): SavedTable {
  return parseSave(['*filter', ...lines, 'COMMIT'].join('\n')).get('filter')!
}

function changed(table: SavedTable, wanted: WantedTable | undefined = WANTED): string[] {
  return change('filter', table, stateOf(table, OURS), wanted).split('\n').slice(1, -2)
}

describe('a table', () => {
  test('gets its chains and the way into them, at the end', () => {
    expect(changed(filter(':FORWARD DROP [0:0]', '-A FORWARD -j DOCKER-USER'))).toEqual([
      ':VTEPD-0a1b2c3d - [0:0]',
      ':FLANNEL-FWD - [0:0]',
      JUMP,
      '-A FLANNEL-FWD -s 10.42.0.0/16 -j ACCEPT',
      '-A FLANNEL-FWD -d 10.42.0.0/16 -j ACCEPT',
    ])
  })

  test('that ends in a rule for everything has it in front of that', () => {
    const before = filter(
      ':FORWARD ACCEPT [0:0]',
      '-A INPUT -j DROP',
      '-A FORWARD -i a -j DROP',
      '-A FORWARD -j REJECT',
    )
    expect(changed(before)).toContain('-I FORWARD 2 -m comment --comment "flanneld forward" -j FLANNEL-FWD')
  })

  test('keeps several ways in in their order', () => {
    const wanted = { ...WANTED, jumps: ['FORWARD -j A', 'FORWARD -j B', 'OUTPUT -j A'] }
    const lines = changed(filter(':FORWARD ACCEPT [0:0]', '-A FORWARD -i x -j Y', '-A FORWARD -j DROP'), wanted)
    expect(lines.slice(2, 5)).toEqual(['-I FORWARD 2 -j A', '-I FORWARD 3 -j B', '-A OUTPUT -j A'])
  })

  test('with the way in twice has it once', () => {
    const lines = changed(filter(':FORWARD ACCEPT [0:0]', ':FLANNEL-FWD - [0:0]', JUMP, '-A FORWARD -j DROP', JUMP))
    expect(lines.filter((line) => line === JUMP.replace('-A', '-D'))).toHaveLength(2)
    expect(lines.filter((line) => line.includes('-I FORWARD 1 '))).toHaveLength(1)
  })

  test('loses what is not wanted, with every way into it', () => {
    const before = filter(
      ':FLANNEL-FWD - [0:0]',
      ':X - [0:0]',
      JUMP,
      '-A X -i eth1 -g FLANNEL-FWD',
      '-A FLANNEL-FWD -j ACCEPT',
    )
    expect(change('filter', before, stateOf(before, OURS), undefined).split('\n')).toEqual([
      '*filter',
      ':FLANNEL-FWD - [0:0]',
      JUMP.replace('-A', '-D'),
      '-D X -i eth1 -g FLANNEL-FWD',
      '-X FLANNEL-FWD',
      'COMMIT',
      '',
    ])
  })

  test('without ours, of which nothing is wanted, is left alone', () => {
    const before = filter(':FORWARD DROP [0:0]', ':FLANNEL-FWD-99999999 - [0:0]', '-A FORWARD -j FLANNEL-FWD-99999999')
    expect(change('filter', before, stateOf(before, OURS), undefined)).toBe('')
    expect(change('filter', NO_TABLE, stateOf(NO_TABLE, OURS), undefined)).toBe('')
  })

  test('tells where nothing comes any more', () => {
    const of = (...lines: string[]) => stateOf(filter(':FLANNEL-FWD - [0:0]', ...lines), OURS).blocked
    expect(of(JUMP, '-A FORWARD -j DROP')).toBe(false)
    expect(of('-A FORWARD -j DROP', JUMP)).toBe(true)
    expect(of('-A INPUT -j DROP', '-A FORWARD -i eth0 -j DROP', JUMP)).toBe(false)
  })
})

describe('iptables is used', () => {
  test.each([
    ['by a rule', [':FORWARD ACCEPT [0:0]', '-A FORWARD -i docker0 -j ACCEPT'], true],
    ['by a policy', [':FORWARD DROP [0:0]'], true],
    ['by a chain', [':DOCKER - [0:0]'], true],
    ['by flanneld', [':FLANNEL-FWD - [0:0]', JUMP], true],
    ['not by tables alone', [':FORWARD ACCEPT [0:0]'], false],
    ['not by an agent', [':VTEPD-0a1b2c3d - [0:0]', ':FLANNEL-FWD - [0:0]', JUMP, '-A FLANNEL-FWD -j ACCEPT'], false],
    ['not by another', [':FLANNEL-FWD-99999999 - [0:0]', '-A FORWARD -j FLANNEL-FWD-99999999'], false],
  ])('%s', (_, lines, used) => expect(isUsed(new Map([['filter', filter(...lines)]]))).toBe(used))
})
