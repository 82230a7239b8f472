// The tray: packets of one crossing, as columns (struct of arrays) over one slab. native/layout.h is the same list.
// Allocated once; never resized, never transferred. Several batches may lie over one slab: a walk reads one and writes
// the other's columns, so the bytes stay where the kernel put them. Borrowed until the next receive into the slab.
// Temperature: hot (readers index columns); the constructor is cold.
export const HEADROOM = 128;
export const TAILROOM = 64;
export const ADDR_LEN = 32;
export const LOCAL_LEN = 16;
/** Values of `kind`: virtio_net_hdr gso_type, or-ed with ECN when the first segment carries CWR. */
export const SINGLE = 0;
export const TCP4 = 1;
export const TCP6 = 4;
export const UDP = 5;
export const ECN = 0x80;
const U32_COLUMNS = 6;
const U16_COLUMNS = 4;
const U8_COLUMNS = 2;
/** Bytes of the columns of a batch of `slots` slots. */
export function columnsSize(slots) {
    return slots * (U32_COLUMNS * 4 + U16_COLUMNS * 2 + U8_COLUMNS + ADDR_LEN + LOCAL_LEN);
}
export class Batch {
    slots;
    columns;
    bytes;
    off;
    len;
    peer;
    link;
    sum;
    err;
    segment;
    header;
    l3;
    port;
    kind;
    tos;
    addr;
    local;
    count;
    /** Native's number for it; -1: native does not know it. */
    id = -1;
    /** `slots` must be a multiple of 8; `bytes` is the slab, which batches may share. */
    constructor(slots, bytes) {
        const columns = new ArrayBuffer(columnsSize(slots));
        let at = 0;
        const next = (width) => {
            const start = at;
            at += slots * width;
            return start;
        };
        this.slots = slots;
        this.columns = columns;
        this.bytes = bytes;
        this.off = new Uint32Array(columns, next(4), slots);
        this.len = new Uint32Array(columns, next(4), slots);
        this.peer = new Int32Array(columns, next(4), slots);
        this.link = new Int32Array(columns, next(4), slots);
        this.sum = new Uint32Array(columns, next(4), slots);
        this.err = new Int32Array(columns, next(4), slots);
        this.segment = new Uint16Array(columns, next(2), slots);
        this.header = new Uint16Array(columns, next(2), slots);
        this.l3 = new Uint16Array(columns, next(2), slots);
        this.port = new Uint16Array(columns, next(2), slots);
        this.kind = new Uint8Array(columns, next(1), slots);
        this.tos = new Uint8Array(columns, next(1), slots);
        this.addr = new Uint8Array(columns, next(ADDR_LEN), slots * ADDR_LEN);
        this.local = new Uint8Array(columns, next(LOCAL_LEN), slots * LOCAL_LEN);
        this.count = 0;
    }
}
//# sourceMappingURL=batch.js.map