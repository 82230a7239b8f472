// Begins to follow one network in the store. Cold.
import type { Config, FlannelConfig } from '../model.ts'
import { Refusal } from '../refusal.ts'
import type { Follower, Identity } from './model.ts'

export function openFollower(file: FlannelConfig, _config: Config, _identity: Identity, _subnetFile: string): Follower {
  throw new Refusal(`networks.${file.name}.type: flannel is not in this version; write vxlan`, 2)
}
