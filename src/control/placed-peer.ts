// A peer's place in a network as the data thread has it. Cold.
import type { PeerConfig } from './config/model.ts'

export interface PlacedPeer {
  readonly peer: PeerConfig
  /** Of a plain network: where it is. Of a secure one null: src/control/tunnels knows, and it may move. */
  readonly address: string | null
  readonly port: number
  /** -1: the data thread had no room. */
  vtep: number
}
