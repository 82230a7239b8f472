// The library entry `vtepd`: an agent inside another program. docs/command-line.md describes what `status` answers.

import { hostname } from 'node:os'
import { type Agent as RunningAgent, startAgent } from './agent.ts'
import type { Status } from './control/api/api.ts'
import { parseConfig } from './control/config/config.ts'
import { ConfigError } from './control/config/error.ts'
import type { Config } from './control/config/model.ts'
import { createLog, type Level } from './log.ts'

export type { Status } from './control/api/api.ts'

export interface CreateAgentOptions {
  /** Where the control socket is made. Default /run/vtepd. */
  runtimeDir?: string
  /** What is logged to stderr. Default 'warn'. */
  logLevel?: Level
}

export interface Agent {
  /** Brings devices, sockets and peers up. Rejects with an Error that says what to mend, and leaves nothing behind. */
  start(): Promise<void>
  /** Takes everything down again; resolves when the host is as it was. */
  stop(): Promise<void>
  /** The JSON of `vtepd status`. Throws before `start`. */
  status(): Status
}

/** `config`: what a configuration file holds, as an object. Faults throw at once, all of them, as `faults`. */
export function createAgent(config: object, options: CreateAgentOptions = {}): Agent {
  const parsed = checked(config)
  const log = createLog({ level: options.logLevel ?? 'warn' })
  let starting: Promise<RunningAgent> | null = null
  let running: RunningAgent | null = null
  return {
    async start(): Promise<void> {
      if (starting) throw new Error('the agent runs already')
      const begun = startAgent(parsed, { runtimeDir: options.runtimeDir ?? '/run/vtepd', log })
      starting = begun
      try {
        const agent = await begun
        if (starting === begun) running = agent
      } catch (error) {
        if (starting === begun) starting = null
        throw error
      }
    },
    async stop(): Promise<void> {
      const begun = starting
      starting = null
      running = null
      // One that is starting is stopped once it has; what it failed with is for who started it.
      const agent = await begun?.catch(() => null)
      agent?.stop()
      await agent?.done
    },
    status(): Status {
      if (!running) throw new Error('the agent does not run')
      return running.status()
    },
  }
}

// An object has no lines to name.
function checked(config: object): Config {
  try {
    return parseConfig(JSON.stringify(config ?? null), { path: 'config', hostname: hostname() })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new ConfigError(
      'config',
      error.faults.map((fault) => fault.replace(/ \(line \d+\)$/, '')),
    )
  }
}
