// The tray: packets of one crossing, as columns (struct of arrays) over one slab. native/layout.h is the same list.
// Allocated once; never resized, never transferred. Several batches may lie over one slab: a walk reads one and writes
// the other's columns, so the bytes stay where the kernel put them. Borrowed until the next receive into the slab.
// Temperature: hot (readers index columns); the constructor is cold.

import { NONE } from './drop.ts'

export const HEADROOM = 128
export const TAILROOM = 64
export const ADDR_LEN = 32
export const LOCAL_LEN = 16

/** Values of `kind`: virtio_net_hdr gso_type, or-ed with ECN when the first segment carries CWR. */
export const SINGLE = 0
export const TCP4 = 1
export const TCP6 = 4
export const UDP = 5
export const ECN = 0x80
/** A datagram slot of length 0 with a key goes out all the same, as a message around nothing. */
export const KEEPALIVE = 0x40

const F64_COLUMNS = 1
const U32_COLUMNS = 7
const U16_COLUMNS = 4
const U8_COLUMNS = 2

/** Bytes of the columns of a batch of `slots` slots. */
export function columnsSize(slots: number): number {
  return slots * (F64_COLUMNS * 8 + U32_COLUMNS * 4 + U16_COLUMNS * 2 + U8_COLUMNS + ADDR_LEN + LOCAL_LEN)
}

export class Batch {
  readonly slots: number
  readonly columns: ArrayBuffer
  readonly bytes: Uint8Array
  readonly ctr: Float64Array
  readonly off: Uint32Array
  readonly len: Uint32Array
  readonly peer: Int32Array
  readonly link: Int32Array
  readonly sum: Uint32Array
  readonly err: Int32Array
  readonly key: Int32Array
  readonly segment: Uint16Array
  readonly header: Uint16Array
  readonly l3: Uint16Array
  readonly port: Uint16Array
  readonly kind: Uint8Array
  readonly tos: Uint8Array
  readonly addr: Uint8Array
  readonly local: Uint8Array
  count: number
  /** Native's number for it; -1: native does not know it. */
  id = -1

  /** `slots` must be a multiple of 8; `bytes` is the slab, which batches may share. */
  constructor(slots: number, bytes: Uint8Array) {
    const columns = new ArrayBuffer(columnsSize(slots))
    let at = 0
    const next = (width: number): number => {
      const start = at
      at += slots * width
      return start
    }
    this.slots = slots
    this.columns = columns
    this.bytes = bytes
    this.ctr = new Float64Array(columns, next(8), slots)
    this.off = new Uint32Array(columns, next(4), slots)
    this.len = new Uint32Array(columns, next(4), slots)
    this.peer = new Int32Array(columns, next(4), slots)
    this.link = new Int32Array(columns, next(4), slots)
    this.sum = new Uint32Array(columns, next(4), slots)
    this.err = new Int32Array(columns, next(4), slots)
    this.key = new Int32Array(columns, next(4), slots).fill(NONE)
    this.segment = new Uint16Array(columns, next(2), slots)
    this.header = new Uint16Array(columns, next(2), slots)
    this.l3 = new Uint16Array(columns, next(2), slots)
    this.port = new Uint16Array(columns, next(2), slots)
    this.kind = new Uint8Array(columns, next(1), slots)
    this.tos = new Uint8Array(columns, next(1), slots)
    this.addr = new Uint8Array(columns, next(ADDR_LEN), slots * ADDR_LEN)
    this.local = new Uint8Array(columns, next(LOCAL_LEN), slots * LOCAL_LEN)
    this.count = 0
  }
}
