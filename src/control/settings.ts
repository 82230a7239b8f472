// A network's settings as the data thread is told of them. Cold.
import type { Settings } from '../datapath/mailbox.ts'
import { ANY, CIDRS, PEERS } from '../overlay/networks.ts'
import type { NetworkConfig } from './config/model.ts'
import { macBytes, range } from './far.ts'

/** `mac`: the device's; `group`: number of its multicast group's socket, or 0. */
export function settingsOf(n: NetworkConfig, mac: string, group: number): Settings {
  return {
    mac: macBytes(mac),
    learning: n.learning,
    ageing: n.ageingSec * 1000,
    macLimit: n.macLimit,
    floodOn: n.flood !== 'off',
    accept: n.accept === 'peers' ? PEERS : n.accept === 'any' ? ANY : CIDRS,
    ranges: typeof n.accept === 'string' ? [] : n.accept.map((text) => range(text)),
    keepVlan: n.innerVlan === 'keep',
    copyEcn: n.ecn === 'copy',
    dscp: n.dscp === 'inherit' ? -1 : n.dscp << 2,
    hashPort: n.sourcePort === 'hash',
    sourceCheck: n.sourceCheck,
    mssClamp: n.mssClamp,
    suppressArp: n.suppressArp,
    stormLimit: n.stormLimit,
    group,
  }
}
