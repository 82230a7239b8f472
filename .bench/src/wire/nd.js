// IPv6 neighbour discovery, RFC 4861 §4: the ICMPv6 messages 133 to 137, their target and their link-layer address options.
// `off` is where the ICMPv6 header starts. Temperature: hot.
import * as drop from '../drop.js';
export const ROUTER_SOLICITATION = 133;
export const ROUTER_ADVERTISEMENT = 134;
export const NEIGHBOUR_SOLICITATION = 135;
export const NEIGHBOUR_ADVERTISEMENT = 136;
export const REDIRECT = 137;
/** Options that carry a MAC. */
export const SOURCE_LINK_ADDRESS = 1;
export const TARGET_LINK_ADDRESS = 2;
/** Flags of an advertisement. */
export const ROUTER = 0x80;
export const SOLICITED = 0x40;
export const OVERRIDE = 0x20;
/** Where the target of a solicitation, advertisement or redirect lies. */
export const TARGET = 8;
/** 0 if [off, end) starts with such a message, whole up to its options; else drop.TRUNCATED or drop.NOT_IP. Call first. */
export function check(buf, off, end) {
    if (end - off < 8)
        return drop.TRUNCATED;
    const len = fixedLen(buf[off]);
    if (len === 0)
        return drop.NOT_IP;
    return end - off < len ? drop.TRUNCATED : 0;
}
export function type(buf, off) {
    return buf[off];
}
/** ROUTER | SOLICITED | OVERRIDE, of a neighbour advertisement. */
export function flags(buf, off) {
    return buf[off + 4];
}
/** Word 0 to 3 of the target, of a neighbour solicitation, advertisement or redirect. */
export function targetWord(buf, off, word) {
    const o = off + TARGET + (word << 2);
    return (buf[o] << 24) | (buf[o + 1] << 16) | (buf[o + 2] << 8) | buf[o + 3];
}
/** Where in `buf` the 6 bytes of the first link-layer address option of this kind lie, or NONE. */
export function linkAddress(buf, off, end, kind) {
    let at = off + fixedLen(buf[off]);
    while (end - at >= 8) {
        const len = buf[at + 1] << 3;
        // RFC 4861 §4.6: a message with an option of length 0 is to be thrown away.
        if (len === 0 || end - at < len)
            return drop.NONE;
        if (buf[at] === kind)
            return at + 2;
        at += len;
    }
    return drop.NONE;
}
/** Bytes in front of the options; 0: not such a message. */
function fixedLen(type) {
    if (type === NEIGHBOUR_SOLICITATION || type === NEIGHBOUR_ADVERTISEMENT)
        return 24;
    if (type === ROUTER_SOLICITATION)
        return 8;
    if (type === ROUTER_ADVERTISEMENT)
        return 16;
    return type === REDIRECT ? 40 : 0;
}
//# sourceMappingURL=nd.js.map