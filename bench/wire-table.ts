// Samples of all rounds, and the table of medians made from them.
import { paintFor } from '../src/cli/output.ts'
import { table } from '../src/cli/table.ts'
import { median } from '../src/lab/median.ts'
import { GOALS, type Goal, type GoalName, verdict } from './goal.ts'

export type System = 'vtepd' | 'kernel'

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

/** TUN has no kernel device of its own: it is compared with the same one as TAP. */
const REFERENCE: Partial<Record<GoalName, GoalName>> = { tunThere: 'tcpThere', tunBack: 'tcpBack', tunRtt: 'rtt' }

export function wireTable(samples: Samples): string {
  const columns = [
    { title: '' },
    { title: 'unit' },
    { title: 'vtepd', right: true },
    { title: '±', right: true },
    { title: 'kernel', right: true },
    { title: '±', right: true },
    { title: 'floor', right: true },
    { title: 'aim', right: true },
    { title: 'figure', right: true },
    { title: 'verdict' },
  ]
  const rows = (Object.keys(GOALS) as GoalName[]).map((name) => row(name, samples))
  return table(columns, rows, paintFor(process.stdout))
}

function row(name: GoalName, samples: Samples): string[] {
  const goal: Goal = GOALS[name]
  const ours = samples.of(name, 'vtepd')
  const kernels = goal.ratio ? samples.of(REFERENCE[name] ?? name, 'kernel') : []
  const figure = goal.ratio ? median(ours) / median(kernels) : median(ours)
  const bound = goal.more ? '≥' : '≤'
  return [
    goal.name,
    goal.unit,
    number(median(ours)),
    spread(ours),
    number(median(kernels)),
    spread(kernels),
    `${bound} ${goal.floor}`,
    `${bound} ${goal.aim}`,
    number(figure),
    verdict(goal, figure),
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
