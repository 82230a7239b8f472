// What is wrong with a configuration: one line a fault, `path: what; how to mend (line N)`, all of them at once and in the
// order of the file. Values are quoted shortly; keys that could hold a secret are never quoted at all.

/** Keys and list positions from the root of the configuration. */
export type Path = readonly (string | number)[]

/** How a path is shown to the one who wrote it, and where it stands. */
export interface Place {
  label(path: Path): string
  /** 1 and up; 0: not in a file. */
  line(path: Path): number
}

export class Faults {
  private readonly place: Place
  // Text → line; the same fault twice is one.
  private readonly found = new Map<string, number>()

  constructor(place: Place) {
    this.place = place
  }

  get count(): number {
    return this.found.size
  }

  /** Notes a fault: what is wrong, and what the operator does about it. */
  add(path: Path, what: string, mend: string): void {
    const line = this.place.line(path)
    const text = printable(`${this.place.label(path)}: ${what}; ${mend}${line > 0 ? ` (line ${line})` : ''}`)
    if (!this.found.has(text)) this.found.set(text, line)
  }

  /** All texts, by line; those of one line in the order they were found. */
  texts(): string[] {
    return [...this.found].sort(([, a], [, b]) => a - b).map(([text]) => text)
  }
}

// Control and format characters of a file must not reach a terminal.
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) => `\\u${c.codePointAt(0)!.toString(16).padStart(4, '0')}`)
}

/** `networks.blue.fdb[0].mac`; a name with unusual characters is quoted in brackets. */
export function pathText(path: Path): string {
  if (path.length === 0) return 'configuration'
  let text = ''
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`
    else if (/^[\w-]{1,64}$/.test(part)) text += text === '' ? part : `.${part}`
    else text += `[${shown(part)}]`
  }
  return text
}

/** `got "x"`, `missing`: the second half of "want …". */
export function gotText(value: unknown): string {
  if (value === undefined) return 'missing'
  return value === null ? 'got nothing' : `got ${shown(value)}`
}

/** A value on one line, cut at 60 characters. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value)
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' || typeof value === 'function' ? 'a map' : String(value)
}

/** The candidate that a mistyped word most likely means, or null when none is near. */
export function nearest(word: string, candidates: readonly string[]): string | null {
  let best: string | null = null
  let least = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) >= least) continue
    const steps = distance(word.toLowerCase(), candidate.toLowerCase())
    if (steps >= least) continue
    best = candidate
    least = steps
  }
  return best
}

// Edits between two words, a swap of neighbours counted as one (optimal string alignment).
function distance(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1
      let least = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + change)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, before[j - 2]! + 1)
      row.push(least)
    }
    before = last
    last = row
  }
  return last[b.length]!
}

/** `no network "blu"` with the nearest that there is. */
export function noSuch(kind: string, name: string, names: readonly string[]): [string, string] {
  const near = nearest(name, names)
  const mend = near
    ? `did you mean ${near}?`
    : names.length > 0
      ? `there are ${names.slice(0, 8).join(', ')}`
      : 'there are none'
  return [`no ${kind} ${shown(name)}`, mend]
}
