// What is worth a line in the log when handshakes come to nothing: at most once a minute for each peer and reason, since whoever sees
// the messages can repeat and spoil them. Cold.
import * as sockaddr from '../host/sockaddr.ts'
import { INITIATION_LEN } from '../wire/wireguard.ts'
import type { Nothing } from '../wireguard/handshakes.ts'
import { endpointText } from './config/endpoint.ts'
import { base64Of } from './key.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
/** Networks double datagrams: a handshake that came twice is no reason to speak, some in a row are. */
const REPLAYS = 3
/** Strangers that are remembered as named. */
const STRANGERS = 64

/** What came to nothing. */
export interface Failed {
  /** Of the peer that it is about; null: it is about none. */
  readonly name: string | null
  readonly message: Uint8Array
  /** The sockaddr that it came from. */
  readonly from: Uint8Array
  /** Our public key, or null. */
  readonly own: Uint8Array | null
}

interface Faults {
  /** Initiations in a row that were no newer than one before. */
  replays: number
  /** When each was said last, ms. */
  readonly saidAt: { replay: number; sealed: number }
}

export class HandshakeFaults {
  private readonly byTunnel = new Map<number, Faults>()
  /** When strangers were named, by their keys; in that order. */
  private readonly strangers = new Map<string, number>()
  private strangerAt = -MINUTE

  /** A handshake has succeeded. */
  succeeded(tunnel: number): void {
    const faults = this.byTunnel.get(tunnel)
    if (faults) faults.replays = 0
  }

  /** Its number is for another peer from now on. */
  forget(tunnel: number): void {
    this.byTunnel.delete(tunnel)
  }

  /** What to say of it, or null. `now`: ms. */
  hear({ peer, why, caller }: Nothing, failed: Failed, now: number): string | null {
    if (caller) return this.stranger(caller, failed, now)
    const { name, message } = failed
    const isInitiation = message.length === INITIATION_LEN
    if (name === null || why !== (isInitiation ? 'replay' : 'bad-tag')) return null
    const faults = this.byTunnel.get(peer) ?? { replays: 0, saidAt: { replay: -MINUTE, sealed: -MINUTE } }
    this.byTunnel.set(peer, faults)
    return isInitiation ? replayed(faults, name, now) : unread(faults, name, now)
  }

  // A peer that was let go may call for years.
  private stranger(caller: Uint8Array, { from, own }: Failed, now: number): string | null {
    const key = base64Of(caller)
    if (now - this.strangerAt < MINUTE || now - (this.strangers.get(key) ?? -HOUR) < HOUR) return null
    this.strangerAt = now
    this.strangers.delete(key)
    this.strangers.set(key, now)
    if (this.strangers.size > STRANGERS) this.strangers.delete(this.strangers.keys().next().value!)
    const place = sockaddr.unpack(from)
    const where = place ? endpointText(place.address, place.port) : 'somewhere'
    if (own && base64Of(own) === key)
      return `a host at ${where} calls with our own public key: has it a copy of our private one?`
    return `a host at ${where} calls with the public key ${key}, which is no peer's here`
  }
}

function replayed(faults: Faults, name: string, now: number): string | null {
  faults.replays++
  if (faults.replays < REPLAYS || now - faults.saidAt.replay < MINUTE) return null
  faults.saidAt.replay = now
  return `peer ${name}: its handshakes are older than one before, and are refused: its clock was set back, or somebody repeats them`
}

function unread(faults: Faults, name: string, now: number): string | null {
  if (now - faults.saidAt.sealed < MINUTE) return null
  faults.saidAt.sealed = now
  return `peer ${name} answers our handshakes, and its answers do not open: is the preshared key the same on both hosts?`
}
