// MAC addresses as text.
const MAC = /^[0-9a-f]{2}([:-])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}$/i;
/** Six pairs of hexadecimal digits, for JSON Schema. */
export const MAC_PATTERN = '^[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}$';
/** Lower case with colons, or null when the text is no MAC address. */
export function parseMac(text) {
    return MAC.test(text) ? text.toLowerCase().replaceAll('-', ':') : null;
}
/** Whether a parsed MAC names a group of stations. */
export function isGroupMac(mac) {
    return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1;
}
/** Whether a parsed MAC is 00:00:00:00:00:00, which is nobody's. */
export function isZeroMac(mac) {
    return mac === '00:00:00:00:00:00';
}
//# sourceMappingURL=mac.js.map