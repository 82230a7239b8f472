// TCP header, RFC 9293 §3.1.
//   |          source port          |       destination port        |
//   |                        sequence number                        |
//   |                     acknowledgment number                     |
//   |offset |  rsvd |C E U A P R S F|            window             |
//   |           checksum            |        urgent pointer         |   options …
// Temperature: hot.
import * as drop from '../drop.js';
/** Bytes of a header without options. */
export const LEN = 20;
export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const PSH = 0x08;
export const ACK = 0x10;
export const URG = 0x20;
export const ECE = 0x40;
export const CWR = 0x80;
/** 0 if [off, end) starts with a whole header, options included; else drop.TRUNCATED. Call before any reader below. */
export function check(buf, off, end) {
    if (end - off < LEN)
        return drop.TRUNCATED;
    const header = headerLen(buf, off);
    return header < LEN || header > end - off ? drop.TRUNCATED : 0;
}
export function srcPort(buf, off) {
    return (buf[off] << 8) | buf[off + 1];
}
export function dstPort(buf, off) {
    return (buf[off + 2] << 8) | buf[off + 3];
}
/** Unsigned. */
export function seq(buf, off) {
    return ((buf[off + 4] << 24) | (buf[off + 5] << 16) | (buf[off + 6] << 8) | buf[off + 7]) >>> 0;
}
/** Unsigned; means something with flag ACK. */
export function ack(buf, off) {
    return ((buf[off + 8] << 24) | (buf[off + 9] << 16) | (buf[off + 10] << 8) | buf[off + 11]) >>> 0;
}
export function headerLen(buf, off) {
    return (buf[off + 12] >>> 4) << 2;
}
/** FIN | SYN | … */
export function flags(buf, off) {
    return buf[off + 13];
}
/** As in the header, before scaling. */
export function window(buf, off) {
    return (buf[off + 14] << 8) | buf[off + 15];
}
export function checksum(buf, off) {
    return (buf[off + 16] << 8) | buf[off + 17];
}
//# sourceMappingURL=tcp.js.map