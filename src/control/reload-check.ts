// What a reload cannot change while the agent runs. Pure; cold.
import type { Config } from './model.ts'

/** Faults of `next` beside `now`, each with its path and the mend. */
export function unchangeable(now: Config, next: Config): string[] {
  const faults: string[] = []
  const compare = (path: string, a: unknown, b: unknown): void => {
    if (JSON.stringify(a) !== JSON.stringify(b)) {
      faults.push(`${path}: cannot change live (now ${JSON.stringify(a)}); restart the agent`)
    }
  }
  compare('node', now.node, next.node)
  compare('control.etcd', now.etcd, next.etcd)
  compare('metrics', now.metrics, next.metrics)
  compare('offloads', now.offloads, next.offloads)
  return faults
}
