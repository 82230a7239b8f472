// IPv4 header, RFC 791 §3.1. Read it, and RFC 1624 before `setEcn`.
//   |version|  IHL  |   TOS / ECN   |         total length          |
//   |        identification         |0 DF MF|   fragment offset     |
//   |      TTL      |   protocol    |        header checksum        |
//   |              source              |          destination       |   options …
// Addresses are int32. Temperature: hot.
import * as drop from '../drop.js';
import * as checksum from './checksum.js';
/** Bytes of a header without options. */
export const LEN = 20;
export const ICMP = 1;
export const TCP = 6;
export const UDP = 17;
export const SCTP = 132;
/** TTL of packets that we make (RFC 1700's default). */
const TTL = 64;
const DF = 0x40;
const MF = 0x20;
const OFFSET_HI = 0x1f;
const TOTAL = 2;
const IDENT = 4;
const FRAGMENT = 6;
const TTL_AT = 8;
const PROTOCOL = 9;
const CHECKSUM = 10;
const SRC = 12;
const DST = 16;
/**
 * 0 if [off, end) starts with a whole packet: version, IHL, and total length against `end`; else a drop code. Bytes behind the
 * packet (Ethernet padding) are allowed. The header checksum is not looked at. Call before any reader below.
 */
export function check(buf, off, end) {
    if (end - off < LEN)
        return drop.TRUNCATED;
    if (buf[off] >>> 4 !== 4)
        return drop.NOT_IP;
    const header = headerLen(buf, off);
    if (header < LEN)
        return drop.NOT_IP;
    const total = totalLen(buf, off);
    if (total < header)
        return drop.NOT_IP;
    return total > end - off ? drop.TRUNCATED : 0;
}
export function headerLen(buf, off) {
    return (buf[off] & 0x0f) << 2;
}
export function totalLen(buf, off) {
    return (buf[off + TOTAL] << 8) | buf[off + TOTAL + 1];
}
/** DSCP (6 bits) and ECN (2 bits) together. */
export function tos(buf, off) {
    return buf[off + 1];
}
export function ident(buf, off) {
    return (buf[off + IDENT] << 8) | buf[off + IDENT + 1];
}
export function hasDf(buf, off) {
    return (buf[off + FRAGMENT] & DF) !== 0;
}
/** A fragment of a larger packet, the first one included. */
export function isFragment(buf, off) {
    return (buf[off + FRAGMENT] & (MF | OFFSET_HI)) !== 0 || buf[off + FRAGMENT + 1] !== 0;
}
/** Where this fragment's data belongs, in bytes. */
export function fragmentOffset(buf, off) {
    return (((buf[off + FRAGMENT] & OFFSET_HI) << 8) | buf[off + FRAGMENT + 1]) << 3;
}
export function ttl(buf, off) {
    return buf[off + TTL_AT];
}
export function protocol(buf, off) {
    return buf[off + PROTOCOL];
}
export function src(buf, off) {
    return (buf[off + SRC] << 24) | (buf[off + SRC + 1] << 16) | (buf[off + SRC + 2] << 8) | buf[off + SRC + 3];
}
export function dst(buf, off) {
    return (buf[off + DST] << 24) | (buf[off + DST + 1] << 16) | (buf[off + DST + 2] << 8) | buf[off + DST + 3];
}
/** Sets the two ECN bits and mends the header checksum (RFC 1624 eqn 3); a wrong checksum stays wrong. */
export function setEcn(buf, off, ecn) {
    const before = buf[off + 1];
    const after = (before & 0xfc) | ecn;
    const old = (buf[off + CHECKSUM] << 8) | buf[off + CHECKSUM + 1];
    // The word that changes is version, IHL and TOS; its upper half is the same on both sides and cancels out.
    let sum = (~old & 0xffff) + (~before & 0xffff) + after;
    sum = (sum & 0xffff) + (sum >>> 16);
    sum = (sum & 0xffff) + (sum >>> 16);
    buf[off + 1] = after;
    buf[off + CHECKSUM] = ~sum >>> 8;
    buf[off + CHECKSUM + 1] = ~sum;
}
/** Writes a 20-byte header with its checksum: TOS 0, id 0, DF, TTL 64. `total` counts the header. */
export function write(buf, off, total, protocol, src, dst) {
    buf[off] = 0x45;
    buf[off + 1] = 0;
    buf[off + TOTAL] = total >>> 8;
    buf[off + TOTAL + 1] = total;
    // RFC 6864 §4.1: with DF the id means nothing.
    buf[off + IDENT] = 0;
    buf[off + IDENT + 1] = 0;
    buf[off + FRAGMENT] = DF;
    buf[off + FRAGMENT + 1] = 0;
    buf[off + TTL_AT] = TTL;
    buf[off + PROTOCOL] = protocol;
    buf[off + CHECKSUM] = 0;
    buf[off + CHECKSUM + 1] = 0;
    writeAddress(buf, off + SRC, src);
    writeAddress(buf, off + DST, dst);
    const sum = checksum.finish(checksum.sum(buf, off, off + LEN, 0));
    buf[off + CHECKSUM] = sum >>> 8;
    buf[off + CHECKSUM + 1] = sum;
}
function writeAddress(buf, at, address) {
    buf[at] = address >>> 24;
    buf[at + 1] = address >>> 16;
    buf[at + 2] = address >>> 8;
    buf[at + 3] = address;
}
//# sourceMappingURL=ipv4.js.map