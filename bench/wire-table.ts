// Samples of all rounds, and the table of medians made from them.
import { paintFor } from '../src/cli/output.ts'
import { table } from '../src/cli/table.ts'
import { median } from '../src/lab/median.ts'
import { GOALS, type Goal, type GoalName, verdict } from './goal.ts'

/** raw: the veth pair without an overlay, the ceiling. */
export type System = 'vtepd' | 'kernel' | 'raw'

export class Samples {
  private readonly values = new Map<string, number[]>()

  add(goal: GoalName, system: System, value: number): void {
    const key = `${goal} ${system}`
    this.values.set(key, [...(this.values.get(key) ?? []), value])
  }

  of(goal: GoalName, system: System): readonly number[] {
    return this.values.get(`${goal} ${system}`) ?? []
  }
}

/** A line of the table: every sample, and what they come to. */
export interface Row {
  readonly goal: Goal
  readonly vtepd: readonly number[]
  readonly kernel: readonly number[]
  readonly raw: readonly number[]
  /** Median, or ratio of the medians of vtepd and the kernel; NaN when not measured. */
  readonly figure: number
  readonly verdict: string
}

/** What TUN and the secure network are compared with is the same kernel device as for TAP. */
const REFERENCE: Partial<Record<GoalName, GoalName>> = {
  tunThere: 'tcpThere',
  tunBack: 'tcpBack',
  tunRtt: 'rtt',
  secThere: 'tcpThere',
  secBack: 'tcpBack',
  secUdp64: 'udp64',
}

export function wireRows(samples: Samples): Row[] {
  return (Object.keys(GOALS) as GoalName[]).map((name) => {
    const goal: Goal = GOALS[name]
    const vtepd = samples.of(name, 'vtepd')
    const kernel = goal.ratio ? referenceOf(samples, name) : []
    const raw = goal.ratio ? samples.of(REFERENCE[name] ?? name, 'raw') : []
    const figure = goal.ratio ? median(vtepd) / median(kernel) : median(vtepd)
    return { goal, vtepd, kernel, raw, figure, verdict: verdict(goal, figure) }
  })
}

function referenceOf(samples: Samples, name: GoalName): readonly number[] {
  return name === 'secRtt' ? samples.of('rtt', 'vtepd') : samples.of(REFERENCE[name] ?? name, 'kernel')
}

export function wireTable(rows: readonly Row[]): string {
  const columns = [
    { title: '' },
    { title: 'unit' },
    { title: 'raw veth', right: true },
    { title: 'kernel', right: true },
    { title: '±', right: true },
    { title: 'vtepd', right: true },
    { title: '±', right: true },
    { title: 'floor', right: true },
    { title: 'aim', right: true },
    { title: 'figure', right: true },
    { title: 'verdict' },
  ]
  return table(columns, rows.map(cells), paintFor(process.stdout))
}

function cells({ goal, vtepd, kernel, raw, figure, verdict }: Row): string[] {
  const bound = goal.more ? '≥' : '≤'
  return [
    goal.name,
    goal.unit,
    number(median(raw)),
    number(median(kernel)),
    spread(kernel),
    number(median(vtepd)),
    spread(vtepd),
    `${bound} ${goal.floor}`,
    `${bound} ${goal.aim}`,
    number(figure),
    verdict,
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
