// subnet.env as it should be on the host: written when what is in it changes, and put back when somebody removes or alters it. The
// kernel tells of a file only as long as its directory is the same one, so it is looked at instead: a hundred bytes. Cold.
import { lstatSync, readFileSync, rmSync } from 'node:fs'
import type { Undesired } from '../api/api.ts'
import { Mender, PRESENT } from '../upkeep/mender.ts'
import type { Repair } from '../upkeep/repairs.ts'
import { MODE, writeSubnetEnv } from './subnet-env.ts'

export class SubnetFile {
  private path = ''
  /** null: it is not written yet, or not any more. */
  private text: string | null = null
  private readonly mender = new Mender(() => this.path)

  /** Has this text at this place from now on, and none at another. Throws what the file system says. */
  set(path: string, text: string): void {
    if (path === this.path && text === this.text) return
    if (path !== this.path) this.remove()
    writeSubnetEnv(path, text)
    this.path = path
    this.text = text
  }

  /** Compares and puts back. `now`: ms. */
  check(now: number): Repair[] {
    const { path, text } = this
    const have = text === null ? null : fault(path, text)
    if (text === null || have === null) return this.mender.mend([], now)
    const mend = (): void => writeSubnetEnv(path, text)
    return this.mender.mend([{ reason: 'subnet-env', what: 'subnet.env', want: PRESENT, have, mend }], now)
  }

  /** What could not be put back. */
  undesired(): Undesired[] {
    return this.mender.undesired()
  }

  /** Nobody is told of a subnet any more. */
  remove(): void {
    if (this.text === null) return
    this.text = null
    rmSync(this.path, { force: true })
  }
}

// null: it is as it should be.
function fault(path: string, text: string): string | null {
  try {
    const { mode } = lstatSync(path)
    if ((mode & 0o170000) !== 0o100000) return 'no file'
    if ((mode & 0o7777) !== MODE) return `of mode 0${(mode & 0o7777).toString(8)}`
    return readFileSync(path, 'utf8') === text ? null : 'altered'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'missing' : (error as Error).message
  }
}
