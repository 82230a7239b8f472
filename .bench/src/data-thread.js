// The data thread: a worker that sleeps in native's poll and carries batches between devices and sockets. It builds its own
// parts (tables, walks, trays) and is reached through the mailbox alone. Nothing else runs here: no timers, no logs, no
// event loop. One turn is: wait, orders, sockets → devices, devices → sockets, answers, what native noticed.
// Temperature: warm; per batch, never per packet.
import { randomBytes } from 'node:crypto';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { Batch } from './batch.js';
import { Counters, STAT_NOW } from './counters.js';
import { Answers } from './datapath/answers.js';
import { Capture } from './datapath/capture.js';
import { Inbound } from './datapath/inbound.js';
import { Outbound } from './datapath/outbound.js';
import { Tables } from './datapath/tables.js';
import { NONE } from './drop.js';
import { Engine, layout, pathMtu, slab } from './host/addon.js';
import { DeviceLink, UdpLink } from './host/links.js';
// native/engine.h `Ready`.
const READY_WAKE = 1;
const READY_DEVICES = 2;
const READY_SOCKETS = 4;
const READY_WRITABLE = 8;
const READY_CHANGED = 16;
const READY_GONE = 32;
/** Room for frames of one crossing: sixteen super-packets, or 512 small frames. Larger falls out of the second-level cache. */
const FRAME_SLAB_TRAINS = 16;
const FRAMES = 512;
const DATAGRAMS_OUT = 1024;
const MESSAGES_IN = 24;
const FRAMES_IN = 4096;
/** Milliseconds between two sweeps. */
const SWEEP = 1000;
class DataThread {
    input;
    engine = new Engine();
    counters;
    tables;
    frames;
    messages;
    outbound;
    inbound;
    answers;
    capture;
    devices;
    udp;
    /** A socket is full: the outbound batch waits, and the devices with it. */
    full = false;
    stopped = false;
    sweptAt = 0;
    constructor(input) {
        this.input = input;
        const engine = this.engine;
        const sizes = layout();
        const slabOut = new Uint8Array(slab(FRAME_SLAB_TRAINS * sizes.frameRoom));
        const slabIn = new Uint8Array(slab(MESSAGES_IN * sizes.datagramRoom));
        this.frames = new Batch(FRAMES, slabOut);
        const datagrams = new Batch(DATAGRAMS_OUT, slabOut);
        this.messages = new Batch(MESSAGES_IN, slabIn);
        const framesIn = new Batch(FRAMES_IN, slabIn);
        this.counters = new Counters(input.counters);
        engine.attachStats(this.counters.stats);
        if (input.profile)
            engine.profile(true);
        const seed = randomBytes(4).readInt32LE();
        const news = (n) => input.port.postMessage(n);
        this.devices = new DeviceLink(engine, this.counters.stats);
        this.udp = new UdpLink(engine, this.counters.stats);
        this.capture = new Capture((id, frame) => news({ kind: 'captured', id, frame }));
        this.answers = new Answers(this.devices, seed);
        for (const b of [this.frames, datagrams, this.messages, framesIn, this.answers.tray]) {
            b.id = engine.attach(b.columns, b.slots, b.bytes);
        }
        const native = Object.assign(engine, { pathMtu: (address) => pathMtu(address) });
        this.tables = new Tables(native, this.counters, seed, news);
        const { networks, vteps, ports } = this.tables;
        const { counters, answers, capture, tables } = this;
        this.outbound = new Outbound({
            networks,
            vteps,
            counters,
            answers,
            capture,
            datagrams,
            seed,
            learnMtu: (vtep) => tables.learnMtu(vtep),
        });
        this.inbound = new Inbound({
            networks,
            vteps,
            counters,
            capture,
            ports,
            frames: framesIn,
            addStranger: (n, a, b, c, d) => tables.addStranger(n, a, b, c, d),
            ownMac: (n, vtep) => tables.ownMac(n, vtep),
        });
        // What control writes to, to end our sleep; also the sign that we are ready for orders.
        parentPort.postMessage(engine.wakeFd());
    }
    run() {
        const stats = this.counters.stats;
        while (!this.stopped) {
            const ready = this.engine.wait(SWEEP, this.frames.id, this.messages.id);
            const now = stats[STAT_NOW];
            this.tables.now = now;
            this.answers.begin(now);
            if (ready & READY_WAKE)
                this.readOrders();
            if (ready & READY_SOCKETS)
                this.carryInbound();
            if (ready & READY_WRITABLE && this.full)
                this.full = !this.outbound.resume(this.udp);
            if (!this.full && ready & (READY_DEVICES | READY_WRITABLE))
                this.carryOutbound(ready);
            this.answers.flush();
            if (ready & READY_CHANGED)
                this.learnMtus();
            if (ready & READY_GONE)
                this.dropGone();
            if (now - this.sweptAt >= SWEEP)
                this.sweep(now);
        }
        this.engine.publish();
    }
    carryInbound() {
        if (this.udp.receive(this.messages) === 0)
            return;
        this.inbound.begin(this.messages, this.tables.tick);
        while (this.inbound.step())
            this.inbound.send(this.devices);
    }
    carryOutbound(ready) {
        // After a wait for a full socket the batch in hand may have frames left.
        if (ready & READY_WRITABLE && !this.pump())
            return;
        if ((ready & READY_DEVICES) === 0 || this.devices.receive(this.frames) === 0)
            return;
        this.outbound.begin(this.frames);
        this.pump();
    }
    // Until the batch in hand is empty (true) or a socket is full (false).
    pump() {
        while (this.outbound.step()) {
            if (!this.outbound.send(this.udp)) {
                this.full = true;
                return false;
            }
        }
        return true;
    }
    learnMtus() {
        for (let vtep = this.engine.nextChanged(); vtep !== NONE; vtep = this.engine.nextChanged()) {
            this.tables.learnMtu(vtep);
        }
    }
    dropGone() {
        for (let id = this.engine.nextGone(); id !== NONE; id = this.engine.nextGone()) {
            this.engine.clearDevice(id);
            this.input.port.postMessage({ kind: 'gone', id });
        }
    }
    sweep(now) {
        this.sweptAt = now;
        this.tables.expire();
        this.engine.publish();
    }
    readOrders() {
        for (;;) {
            const got = receiveMessageOnPort(this.input.port);
            if (!got)
                return;
            this.obey(got.message);
        }
    }
    obey({ request, order }) {
        const { port } = this.input;
        try {
            if (order.kind === 'captured')
                this.capture.waiting -= order.bytes;
            const value = this.tables.handle(order);
            this.engine.publish();
            port.postMessage({ kind: 'reply', request, value });
        }
        catch (error) {
            port.postMessage({ kind: 'refused', request, error });
        }
        if (order.kind === 'stop')
            this.stopped = true;
    }
}
new DataThread(workerData).run();
//# sourceMappingURL=data-thread.js.map