// MAC addresses: bytes and text. Cold.
/** 6 bytes of aa:bb:cc:dd:ee:ff. Throws TypeError when the text is none, or names a group. */
export function macBytes(mac) {
    const fault = `want a MAC such as 02:00:00:00:00:01, got ${JSON.stringify(mac)}`;
    if (typeof mac !== 'string' || !/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac))
        throw new TypeError(fault);
    const bytes = Uint8Array.from(mac.split(':'), (pair) => Number.parseInt(pair, 16));
    if (bytes[0] & 1)
        throw new TypeError(`${mac} is a group address; a device wants one of its own`);
    return bytes;
}
export function macText(bytes) {
    return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join(':');
}
//# sourceMappingURL=mac.js.map