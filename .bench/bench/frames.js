// Frames for the benchmarks in memory: Ethernet, IPv4, TCP or UDP, as a device would hand them over.
import * as ethernet from '../src/wire/ethernet.js';
import * as ipv4 from '../src/wire/ipv4.js';
/** Headers of a TCP segment with timestamps: Ethernet, IPv4, TCP with 12 bytes of options. */
export const TCP_HEADERS = ethernet.LEN + ipv4.LEN + 32;
/** Payload of a segment at MTU 1450. */
export const SEGMENT = 1450 - ipv4.LEN - 32;
const UDP_LEN = 8;
/** Station `n` of side 1 or 2. */
export function station(side, n) {
    return { hi: 0x0200 | side, lo: n | 0, ip: (10 << 24) | (42 << 16) | (side << 8) | (n & 0xff) };
}
/** An IPv4 UDP frame of `len` bytes at `off`. */
export function writeUdp(buf, off, len, from, to) {
    writeHeads(buf, off, len, ipv4.UDP, from, to);
    const udp = off + ethernet.LEN + ipv4.LEN;
    writePorts(buf, udp);
    put16(buf, udp + 4, len - ethernet.LEN - ipv4.LEN);
    put16(buf, udp + 6, 0);
    if (len < ethernet.LEN + ipv4.LEN + UDP_LEN)
        throw new Error(`${len} bytes hold no UDP frame`);
}
/** An IPv4 TCP frame with `payload` bytes at `off`, its sequence number `seq`; its length. */
export function writeTcp(buf, off, payload, seq, from, to) {
    const len = TCP_HEADERS + payload;
    writeHeads(buf, off, len, ipv4.TCP, from, to);
    const tcp = off + ethernet.LEN + ipv4.LEN;
    buf.fill(0, tcp, off + TCP_HEADERS);
    writePorts(buf, tcp);
    put16(buf, tcp + 4, seq >>> 16);
    put16(buf, tcp + 6, seq & 0xffff);
    buf[tcp + 12] = 8 << 4;
    buf[tcp + 13] = 0x10;
    return len;
}
function writeHeads(buf, off, len, protocol, from, to) {
    ethernet.write(buf, off, to.hi, to.lo, from.hi, from.lo, ethernet.IPV4);
    ipv4.write(buf, off + ethernet.LEN, len - ethernet.LEN, protocol, from.ip, to.ip);
}
function writePorts(buf, off) {
    put16(buf, off, 40_000);
    put16(buf, off + 2, 5201);
}
function put16(buf, off, value) {
    buf[off] = value >>> 8;
    buf[off + 1] = value;
}
//# sourceMappingURL=frames.js.map