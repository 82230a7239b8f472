/** Control's end. */
export class Mailbox {
    port;
    wake;
    waiting = new Map();
    next = 0;
    /** `wake` ends the data thread's sleep; `news` hears what it says unasked. */
    constructor(port, wake, news) {
        this.port = port;
        this.wake = wake;
        port.on('message', (m) => {
            if (m.kind === 'reply' || m.kind === 'refused')
                this.settle(m);
            else
                news(m);
        });
    }
    /** Gives an order; resolves with its answer once it is done, rejects when it could not be. */
    ask(order) {
        const request = this.next++;
        return new Promise((resolve, reject) => {
            this.waiting.set(request, { resolve: resolve, reject });
            this.port.postMessage({ request, order });
            this.wake();
        });
    }
    /** The thread has ended: what was asked gets no answer any more. */
    close(error) {
        for (const w of this.waiting.values())
            w.reject(error);
        this.waiting.clear();
        this.port.close();
    }
    settle(m) {
        const w = this.waiting.get(m.request);
        this.waiting.delete(m.request);
        if (m.kind === 'reply')
            w?.resolve(m.value);
        else if (m.kind === 'refused')
            w?.reject(m.error);
    }
}
//# sourceMappingURL=mailbox.js.map