import { describe, expect, it } from 'vitest'
import { Samples } from '../../../bench/samples.ts'
import { type Row, wireRows, wireTable } from '../../../bench/wire-table.ts'

function find(rows: readonly Row[], quantity: string, system: string, against: string | null): Row | undefined {
  return rows.find((row) => row.quantity === quantity && row.system === system && row.against === against)
}

describe('the figures of a wire', () => {
  it.each([
    ['TCP that reaches its aim', 'tcpThere', 'secure', 'kernel', [6, 7, 8], [9, 10, 11], 0.7, 'aim'],
    ['TCP that reaches its floor', 'tcpThere', 'secure', 'kernel', [3, 4, 9], [8, 10, 10], 0.4, 'floor'],
    ['TCP below its floor', 'tcpBack', 'tap', 'kernel', [5], [10], 0.5, 'MISSED'],
    ['a round trip, where less is more', 'rtt', 'secure', 'tap', [0.4], [0.4], 1, 'aim'],
    ['a round trip that takes too long', 'rtt', 'secure', 'tap', [0.5], [0.4], 1.25, 'MISSED'],
    ['a multiple of another program', 'tcpThere', 'secure', 'wireguardGo', [6], [1], 6, 'aim'],
    ['what stands for itself', 'memory', 'tap', null, [100], [], 100, 'floor'],
    ['what nothing is asked of', 'cpu', 'secure', null, [2, 4], [], 3, ''],
  ] as const)(
    'are ratios of medians, with a verdict: %s',
    (_, quantity, system, against, ours, theirs, figure, verdict) => {
      const samples = new Samples()
      for (const value of ours) samples.add(quantity, system, value)
      for (const value of theirs) samples.add(quantity, against!, value)
      const row = find(wireRows(samples, ['plain', 'secure']), quantity, system, against)
      expect(row?.figure).toBeCloseTo(figure)
      expect(row?.verdict).toBe(verdict)
    },
  )

  it('say why one was not measured, and show the others', () => {
    const samples = new Samples()
    samples.add('tcpThere', 'secure', 6)
    samples.add('tcpBack', 'secure', 6)
    samples.add('tcpBack', 'kernel', 10)
    samples.fail('tcpThere', 'kernel', 'round 1', 'iperf3: no route')
    samples.fail('tcpBack', 'secure', 'round 2', 'iperf3: no answer')
    const rows = wireRows(samples, ['secure'])
    expect(find(rows, 'tcpThere', 'secure', 'kernel')?.verdict).toBe('not measured: iperf3: no route')
    expect(find(rows, 'tcpBack', 'secure', 'kernel')).toMatchObject({ figure: 0.6, verdict: 'aim' })
    expect(samples.failures).toEqual([
      { what: 'kernel VXLAN, TCP 1 stream, a to b, round 1', why: 'iperf3: no route' },
      { what: 'secure, TCP 1 stream, b to a, round 2', why: 'iperf3: no answer' },
    ])
    expect(wireTable(rows)).toMatch(/^secure +TCP 1 stream, a to b .* not measured: iperf3: no route$/m)
  })

  it('have a line for what this machine lacks only where something is asked of it', () => {
    const samples = new Samples()
    samples.lack('wireguardGo', 'wireguard-go is not installed')
    samples.lack('wireguard', 'no program')
    const rows = wireRows(samples, ['secure'])
    expect(rows.filter((row) => [row.system, row.against].includes('wireguard'))).toEqual([])
    const verdicts = rows.filter((row) => [row.system, row.against].includes('wireguardGo')).map((row) => row.verdict)
    expect(verdicts).toEqual(['not measured: wireguard-go is not installed'])
  })

  it('are of the part that was asked for', () => {
    const samples = new Samples()
    expect(new Set(wireRows(samples, ['plain']).map((row) => row.part))).toEqual(new Set(['plain']))
    expect(new Set(wireRows(samples, ['secure']).map((row) => row.part))).toEqual(new Set(['secure']))
  })
})
