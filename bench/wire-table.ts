// The table of medians that is made from the samples of all rounds.
import { paintFor } from '../src/cli/output.ts'
import { table } from '../src/cli/table.ts'
import { median } from '../src/lab/median.ts'
import { GOALS, type Goal, NAMES, type Part, QUANTITIES, verdict } from './goal.ts'
import type { Samples } from './samples.ts'

/** A line of the table: every sample, and what they come to. */
export interface Row extends Goal {
  readonly name: string
  readonly unit: string
  readonly values: readonly number[]
  /** Of the system that it is measured against. */
  readonly reference: readonly number[]
  readonly raw: readonly number[]
  /** Median, or ratio of the two medians; NaN when not measured. */
  readonly figure: number
  readonly verdict: string
}

/** What is only there to be seen has no line when this machine has not got it. */
export function wireRows(samples: Samples, parts: readonly Part[]): Row[] {
  const isIdle = ({ floor, system, against }: Goal): boolean =>
    floor === null && !(samples.has(system) && (against === null || samples.has(against)))
  return GOALS.filter((goal) => parts.includes(goal.part) && !isIdle(goal)).map((goal) => row(samples, goal))
}

function row(samples: Samples, goal: Goal): Row {
  const { quantity, system, against } = goal
  const values = samples.of(quantity, system)
  const reference = against ? samples.of(quantity, against) : []
  const raw = against === 'kernel' ? samples.of(quantity, 'raw') : []
  const figure = against ? median(values) / median(reference) : median(values)
  const why = samples.whyNot(quantity, system) ?? (against ? samples.whyNot(quantity, against) : null)
  const said = verdict(goal, figure)
  const { name, unit } = QUANTITIES[quantity]
  return { ...goal, name, unit, values, reference, raw, figure, verdict: why === null ? said : `not measured: ${why}` }
}

export function wireTable(rows: readonly Row[]): string {
  const columns = [
    { title: '' },
    { title: '' },
    { title: 'unit' },
    { title: 'median', right: true },
    { title: '±', right: true },
    { title: 'against' },
    { title: 'median', right: true },
    { title: '±', right: true },
    { title: 'raw veth', right: true },
    { title: 'floor', right: true },
    { title: 'aim', right: true },
    { title: 'figure', right: true },
    { title: 'verdict' },
  ]
  return table(columns, rows.map(cells), paintFor(process.stdout))
}

function cells(row: Row): string[] {
  const bound = QUANTITIES[row.quantity].more ? '≥' : '≤'
  const mark = (n: number | null): string => (n === null ? '' : `${bound} ${n}`)
  return [
    NAMES[row.system],
    row.name,
    row.unit,
    number(median(row.values)),
    spread(row.values),
    row.against === null ? '' : NAMES[row.against],
    number(median(row.reference)),
    spread(row.reference),
    number(median(row.raw)),
    mark(row.floor),
    mark(row.aim),
    number(row.figure),
    row.verdict,
  ]
}

// Half the way from the lowest to the highest, in parts of the median.
function spread(values: readonly number[]): string {
  if (values.length < 2) return ''
  const half = (Math.max(...values) - Math.min(...values)) / 2
  return `${((100 * half) / median(values)).toFixed(0)}%`
}

function number(value: number): string {
  if (!Number.isFinite(value)) return '-'
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}
