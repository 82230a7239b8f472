// What a handshake leaves, on its way from the thread that did it to the one that sends and receives with it.

export interface NewSession {
  /** Our index for it and theirs, 0 .. 2^32-1. */
  readonly local: number
  readonly remote: number
  /** Whether we began. */
  readonly initiator: boolean
  /** Both began at once, both handshakes succeeded, and it is for the other side to renew. */
  readonly yields: boolean
  /** 32 bytes each; whoever has them last zeroes them. */
  readonly send: Uint8Array
  readonly receive: Uint8Array
}
