// What a program of dist/ loads at once, by the source maps of its bundle and of the chunks it imports: what is heavy and seldom
// needed waits until it is.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { built } from '../../src/lab/built.ts'

const DIST = dirname(built('main.js'))

/** Packages, and files of ours as `src/…`, that a file of dist and what it imports are made of. */
function madeOf(file: string): Set<string> {
  const files = new Set([file])
  const found = new Set<string>()
  for (const one of files) {
    const text = readFileSync(join(DIST, one), 'utf8')
    for (const [, path] of text.matchAll(/^(?:import|export)[^'"();]*["']\.\/([\w.-]+\.js)["'];/gm)) files.add(path!)
    const { sources } = JSON.parse(readFileSync(join(DIST, `${one}.map`), 'utf8')) as { sources: string[] }
    for (const source of sources) {
      const [, name] = /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules\/)/.exec(source) ?? []
      found.add(name ?? source.replace(/^(\.\.\/)+/, ''))
    }
  }
  return found
}

/** The chunk that a lazily imported file of src begins. */
function chunk(name: string): string {
  const found = readdirSync(DIST).filter((file) => new RegExp(`^${name}-\\w+\\.js$`).test(file))
  expect(found).toHaveLength(1)
  return found[0]!
}

/** It, and what it is made of. */
const YARGS = [
  'yargs',
  'yargs-parser',
  'cliui',
  'y18n',
  'escalade',
  'get-caller-file',
  'string-width',
  'strip-ansi',
  'ansi-regex',
  'wrap-ansi',
  'ansi-styles',
  'emoji-regex',
  'get-east-asian-width',
]

const packagesIn = (all: Set<string>): string[] => [...all].filter((name) => !name.startsWith('src/'))

describe('dist', () => {
  it.each(['main.js', 'status', 'peers', 'fdb', 'reload'])(
    'reads a command line and asks an agent with yargs alone: %s',
    (name) => {
      const found = packagesIn(madeOf(name === 'main.js' ? name : chunk(name)))
      expect(found.filter((one) => !YARGS.includes(one))).toEqual([])
    },
  )

  it('starts an agent without what only some need', () => {
    const up = madeOf(chunk('up'))
    expect(up).toContain('src/agent.ts')
    expect([...up]).toEqual(expect.arrayContaining(['zod', 'yaml', 'pino']))
    for (const name of ['libsodium', 'libsodium-wrappers', 'etcd3', '@grpc/grpc-js', 'prom-client']) {
      expect(up).not.toContain(name)
    }
  })

  it('starts the data thread with our own code alone', () => {
    expect(packagesIn(madeOf('data-thread.js'))).toEqual([])
  })

  it('starts a WireGuard device without a configuration’s packages', () => {
    expect(packagesIn(madeOf('vtepd-wg.js'))).toEqual([])
    expect(packagesIn(madeOf(chunk('wg-device'))).sort()).toEqual(['@noble/hashes'])
  })

  it('has the licence of everything that is inside', () => {
    const text = readFileSync(join(DIST, 'licenses.txt'), 'utf8')
    const inside = readdirSync(DIST).filter((file) => file.endsWith('.js.map'))
    const packages = new Set(inside.flatMap((file) => packagesIn(madeOf(file.replace(/\.map$/, '')))))
    expect(packages.size).toBeGreaterThan(20)
    for (const name of packages) expect(text).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\(`, 'm'))
  })
})
