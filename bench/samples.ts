// What was measured so far: every sample of every round, what went wrong, and what is not on this machine.
import { NAMES, QUANTITIES, type Quantity, type System } from './goal.ts'

/** A measurement that failed; the others went on. */
export interface Failure {
  readonly what: string
  readonly why: string
}

export class Samples {
  readonly failures: Failure[] = []
  private readonly values = new Map<string, number[]>()
  private readonly reasons = new Map<string, string>()
  private readonly lacking = new Map<System, string>()

  add(quantity: Quantity, system: System, value: number): void {
    const key = keyOf(quantity, system)
    this.values.set(key, [...(this.values.get(key) ?? []), value])
  }

  of(quantity: Quantity, system: System): readonly number[] {
    return this.values.get(keyOf(quantity, system)) ?? []
  }

  fail(quantity: Quantity, system: System, where: string, why: string): void {
    const name = `${NAMES[system]}, ${QUANTITIES[quantity].name}`
    this.failures.push({ what: where === '' ? name : `${name}, ${where}`, why })
    this.reasons.set(keyOf(quantity, system), why)
  }

  /** This machine has no such system. */
  lack(system: System, why: string): void {
    this.lacking.set(system, why)
  }

  has(system: System): boolean {
    return !this.lacking.has(system)
  }

  /** Why there is no sample, as far as is known. */
  whyNot(quantity: Quantity, system: System): string | null {
    if (this.of(quantity, system).length > 0) return null
    return this.lacking.get(system) ?? this.reasons.get(keyOf(quantity, system)) ?? null
  }
}

function keyOf(quantity: Quantity, system: System): string {
  return `${quantity} ${system}`
}
