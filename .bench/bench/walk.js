// The two walks in memory: batches as the kernel's doors would fill them, Links that swallow everything. What is timed is
// TypeScript's own part of a packet's way; crossings into native are not in it.
import { ADDR_LEN, Batch, HEADROOM, SINGLE, TCP4 } from '../src/batch.js';
import { Counters } from '../src/counters.js';
import { Answers } from '../src/datapath/answers.js';
import { Capture } from '../src/datapath/capture.js';
import { Inbound } from '../src/datapath/inbound.js';
import { Outbound } from '../src/datapath/outbound.js';
import { NONE } from '../src/drop.js';
import { Fdb } from '../src/overlay/fdb.js';
import { Network, Networks } from '../src/overlay/networks.js';
import { Routes } from '../src/overlay/routes.js';
import { Vteps } from '../src/overlay/vteps.js';
import * as ethernet from '../src/wire/ethernet.js';
import * as vxlan from '../src/wire/vxlan.js';
import { SEGMENT, station, TCP_HEADERS, writeTcp, writeUdp } from './frames.js';
import { line, time } from './timing.js';
const SEED = 0x5eed1234;
const VNI = 42;
const PORT = 4789;
const STATIONS = 16;
const MAC_LIMIT = 65536;
const SINGLES = 512;
const TRAINS = 16;
/** Segments of a train of about 60 kB. */
const SEGMENTS = 42;
const SMALL = 64 + ethernet.LEN + 28;
const LARGE = 1450 + ethernet.LEN;
const ROOM_SINGLE = 2048;
const ROOM_TRAIN = 65536 + HEADROOM;
const AF_INET = 2;
/** Of the far VTEP: 198.18.0.2, IPv4 mapped. */
const FAR = [0, 0, 0xffff, 0xc6120002 | 0];
class Swallow {
    receive() {
        return 0;
    }
    send() {
        return 0;
    }
    resume() {
        return 0;
    }
}
export function walk() {
    outbound('out, 64 B payload', frames(SINGLES, SMALL), SINGLES, 'packet');
    outbound('out, MTU 1450', frames(SINGLES, LARGE), SINGLES, 'packet');
    outbound(`out, trains of ${SEGMENTS}`, frameTrains(), TRAINS, 'train');
    inbound('in, 64 B payload', datagrams(SINGLES, SMALL), SINGLES, 'packet');
    inbound('in, MTU 1450', datagrams(SINGLES, LARGE), SINGLES, 'packet');
    inbound(`in, trains of ${SEGMENTS}`, datagramTrains(), TRAINS, 'train');
}
function outbound(name, batch, slots, unit) {
    const { parts, network, vtep } = tables();
    const sink = new Swallow();
    for (let i = 0; i < STATIONS; i++)
        network.fdb.learn(station(2, i).hi, station(2, i).lo, vtep, 0);
    const own = new Batch(1024, batch.bytes);
    const answers = new Answers(sink, SEED);
    const out = new Outbound({ ...parts, answers, datagrams: own, seed: SEED, learnMtu: () => { } });
    const turn = () => {
        let made = 0;
        out.begin(batch);
        while (out.step()) {
            made += own.count;
            out.send(sink);
        }
        return made;
    };
    expect(name, turn(), slots);
    report(name, turn, slots, unit);
}
function inbound(name, batch, slots, unit) {
    const { parts } = tables();
    const sink = new Swallow();
    const own = new Batch(4096, batch.bytes);
    const ports = new Uint16Array(4096).fill(PORT);
    const walker = new Inbound({ ...parts, frames: own, ports, addStranger: () => NONE, ownMac: () => { } });
    const turn = () => {
        let made = 0;
        walker.begin(batch, 1);
        while (walker.step()) {
            made += own.count;
            walker.send(sink);
        }
        return made;
    };
    expect(name, turn(), unit === 'train' ? slots * SEGMENTS : slots);
    report(name, turn, slots, unit);
}
// A walk that drops is fast and wrong.
function expect(name, made, wanted) {
    if (made !== wanted)
        throw new Error(`${name}: ${made} of ${wanted} came out`);
}
function report(name, turn, slots, unit) {
    const timing = time((n) => {
        let sum = 0;
        for (let k = 0; k < n; k += slots)
            sum += turn();
        return sum;
    });
    const each = unit === 'train' ? `${(timing.ns / SEGMENTS).toFixed(1)} ns a segment` : '';
    line(`${name}, per ${unit}`, timing, each);
}
function tables() {
    const networks = new Networks();
    const vteps = new Vteps(64, SEED);
    const network = new Network(0, VNI, true, PORT, new Fdb(MAC_LIMIT, 3000, SEED), new Routes(SEED));
    network.macHi = 0x02ff;
    network.macLo = 1;
    networks.add(network);
    const vtep = vteps.add(0, ...FAR, false);
    vteps.mtu[vtep] = 1500;
    network.flood = Int32Array.of(vtep);
    const counters = new Counters();
    const capture = new Capture(() => { });
    return { parts: { networks, vteps, counters, capture }, network, vtep };
}
function frames(slots, len) {
    const b = new Batch(slots, new Uint8Array(slots * ROOM_SINGLE));
    for (let i = 0; i < slots; i++) {
        const off = i * ROOM_SINGLE + HEADROOM;
        writeUdp(b.bytes, off, len, station(1, i % STATIONS), station(2, i % STATIONS));
        put(b, i, off, len, 0, SINGLE);
    }
    return b;
}
function frameTrains() {
    const b = new Batch(TRAINS, new Uint8Array(TRAINS * ROOM_TRAIN));
    for (let i = 0; i < TRAINS; i++) {
        const off = i * ROOM_TRAIN + HEADROOM;
        const from = station(1, i % STATIONS);
        const len = writeTcp(b.bytes, off, SEGMENTS * SEGMENT, 0, from, station(2, i % STATIONS));
        put(b, i, off, len, SEGMENT, TCP4);
        b.header[i] = TCP_HEADERS;
    }
    return b;
}
function datagrams(slots, len) {
    const b = new Batch(slots, new Uint8Array(slots * ROOM_SINGLE));
    for (let i = 0; i < slots; i++) {
        const off = i * ROOM_SINGLE + HEADROOM;
        vxlan.write(b.bytes, off, VNI);
        writeUdp(b.bytes, off + vxlan.LEN, len, station(2, i % STATIONS), station(1, i % STATIONS));
        put(b, i, off, vxlan.LEN + len, 0, SINGLE);
    }
    return b;
}
function datagramTrains() {
    const b = new Batch(TRAINS, new Uint8Array(TRAINS * ROOM_TRAIN));
    const size = vxlan.LEN + TCP_HEADERS + SEGMENT;
    for (let i = 0; i < TRAINS; i++) {
        const off = i * ROOM_TRAIN + HEADROOM;
        for (let k = 0; k < SEGMENTS; k++) {
            const at = off + k * size;
            vxlan.write(b.bytes, at, VNI);
            writeTcp(b.bytes, at + vxlan.LEN, SEGMENT, k * SEGMENT, station(2, i % STATIONS), station(1, i % STATIONS));
        }
        put(b, i, off, SEGMENTS * size, size, SINGLE);
    }
    return b;
}
function put(b, i, off, len, segment, kind) {
    b.off[i] = off;
    b.len[i] = len;
    b.link[i] = 0;
    b.segment[i] = segment;
    b.header[i] = 0;
    b.l3[i] = ethernet.LEN;
    b.kind[i] = kind;
    const at = i * ADDR_LEN;
    new Uint16Array(b.addr.buffer, b.addr.byteOffset + at, 1)[0] = AF_INET;
    new DataView(b.addr.buffer, b.addr.byteOffset + at).setInt32(4, FAR[3]);
    b.count = i + 1;
}
//# sourceMappingURL=walk.js.map