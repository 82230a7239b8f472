// From zod's issues to faults that an operator can act on, and the paths that have to be cut out before the rest is looked
// at. A message is `want …; how to mend`, and what was got is put in between.
import type * as z from 'zod'
import { type Faults, gotText, nearest, type Path } from './fault.ts'
import { toJsonSchema } from './schema.ts'

// What stands there may be a key, in the wrong place or mistyped: it is not shown.
const SECRETS = ['privateKeyFile', 'presharedKeyFile', 'publicKey', 'passwordFile']

type Issue = z.core.$ZodIssue
type Shape = { properties?: Record<string, Shape>; additionalProperties?: Shape; items?: Shape; anyOf?: Shape[] }

/** Notes each issue as a fault and calls `found` with the path of what is faulty. `skip` knows the paths dealt with before. */
export function addIssues(
  issues: readonly Issue[],
  value: unknown,
  faults: Faults,
  found: (path: Path) => void,
  skip: (path: Path) => boolean,
): void {
  const keys = new Keys()
  const add = (issue: Issue, base: Path): void => {
    const path = [...base, ...issue.path.map((part) => (typeof part === 'number' ? part : String(part)))]
    if (skip(path)) return
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) {
        // source.ts has named `__proto__` already, which not every shape sees.
        if (key === '__proto__' || skip([...path, key])) continue
        faults.add([...path, key], ...unknownKey(keys, path, key))
        found([...path, key])
      }
      return
    }
    if (issue.code === 'invalid_union') {
      const inside = issue.errors.find(isInside)
      if (inside) {
        for (const inner of inside) add(inner, path)
        return
      }
    }
    const message = issue.code === 'invalid_key' ? issue.issues[0]!.message : issue.message
    const got = issue.code === 'invalid_key' ? path.at(-1) : at(value, path)
    if (SECRETS.includes(String(path.at(-1)))) faults.add(path, ...halves(message))
    else faults.add(path, ...withGot(message, got))
    found(path)
  }
  for (const issue of issues) add(issue, [])
}

// A branch whose own form fits and whose content does not: the one that was meant.
function isInside(branch: readonly Issue[]): boolean {
  return branch.every(
    (issue) => issue.path.length > 0 || issue.code === 'unrecognized_keys' || issue.code === 'too_small',
  )
}

function halves(message: string): [string, string] {
  const semicolon = message.indexOf('; ')
  return [message.slice(0, semicolon), message.slice(semicolon + 2)]
}

function withGot(message: string, value: unknown): [string, string] {
  const [want, mend] = halves(message)
  const number = typeof value === 'string' && /^\d+$/.test(value) && /^want \d+\.\.\d+/.test(want)
  if (number) return [`${want}, ${gotText(value)}`, 'write it in that range and without quotes']
  return [value === undefined ? `missing, ${want}` : `${want}, ${gotText(value)}`, mend]
}

function unknownKey(keys: Keys, path: Path, key: string): [string, string] {
  if (key === '<<') return ['YAML 1.2 has no merge keys', 'write out what it stands for']
  const siblings = keys.at(path)
  const near = nearest(key, siblings)
  if (near) return ['unknown key', `did you mean ${near}?`]
  const home = keys.home(key)
  if (home === key) return ['unknown key', `move ${key} to the top level`]
  if (home) return ['unknown key', `did you mean ${home}?`]
  return ['unknown key', `remove it, known here are ${siblings.join(', ')}`]
}

// Where a key that is right but misplaced would belong.
const HOMES: readonly [string, Path][] = [
  ['', []],
  ['underlay.', ['underlay']],
  ['networks.NAME.', ['networks', 'NAME']],
  ['peers.NAME.', ['peers', 'NAME']],
  ['control.etcd.', ['control', 'etcd']],
  ['metrics.', ['metrics']],
  ['offloads.', ['offloads']],
]

// Which keys there may be at a path. Made for one answer, so that a file without faults never builds a JSON Schema.
class Keys {
  private root: Shape | null = null

  at(path: Path): string[] {
    this.root ??= toJsonSchema() as Shape
    let shapes: Shape[] = [this.root]
    for (const part of path) {
      shapes = shapes.flatMap(branches).flatMap((shape) => {
        const next = typeof part === 'number' ? shape.items : (shape.properties?.[part] ?? shape.additionalProperties)
        return next ? [next] : []
      })
    }
    return shapes.flatMap(branches).flatMap((shape) => Object.keys(shape.properties ?? {}))
  }

  home(key: string): string | null {
    const home = HOMES.find(([, path]) => this.at(path).includes(key))
    return home ? home[0] + key : null
  }
}

function branches(shape: Shape): Shape[] {
  return shape.anyOf ? shape.anyOf.flatMap(branches) : [shape]
}

function at(value: unknown, path: Path): unknown {
  let node = value
  for (const part of path) {
    if (typeof node !== 'object' || node === null || !Object.hasOwn(node, part)) return undefined
    node = (node as Record<string | number, unknown>)[part]
  }
  return node
}
