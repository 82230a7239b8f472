// What one header costs: reads over frames of a batch's size, writes into its headroom.
import * as ecn from '../src/wire/ecn.js';
import * as ethernet from '../src/wire/ethernet.js';
import * as flow from '../src/wire/flow.js';
import * as icmp from '../src/wire/icmp.js';
import * as ipv4 from '../src/wire/ipv4.js';
import * as vxlan from '../src/wire/vxlan.js';
import { SEGMENT, station, TCP_HEADERS, writeTcp } from './frames.js';
import { line, time } from './timing.js';
/** Frames in turn, so that their headers come from the first-level cache about as often as in a walk. */
const FRAMES = 64;
const STRIDE = 2048;
const HEADROOM = 128;
const LEN = TCP_HEADERS + SEGMENT;
const SEED = 0x5eed1234;
const VNI = 42;
export function codec() {
    const buf = new Uint8Array(FRAMES * STRIDE);
    for (let i = 0; i < FRAMES; i++)
        writeTcp(buf, at(i), SEGMENT, i * SEGMENT, station(1, i), station(2, i));
    const out = new Uint8Array(icmp.MAX_ANSWER);
    // A loop for each: one shared loop over callbacks would time the calls.
    report('vxlan.write', (n) => {
        for (let k = 0; k < n; k++)
            vxlan.write(buf, at(k) - vxlan.LEN, VNI);
        return buf[HEADROOM - 2];
    });
    report('vxlan.check + vni', (n) => {
        let sum = 0;
        for (let k = 0; k < n; k++)
            sum ^= vxlan.check(buf, at(k) - vxlan.LEN, at(k) + LEN) + vxlan.vni(buf, at(k) - vxlan.LEN);
        return sum;
    });
    report('ethernet.check + both MACs + type', (n) => {
        let sum = 0;
        for (let k = 0; k < n; k++) {
            const off = at(k);
            sum ^= ethernet.check(buf, off, off + LEN) + ethernet.dstHi(buf, off) + ethernet.dstLo(buf, off);
            sum ^= ethernet.srcHi(buf, off) + ethernet.srcLo(buf, off) + ethernet.etherType(buf, off);
        }
        return sum;
    });
    report('ethernet.write', (n) => {
        for (let k = 0; k < n; k++) {
            ethernet.write(buf, at(k) - vxlan.LEN - ethernet.LEN, 0x0200, k, 0x0201, k, ethernet.IPV4);
        }
        return buf[HEADROOM - vxlan.LEN - 3];
    });
    report('ipv4.check + addresses', (n) => {
        let sum = 0;
        for (let k = 0; k < n; k++) {
            const ip = at(k) + ethernet.LEN;
            sum ^= ipv4.check(buf, ip, at(k) + LEN) + ipv4.src(buf, ip) + ipv4.dst(buf, ip);
        }
        return sum;
    });
    report('ipv4.setEcn', (n) => {
        for (let k = 0; k < n; k++)
            ipv4.setEcn(buf, at(k) + ethernet.LEN, (k >>> 6) & 1 ? ecn.CE : ecn.ECT0);
        return buf[HEADROOM + ethernet.LEN + 1];
    });
    report('ecn.decapsulate', (n) => {
        let sum = 0;
        for (let k = 0; k < n; k++)
            sum ^= ecn.decapsulate(k & 3, (k >>> 2) & 3);
        return sum;
    });
    report('flow.hash, TCP over IPv4', (n) => {
        let sum = 0;
        for (let k = 0; k < n; k++)
            sum ^= flow.hash(buf, at(k), at(k) + LEN, true, SEED);
        return sum;
    });
    report('icmp.writeTooBig, IPv4', (n) => {
        let sum = 0;
        for (let k = 0; k < n; k++)
            sum ^= icmp.writeTooBig(out, 0, buf, at(k), at(k) + LEN, true, 1400);
        return sum;
    });
}
function report(name, run) {
    line(name, time(run));
}
/** Where frame k is; they come round. */
function at(k) {
    return (k & (FRAMES - 1)) * STRIDE + HEADROOM;
}
//# sourceMappingURL=codec.js.map