// Addresses as bytes: sockaddr_in and sockaddr_in6 as native wants them (ip(7), ipv6(7)), and their usual text. Cold.
import { isIPv4, isIPv6 } from 'node:net';
import { endianness } from 'node:os';
import { ADDR_LEN } from '../batch.js';
const AF_INET = 2;
const AF_INET6 = 10;
// sockaddr_in: family (host order), port, address. sockaddr_in6: family, port, flow label, address, scope id.
const PORT = 2;
const ADDRESS4 = 4;
const ADDRESS6 = 8;
const SCOPE6 = 24;
const LITTLE = endianness() === 'LE';
/**
 * 32 bytes for a numeric address and a port. The zone of a link-local address is the interface's index: fe80::1%3.
 * Throws TypeError or RangeError when they are none.
 */
export function pack(address, port) {
    if (!Number.isInteger(port) || port < 0 || port > 65535)
        throw new RangeError(`want a port of 0..65535, got ${port}`);
    const bytes = addressBytes(address);
    const v4 = bytes.length === 4;
    const out = new Uint8Array(ADDR_LEN);
    const view = new DataView(out.buffer);
    view.setUint16(0, v4 ? AF_INET : AF_INET6, LITTLE);
    view.setUint16(PORT, port);
    out.set(bytes, v4 ? ADDRESS4 : ADDRESS6);
    const zone = address.split('%')[1];
    if (zone !== undefined)
        view.setUint32(SCOPE6, zoneIndex(address, zone), LITTLE);
    return out;
}
/** Address and port of the sockaddr at `off`, or null when it is neither IPv4 nor IPv6. */
export function unpack(bytes, off = 0) {
    const view = new DataView(bytes.buffer, bytes.byteOffset + off);
    const family = view.getUint16(0, LITTLE);
    const port = view.getUint16(PORT);
    if (family === AF_INET)
        return { address: addressText(bytes.subarray(off + ADDRESS4, off + ADDRESS4 + 4)), port };
    if (family !== AF_INET6)
        return null;
    const zone = view.getUint32(SCOPE6, LITTLE);
    const text = addressText(bytes.subarray(off + ADDRESS6, off + ADDRESS6 + 16));
    return { address: zone === 0 ? text : `${text}%${zone}`, port };
}
/** 16 bytes of an address, IPv4 mapped into IPv6 (RFC 4291 §2.5.5.2). */
export function mapped16(address) {
    const bytes = addressBytes(address);
    if (bytes.length === 16)
        return bytes;
    const out = new Uint8Array(16);
    out.fill(0xff, 10, 12);
    out.set(bytes, 12);
    return out;
}
/** 4 or 16 bytes of a numeric address; its zone is left out. Throws TypeError when it is none. */
export function addressBytes(address) {
    if (isIPv4(address))
        return Uint8Array.from(address.split('.'), Number);
    if (!isIPv6(address))
        throw new TypeError(`want an IP address, got ${JSON.stringify(address)}`);
    const [head, tail] = address.split('%')[0].split('::').map(words);
    const zeros = tail ? new Array(8 - head.length - tail.length).fill(0) : [];
    return Uint8Array.from([...head, ...zeros, ...(tail ?? [])].flatMap((w) => [w >> 8, w & 0xff]));
}
/** Usual text of 4 or 16 bytes (IPv6 as in RFC 5952). */
export function addressText(bytes) {
    if (bytes.length === 4)
        return bytes.join('.');
    const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] << 8) | bytes[2 * i + 1]).toString(16));
    const { from, length } = longestZeros(groups);
    if (length < 2)
        return groups.join(':');
    return `${groups.slice(0, from).join(':')}::${groups.slice(from + length).join(':')}`;
}
/** Address bytes and prefix length of a CIDR. Throws TypeError when it is none. */
export function cidrBytes(cidr) {
    const match = typeof cidr === 'string' ? /^([^/%]+)\/(\d{1,3})$/.exec(cidr) : null;
    if (!match)
        throw new TypeError(`want ADDRESS/LENGTH, got ${JSON.stringify(cidr)}`);
    const bytes = addressBytes(match[1]);
    const prefix = Number(match[2]);
    if (prefix > bytes.length * 8)
        throw new TypeError(`${cidr}: a prefix of ${match[1]} has at most ${bytes.length * 8} bits`);
    return { bytes, prefix };
}
/** Whether two texts mean the same address and length. */
export function sameCidr(a, b) {
    const x = cidrBytes(a);
    const y = cidrBytes(b);
    return x.prefix === y.prefix && Buffer.compare(x.bytes, y.bytes) === 0;
}
// Half of an IPv6 address, before or behind `::`, as 16-bit words.
function words(half) {
    if (half === '')
        return [];
    return half.split(':').flatMap((group) => {
        if (!group.includes('.'))
            return [Number.parseInt(group, 16)];
        const [a, b, c, d] = group.split('.').map(Number);
        return [(a << 8) | b, (c << 8) | d];
    });
}
// RFC 5952 §4.2.3: the longest run of zero groups, the first of equals.
function longestZeros(groups) {
    let best = { from: 0, length: 0 };
    for (let from = 0; from < groups.length; from++) {
        let length = 0;
        while (groups[from + length] === '0')
            length++;
        if (length > best.length)
            best = { from, length };
    }
    return best;
}
function zoneIndex(address, zone) {
    if (!/^\d{1,9}$/.test(zone))
        throw new TypeError(`want the zone of ${address} as an interface index`);
    return Number(zone);
}
//# sourceMappingURL=sockaddr.js.map