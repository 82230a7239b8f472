// `vtepd up`: the agent in the foreground, as systemd (Type=notify) or a terminal runs it. Cleans up on SIGINT, SIGTERM and
// `vtepd stop`; SIGHUP reloads.
import { hostname } from 'node:os'
import { dirname, resolve } from 'node:path'
import { type Agent, startAgent } from '../agent.ts'
import { fromQuickFlags, type QuickFlags } from '../control/config/config.ts'
import type { Config } from '../control/config/model.ts'
import { createLog, type Log } from '../log.ts'
import { QUICK_FLAGS } from './commands.ts'
import { configPlace } from './config-place.ts'
import { readConfig } from './config-source.ts'
import { DONE, explain, FAILED, Failure, USAGE } from './exit.ts'
import type { Flags } from './flags.ts'
import { ServiceManager } from './service-manager.ts'

/** Milliseconds between two pleas for more time to become ready. */
const EXTEND = 10_000
/** Milliseconds that cleaning up may take. */
const PATIENCE = 10_000

export async function up(flags: Flags): Promise<number> {
  // How packages deal with Node is nothing to an operator: gRPC names a server by its address, which Node deplores on stderr.
  process.noDeprecation = true
  const log = createLog({ level: flags.on('verbose') ? 'debug' : flags.on('quiet') ? 'warn' : 'info' })
  const quick = quickFlags(flags)
  const { file, main } = configPlace(flags)
  const read = (): Promise<Config> => readConfig(file, main)
  const config = quick ? fromQuickFlags(quick, { hostname: hostname() }) : await read()
  const foreground = new Foreground(log)
  // conf.d, where invitations and joins are written, belongs to the default file.
  const isDefault = !quick && file === undefined
  const home = isDefault ? { home: { configDir: dirname(main), stateDir: resolve(flags.stateDir) } } : {}
  const options = {
    runtimeDir: flags.runtimeDir,
    log,
    reloading: (isOn: boolean) => foreground.reloading(isOn),
    stopping: () => foreground.stops(),
    ...(quick ? {} : { readConfig: read }),
    ...home,
  }
  const started = startAgent(config, options).then((agent) => foreground.attach(agent))
  return Promise.race([started, foreground.cut])
}

// null: a file is meant. What was typed goes before what is in the environment.
function quickFlags(flags: Flags): QuickFlags | null {
  const given = QUICK_FLAGS.filter((flag) => flags.origin(flag.name) !== null)
  if (given.length === 0) return null
  const isTyped = given.some((flag) => flags.origin(flag.name) === 'command line')
  const configOrigin = flags.origin('config')
  if (configOrigin !== null && isTyped === (configOrigin === 'command line')) {
    const names = given.map((flag) => `--${flag.name}`).join(', ')
    const what = given.length === 1 ? 'describes' : 'describe'
    throw new Failure(USAGE, `${names}: ${what} a network without a file, and --config names a file; drop one of them`)
  }
  if (configOrigin === 'command line') return null
  const values = given.map(({ name, kind }) => {
    return [name, kind === 'switch' ? flags.on(name) : kind === 'list' ? flags.list(name) : flags.text(name)]
  })
  return Object.fromEntries(values) as QuickFlags
}

// The life of the process: signals from the first moment on, the service manager, and the exit code.
class Foreground {
  /** Resolves with the exit code when cleaning up is cut short. */
  readonly cut: Promise<number>
  private readonly log: Log
  private readonly manager: ServiceManager
  private agent: Agent | null = null
  private stopping = false
  private isReady = false
  private failed = false
  private cutShort!: (exitCode: number) => void

  constructor(log: Log) {
    this.log = log
    this.manager = new ServiceManager(log)
    this.cut = new Promise((resolve) => {
      this.cutShort = resolve
    })
    process.on('SIGINT', (signal) => this.stop(signal))
    process.on('SIGTERM', (signal) => this.stop(signal))
    process.on('SIGHUP', () => void this.reload())
    process.on('uncaughtException', (error) => this.fail(error))
  }

  /** From here the agent runs; resolves with the exit code once it has cleaned up. */
  async attach(agent: Agent): Promise<number> {
    this.agent = agent
    // A signal came while the devices were being made.
    if (this.stopping) agent.stop()
    else this.log.info(agent.ready() ? 'ready' : 'started, but not ready yet; `vtepd status` says what is missing')
    void this.tellReady(agent)
    const watchdog = this.startWatchdog(agent)
    await agent.done
    if (watchdog) clearInterval(watchdog)
    return this.failed || process.exitCode === FAILED ? FAILED : DONE
  }

  // A store that does not answer yet is no failed start, however long it takes.
  private async tellReady(agent: Agent): Promise<void> {
    const wait = setInterval(() => this.manager.beat(`EXTEND_TIMEOUT_USEC=${3000 * EXTEND}`), EXTEND)
    await Promise.race([agent.programmed, agent.done])
    clearInterval(wait)
    if (this.stopping) return
    this.manager.tell('READY=1')
    this.isReady = true
  }

  /** A reload begins, or is over. */
  reloading(isOn: boolean): void {
    if (!this.isReady || this.stopping) return
    const now = process.hrtime.bigint() / 1000n
    this.manager.tell(isOn ? `RELOADING=1\nMONOTONIC_USEC=${now}` : 'READY=1')
  }

  /** The agent stops: because of us, or because somebody asked it at its socket. */
  stops(): void {
    if (!this.stopping) this.stop('asked to stop')
  }

  private stop(why: string): void {
    if (this.stopping) {
      this.log.warn(`${why} again: not cleaning up`)
      this.cutShort(FAILED)
      return
    }
    this.stopping = true
    this.log.info(`${why}: cleaning up`)
    this.manager.tell('STOPPING=1')
    this.agent?.stop()
    const giveUp = (): void => {
      this.log.error(`cleaning up takes longer than ${PATIENCE / 1000} s: giving up`)
      this.cutShort(FAILED)
    }
    setTimeout(giveUp, PATIENCE).unref()
  }

  private fail(error: unknown): void {
    this.failed = true
    const message = error instanceof Error ? error.message : String(error)
    this.log.error(`unexpected, please report it: ${message}`)
    if (error instanceof Error) this.log.debug(error.stack ?? message)
    this.stop('an error')
  }

  private async reload(): Promise<void> {
    if (!this.agent || this.stopping) return
    try {
      await this.agent.reload()
    } catch (error) {
      const why = explain(error).replace(/^vtepd: /, '')
      this.log.error(`reload refused, the configuration stays as it was: ${why.trim()}`)
    }
  }

  // sd_watchdog_enabled(3): twice in the time that the service manager waits.
  private startWatchdog(agent: Agent): NodeJS.Timeout | null {
    const { WATCHDOG_USEC: usec, WATCHDOG_PID: pid } = process.env
    if (!(Number(usec) > 0) || (pid !== undefined && Number(pid) !== process.pid)) return null
    const beat = (): void => {
      if (agent.alive()) this.manager.beat('WATCHDOG=1')
    }
    return setInterval(beat, Number(usec) / 2000).unref()
  }
}
