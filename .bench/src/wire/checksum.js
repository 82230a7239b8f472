// Internet checksum, RFC 1071, word by word. For headers and for packets that we make ourselves; payloads at speed are
// native/checksum's. A sum stays unfolded (it cannot outgrow 2^53), so runs chain as long as all but the last are even.
// Temperature: warm.
/** Adds the 16-bit words of [off, end) to `acc`; an odd last byte counts as if a zero followed. */
export function sum(buf, off, end, acc) {
    let at = off;
    for (; at + 1 < end; at += 2)
        acc += (buf[at] << 8) | buf[at + 1];
    return at < end ? acc + (buf[at] << 8) : acc;
}
/** Adds the pseudo-header of RFC 9293 §3.1: addresses of the IPv4 packet at `ip`, protocol, bytes of the upper packet. */
export function pseudo4(buf, ip, protocol, length) {
    return sum(buf, ip + 12, ip + 20, protocol + length);
}
/** The same for the IPv6 packet at `ip`, RFC 8200 §8.1. */
export function pseudo6(buf, ip, protocol, length) {
    return sum(buf, ip + 8, ip + 40, protocol + (length >>> 16) + (length & 0xffff));
}
/** The checksum to store for a sum; over a run that contains its own right checksum, 0. */
export function finish(acc) {
    let folded = acc;
    while (folded > 0xffff)
        folded = (folded % 0x10000) + Math.floor(folded / 0x10000);
    return ~folded & 0xffff;
}
//# sourceMappingURL=checksum.js.map