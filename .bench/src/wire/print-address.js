// MACs and IP addresses from bytes to text. Cold: it allocates.
/** Six bytes as `02:00:00:00:00:01`. */
export function mac(buf, off) {
    let text = hex2(buf[off]);
    for (let k = 1; k < 6; k++)
        text += `:${hex2(buf[off + k])}`;
    return text;
}
/** Four bytes as `10.42.0.1`. */
export function address4(buf, off) {
    return `${buf[off]}.${buf[off + 1]}.${buf[off + 2]}.${buf[off + 3]}`;
}
/** Sixteen bytes in the form of RFC 5952: the longest run of two or more zero groups becomes `::`. */
export function address6(buf, off) {
    if (isMapped(buf, off))
        return `::ffff:${address4(buf, off + 12)}`;
    const groups = [];
    for (let k = 0; k < 16; k += 2)
        groups.push((buf[off + k] << 8) | buf[off + k + 1]);
    let start = -1;
    let longest = 1;
    for (let k = 0; k < 8; k++) {
        let run = 0;
        while (k + run < 8 && groups[k + run] === 0)
            run++;
        if (run > longest) {
            longest = run;
            start = k;
        }
    }
    const text = (part) => part.map((group) => group.toString(16)).join(':');
    if (start < 0)
        return text(groups);
    return `${text(groups.slice(0, start))}::${text(groups.slice(start + longest))}`;
}
/** RFC 5952 §5: an IPv4 address in IPv6 clothes keeps its dots. */
function isMapped(buf, off) {
    for (let k = 0; k < 10; k++) {
        if (buf[off + k] !== 0)
            return false;
    }
    return buf[off + 10] === 0xff && buf[off + 11] === 0xff;
}
function hex2(byte) {
    return byte.toString(16).padStart(2, '0');
}
//# sourceMappingURL=print-address.js.map