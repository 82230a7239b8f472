// What is worth a line in the log when handshakes with a peer come to nothing, though the peer is there: at most once a minute for each
// peer and reason, since whoever sees the messages can repeat and spoil them. Cold.
import type { Why } from '../wireguard/handshakes.ts'

const MINUTE = 60_000
/** Networks double datagrams: a handshake that came twice is no reason to speak, some in a row are. */
const REPLAYS = 3

type Kind = 'initiation' | 'answer'

interface Faults {
  /** Initiations in a row that were no newer than one before. */
  replays: number
  /** When each was said last, ms. */
  readonly saidAt: { replay: number; sealed: number }
}

export class HandshakeFaults {
  private readonly byTunnel = new Map<number, Faults>()

  /** A handshake has succeeded. */
  succeeded(tunnel: number): void {
    const faults = this.byTunnel.get(tunnel)
    if (faults) faults.replays = 0
  }

  /** Its number is for another peer from now on. */
  forget(tunnel: number): void {
    this.byTunnel.delete(tunnel)
  }

  /** A message of the peer called `name` came to nothing: what to say, or null. `now`: ms. */
  hear(tunnel: number, name: string, kind: Kind, why: Why, now: number): string | null {
    if (kind === 'initiation' ? why !== 'replay' : why !== 'bad-tag') return null
    const faults = this.byTunnel.get(tunnel) ?? { replays: 0, saidAt: { replay: -MINUTE, sealed: -MINUTE } }
    this.byTunnel.set(tunnel, faults)
    if (kind === 'answer') {
      if (now - faults.saidAt.sealed < MINUTE) return null
      faults.saidAt.sealed = now
      return `peer ${name} answers our handshakes, and its answers do not open: is the preshared key the same on both hosts?`
    }
    faults.replays++
    if (faults.replays < REPLAYS || now - faults.saidAt.replay < MINUTE) return null
    faults.saidAt.replay = now
    return `peer ${name}: its handshakes are older than one before, and are refused: its clock was set back, or somebody repeats them`
  }
}
