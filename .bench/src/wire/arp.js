// ARP for IPv4 over Ethernet, RFC 826.    | hardware 1 | protocol 0x0800 | 6 | 4 | operation |
// MACs as in ethernet.ts, addresses int32. | sender MAC, IP (10) | target MAC, IP (10) |
// Temperature: hot.
import * as drop from '../drop.js';
import { IPV4 } from './ethernet.js';
export const LEN = 28;
export const REQUEST = 1;
export const REPLY = 2;
const HARDWARE_ETHERNET = 1;
const SENDER = 8;
const TARGET = 18;
/** 0 if [off, end) holds ARP for IPv4 over Ethernet, else drop.TRUNCATED or drop.NOT_IP. Call before any reader below. */
export function check(buf, off, end) {
    if (end - off < LEN)
        return drop.TRUNCATED;
    const hardware = (buf[off] << 8) | buf[off + 1];
    const protocol = (buf[off + 2] << 8) | buf[off + 3];
    const ok = hardware === HARDWARE_ETHERNET && protocol === IPV4 && buf[off + 4] === 6 && buf[off + 5] === 4;
    return ok ? 0 : drop.NOT_IP;
}
export function operation(buf, off) {
    return (buf[off + 6] << 8) | buf[off + 7];
}
export function senderHi(buf, off) {
    return (buf[off + SENDER] << 8) | buf[off + SENDER + 1];
}
export function senderLo(buf, off) {
    return word(buf, off + SENDER + 2);
}
export function senderIp(buf, off) {
    return word(buf, off + SENDER + 6);
}
export function targetHi(buf, off) {
    return (buf[off + TARGET] << 8) | buf[off + TARGET + 1];
}
export function targetLo(buf, off) {
    return word(buf, off + TARGET + 2);
}
export function targetIp(buf, off) {
    return word(buf, off + TARGET + 6);
}
function word(buf, at) {
    return (buf[at] << 24) | (buf[at + 1] << 16) | (buf[at + 2] << 8) | buf[at + 3];
}
//# sourceMappingURL=arp.js.map