import { STAT_FRAMES, STAT_MESSAGES } from '../counters.js';
/** Devices: receive tells how many frames there are, send writes them. */
export class DeviceLink {
    engine;
    stats;
    /** `stats`: what the engine was given by attachStats. */
    constructor(engine, stats) {
        this.engine = engine;
        this.stats = stats;
    }
    receive(b) {
        b.count = this.stats[STAT_FRAMES];
        return b.count;
    }
    /** Never FULL: a device takes a frame or refuses it. */
    send(b) {
        return this.engine.deliver(b.id, b.count);
    }
    resume() {
        return 0;
    }
}
/** Sockets: receive tells how many datagrams or trains there are, send puts them on the wire. */
export class UdpLink {
    engine;
    stats;
    constructor(engine, stats) {
        this.engine = engine;
        this.stats = stats;
    }
    receive(b) {
        b.count = this.stats[STAT_MESSAGES];
        return b.count;
    }
    send(b) {
        return this.engine.send(b.id, b.count);
    }
    resume(b) {
        return this.engine.resume(b.id);
    }
}
//# sourceMappingURL=links.js.map