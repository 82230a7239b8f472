// What a reload cannot change while the agent runs. Pure; cold.
import { ApiError } from '../api/api.ts'
import type { Config } from './model.ts'

/** Refuses `next`, with all that is wrong with it, unless the agent can go from `now` to it. */
export function refuseUnchangeable(now: Config, next: Config): void {
  const faults = unchangeable(now, next)
  if (faults.length > 0) throw new ApiError(409, 'the file asks for what cannot change live', faults)
}

/** Faults of `next` beside `now`, each with its path and the mend. */
export function unchangeable(now: Config, next: Config): string[] {
  const faults: string[] = []
  const compare = (path: string, a: unknown, b: unknown): void => {
    if (JSON.stringify(a) !== JSON.stringify(b)) {
      faults.push(`${path}: cannot change live (now ${JSON.stringify(a)}); put that back, or restart the agent`)
    }
  }
  compare('node', now.node, next.node)
  compare('control.etcd', now.etcd, next.etcd)
  compare('metrics', now.metrics, next.metrics)
  compare('offloads', now.offloads, next.offloads)
  return faults
}
