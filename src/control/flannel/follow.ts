// Begins to follow one network in the store that the configuration names. Cold.
import { randomBytes } from 'node:crypto'
import type { Log } from '../../log.ts'
import type { Config, FlannelConfig } from '../config/model.ts'
import { Etcd } from '../etcd/etcd.ts'
import { credentialsOf } from '../etcd/files.ts'
import { Refusal } from '../refusal.ts'
import { StoreFollower } from './follower.ts'
import type { Follower, Identity } from './model.ts'
import { placeOf } from './place.ts'
import { readSubnetEnv } from './subnet-env.ts'

const INSTANCE_LEN = 8

/** Nothing is asked before start(). */
export function openFollower(
  file: FlannelConfig,
  config: Config,
  identity: Identity,
  subnetFile: string,
  log: Log,
): Follower {
  const { etcd } = config
  // flannel-check.ts has said it already.
  if (!etcd) throw new Refusal(`networks.${file.name}.type: flannel needs control.etcd`, 2)
  return new StoreFollower({
    store: new Etcd({ endpoints: etcd.endpoints, credentials: () => credentialsOf(etcd) }),
    prefix: placeOf(file, config),
    identity,
    leaseTtlSec: etcd.leaseTtlSec,
    renewMarginSec: etcd.renewMarginSec,
    instance: randomBytes(INSTANCE_LEN).toString('hex'),
    previous: readSubnetEnv(subnetFile),
    log,
  })
}
