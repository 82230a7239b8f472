// Makes dist/ from src/: programs, library entries and worker, each a bundle of what it needs at once, with the code they share in
// chunks and what they need seldom in chunks of its own. Node loads a few files then instead of three hundred: an agent starts
// with half of the CPU time. Types beside them are tsc's; licenses.txt has the texts of what was bundled.
import { execFile } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const dist = join(root, 'dist')

const PROGRAMS = ['main', 'vtepd-wg']
const ENTRIES = {
  main: 'src/main.ts',
  'vtepd-wg': 'src/vtepd-wg.ts',
  index: 'src/index.ts',
  tuntap: 'src/tuntap.ts',
  'data-thread': 'src/data-thread.ts',
  'loadgen-child': 'src/lab/loadgen-child.ts',
  // An agent loads these when it first needs them: under names that are still there when a newer version was installed meanwhile.
  'prom-client': 'prom-client',
  'libsodium-wrappers': 'libsodium-wrappers',
}

/** How everything is bundled; tests bundle their own children so. */
export const OPTIONS = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  // Constants are written where they are used, which a bundle's `var`s would else keep from the optimising compiler. Names stay.
  minifySyntax: true,
  sourcemap: true,
  sourcesContent: false,
  legalComments: 'eof',
  // Reads its .proto files at run time, and only an agent with a store loads it.
  external: ['etcd3/*'],
  // What is CommonJS asks for Node's modules so.
  banner: {
    js: `import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);`,
  },
  logLevel: 'warning',
}

async function bundle() {
  const { metafile } = await build({
    ...OPTIONS,
    entryPoints: Object.entries(ENTRIES).map(([out, path]) => ({ out, in: path })),
    outdir: dist,
    splitting: true,
    chunkNames: '[name]-[hash]',
    metafile: true,
  })
  writeFileSync(join(dist, 'licenses.txt'), licenses(packagesOf(metafile)))
  for (const name of PROGRAMS) chmodSync(join(dist, `${name}.js`), 0o755)
}

/** The directories, below the root, of packages that something came from. */
function packagesOf({ outputs }) {
  const inputs = Object.values(outputs).flatMap((output) => Object.keys(output.inputs))
  const found = inputs.map((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0])
  return [...new Set(found.filter((path) => path !== undefined))].sort()
}

function licenses(packages) {
  const texts = packages.map((path) => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8'))
    const files = readdirSync(join(root, path)).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file))
    if (files.length === 0) throw new Error(`${path} has no licence text`)
    const said = files.map((file) => readFileSync(join(root, path, file), 'utf8').trim())
    return [`${name} ${version} (${license})`, ...said].join('\n\n')
  })
  return `The files beside this one contain these packages.\n\n${texts.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`
}

/** Of the library entries, and of what they name. tsc writes those of all that they are made of. */
async function types() {
  const tsc = join(root, 'node_modules/.bin/tsc')
  const all = join(root, 'build/types')
  rmSync(all, { recursive: true, force: true })
  await promisify(execFile)(tsc, ['-p', join(root, 'tsconfig.build.json')]).catch((error) => {
    process.stderr.write(error.stdout)
    throw new Error('src has faults in its types, see above')
  })
  const wanted = new Set(['index.d.ts', 'tuntap.d.ts'])
  for (const file of wanted) {
    const text = readFileSync(join(all, file), 'utf8')
    for (const [, path] of text.matchAll(/'(\.[^']+)\.ts'/g)) wanted.add(`${join(dirname(file), path)}.d.ts`)
    mkdirSync(join(dist, dirname(file)), { recursive: true })
    writeFileSync(join(dist, file), text)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  rmSync(dist, { recursive: true, force: true })
  mkdirSync(dist)
  await Promise.all([bundle(), types()])
  // scripts/setup.sh goes by its age.
  writeFileSync(join(dist, '.built'), '')
}
