// What whoever starts an agent gives it beside its configuration.
import type { Config } from './control/config/model.ts'
import type { Home } from './control/join/home.ts'
import type { Log } from './log.ts'

export interface AgentOptions {
  readonly runtimeDir: string
  readonly log: Log
  /** Reads the configuration again, for `reload`. Without it reload is refused. */
  readonly readConfig?: () => Promise<Config>
  /** Hear when a reload begins and when it is over, and when the agent begins to stop, whoever asked for it. */
  readonly reloading?: (isOn: boolean) => void
  readonly stopping?: () => void
  /** Where vtepd may write, beside the default file. Without it there is neither invite nor join. */
  readonly home?: Pick<Home, 'configDir' | 'stateDir'> & Partial<Pick<Home, 'config' | 'read' | 'reload'>>
}
