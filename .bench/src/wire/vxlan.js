// VXLAN header, RFC 7348 §5. Read that section before you edit.    |R R R R I R R R|  reserved (24)  |
// Temperature: hot.                                                |        VNI (24)       | resvd (8) |
import * as drop from '../drop.js';
export const LEN = 8;
/** Largest VNI. */
export const MAX_VNI = 0xffffff;
const FLAG_I = 0x08;
const VNI = 4;
/** 0 if [off, end) holds a header with a VNI, else a drop code. Call before any reader below. */
export function check(buf, off, end) {
    if (end - off < LEN)
        return drop.TRUNCATED;
    // RFC 7348 §5: the other flags and both reserved fields are ignored on receipt.
    return buf[off] & FLAG_I ? 0 : drop.VXLAN_NO_VNI;
}
export function vni(buf, off) {
    const o = off + VNI;
    return (buf[o] << 16) | (buf[o + 1] << 8) | buf[o + 2];
}
/** Writes all 8 bytes: slots are reused, and an unwritten byte would leak an old packet. */
export function write(buf, off, vni) {
    buf[off] = FLAG_I;
    buf[off + 1] = 0;
    buf[off + 2] = 0;
    buf[off + 3] = 0;
    buf[off + 4] = vni >>> 16;
    buf[off + 5] = vni >>> 8;
    buf[off + 6] = vni;
    buf[off + 7] = 0;
}
//# sourceMappingURL=vxlan.js.map