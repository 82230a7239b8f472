// Keys and values that the documentation of vtepd's future names and this version does not deliver. They are refused by
// name rather than as unknown, and nothing else knows them. A row goes when its feature comes.
import type { Faults, Path } from './fault.ts'

interface Row {
  /** `*`: every name at this place. */
  readonly path: readonly string[]
  /** Only for these values; default: the key itself is not there yet. */
  readonly when?: (value: unknown) => boolean
  readonly what?: string
  readonly mend: string
}

const REMOVE = 'remove it'

const ROWS: readonly Row[] = [
  {
    path: ['workers'],
    when: (value) => typeof value === 'number' && value > 1,
    what: 'more than one',
    mend: 'write 1',
  },
  { path: ['networks', '*', 'bridge'], mend: REMOVE },
]

/** Notes a fault for everything in `value` that is not delivered yet, and calls `found` with its path. */
export function findLater(value: unknown, faults: Faults, found: (path: Path) => void): void {
  for (const row of ROWS) {
    for (const [path, holder] of holders(value, row.path.slice(0, -1), [])) {
      const key = row.path.at(-1)!
      const there = Object.hasOwn(holder, key)
      if (row.when ? !row.when(there ? holder[key] : undefined) : !there) continue
      const what = row.what ? `${row.what} is not in this version` : 'not in this version'
      faults.add([...path, key], what, row.mend)
      found([...path, key])
    }
  }
}

function* holders(value: unknown, path: readonly string[], at: Path): Generator<[Path, Record<string, unknown>]> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return
  const map = value as Record<string, unknown>
  const [part, ...rest] = path
  if (part === undefined) yield [at, map]
  else if (part !== '*') yield* holders(Object.hasOwn(map, part) ? map[part] : undefined, rest, [...at, part])
  else for (const name of Object.keys(map)) yield* holders(map[name], rest, [...at, name])
}
