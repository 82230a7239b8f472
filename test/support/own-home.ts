// A host without an agent: directories that live as long as the test, its configuration read from them as `vtepd up` reads it.
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { mainFile, readConfig } from '../../src/cli/config-source.ts'
import { ConfigError } from '../../src/control/config/error.ts'
import type { Config } from '../../src/control/config/model.ts'
import type { Home, HostAddress } from '../../src/control/join/home.ts'
import { temporaryDir } from './temporary.ts'

export class OwnHome implements Home {
  readonly dir = temporaryDir()
  readonly configDir = join(this.dir, 'etc')
  readonly stateDir = join(this.dir, 'lib')
  readonly log: string[] = []
  reloads = 0
  /** What the next reload throws. */
  refusal: Error | null = null
  addressList = ['198.18.0.1']
  private current: Config | null = null

  /** `text`: the hand-written file; undefined: there is none. */
  static async make(text?: string): Promise<OwnHome> {
    const home = new OwnHome()
    if (text !== undefined) {
      home.write('vtepd.yaml', text)
      await home.reload()
      home.reloads = 0
    }
    return home
  }

  config = (): Config | null => this.current

  read = (): Promise<Config> => readConfig(undefined, mainFile(this.configDir))

  reload = async (): Promise<void> => {
    this.reloads++
    if (this.refusal) throw this.refusal
    this.current = await this.read()
  }

  addresses = (): readonly string[] => this.addressList

  /** What else is on the host. */
  readonly devices = new Set<string>()
  host = {
    addresses: (): HostAddress[] => this.addressList.map((a) => ({ interface: 'eth0', address: a, cidr: `${a}/24` })),
    hasDevice: (name: string): boolean => this.devices.has(name),
  }

  said = (line: string): void => void this.log.push(line)

  /** A file below the configuration's directory, of mode 0600. */
  write(name: string, text: string): string {
    const path = join(this.configDir, name)
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }

  text(name: string): string {
    return readFileSync(join(this.configDir, name), 'utf8')
  }

  /** Every file below the configuration's directory, with its mode. */
  files(): Record<string, string> {
    const all = readdirSync(this.dir, { recursive: true, withFileTypes: true }).filter((f) => f.isFile())
    const paths = all.map((f) => join(f.parentPath, f.name)).filter((path) => path.startsWith(this.configDir))
    return Object.fromEntries(
      paths.sort().map((path) => [relative(this.configDir, path), (statSync(path).mode & 0o777).toString(8)]),
    )
  }
}

/** The faults of a configuration that is faulty, or the error as it is. */
export function faultsOf(error: unknown): unknown {
  return error instanceof ConfigError ? error.faults : error
}
