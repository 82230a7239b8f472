// A far end of WireGuard as the control thread knows it, and what there is to say of it. Cold.
import {
  type Counters,
  STAT_NOW,
  TUNNEL_HANDSHAKE,
  TUNNEL_HANDSHAKING,
  TUNNEL_RX_BYTES,
  TUNNEL_STATE,
  TUNNEL_TX_BYTES,
  TUNNEL_UP,
} from '../counters.ts'
import type { PeerSession } from './api/report.ts'
import { endpointText } from './config/endpoint.ts'
import type { PeerConfig } from './config/model.ts'
import type { Secret } from './secret.ts'
import type { Seen } from './wg/state.ts'

export interface Place {
  readonly address: string
  readonly port: number
}

/** A key that may shake hands with us and speak to our control thread, and is in no network. */
export interface Guest {
  readonly name: string
  readonly publicKey: string
  readonly presharedKey: Secret
}

export interface Remote {
  readonly id: number
  /** In no network, and no peer of the configuration: `want` and `retain` leave it alone. */
  readonly guest: boolean
  /** The configuration has it, as a peer; `hold` wants it. Either is a reason to stay, and the first has the last word. */
  listed: boolean
  held: boolean
  peer: PeerConfig
  /** The endpoint that the configuration gave last; null: none, or a name without an address yet. */
  configured: Place | null
  /** Where it is: the configuration's word, or where it called from. */
  place: Place | null
  /** Initiations since the last session. */
  attempts: number
  /** Of the last session, since the host started and since 1970: asked twice, the answer is the same. */
  handshake: { at: number; wallMs: number }
}

export function sessionOf(remote: Remote, counters: Counters): PeerSession {
  const completed = counters.tunnel(remote.id, TUNNEL_HANDSHAKE)
  const state = counters.tunnel(remote.id, TUNNEL_STATE)
  const age = Math.max(0, counters.stats[STAT_NOW]! - completed)
  return {
    endpoint: remote.place ? endpointText(remote.place.address, remote.place.port) : null,
    lastHandshakeSeconds: completed === 0 ? null : Math.floor(age / 1000),
    state: state === TUNNEL_UP ? 'up' : state === TUNNEL_HANDSHAKING ? 'handshaking' : 'idle',
  }
}

/** `now`: since the host started, ms. */
export function seenOf(remote: Remote, counters: Counters, now: number): Seen {
  const at = counters.tunnel(remote.id, TUNNEL_HANDSHAKE)
  if (at !== remote.handshake.at) remote.handshake = { at, wallMs: Date.now() - now + at }
  const { wallMs } = remote.handshake
  return {
    endpoint: remote.place,
    lastHandshake: at === 0 ? null : { sec: Math.floor(wallMs / 1000), nsec: Math.floor(wallMs % 1000) * 1_000_000 },
    rxBytes: counters.tunnel(remote.id, TUNNEL_RX_BYTES),
    txBytes: counters.tunnel(remote.id, TUNNEL_TX_BYTES),
  }
}

/** As one of the peers; its endpoint is where it calls from. */
export function asPeer({ name, publicKey, presharedKey }: Guest): PeerConfig {
  return { name, endpoint: null, publicKey, presharedKey, keepaliveSec: 0, type: 'vtepd', networks: [] }
}

/** Whether it is the same address and port. */
export function isSamePlace(a: Place, b: Place | null): boolean {
  return b !== null && a.address === b.address && a.port === b.port
}
