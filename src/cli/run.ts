// A command line, from its words to its exit code. What a command does is in a file of its own; what becomes of the process is
// main.ts's.
import type { Command } from './commands.ts'
import { exitCodeOf, explain, INTERRUPTED } from './exit.ts'
import type { Flags } from './flags.ts'
import { parse } from './parse.ts'

/** Never throws: what goes wrong is said on stderr. `columns`: width of the terminal. */
export async function runLine(args: readonly string[], env: NodeJS.ProcessEnv, columns?: number): Promise<number> {
  try {
    const parsed = await parse(args, env, columns)
    if (parsed.kind === 'text') {
      process.stdout.write(parsed.text)
      return 0
    }
    for (const warning of parsed.warnings) process.stderr.write(`vtepd: ${warning}\n`)
    return await run(parsed.command, parsed.flags)
  } catch (error) {
    process.stderr.write(explain(error))
    return exitCodeOf(error)
  }
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
