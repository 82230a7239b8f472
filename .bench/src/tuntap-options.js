// What a Tun or Tap is made from, checked before anything is opened: each mistake is a TypeError that names it. Cold.
import { macBytes } from './host/mac.js';
import { cidrBytes } from './host/sockaddr.js';
const OPTIONS = ['name', 'mac', 'mtu', 'ipv4', 'ipv6', 'up', 'multiQueue', 'vnetHdr', 'persist', 'netns'];
/** Options of the function `tuntap` as those of a class. */
export function splitFunctionOptions(options) {
    checkObject(options);
    const { type, addr, mask, ...rest } = options;
    if (type !== 'tun' && type !== 'tap')
        throw new TypeError(`want type tun or tap, got ${JSON.stringify(type)}`);
    if (addr === undefined) {
        if (mask !== undefined)
            throw new TypeError('want addr with mask');
        return { type, rest };
    }
    if (rest.ipv4 !== undefined)
        throw new TypeError('want addr or ipv4, not both');
    return { type, rest: { ...rest, ipv4: `${addr}/${mask === undefined ? 32 : maskLength(mask)}` } };
}
/** Throws TypeError for anything that no device can be made of. */
export function checkOptions(kind, options) {
    checkObject(options);
    for (const key of Object.keys(options)) {
        if (!OPTIONS.includes(key))
            throw new TypeError(`unknown option ${key}; there are ${OPTIONS.join(', ')}`);
    }
    for (const key of ['up', 'multiQueue', 'vnetHdr', 'persist']) {
        const value = options[key];
        if (value !== undefined && typeof value !== 'boolean') {
            throw new TypeError(`want ${key} true or false, got ${JSON.stringify(value)}`);
        }
    }
    const { netns } = options;
    if (netns !== undefined && (typeof netns !== 'string' || netns === '' || netns.includes('\0'))) {
        throw new TypeError(`want netns as name, path or process id, got ${JSON.stringify(netns)}`);
    }
    if (options.mac !== undefined && kind === 'tun')
        throw new TypeError('a tun device has no MAC');
    if (options.mac !== undefined)
        macBytes(options.mac);
    if (options.mtu !== undefined)
        checkMtu(options.mtu);
    if (options.ipv4 !== undefined)
        checkCidr(options.ipv4, 4);
    if (options.ipv6 !== undefined)
        checkCidr(options.ipv6, 6);
}
function checkObject(options) {
    if (typeof options === 'object' && options !== null && !Array.isArray(options))
        return;
    throw new TypeError(`want an object of options, got ${JSON.stringify(options)}`);
}
export function checkMtu(mtu) {
    if (Number.isInteger(mtu) && mtu >= 68 && mtu <= 65535)
        return;
    throw new TypeError(`want an MTU of 68..65535 bytes, got ${JSON.stringify(mtu)}`);
}
/** The same text, known to be of the family. */
export function checkCidr(cidr, family) {
    if (cidr === null)
        return null;
    const { bytes } = cidrBytes(cidr);
    if ((bytes.length === 4) !== (family === 4))
        throw new TypeError(`want an IPv${family} ADDRESS/LENGTH, got "${cidr}"`);
    return cidr;
}
// Bits of a mask such as 255.255.255.0.
function maskLength(mask) {
    const bytes = cidrBytes(`${mask}/0`).bytes;
    const bits = Array.from(bytes, (b) => b.toString(2).padStart(8, '0')).join('');
    if (bytes.length !== 4 || !/^1*0*$/.test(bits))
        throw new TypeError(`want a mask such as 255.255.255.0, got "${mask}"`);
    return bits.lastIndexOf('1') + 1;
}
//# sourceMappingURL=tuntap-options.js.map