/** Bytes of copies that may wait for the reader. */
const WAITING_MAX = 8 * 1024 * 1024;
export class Capture {
    /** Bytes on their way to the reader; the mailbox subtracts what the reader has taken. */
    waiting = 0;
    missed = 0;
    sink;
    constructor(sink) {
        this.sink = sink;
    }
    frame(network, b, i) {
        this.bytes(network, b.bytes, b.off[i], b.off[i] + b.len[i]);
    }
    bytes(network, bytes, off, end) {
        if (this.waiting + end - off > WAITING_MAX) {
            this.missed++;
            return;
        }
        this.waiting += end - off;
        this.sink(network.id, bytes.slice(off, end));
    }
}
//# sourceMappingURL=capture.js.map