// A tunnel to a host that knows us by another key than our own, for the time of a join: a second, smaller self with its own
// handshakes. It is in no network; all that comes out of it is what the other agent says to ours. Cold.
import { randomFillSync } from 'node:crypto'
import type { Mailbox, News } from '../../datapath/mailbox.ts'
import * as sockaddr from '../../host/sockaddr.ts'
import { Handshakes, type Outcome } from '../../wireguard/handshakes.ts'
import type { Secret } from '../secret.ts'

/** Whom to visit, and as whom. */
export interface Call {
  readonly privateKey: Secret
  readonly presharedKey: Secret
  /** The host's. */
  readonly publicKey: string
}

export interface VisitParts {
  readonly mailbox: Mailbox
  /** The number that it has with the data thread; nobody else's. */
  readonly tunnel: number
  /** Indices that our own handshakes use. */
  taken(index: number): boolean
  /** What the host says. */
  told(body: Uint8Array): void
}

export class Visit {
  readonly tunnel: number
  private readonly p: VisitParts
  private readonly handshakes: Handshakes

  /** It leads nowhere until `callAt`. */
  constructor({ privateKey, presharedKey, publicKey }: Call, parts: VisitParts) {
    this.p = parts
    this.tunnel = parts.tunnel
    this.handshakes = new Handshakes(randomFillSync, (index) => parts.taken(index))
    const [key, psk] = [privateKey.copy(), presharedKey.copy()]
    this.handshakes.setPrivateKey(key)
    this.handshakes.addPeer(this.tunnel, Buffer.from(publicKey, 'base64'), psk)
    key.fill(0)
    psk.fill(0)
  }

  /** The host is tried here from now on, with a new handshake. */
  async callAt(address: string, port: number): Promise<void> {
    const { mailbox } = this.p
    await mailbox.ask({ kind: 'remove-tunnel', tunnel: this.tunnel })
    const endpoint = sockaddr.pack(address, port)
    await mailbox.ask({ kind: 'set-tunnel', tunnel: this.tunnel, keepalive: 0, endpoint, stock: true })
  }

  /** Says something to the host's agent; it may get lost, as when there is no session yet: that begins one. */
  tell(body: Uint8Array): void {
    this.p.mailbox.tell({ kind: 'tell', tunnel: this.tunnel, body })
  }

  async end(): Promise<void> {
    this.close()
    await this.p.mailbox.ask({ kind: 'remove-tunnel', tunnel: this.tunnel })
  }

  /** Forgets its keys. */
  close(): void {
    this.handshakes.removePeer(this.tunnel)
    this.handshakes.setPrivateKey(null)
  }

  // --- what the tunnels pass on ---

  uses(index: number): boolean {
    return this.handshakes.uses(index)
  }

  /** A handshake message that is not for our own key. */
  handle({ message, from, waiting }: News & { kind: 'handshake' }, now: number): Outcome {
    return this.handshakes.handle(message, from, waiting, now)
  }

  /** False: it is about something else. */
  hear(n: News, now: number): boolean {
    if (n.kind === 'retired') this.handshakes.release(n.index)
    if (!('tunnel' in n) || n.tunnel !== this.tunnel) return false
    if (n.kind === 'told') this.p.told(n.body)
    else if (n.kind === 'clear-handshake') this.handshakes.clear(this.tunnel)
    else if (n.kind === 'initiate') {
      const message = this.handshakes.initiate(this.tunnel, now, Date.now())
      if (message) this.p.mailbox.tell({ kind: 'initiation', tunnel: this.tunnel, message })
    }
    return true
  }
}
