// The typed door to the native addon: finds it, compares its layout with batch.ts, exports its calls. native/addon*.cc are
// the other side. Loads in the main thread and in workers; nothing is shared between them. Calls of the cold half throw
// Error with code, errno (negative), syscall and, when the kernel had a sentence of its own to say, detail.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ADDR_LEN, columnsSize, HEADROOM, LOCAL_LEN, TAILROOM } from '../batch.js';
/** Flags of udpOpen: native/udp_open.h. */
export const UDP_RECEIVE = 1;
export const UDP_MUTE = 2;
export const UDP_NO_CHECK = 4;
export const UDP_GRO = 8;
export const UDP_PKTINFO = 16;
/** Flags of tunOpen: native/addon_tun.cc. */
export const TUN_ETHERNET = 1;
export const TUN_VNET_HDR = 2;
export const TUN_MULTI_QUEUE = 4;
export const TUN_PERSIST = 8;
/** Events of FdPoll: uv_poll_event. */
export const FD_READABLE = 1;
export const FD_WRITABLE = 2;
/** Of a device: it is gone. Its end wakes waiters for packets and for this only (sock_def_readable), not those for errors. */
export const FD_PRIORITIZED = 8;
const addon = load();
export const { udpOpen, udpHasGso, pathMtu, wake, layout, slab } = addon;
export const { tunOpen, tunAttachQueue, tunPersist, linkGet, linkSet, linkDelete } = addon;
export const { addressChange, addressList, routeChange, routeList, netlinkMonitor, netlinkDrain } = addon;
export const { Engine, FdPoll, Packets } = addon;
/** One datagram to a service manager; src/host/notify.ts knows where it listens. */
export const sendNotification = addon.notify;
function load() {
    const root = packageRoot();
    const places = [join(root, 'build/Release/vtepd.node'), join(root, `prebuilds/linux-${process.arch}/vtepd.node`)];
    const found = places.find((p) => existsSync(p));
    if (!found) {
        throw new Error(`the native addon is not built (looked for ${places.join(' and ')}); run \`npm run build\` in ${root}` +
            ' (npm 12 and later: `npm install-scripts approve vtepd && npm rebuild vtepd`)');
    }
    const loaded = createRequire(import.meta.url)(found);
    const has = loaded.layout();
    const want = {
        headroom: HEADROOM,
        tailroom: TAILROOM,
        addrLen: ADDR_LEN,
        localLen: LOCAL_LEN,
        columns8: columnsSize(8),
    };
    for (const [name, value] of Object.entries(want)) {
        if (has[name] !== value) {
            throw new Error(`the native addon is of another version (${name} is ${has[name]}); run \`npm run build\``);
        }
    }
    return loaded;
}
// This file runs from src/, dist/ and copies of them: the package is the nearest one called vtepd.
function packageRoot() {
    for (let at = dirname(fileURLToPath(import.meta.url));; at = dirname(at)) {
        const file = join(at, 'package.json');
        if (existsSync(file) && JSON.parse(readFileSync(file, 'utf8')).name === 'vtepd')
            return at;
        if (dirname(at) === at)
            throw new Error('this file is not inside the vtepd package');
    }
}
//# sourceMappingURL=addon.js.map