// Ethernet II header and its VLAN tags, IEEE 802.3 §3 and 802.1Q §9.    | dst (48) | src (48) | type (16) |
// A MAC travels as two numbers: `hi`, its first 16 bits, and `lo`, the other 32 as int32. There is never an FCS here.
// Temperature: hot.
import * as drop from '../drop.js';
export const LEN = 14;
/** Bytes of one VLAN tag. */
export const TAG_LEN = 4;
/** With the two tags that `headerLen` skips. */
export const MAX_LEN = LEN + 2 * TAG_LEN;
export const IPV4 = 0x0800;
export const ARP = 0x0806;
export const VLAN = 0x8100;
export const IPV6 = 0x86dd;
export const QINQ = 0x88a8;
/** Stacked tags before 802.1ad had a number of its own. */
export const QINQ_OLD = 0x9100;
const SRC = 6;
const TYPE = 12;
/** 0 if [off, end) holds a header, else a drop code. Call before any reader below. */
export function check(_buf, off, end) {
    return end - off < LEN ? drop.TRUNCATED : 0;
}
/** The type behind the MACs: of the packet, or of the first VLAN tag. */
export function etherType(buf, off) {
    return (buf[off + TYPE] << 8) | buf[off + TYPE + 1];
}
export function dstHi(buf, off) {
    return (buf[off] << 8) | buf[off + 1];
}
export function dstLo(buf, off) {
    return (buf[off + 2] << 24) | (buf[off + 3] << 16) | (buf[off + 4] << 8) | buf[off + 5];
}
export function srcHi(buf, off) {
    return (buf[off + SRC] << 8) | buf[off + SRC + 1];
}
export function srcLo(buf, off) {
    const o = off + SRC + 2;
    return (buf[o] << 24) | (buf[o + 1] << 16) | (buf[o + 2] << 8) | buf[o + 3];
}
/** Destination is multicast or broadcast (the I/G bit). */
export function isGroup(buf, off) {
    return (buf[off] & 1) !== 0;
}
/** Source claims to be a group, which no station may. */
export function isGroupSource(buf, off) {
    return (buf[off + SRC] & 1) !== 0;
}
/** Whether a VLAN tag follows the MACs. */
export function isTagged(buf, off) {
    return isTag(etherType(buf, off));
}
/**
 * Bytes up to the payload: LEN, and TAG_LEN for each of at most two VLAN tags that lie wholly before `end`. The payload's
 * type is in the two bytes before it; it is still a tag's when a third tag follows or the second is cut.
 */
export function headerLen(buf, off, end) {
    let len = LEN;
    while (len < MAX_LEN && off + len + TAG_LEN <= end && isTag((buf[off + len - 2] << 8) | buf[off + len - 1])) {
        len += TAG_LEN;
    }
    return len;
}
/** Writes all 14 bytes. */
export function write(buf, off, dstHi, dstLo, srcHi, srcLo, type) {
    buf[off] = dstHi >>> 8;
    buf[off + 1] = dstHi;
    buf[off + 2] = dstLo >>> 24;
    buf[off + 3] = dstLo >>> 16;
    buf[off + 4] = dstLo >>> 8;
    buf[off + 5] = dstLo;
    buf[off + 6] = srcHi >>> 8;
    buf[off + 7] = srcHi;
    buf[off + 8] = srcLo >>> 24;
    buf[off + 9] = srcLo >>> 16;
    buf[off + 10] = srcLo >>> 8;
    buf[off + 11] = srcLo;
    buf[off + 12] = type >>> 8;
    buf[off + 13] = type;
}
function isTag(type) {
    return type === VLAN || type === QINQ || type === QINQ_OLD;
}
//# sourceMappingURL=ethernet.js.map