#!/usr/bin/env node
// vtepd: the command line in, an exit code out. What a command does is in cli/, one file each.
import type { Command } from './cli/commands.ts'
import { exitCodeOf, explain, INTERRUPTED } from './cli/exit.ts'
import type { Flags } from './cli/flags.ts'
import { parse } from './cli/parse.ts'

async function main(args: readonly string[]): Promise<number> {
  const parsed = await parse(args, process.env, process.stdout.columns)
  if (parsed.kind === 'text') {
    process.stdout.write(parsed.text)
    return 0
  }
  for (const warning of parsed.warnings) process.stderr.write(`vtepd: ${warning}\n`)
  return run(parsed.command, parsed.flags)
}

async function run(command: Command, flags: Flags): Promise<number> {
  if (!command.ownSignals) process.once('SIGINT', () => process.exit(INTERRUPTED))
  try {
    return await (await command.load!())(flags)
  } catch (error) {
    if (flags.on('verbose') && error instanceof Error) process.stderr.write(`${error.stack}\n`)
    throw error
  }
}

// The reader of a pipe may leave early (`vtepd fdb | head`): that ends us, and is no failure.
function endWith(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(process.exitCode)
  process.stderr.write(`vtepd: cannot write to stdout: ${error.message}\n`)
  process.exit(exitCodeOf(error))
}
process.stdout.on('error', endWith)
process.stderr.on('error', () => {})

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(explain(error))
  return exitCodeOf(error)
})
// What was written goes out first; nothing that a command left open keeps us. A full disk is told here before it is above.
process.stdout.write('', (error) => (error ? endWith(error) : process.exit()))
