// The library entry `vtepd`: an agent inside another program. docs/command-line.md describes what `status` answers.

import { hostname } from 'node:os'
import { type Agent as RunningAgent, startAgent } from './agent.ts'
import type { Status } from './control/api/api.ts'
import { parseConfig } from './control/config/config.ts'
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
  const parsed = parseConfig(JSON.stringify(config), { path: 'config', hostname: hostname() })
  const log = createLog({ level: options.logLevel ?? 'warn' })
  let running: RunningAgent | null = null
  return {
    async start(): Promise<void> {
      if (running) throw new Error('the agent runs already')
      running = await startAgent(parsed, { runtimeDir: options.runtimeDir ?? '/run/vtepd', log })
    },
    async stop(): Promise<void> {
      const stopping = running
      running = null
      stopping?.stop()
      await stopping?.done
    },
    status(): Status {
      if (!running) throw new Error('the agent does not run')
      return running.status()
    },
  }
}
