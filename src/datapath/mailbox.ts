// How control reaches the data thread: orders on a message port, an eventfd to end its sleep, replies and news back.
// Orders are done between batches, in the order they were given; every one is answered, so that control knows when an fd or
// an id is no longer in use. Cold.
import type { MessagePort } from 'node:worker_threads'
import type { NewSession } from '../wireguard/new-session.ts'

/** In place of a receiving socket's VXLAN port: what comes there is sealed. */
export const SEALED = -1

/** A network's settings that change live. */
export interface Settings {
  /** 6 bytes. */
  readonly mac: Uint8Array
  readonly learning: boolean
  /** Milliseconds; 0: never. */
  readonly ageing: number
  readonly macLimit: number
  readonly floodOn: boolean
  /** overlay/networks PEERS, CIDRS or ANY. */
  readonly accept: number
  readonly ranges: readonly { readonly words: readonly number[]; readonly length: number }[]
  readonly keepVlan: boolean
  readonly copyEcn: boolean
  /** DSCP << 2, or -1 for the inner packet's. */
  readonly dscp: number
  readonly hashPort: boolean
  readonly sourceCheck: boolean
  readonly mssClamp: boolean
  /** Layer 2. */
  readonly suppressArp: boolean
  /** Layer 2: packets per second; 0: no limit. */
  readonly stormLimit: number
  /** Number of the multicast group whose socket is this network's too, from 1; 0: it has none. */
  readonly group: number
}

/** A station that the operator has bound. */
export interface StaticStation {
  readonly mac: Uint8Array
  /** Position in the list of peers. */
  readonly peer: number
  /** Addresses of it, in words: questions for them are answered. */
  readonly addresses?: readonly (readonly number[])[]
}

/** An address that is a station's. */
export interface Binding {
  /** Four big-endian words, IPv4 mapped. */
  readonly words: readonly number[]
  readonly mac: Uint8Array
  readonly vtep: number
}

/** A peer's place in one network. */
export interface Far {
  /** Address in four big-endian words, IPv4 mapped; of a tunnel: overlay/vteps `keyWords`. */
  readonly words: readonly number[]
  /** Secure networks: the tunnel that it is reached through, and the next three fields say nothing. NONE: in clear text. */
  readonly tunnel: number
  /** sockaddr as native wants it, with the VXLAN port. */
  readonly sockaddr: Uint8Array
  readonly pool: number
  /** Path MTU in bytes, 0: not known. */
  readonly mtu: number
  /** Layer 3: 6 bytes, or null: learned. */
  readonly mac: Uint8Array | null
  /** Layer 3: what is behind it. */
  readonly prefixes: readonly { readonly words: readonly number[]; readonly v6: boolean; readonly length: number }[]
  /** `change-peers`: a VTEP of the network for whose prefixes it may speak too. Default: none. */
  readonly twin?: number
}

export type Order =
  | { kind: 'add-network'; id: number; vni: number; layer2: boolean; port: number; settings: Settings }
  | { kind: 'set-network'; id: number; settings: Settings }
  | { kind: 'remove-network'; id: number }
  /**
   * Replaces the network's peers; strangers that its settings do not admit any more go. Answer: a VTEP id for each, -1 when there
   * are no ids left. `group`: which of them is a multicast group, and alone gets what is for all.
   */
  | {
      kind: 'set-peers'
      id: number
      peers: readonly Far[]
      statics: readonly StaticStation[]
      group?: number | undefined
    }
  /**
   * Changes single peers: first those in `gone` (VTEP ids) go, then `peers` come, or change what is known under their words.
   * Answer: a VTEP id for each of `peers`, -1 when there are no ids left.
   */
  | { kind: 'change-peers'; id: number; peers: readonly Far[]; gone: readonly number[] }
  /** Where an address that `accept` lets in is written to: the network's port, by family. */
  | { kind: 'set-strangers'; id: number; port: number; pool4: number; pool6: number }
  /** `pad`: what is sealed is filled up to multiples of 16, at most to this; 0: it is not. */
  | {
      kind: 'set-device'
      id: number
      fd: number
      layer2: boolean
      tcp: boolean
      udp: boolean
      mtu: number
      pad: number
    }
  | { kind: 'remove-device'; id: number }
  /** `port`: of plain VXLAN, and which group's (overlay/networks `tagOf`); SEALED: WireGuard's messages come here. */
  | { kind: 'set-socket'; id: number; fd: number; port: number }
  | { kind: 'remove-socket'; id: number }
  | { kind: 'set-pool'; id: number; fds: readonly number[]; gso: boolean; maxSegments: number }
  | { kind: 'remove-pool'; id: number }
  | { kind: 'set-mtu'; vtep: number; mtu: number }
  /**
   * Adds a tunnel, or changes it. keepalive: ms, 0: none; endpoint: a sockaddr, null: where it is now; stock: the far end is
   * no agent, and is not asked what only agents answer.
   */
  | { kind: 'set-tunnel'; tunnel: number; keepalive: number; endpoint: Uint8Array | null; stock?: boolean }
  | { kind: 'remove-tunnel'; tunnel: number }
  /** By which sockets sealed messages leave, by family. */
  | { kind: 'set-tunnel-pools'; pool4: number; pool6: number }
  /** A handshake gave a session; `message`: the response to send. The keys' memory is moved, not copied. */
  | {
      kind: 'session'
      tunnel: number
      session: NewSession
      from: Uint8Array
      local: Uint8Array
      message: Uint8Array | null
    }
  | { kind: 'initiation'; tunnel: number; message: Uint8Array }
  /** A cookie reply to `to`, from our address `local`. */
  | { kind: 'answer'; message: Uint8Array; to: Uint8Array; local: Uint8Array }
  /** One for each handshake message that control has had; code: 0, or a drop code. */
  | { kind: 'handled'; outcomes: readonly { tunnel: number; code: number; bytes: number }[] }
  /** For the far end's control thread: a body of at most 1200 bytes, which may get lost. */
  | { kind: 'tell'; tunnel: number; body: Uint8Array }
  /** Control has read so many of what it was told. */
  | { kind: 'heard'; count: number }
  /** Our private key has changed: no session sends any more, but those of `kept` until they have another. */
  | { kind: 'renew-tunnels'; kept?: readonly number[] }
  /** The host's routes or addresses have changed. */
  | { kind: 'forget-sources' }
  /** Answer: whether the station's entry could be written, or was there to remove. */
  | { kind: 'fdb-add'; id: number; mac: Uint8Array; vtep: number }
  | { kind: 'fdb-del'; id: number; mac: Uint8Array }
  /** Answer: FdbRow[]. */
  | { kind: 'fdb-list'; id: number }
  /** Control's bindings of addresses in a network, all of them: a control plane knows what nobody has said yet. */
  | { kind: 'set-bindings'; id: number; bindings: readonly Binding[] }
  /** Answer: NeighbourRow[]. */
  | { kind: 'neighbour-list'; id: number }
  | { kind: 'capture'; id: number; on: boolean }
  | { kind: 'captured'; bytes: number }
  | { kind: 'stop' }

export interface FdbRow {
  readonly mac: Uint8Array
  readonly vtep: number
  /** The VTEP's address in four words: a stranger is no peer that control knows. */
  readonly words: readonly number[]
  readonly isStatic: boolean
  readonly ageMs: number
}

export interface NeighbourRow extends Binding {
  readonly origin: 'local' | 'learned' | 'control' | 'static'
  readonly ageMs: number
}

export type News =
  /** The device of this network is gone; native has let go of its fd. */
  | { kind: 'gone'; id: number }
  | { kind: 'own-mac'; id: number; words: readonly number[] }
  /** Two stations say that they have this address; MACs as 16 and 32 bits. */
  | {
      kind: 'duplicate'
      id: number
      words: readonly number[]
      had: readonly [number, number]
      claimed: readonly [number, number]
    }
  | { kind: 'mtu'; vtep: number; mtu: number }
  /** A message of types 1 to 3, where it came from and to; `waiting`: how many control has before it. */
  | { kind: 'handshake'; message: Uint8Array; from: Uint8Array; local: Uint8Array; waiting: number }
  /** An initiation is wanted. */
  | { kind: 'initiate'; tunnel: number }
  /** No session has this index any more. */
  | { kind: 'retired'; index: number }
  | { kind: 'clear-handshake'; tunnel: number }
  /** What the far end's control thread says to ours. */
  | { kind: 'told'; tunnel: number; body: Uint8Array }
  /** The far end is at this sockaddr now. */
  | { kind: 'roamed'; tunnel: number; address: Uint8Array }
  | { kind: 'captured'; id: number; frame: Uint8Array }

export type Message =
  | { kind: 'reply'; request: number; value: unknown }
  | { kind: 'refused'; request: number; error: Error }
  | News

export interface Letter {
  readonly request: number
  readonly order: Order
}

/** Control's end. */
export class Mailbox {
  private readonly port: MessagePort
  private readonly wake: () => void
  private readonly waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  private next = 0
  /** Set with the last order: the thread may end at any moment, and what wakes it with it. */
  private ended: Error | null = null

  /** `wake` ends the data thread's sleep; `news` hears what it says unasked. */
  constructor(port: MessagePort, wake: () => void, news: (n: News) => void) {
    this.port = port
    this.wake = wake
    port.on('message', (m: Message) => {
      if (m.kind === 'reply' || m.kind === 'refused') this.settle(m)
      else news(m)
    })
  }

  /**
   * Gives an order; resolves with its answer once it is done, rejects when it could not be. `moved`: memory that goes over
   * instead of being copied; it is empty here from then on.
   */
  ask<T = void>(order: Order, moved: readonly ArrayBuffer[] = []): Promise<T> {
    if (this.ended) return Promise.reject(this.ended)
    if (order.kind === 'stop') this.ended = new Error('the data thread ends')
    const request = this.next++
    return new Promise<T>((resolve, reject) => {
      this.waiting.set(request, { resolve: resolve as (value: unknown) => void, reject })
      this.port.postMessage({ request, order } satisfies Letter, moved)
      this.wake()
    })
  }

  /**
   * The same when nobody waits for it. An order that cannot be done is our mistake, and is thrown where everybody hears it; that
   * there is nobody any more to do it is none.
   */
  tell(order: Order, moved: readonly ArrayBuffer[] = []): void {
    this.ask(order, moved).catch((error: unknown) => {
      if (!this.ended) throw error
    })
  }

  /** The thread has ended: what was asked gets no answer any more. */
  close(error: Error): void {
    this.ended ??= error
    for (const w of this.waiting.values()) w.reject(error)
    this.waiting.clear()
    this.port.close()
  }

  private settle(m: Message & { request: number }): void {
    const w = this.waiting.get(m.request)
    this.waiting.delete(m.request)
    if (m.kind === 'reply') w?.resolve(m.value)
    else if (m.kind === 'refused') w?.reject(m.error)
  }
}
