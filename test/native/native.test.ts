// Runs native's own tests and a short stretch of its fuzz targets; their output is shown when they fail. They are C++
// with no Node in them, so that the sanitizers see everything.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

function run(script: string, ...args: string[]): void {
  const done = spawnSync(`${root}/scripts/${script}`, args, { cwd: root, encoding: 'utf8', timeout: 280_000 })
  expect(done.status, `${script} ${args.join(' ')}\n${done.stdout}${done.stderr}${done.error ?? ''}`).toBe(0)
}

// The first build takes a while on a small machine.
test('the native tests pass under AddressSanitizer and UBSan', { timeout: 300_000 }, () => run('test-native.sh'))

test('the native parsers survive fuzzing', { timeout: 300_000 }, () => run('fuzz.sh', 'runs=20000'))
