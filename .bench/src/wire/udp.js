// UDP header, RFC 768.    | source port | destination port | length | checksum |
// Temperature: hot.
import * as drop from '../drop.js';
export const LEN = 8;
/** VXLAN's own port (RFC 7348 §5). */
export const VXLAN_PORT = 4789;
/** 0 if [off, end) starts with a whole datagram: length against `end`; else a drop code. Call before any reader below. */
export function check(buf, off, end) {
    if (end - off < LEN)
        return drop.TRUNCATED;
    const n = length(buf, off);
    return n < LEN || n > end - off ? drop.TRUNCATED : 0;
}
export function srcPort(buf, off) {
    return (buf[off] << 8) | buf[off + 1];
}
export function dstPort(buf, off) {
    return (buf[off + 2] << 8) | buf[off + 3];
}
/** Of header and payload. */
export function length(buf, off) {
    return (buf[off + 4] << 8) | buf[off + 5];
}
/** 0: the sender made none. */
export function checksum(buf, off) {
    return (buf[off + 6] << 8) | buf[off + 7];
}
//# sourceMappingURL=udp.js.map