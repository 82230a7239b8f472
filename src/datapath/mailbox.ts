// How control reaches the data thread: orders on a message port, an eventfd to end its sleep, replies and news back.
// Orders are done between batches, in the order they were given; every one is answered, so that control knows when an fd or
// an id is no longer in use. Cold.
import type { MessagePort } from 'node:worker_threads'

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
}

/** A peer's place in one network. */
export interface Far {
  /** Address in four big-endian words, IPv4 mapped. */
  readonly words: readonly number[]
  /** sockaddr as native wants it, with the VXLAN port. */
  readonly sockaddr: Uint8Array
  readonly pool: number
  /** Path MTU in bytes, 0: not known. */
  readonly mtu: number
  /** Layer 3: 6 bytes, or null: learned. */
  readonly mac: Uint8Array | null
  /** Layer 3: what is behind it. */
  readonly prefixes: readonly { readonly words: readonly number[]; readonly v6: boolean; readonly length: number }[]
}

export type Order =
  | { kind: 'add-network'; id: number; vni: number; layer2: boolean; port: number; settings: Settings }
  | { kind: 'set-network'; id: number; settings: Settings }
  | { kind: 'remove-network'; id: number }
  /** Replaces the network's peers. Answer: a VTEP id for each, -1 when there are no ids left. */
  | { kind: 'set-peers'; id: number; peers: readonly Far[]; statics: readonly { mac: Uint8Array; peer: number }[] }
  /** Where an address that `accept` lets in is written to: the network's port, by family. */
  | { kind: 'set-strangers'; id: number; port: number; pool4: number; pool6: number }
  | { kind: 'set-device'; id: number; fd: number; layer2: boolean; tcp: boolean; udp: boolean; mtu: number }
  | { kind: 'remove-device'; id: number }
  | { kind: 'set-socket'; id: number; fd: number; port: number }
  | { kind: 'remove-socket'; id: number }
  | { kind: 'set-pool'; id: number; fds: readonly number[]; gso: boolean; maxSegments: number }
  | { kind: 'remove-pool'; id: number }
  | { kind: 'set-mtu'; vtep: number; mtu: number }
  /** Answer: whether the station's entry could be written, or was there to remove. */
  | { kind: 'fdb-add'; id: number; mac: Uint8Array; vtep: number }
  | { kind: 'fdb-del'; id: number; mac: Uint8Array }
  /** Answer: FdbRow[]. */
  | { kind: 'fdb-list'; id: number }
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

export type News =
  /** The device of this network is gone; native has let go of its fd. */
  | { kind: 'gone'; id: number }
  | { kind: 'own-mac'; id: number; words: readonly number[] }
  | { kind: 'mtu'; vtep: number; mtu: number }
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

  /** `wake` ends the data thread's sleep; `news` hears what it says unasked. */
  constructor(port: MessagePort, wake: () => void, news: (n: News) => void) {
    this.port = port
    this.wake = wake
    port.on('message', (m: Message) => {
      if (m.kind === 'reply' || m.kind === 'refused') this.settle(m)
      else news(m)
    })
  }

  /** Gives an order; resolves with its answer once it is done, rejects when it could not be. */
  ask<T = void>(order: Order): Promise<T> {
    const request = this.next++
    return new Promise<T>((resolve, reject) => {
      this.waiting.set(request, { resolve: resolve as (value: unknown) => void, reject })
      this.port.postMessage({ request, order } satisfies Letter)
      this.wake()
    })
  }

  /** The thread has ended: what was asked gets no answer any more. */
  close(error: Error): void {
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
