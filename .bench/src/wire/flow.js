// Hashes of inner packets: the flow for the outer source port (RFC 7348 §5), the pair of hosts for rate limits.
// Seeded, because the far end chooses ports and addresses. The steps are MurmurHash3's (x86, 32 bits), in words.
// Temperature: hot.
import * as ethernet from './ethernet.js';
import * as ipv4 from './ipv4.js';
import * as ipv6 from './ipv6.js';
/**
 * Hash of the flow that [off, end) belongs to, as int32; any bytes will do. TCP, UDP and SCTP: addresses, protocol and ports;
 * other IP and fragments, which share no ports with their first one: addresses and protocol; not IP: MACs and type.
 */
export function hash(buf, off, end, l2, seed) {
    const ip = find(buf, off, end, l2);
    if (ip < 0)
        return l2 ? macs(buf, off, end, seed) : finish(seed);
    return buf[ip] >>> 4 === 4 ? flow4(buf, ip, seed) : flow6(buf, ip, seed);
}
/** Hash of the pair of hosts (IP source and destination, else the MACs), as int32; any bytes will do. */
export function hosts(buf, off, end, l2, seed) {
    const ip = find(buf, off, end, l2);
    if (ip < 0)
        return l2 ? macs(buf, off, end, seed) : finish(seed);
    return finish(buf[ip] >>> 4 === 4 ? addresses4(buf, ip, seed) : addresses6(buf, ip, seed));
}
/** Offset of an IP packet that `check` has passed, or -1. */
function find(buf, off, end, l2) {
    let ip = off;
    if (l2) {
        if (ethernet.check(buf, off, end) !== 0)
            return -1;
        ip += ethernet.headerLen(buf, off, end);
        const type = (buf[ip - 2] << 8) | buf[ip - 1];
        if (type === ethernet.IPV4)
            return ipv4.check(buf, ip, end) === 0 ? ip : -1;
        return type === ethernet.IPV6 && ipv6.check(buf, ip, end) === 0 ? ip : -1;
    }
    return ipv4.check(buf, ip, end) === 0 || ipv6.check(buf, ip, end) === 0 ? ip : -1;
}
function flow4(buf, ip, seed) {
    const protocol = ipv4.protocol(buf, ip);
    let h = mix(addresses4(buf, ip, seed), protocol);
    if (hasPorts(protocol) && !ipv4.isFragment(buf, ip)) {
        const at = ip + ipv4.headerLen(buf, ip);
        if (at + 4 <= ip + ipv4.totalLen(buf, ip))
            h = mix(h, word(buf, at));
    }
    return finish(h);
}
function flow6(buf, ip, seed) {
    let h = addresses6(buf, ip, seed);
    const next = ipv6.nextHeader(buf, ip);
    const end = ip + ipv6.LEN + ipv6.payloadLen(buf, ip);
    let protocol = next;
    let at = ip + ipv6.LEN;
    // Extension headers are rare; a packet without any is not walked. A fragment goes by its addresses alone.
    if (!hasPorts(next)) {
        protocol = ipv6.isFragment(buf, ip, end) ? next : ipv6.upperProtocol(buf, ip, end);
        at = hasPorts(protocol) ? ipv6.upper(buf, ip, end) : end;
    }
    h = mix(h, protocol);
    if (at + 4 <= end && hasPorts(protocol))
        h = mix(h, word(buf, at));
    return finish(h);
}
function hasPorts(protocol) {
    return protocol === ipv4.TCP || protocol === ipv4.UDP || protocol === ipv4.SCTP;
}
function addresses4(buf, ip, seed) {
    return mix(mix(seed, ipv4.src(buf, ip)), ipv4.dst(buf, ip));
}
function addresses6(buf, ip, seed) {
    let h = seed;
    for (let k = 0; k < 4; k++)
        h = mix(h, ipv6.srcWord(buf, ip, k));
    for (let k = 0; k < 4; k++)
        h = mix(h, ipv6.dstWord(buf, ip, k));
    return h;
}
function macs(buf, off, end, seed) {
    if (ethernet.check(buf, off, end) !== 0)
        return finish(seed);
    let h = mix(mix(seed, ethernet.dstLo(buf, off)), ethernet.srcLo(buf, off));
    h = mix(h, (ethernet.dstHi(buf, off) << 16) | ethernet.srcHi(buf, off));
    return finish(mix(h, ethernet.etherType(buf, off)));
}
function word(buf, at) {
    return (buf[at] << 24) | (buf[at + 1] << 16) | (buf[at + 2] << 8) | buf[at + 3];
}
function mix(h, word) {
    let k = Math.imul(word, 0xcc9e2d51);
    k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
    const x = h ^ k;
    return (Math.imul((x << 13) | (x >>> 19), 5) + 0xe6546b64) | 0;
}
function finish(h) {
    let x = h ^ (h >>> 16);
    x = Math.imul(x, 0x85ebca6b);
    x ^= x >>> 13;
    x = Math.imul(x, 0xc2b2ae35);
    return x ^ (x >>> 16);
}
//# sourceMappingURL=flow.js.map