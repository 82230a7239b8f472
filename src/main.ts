#!/usr/bin/env node
// vtepd: the command line in, an exit code out. What a command does is in cli/, one file each.
import { exitCodeOf } from './cli/exit.ts'
import { runLine } from './cli/run.ts'

// The reader of a pipe may leave early (`vtepd fdb | head`): that ends us, and is no failure.
function endWith(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(process.exitCode)
  process.stderr.write(`vtepd: cannot write to stdout: ${error.message}\n`)
  process.exit(exitCodeOf(error))
}
process.stdout.on('error', endWith)
process.stderr.on('error', () => {})

process.exitCode = await runLine(process.argv.slice(2), process.env, process.stdout.columns)
// What was written goes out first; nothing that a command left open keeps us. A full disk is told here before it is above.
process.stdout.write('', (error) => (error ? endWith(error) : process.exit()))
