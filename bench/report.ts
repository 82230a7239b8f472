// The file of --json, written anew whenever something was measured, so that what there is outlives a failure or Ctrl-C.
import { renameSync, writeFileSync } from 'node:fs'
import type { Environment } from './environment.ts'

export class Report {
  private readonly path: string | null
  private readonly head: object
  private readonly measured: Record<string, unknown> = {}
  private readonly notMeasured: Record<string, string> = {}

  /** `path` null: nothing is written. */
  constructor(path: string | null, environment: Environment) {
    this.path = path
    this.head = { schema: 1, environment, date: new Date().toISOString() }
  }

  /** What a bench has measured so far. */
  set(bench: string, measured: unknown): void {
    this.measured[bench] = measured
    this.write()
  }

  /** A bench ended early; what it has measured stays. */
  fail(bench: string, why: string): void {
    this.notMeasured[bench] = why
    this.write()
  }

  private write(): void {
    if (this.path === null) return
    const whole = { ...this.head, ...this.measured, notMeasured: this.notMeasured }
    // Beside it first: a reader never sees half a file.
    const beside = `${this.path}.new`
    writeFileSync(beside, `${JSON.stringify(whole, null, 2)}\n`)
    renameSync(beside, this.path)
  }
}
