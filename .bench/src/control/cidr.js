// IP addresses and prefixes as numbers: parsing, canonical text, containment. Cold: configuration only; packets have their
// addresses in the batch. IPv6 text is canonical as in RFC 5952, since the C library writes it.
import { isIPv4, isIPv6, SocketAddress } from 'node:net';
/** Bits of an address of the family. */
export function bits(v6) {
    return v6 ? 128 : 32;
}
/** An address as the prefix that holds it alone; null when the text is none. Zones (`%eth0`) and IPv4 in IPv6 are none. */
export function parseAddress(text) {
    if (isIPv4(text))
        return { v6: false, value: number4(text), length: 32 };
    if (!isIPv6(text) || text.includes('%'))
        return null;
    const value = number6(text);
    return isMapped(value) ? null : { v6: true, value, length: 128 };
}
/** `ADDRESS/LENGTH`; null when the text is not that. Host bits stay. */
export function parseCidr(text) {
    const slash = text.indexOf('/');
    if (slash < 0)
        return null;
    const address = parseAddress(text.slice(0, slash));
    const length = text.slice(slash + 1);
    if (!address || !/^(0|[1-9]\d{0,2})$/.test(length) || Number(length) > address.length)
        return null;
    return { ...address, length: Number(length) };
}
/** A prefix, or an address that stands for itself alone. */
export function parsePrefix(text) {
    return parseCidr(text) ?? parseAddress(text);
}
/** The same prefix without host bits. */
export function network(cidr) {
    const host = BigInt(bits(cidr.v6) - cidr.length);
    return { ...cidr, value: (cidr.value >> host) << host };
}
/** Whether all of `inner` lies in `outer`. */
export function covers(outer, inner) {
    if (outer.v6 !== inner.v6 || outer.length > inner.length)
        return false;
    const host = BigInt(bits(outer.v6) - outer.length);
    return outer.value >> host === inner.value >> host;
}
/** Whether the address alone, without its prefix, is the same. */
export function sameAddress(a, b) {
    return a.v6 === b.v6 && a.value === b.value;
}
/** Canonical text of the address alone. */
export function addressText(cidr) {
    return cidr.v6 ? text6(cidr.value) : text4(cidr.value);
}
/** Canonical `ADDRESS/LENGTH`. */
export function cidrText(cidr) {
    return `${addressText(cidr)}/${cidr.length}`;
}
export function isMulticast(cidr) {
    return cidr.v6 ? cidr.value >> 120n === 0xffn : cidr.value >> 28n === 0xen;
}
/** 0.0.0.0 or :: */
export function isUnspecified(cidr) {
    return cidr.value === 0n;
}
/** fe80::/10, which needs an interface beside the address. IPv4's 169.254.0.0/16 does not. */
export function isLinkLocal6(cidr) {
    return cidr.v6 && cidr.value >> 118n === 0x3fan;
}
function isMapped(value) {
    return value >> 32n === 0xffffn;
}
function number4(text) {
    return text.split('.').reduce((n, part) => (n << 8n) | BigInt(part), 0n);
}
function number6(text) {
    const dotted = text.lastIndexOf(':') + 1;
    const plain = text.includes('.') ? text.slice(0, dotted) + groupsOf4(text.slice(dotted)) : text;
    const [left, right] = plain.split('::');
    const head = groups(left);
    const tail = groups(right ?? '');
    const middle = new Array(8 - head.length - tail.length).fill('0');
    return [...head, ...middle, ...tail].reduce((n, group) => (n << 16n) | BigInt(`0x${group}`), 0n);
}
function groups(text) {
    return text === '' ? [] : text.split(':');
}
function groupsOf4(text) {
    const n = number4(text);
    return `${(n >> 16n).toString(16)}:${(n & 0xffffn).toString(16)}`;
}
function text4(value) {
    return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join('.');
}
function text6(value) {
    const all = [];
    for (let shift = 112n; shift >= 0n; shift -= 16n)
        all.push(((value >> shift) & 0xffffn).toString(16));
    return new SocketAddress({ address: all.join(':'), family: 'ipv6' }).address;
}
//# sourceMappingURL=cidr.js.map