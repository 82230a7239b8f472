// The MAC of our VTEP in a flannel network: the device has none, our lease names this one. Made from what stays the same over
// restarts, before the store has said anything. Pure; cold.

import type { Config, FlannelConfig } from '../config/model.ts'
import { hashedMac } from '../mac.ts'
import type { LocalAddress } from '../upkeep/underlay.ts'

export function vtepMac(file: FlannelConfig, { node, publicKey }: Config, underlay: readonly LocalAddress[]): string {
  const who = publicKey ?? `${node} ${underlay[0]?.address ?? ''}`
  return hashedMac(`${file.prefix ?? 'flannel'} ${who}`)
}
