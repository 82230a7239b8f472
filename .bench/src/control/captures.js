import * as pcap from './pcap.js';
export class Captures {
    readers = new Set();
    mailbox;
    running;
    constructor(mailbox, running) {
        this.mailbox = mailbox;
        this.running = running;
    }
    /** Writes the file header and from now on a record for every frame; the answer ends it. */
    start(network, sink) {
        const wanted = this.running().filter((r) => network === undefined || r.config.name === network);
        const raw = wanted.length > 0 && wanted.every((r) => r.config.device === 'tun');
        sink(pcap.fileHeader(raw ? pcap.LINKTYPE_RAW : pcap.LINKTYPE_ETHERNET));
        const reader = {
            network,
            take: (r, frame) => {
                const bytes = raw || r.config.device === 'tap' ? frame : pcap.asEthernet(frame);
                sink(pcap.record(performance.timeOrigin + performance.now(), bytes));
            },
        };
        this.readers.add(reader);
        void this.switch();
        return () => {
            this.readers.delete(reader);
            void this.switch();
        };
    }
    /** A frame that the data thread has copied for us. */
    take(r, frame) {
        void this.mailbox.ask({ kind: 'captured', bytes: frame.length }).catch(() => { });
        if (r)
            for (const reader of this.readers)
                if (isIn(reader, r))
                    reader.take(r, frame);
    }
    /** Networks have come: tells the data thread which ones are captured. */
    async switch() {
        for (const r of this.running()) {
            const on = [...this.readers].some((reader) => isIn(reader, r));
            // A network that has just gone needs no switching.
            await this.mailbox.ask({ kind: 'capture', id: r.id, on }).catch(() => { });
        }
    }
}
function isIn(reader, r) {
    return reader.network === undefined || reader.network === r.config.name;
}
//# sourceMappingURL=captures.js.map