// What a failed read or write of a packet means, in one place. Calls of the hot path answer -errno; this table says what to
// do about it. errno(3), udp(7), and drivers/net/tun.c for what a device answers. Warm: once per failed call.
import { constants } from 'node:os';
/** Nothing there, or no room: wait for readiness. */
export const DRY = 'dry';
/** This packet is lost, the next may pass. */
export const SKIP = 'skip';
/** Larger than the path: learn its MTU, tell the sender. */
export const TOO_BIG = 'too-big';
/** A train was refused: send single packets from now on. */
export const DEGRADE = 'degrade';
/** The device or the socket is no more. */
export const GONE = 'gone';
/** Our own mistake, or nothing that more packets could mend. */
export const FATAL = 'fatal';
/** Not in node:os: the file of a TUN device that was deleted. */
const EBADFD = 77;
/** Not in node:os either: what lies behind the route is down. */
const EHOSTDOWN = 112;
const e = constants.errno;
const VERDICTS = new Map([
    [e.EAGAIN, DRY],
    [e.EWOULDBLOCK, DRY],
    [e.EINTR, DRY],
    [e.EMSGSIZE, TOO_BIG],
    [e.ENETUNREACH, SKIP],
    [e.EHOSTUNREACH, SKIP],
    [EHOSTDOWN, SKIP],
    [e.ENETDOWN, SKIP],
    [e.ECONNREFUSED, SKIP],
    [e.EPERM, SKIP], // the firewall's answer
    [e.EACCES, SKIP], // a broadcast address, or a prohibit route
    [e.ENOBUFS, SKIP],
    [e.ENOMEM, SKIP],
    [e.EADDRNOTAVAIL, SKIP], // our source address went away; control puts things right
    [e.EIO, SKIP], // the device is down
    [e.EINVAL, SKIP], // the packet is none
    [e.EBADF, GONE],
    [EBADFD, GONE],
    [e.ENODEV, GONE],
    [e.ENXIO, GONE],
]);
/**
 * What to do about an errno (its sign does not matter). `train`: the call carried a super-packet or UDP_SEGMENT, for which
 * EIO and EINVAL mean that something below cannot cut it (udp(7) UDP_SEGMENT).
 */
export function classify(errno, train = false) {
    const positive = Math.abs(errno);
    if (train && (positive === e.EIO || positive === e.EINVAL))
        return DEGRADE;
    return VERDICTS.get(positive) ?? FATAL;
}
//# sourceMappingURL=errno.js.map