// Where a flannel network of the file is: in the store, and on the host. Pure. Cold.
import { join } from 'node:path'
import type { Config, FlannelConfig } from '../config/model.ts'

/** Its prefix in the store. */
export function placeOf({ prefix }: Pick<FlannelConfig, 'prefix'>, { etcd }: Pick<Config, 'etcd'>): string {
  return prefix ?? etcd?.prefix ?? ''
}

/** The path of its subnet.env. */
export function subnetFileOf({ subnetFile }: Pick<FlannelConfig, 'subnetFile'>, runtimeDir: string): string {
  return subnetFile ?? join(runtimeDir, 'subnet.env')
}
