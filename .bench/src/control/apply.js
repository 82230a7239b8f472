// Desired state → differences → calls: what a configuration asks of devices, sockets and the data thread's tables. One change
// at a time (the agent sees to it). A network whose VNI, device, interface, port, namespace changed is taken down and made
// anew; everything else changes live, and networks that are the same are not touched. Cold.
import { createHash } from 'node:crypto';
import { isIP, isIPv6 } from 'node:net';
import { MAX_NETWORKS, VTEP_MTU } from '../counters.js';
import { pathMtu } from '../host/addon.js';
import * as sockaddr from '../host/sockaddr.js';
import { ANY, CIDRS, PEERS } from '../overlay/networks.js';
import * as cidr from './cidr.js';
import { ConfigError, underlayFaults } from './config.js';
import { defaultMtu, NetworkDevice, OVERHEAD_IPV4, OVERHEAD_IPV6 } from './device.js';
import { Refusal } from './refusal.js';
import { Sockets } from './sockets.js';
export class Overlay {
    running = new Map();
    sockets;
    mailbox;
    counters;
    resolver;
    underlay = [];
    config = null;
    constructor(mailbox, counters, resolver, offloads) {
        this.mailbox = mailbox;
        this.counters = counters;
        this.resolver = resolver;
        this.sockets = new Sockets(mailbox, offloads);
    }
    /** Makes the host and the tables what `config` says. When it throws, call it again with the configuration before. */
    async apply(config, underlay) {
        refuseFaults(config, underlay);
        this.underlay = underlay;
        this.config = config;
        const gone = [...this.running.values()].filter((r) => !config.networks.some((n) => sameIdentity(n, r.config)));
        for (const r of gone)
            await this.remove(r);
        this.sockets.begin();
        for (const n of config.networks) {
            for (const l of underlay)
                await this.sockets.receive(l, n.port, this.sockets.withoutChecksum(n) && n.sourcePort === 'fixed');
        }
        for (const n of config.networks) {
            const r = this.running.get(n.name);
            if (r)
                await this.change(r, n);
            else
                await this.add(n);
        }
        for (const r of this.running.values())
            await this.placePeers(r);
        await this.sockets.retain();
        // Last of all, so that the first frame finds everything in place.
        for (const r of this.running.values()) {
            if (r.started)
                continue;
            r.device.start();
            r.started = true;
        }
    }
    /** Whether every peer of every network has an address and a place. */
    complete() {
        if (!this.config)
            return false;
        for (const r of this.running.values()) {
            const want = peersOf(this.config, r.config).length;
            if (r.placed.filter((p) => p.vtep >= 0).length !== want)
                return false;
        }
        return true;
    }
    /** After names have new addresses. */
    async replacePeers() {
        for (const r of this.running.values())
            await this.placePeers(r);
    }
    /** The device's MTU, MAC or fd changed: tells the data thread. */
    async deviceChanged(r) {
        const { fd, tcp, udp, mtu } = r.device.state;
        await this.mailbox.ask({ kind: 'set-device', id: r.id, fd, layer2: r.config.device === 'tap', tcp, udp, mtu });
        await this.mailbox.ask({ kind: 'set-network', id: r.id, settings: settings(r) });
    }
    /** Asks the kernel for every peer's path MTU again; tells the data thread what changed. */
    async refreshMtus() {
        for (const r of this.running.values()) {
            for (const p of r.placed) {
                if (p.vtep < 0)
                    continue;
                const mtu = pathMtu(sockaddr.pack(p.address, p.port));
                if (mtu > 0 && mtu !== this.counters.vtep(p.vtep, VTEP_MTU))
                    await this.mailbox.ask({ kind: 'set-mtu', vtep: p.vtep, mtu });
            }
        }
    }
    /** Takes every network down. Sockets stay until the data thread has ended. */
    async removeAll() {
        for (const r of [...this.running.values()])
            await this.remove(r);
    }
    async add(n) {
        const id = this.freeId();
        const device = NetworkDevice.open(n, this.config.offloads, this.defaultMac(n), this.mtuFor(n));
        const r = { config: n, id, device, placed: [], started: false };
        try {
            const layer2 = n.device === 'tap';
            await this.mailbox.ask({ kind: 'add-network', id, vni: n.vni, layer2, port: n.port, settings: settings(r) });
            await this.deviceChanged(r);
            this.running.set(n.name, r);
        }
        catch (error) {
            device.close();
            throw error;
        }
    }
    async change(r, next) {
        r.device.change(next, this.mtuFor(next));
        r.config = next;
        await this.deviceChanged(r);
    }
    async remove(r) {
        await this.mailbox.ask({ kind: 'remove-device', id: r.id });
        await this.mailbox.ask({ kind: 'remove-network', id: r.id });
        this.running.delete(r.config.name);
        r.device.close();
    }
    async placePeers(r) {
        const config = this.config;
        const pools = new Map();
        for (const l of this.underlay)
            pools.set(l.v6, await this.sockets.pool(l, r.config));
        await this.mailbox.ask({
            kind: 'set-strangers',
            id: r.id,
            port: r.config.port,
            pool4: pools.get(false) ?? -1,
            pool6: pools.get(true) ?? -1,
        });
        const placed = [];
        const peers = [];
        for (const peer of peersOf(config, r.config)) {
            const address = this.resolver.address(peer.endpoint.host);
            if (address === undefined)
                continue;
            const pool = pools.get(isIPv6(address));
            if (pool === undefined)
                continue;
            const port = peer.endpoint.port ?? r.config.port;
            placed.push({ peer, address, port, vtep: -1 });
            peers.push(far(peer, r.config, address, port, pool));
        }
        const statics = r.config.fdb.flatMap((f) => {
            const k = placed.findIndex((p) => p.peer.name === f.vtep || p.address === f.vtep);
            return k < 0 ? [] : [{ mac: macBytes(f.mac), peer: k }];
        });
        const ids = await this.mailbox.ask({ kind: 'set-peers', id: r.id, peers, statics });
        for (let k = 0; k < placed.length; k++)
            placed[k].vtep = ids[k];
        r.placed = placed;
        if (r.config.device === 'tun' && r.config.routes)
            r.device.setRoutes(routesOf(r, placed));
        else
            r.device.setRoutes([]);
    }
    freeId() {
        const taken = new Set([...this.running.values()].map((r) => r.id));
        for (let id = 0; id < MAX_NETWORKS; id++)
            if (!taken.has(id))
                return id;
        throw new Refusal(`networks: at most ${MAX_NETWORKS} in one agent`, 2);
    }
    /** What the underlay leaves for the network's device; the larger overhead when any end may be IPv6. */
    mtuFor(n) {
        const ends = peersOf(this.config, n).map((p) => p.endpoint.host);
        const v6 = ends.some((h) => isIP(h) !== 4) ||
            this.config.underlay.addresses.some((a) => isIPv6(a)) ||
            this.underlay.every((l) => l.v6);
        const least = Math.min(...this.underlay.map((l) => l.mtu));
        return defaultMtu(least, v6 ? OVERHEAD_IPV6 : OVERHEAD_IPV4);
    }
    // Locally administered, the same after every restart: hashed from VNI, node name and underlay address.
    defaultMac(n) {
        const hash = createHash('sha256').update(`${n.vni} ${this.config.node} ${this.underlay[0].address}`).digest();
        const first = (hash[0] & 0xfc) | 2;
        return [first, ...hash.subarray(1, 6)].map((b) => b.toString(16).padStart(2, '0')).join(':');
    }
}
function settings(r) {
    const n = r.config;
    return {
        mac: macBytes(r.device.state.mac),
        learning: n.learning,
        ageing: n.ageingSec * 1000,
        macLimit: n.macLimit,
        floodOn: n.flood !== 'off',
        accept: n.accept === 'peers' ? PEERS : n.accept === 'any' ? ANY : CIDRS,
        ranges: typeof n.accept === 'string' ? [] : n.accept.map((text) => range(text)),
        keepVlan: n.innerVlan === 'keep',
        copyEcn: n.ecn === 'copy',
        dscp: n.dscp === 'inherit' ? -1 : n.dscp << 2,
        hashPort: n.sourcePort === 'hash',
        sourceCheck: n.sourceCheck,
    };
}
function far(peer, n, address, port, pool) {
    const place = peer.networks.find((p) => p.network === n.name);
    const mtu = pathMtu(sockaddr.pack(address, port));
    return {
        words: words(cidr.parseAddress(address)),
        sockaddr: sockaddr.pack(address, port),
        pool,
        mtu: mtu > 0 ? mtu : 0,
        mac: place.mac === null ? null : macBytes(place.mac),
        prefixes: place.allowedIps.map((text) => {
            const c = cidr.parseCidr(text);
            return { words: prefixWords(c), v6: c.v6, length: c.length };
        }),
    };
}
/** What is not in the device's own prefixes, and covers no peer's endpoint: packets to it would go round in circles. */
function routesOf(r, placed) {
    const own = r.config.addresses.map((a) => cidr.network(cidr.parseCidr(a)));
    const ends = placed.map((p) => cidr.parseAddress(p.address));
    return placed
        .flatMap((p) => p.peer.networks.filter((n) => n.network === r.config.name).flatMap((n) => n.allowedIps))
        .filter((text) => {
        const c = cidr.parseCidr(text);
        return !own.some((o) => cidr.covers(o, c)) && !ends.some((e) => cidr.covers(c, e));
    });
}
function refuseFaults(config, underlay) {
    const faults = underlayFaults(config, underlay.map((l) => l.address));
    if (faults.length > 0)
        throw new ConfigError('configuration', faults);
}
function peersOf(config, n) {
    return config.peers.filter((p) => p.networks.some((x) => x.network === n.name));
}
/** What a running network cannot change without being made anew. */
function sameIdentity(a, b) {
    return (a.name === b.name &&
        a.vni === b.vni &&
        a.device === b.device &&
        a.interface === b.interface &&
        a.port === b.port &&
        a.netns === b.netns);
}
/** Six bytes of `02:00:…`. */
export function macBytes(text) {
    return Uint8Array.from(text.split(':'), (pair) => Number.parseInt(pair, 16));
}
/** An address as four big-endian words, IPv4 mapped into IPv6. */
export function words(c) {
    const value = c.v6 ? c.value : (0xffffn << 32n) | c.value;
    return [96n, 64n, 32n, 0n].map((shift) => Number((value >> shift) & 0xffffffffn) | 0);
}
function range(text) {
    const c = cidr.parsePrefix(text);
    return { words: words(cidr.network(c)), length: c.v6 ? c.length : c.length + 96 };
}
// Layer 3 prefixes: IPv4 in the first word.
function prefixWords(c) {
    return c.v6 ? words(c) : [Number(c.value) | 0, 0, 0, 0];
}
//# sourceMappingURL=apply.js.map