// Builds the addon with node-gyp, with this Node's own headers when they lie beside it (nodejs.org's tarballs, nvm,
// NodeSource and Debian packages all do that), so that a machine without a way to nodejs.org builds too.
// `--debug-asan` is not here: test/native builds the plain C++ files by itself.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const prefix = dirname(dirname(process.execPath))
const gyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js')

const args = ['--loglevel=warn', '-j', 'max']
if (existsSync(join(prefix, 'include/node/node_api.h'))) args.push(`--nodedir=${prefix}`)

/** @param {'build' | 'rebuild'} how */
function make(how) {
  return spawnSync(process.execPath, [gyp, how, ...args], { cwd: root, encoding: 'utf8' })
}

let jobs = make(existsSync(join(root, 'build/Makefile')) ? 'build' : 'rebuild')
// What lies in build/ knows Node's headers by a path from here: in a tree that was moved, or under another Node, it is made anew.
if (jobs.status !== 0 && /No rule to make target/.test(jobs.stderr)) jobs = make('rebuild')
if (jobs.status !== 0) {
  process.stderr.write(jobs.stdout ?? '')
  process.stderr.write(jobs.stderr ?? '')
  process.stderr.write(
    '\nvtepd: the native addon could not be built. It needs python3, make and g++ (Debian: apt install build-essential python3).\n' +
      'Without a way to nodejs.org, point node-gyp at local headers: npm_package_config_node_gyp_nodedir=/usr npm run build\n',
  )
  process.exit(jobs.status ?? 1)
}
