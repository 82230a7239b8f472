// The two protocols of print.ts that are lists of options: DHCP (RFC 2131, RFC 2132) and LLDP (IEEE 802.1AB). Cold.
import { address4, mac } from './print-address.js';
const BOOTP_LEN = 236;
const COOKIE = 0x63825363;
const DHCP_TYPES = ['', 'discover', 'offer', 'request', 'decline', 'ack', 'nak', 'release', 'inform'];
/** The DHCP or BOOTP message in [off, end). */
export function dhcp(buf, off, end) {
    if (end - off < BOOTP_LEN)
        return '[|bootp]';
    const from = buf[off] === 1 ? `Request from ${mac(buf, off + 28)}` : `Reply to ${mac(buf, off + 28)}`;
    const yours = address4(buf, off + 16);
    const offered = yours === '0.0.0.0' ? '' : `, your-ip ${yours}`;
    return `BOOTP/DHCP, ${from}${offered}${dhcpOptions(buf, off + BOOTP_LEN, end)}, length ${end - off}`;
}
function dhcpOptions(buf, off, end) {
    if (end - off < 4)
        return '';
    if (((buf[off] << 24) | (buf[off + 1] << 16) | (buf[off + 2] << 8) | buf[off + 3]) !== COOKIE)
        return '';
    let text = '';
    let at = off + 4;
    while (at < end && buf[at] !== 255) {
        if (buf[at] === 0) {
            at++;
            continue;
        }
        if (end - at < 2 || end - at - 2 < buf[at + 1])
            return `${text} [|options]`;
        text += dhcpOption(buf, at + 2, buf[at], buf[at + 1]);
        at += 2 + buf[at + 1];
    }
    return text;
}
function dhcpOption(buf, at, kind, len) {
    if (kind === 53 && len === 1)
        return `, ${DHCP_TYPES[buf[at]] ?? `message ${buf[at]}`}`;
    if (kind === 50 && len === 4)
        return `, requested ${address4(buf, at)}`;
    if (kind === 54 && len === 4)
        return `, server ${address4(buf, at)}`;
    if (kind === 12)
        return `, hostname ${printable(buf, at, at + len)}`;
    return '';
}
/** The LLDP data unit in [off, end): chassis, port, time to live, system name. */
export function lldp(buf, off, end) {
    const parts = [];
    let at = off;
    while (end - at >= 2) {
        const kind = buf[at] >>> 1;
        const len = ((buf[at] & 1) << 8) | buf[at + 1];
        if (kind === 0)
            break;
        at += 2;
        if (end - at < len) {
            parts.push('[|lldp]');
            break;
        }
        const text = lldpPart(buf, at, len, kind);
        if (text !== '')
            parts.push(text);
        at += len;
    }
    return parts.length === 0 ? '[|lldp]' : parts.join(', ');
}
function lldpPart(buf, at, len, kind) {
    if (kind === 1 && len >= 2)
        return `chassis ${lldpId(buf, at, len, 4)}`;
    if (kind === 2 && len >= 2)
        return `port ${lldpId(buf, at, len, 3)}`;
    if (kind === 3 && len === 2)
        return `ttl ${(buf[at] << 8) | buf[at + 1]}`;
    return kind === 5 ? `system ${printable(buf, at, at + len)}` : '';
}
/** An id whose first byte says what it is; `macKind` of them is a MAC. */
function lldpId(buf, at, len, macKind) {
    return buf[at] === macKind && len === 7 ? mac(buf, at + 1) : printable(buf, at + 1, at + len);
}
/** ASCII as it is, everything else as dots: a name from the network must not reach a terminal raw. */
function printable(buf, off, end) {
    let text = '';
    for (let at = off; at < end; at++)
        text += buf[at] >= 0x20 && buf[at] < 0x7f ? String.fromCharCode(buf[at]) : '.';
    return text;
}
//# sourceMappingURL=print-options.js.map