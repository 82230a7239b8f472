// The house's rules as a test: which room may import which, names, sizes, hot files, and pages that must not fall behind.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, it } from 'vitest'
import * as drop from '../src/drop.ts'

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { encoding: 'utf8' })
  .split('\n')
  .filter(Boolean)
const sources = files.filter((f) => /^src\/.*\.ts$/.test(f))

const FLOOR = ['batch.ts', 'link.ts', 'drop.ts', 'counters.ts', 'log.ts', 'version.ts']
/** Rooms that each room may import, beside itself. Files at the root that are no floor may import everything. */
const MAY: Record<string, readonly string[]> = {
  floor: [],
  wire: ['floor'],
  crypto: [],
  wireguard: ['wire', 'floor', 'crypto'],
  overlay: ['wire', 'floor'],
  datapath: ['wireguard', 'overlay', 'wire', 'floor'],
  host: ['floor'],
  control: ['wireguard', 'overlay', 'wire', 'host', 'floor', 'datapath'],
  cli: ['control', 'wire', 'lab', 'floor', 'host', 'root'],
  lab: ['control', 'floor'],
}
/** Control reaches the data thread's tables only so; commands import the agent only from `up`. */
const DOORS: Record<string, readonly string[]> = {
  'control→datapath': ['src/datapath/mailbox.ts'],
  'cli→root': ['src/agent.ts'],
}

function roomOf(file: string): string {
  const [, first, rest] = file.split('/') as [string, string, string?]
  return rest !== undefined ? first : FLOOR.includes(first) ? 'floor' : 'root'
}

function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8')
  const found = [...text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map(([, path]) => path!)
  return found.map((path) => normalize(join(dirname(file), path)))
}

describe('arrows between rooms', () => {
  for (const file of sources.filter((f) => roomOf(f) !== 'root')) {
    it(file, () => {
      const from = roomOf(file)
      for (const target of importsOf(file)) {
        const to = roomOf(target)
        if (to === from) continue
        expect(MAY[from], `${file} imports ${target}`).toContain(to)
        const door = DOORS[`${from}→${to}`]
        if (door) expect(door, `${file} imports ${target}`).toContain(target)
      }
    })
  }
})

describe('files', () => {
  it('are named after what is in them', () => {
    expect(files.filter((f) => /(^|\/)(utils?|helpers?|common|types)\.[a-z]+$/.test(f))).toEqual([])
    expect(files.filter((f) => /\/index\.ts$/.test(f) && f !== 'src/index.ts')).toEqual([])
  })

  it('are short enough to read', () => {
    const long = files
      .filter((f) => /^(src|native)\/.*\.(ts|cc|h)$/.test(f))
      .map((f) => [f, readFileSync(f, 'utf8').split('\n').length] as const)
      .filter(([, lines]) => lines > 420)
    expect(long).toEqual([])
  })

  it('begin with what they are', () => {
    const bare = sources.filter((f) => !/^(#!.*\n)?\/\/ /.test(readFileSync(f, 'utf8')))
    expect(bare).toEqual([])
  })

  it('keep Node-API to addon files', () => {
    const native = files.filter((f) => /^native\/.*\.(cc|h)$/.test(f) && !/^native\/addon/.test(f))
    expect(native.filter((f) => /napi\.h|node_api\.h/.test(readFileSync(f, 'utf8')))).toEqual([])
  })

  it('name no machine', () => {
    const text = files.filter((f) => /\.(ts|cc|h|md|ya?ml|json|sh|py)$/.test(f) && f !== 'test/house.test.ts')
    const paths = /(^|[\s"'`=(])\/(root|work|home)\/|registry\.npmjs|_authToken/m
    expect(text.filter((f) => paths.test(readFileSync(f, 'utf8')))).toEqual([])
  })
})

describe('hot files', () => {
  const hot = sources.filter(
    (f) => /^src\/(wire|wireguard|datapath)\//.test(f) && /Temperature: hot\b/.test(readFileSync(f, 'utf8')),
  )
  const codeOf = (file: string) => readFileSync(file, 'utf8').replace(/\/\/.*$|\/\*[\s\S]*?\*\//gm, '')

  it('are there', () => expect(hot.length).toBeGreaterThan(10))

  it('are all of wire but what prints and what its head calls warm or cold', () => {
    const wire = sources.filter((f) => f.startsWith('src/wire/') && !hot.includes(f))
    expect(wire.filter((f) => !/Temperature: warm\b|\bCold\b/.test(readFileSync(f, 'utf8')))).toEqual([])
  })

  for (const file of hot) {
    it(`${file} makes no garbage by its form`, () => {
      const code = codeOf(file)
      expect(code).not.toMatch(/\bfor \((const|let) [^;]* of |\btry \{|\bdelete |\barguments\b|\.\.\.|=>/)
      expect(code).not.toMatch(/\.(map|filter|forEach|reduce|subarray|slice|push|concat|join|bind|call|apply)\(/)
    })
  }

  for (const file of hot.filter((f) => f.startsWith('src/wire/'))) {
    it(`${file} keeps no state, throws nothing and makes no object`, () => {
      expect(codeOf(file)).not.toMatch(/^(export )?let |\bthrow\b|\bnew [A-Z]|`/m)
    })
  }
})

describe('pages', () => {
  it('list every drop reason', () => {
    const page = readFileSync('docs/troubleshooting.md', 'utf8')
    for (const name of drop.names()) expect(page).toContain(`| \`${name}\` |`)
  })

  it('give a reason for every dependency, with its version', () => {
    const page = readFileSync('docs/dependencies.md', 'utf8')
    const { dependencies, devDependencies } = JSON.parse(readFileSync('package.json', 'utf8'))
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
      expect(page, name).toContain(name)
      expect(page, name).toContain(String(version))
    }
  })

  it('link to files that exist', () => {
    const pages = files.filter((f) => f.endsWith('.md'))
    const broken = pages.flatMap((page) =>
      [...readFileSync(page, 'utf8').matchAll(/\]\((?!https?:|#)([^)#]+)/g)]
        .map(([, link]) => normalize(join(dirname(page), link!)).replace(/\/$/, ''))
        .filter((link) => !files.some((f) => f === link || f.startsWith(`${link}/`)))
        .map((link) => `${page}: ${link}`),
    )
    expect(broken).toEqual([])
  })
})
