#!/usr/bin/env node
// vtepd-wg: one WireGuard device in user space, configured by wg(8), as wireguard-go is. It goes into the background once its
// socket answers, and ends with its interface or its socket.
import { hostname } from 'node:os'
import { fileURLToPath } from 'node:url'
import { isBackground, runInBackground, tellFailed, tellReady } from './cli/background.ts'
import { exitCodeOf, explain } from './cli/exit.ts'
import { parseWgOptions, WG_HELP, type WgOptions } from './cli/wg-options.ts'
import { version } from './version.ts'
import type { WgDevice } from './wg-device.ts'

const inBackground = isBackground()

async function main(args: readonly string[]): Promise<number> {
  const parsed = parseWgOptions(args, process.env)
  if (parsed.kind !== 'run') {
    process.stdout.write(parsed.kind === 'help' ? WG_HELP : `${version}\n`)
    return 0
  }
  const { options } = parsed
  if (options.isForeground || inBackground) return run(options)
  return runInBackground(fileURLToPath(import.meta.url), args, options.isLevelGiven)
}

async function run(options: WgOptions): Promise<number> {
  let stopping: NodeJS.Signals | null = null
  let device: WgDevice | null = null
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      stopping = signal
      device?.stop(signal)
    })
  }
  // The process that is called starts another and waits for it: it has no need of all this.
  const [{ WgDevice }, { createLog, NO_LOG }] = await Promise.all([import('./wg-device.ts'), import('./log.ts')])
  const log = options.level === null ? NO_LOG : createLog({ level: options.level })
  device = await WgDevice.start({ name: options.interface, node: hostname(), log })
  if (stopping !== null) device.stop(stopping)
  else if (inBackground) await tellReady()
  return (await device.done) ? 1 : 0
}

process.exitCode = await main(process.argv.slice(2)).catch(async (error: unknown) => {
  const text = explain(error).replace(/^vtepd:/, 'vtepd-wg:')
  if (inBackground) await tellFailed(text, exitCodeOf(error))
  else process.stderr.write(text)
  return exitCodeOf(error)
})
process.stdout.write('', () => process.exit())
