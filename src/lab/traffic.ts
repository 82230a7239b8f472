// What a load generator offers, and which one this machine has.
import { isInstalled } from './command.ts'
import { Iperf } from './iperf.ts'
import type { Host } from './lab.ts'
import { Loadgen } from './loadgen.ts'

export interface Load {
  readonly from: Host
  readonly to: Host
  /** Where `to` listens. */
  readonly address: string
  /** Measured seconds, after `warmup` seconds that do not count. */
  readonly seconds: number
  readonly warmup: number
}

/** What arrived, payload alone. */
export interface Delivered {
  readonly bitsPerSecond: number
  /** Bytes of the warm-up included, for figures like CPU time per byte. */
  readonly totalBytes: number
}

export interface Traffic {
  /** For people. */
  readonly name: string
  tcp(load: Load, streams: number): Promise<Delivered>
  /** One sender, flat out, with `size` bytes a datagram. */
  udp(load: Load, size: number): Promise<Delivered>
}

/** iperf3 where it is installed, else our own. */
export function chooseTraffic(): Traffic {
  return isInstalled('iperf3') ? new Iperf() : new Loadgen()
}
