// The data thread's tables, and what control's orders do to them and to native. One owner: only the data thread's loop calls
// this, between batches. Cold, but for the two callbacks that the walks use.
import { FDB_ENTRIES, MAX_VTEPS, VTEP_MTU } from '../counters.js';
import { NONE } from '../drop.js';
import { Fdb, STATIC, TICK } from '../overlay/fdb.js';
import { Network, Networks } from '../overlay/networks.js';
import { Routes } from '../overlay/routes.js';
import { Vteps } from '../overlay/vteps.js';
/** Addresses that speak without being peers get at most half of the ids, so that peers always find one. */
const STRANGERS_MAX = MAX_VTEPS / 2;
const NO_LOCAL = new Uint8Array(16);
/** Milliseconds between two mentions of the same trouble in a network. */
const MENTION = 60_000;
export class Tables {
    networks = new Networks();
    vteps;
    /** Port of each receiving socket, by socket id. */
    ports = new Uint16Array(4096);
    native;
    counters;
    news;
    seed;
    sides = new Map();
    sockaddrs = new Map();
    // The configuration's static entries by network, in hex; those of `fdb add` stay until stop.
    configured = new Map();
    rounds = 0;
    /** Time of the batch in hand, milliseconds. */
    now = 0;
    constructor(native, counters, seed, news) {
        this.native = native;
        this.counters = counters;
        this.seed = seed;
        this.news = news;
        this.vteps = new Vteps(MAX_VTEPS, seed);
    }
    get tick() {
        return Math.floor(this.now / TICK) | 0;
    }
    /** Does an order and returns its answer. Throws when it cannot be done; then nothing has changed. */
    handle(order) {
        const answer = this.obey(order);
        for (const n of this.networks.all())
            this.counters.setNetwork(n.id, FDB_ENTRIES, n.fdb.size);
        return answer;
    }
    obey(order) {
        switch (order.kind) {
            case 'add-network':
                return this.addNetwork(order);
            case 'set-network':
                return this.setNetwork(order.id, order.settings);
            case 'remove-network':
                return this.removeNetwork(order.id);
            case 'set-peers':
                return this.setPeers(order.id, order.peers, order.statics);
            case 'set-strangers':
                Object.assign(this.side(order.id), { strangerPort: order.port, pool4: order.pool4, pool6: order.pool6 });
                return undefined;
            case 'set-device':
                return this.native.setDevice(order.id, order.fd, order.layer2, order.tcp, order.udp, order.mtu);
            case 'remove-device':
                return this.native.clearDevice(order.id);
            case 'set-socket':
                this.native.setSocket(order.id, order.fd);
                this.ports[order.id] = order.port;
                return undefined;
            case 'remove-socket':
                this.ports[order.id] = 0;
                return this.native.clearSocket(order.id);
            case 'set-pool':
                return this.native.setPool(order.id, order.fds, order.gso, order.maxSegments);
            case 'remove-pool':
                return this.native.clearPool(order.id);
            case 'set-mtu':
                return this.setMtu(order.vtep, order.mtu);
            case 'fdb-add':
                return this.putStatic(this.network(order.id), order.mac, order.vtep);
            case 'fdb-del':
                return this.network(order.id).fdb.forget(macHi(order.mac), macLo(order.mac));
            case 'fdb-list':
                return this.list(this.network(order.id));
            case 'capture':
                this.network(order.id).captured = order.on;
                return undefined;
            default:
                return undefined;
        }
    }
    /** Once a second: old stations go, and strangers with nothing behind them. */
    expire() {
        for (const network of this.networks.all()) {
            network.fdb.expire(this.tick);
            this.counters.setNetwork(network.id, FDB_ENTRIES, network.fdb.size);
        }
        this.rounds++;
        if (this.vteps.strangers > 0 && this.rounds % 10 === 0)
            this.forgetIdleStrangers();
    }
    /** For the inbound walk: an id for a stranger that `accept` lets in, or NONE. */
    addStranger(network, a, b, c, d) {
        if (this.vteps.strangers >= STRANGERS_MAX)
            return NONE;
        const side = this.side(network.id);
        const v6 = !(a === 0 && b === 0 && c === 0xffff);
        const id = this.vteps.add(network.id, a, b, c, d, true);
        if (id === NONE)
            return NONE;
        this.setEndpoint(id, sockaddr(v6, [a, b, c, d], side.strangerPort), v6 ? side.pool6 : side.pool4);
        this.learnMtu(id);
        return id;
    }
    /** For the inbound walk: somebody else has our MAC. */
    ownMac(network, vtep) {
        const side = this.side(network.id);
        if (this.now - side.mentioned < MENTION)
            return;
        side.mentioned = this.now;
        this.news({ kind: 'own-mac', id: network.id, words: this.words(vtep) });
    }
    /** For the outbound walk, and after ICMP errors: asks the kernel for the path MTU towards a VTEP. */
    learnMtu(vtep) {
        const address = this.sockaddrs.get(vtep);
        if (!address)
            return;
        const mtu = this.native.pathMtu(address);
        // No route at the moment: what was known stays.
        if (mtu <= 0 || mtu === this.vteps.mtu[vtep])
            return;
        this.setMtu(vtep, mtu);
        this.news({ kind: 'mtu', vtep, mtu });
    }
    addNetwork(o) {
        const fdb = new Fdb(o.settings.macLimit, Math.ceil(o.settings.ageing / TICK), this.seed);
        this.networks.add(new Network(o.id, o.vni, o.layer2, o.port, fdb, new Routes(this.seed)));
        this.counters.clearNetwork(o.id);
        this.sides.set(o.id, {
            peers: [],
            strangerPort: o.port,
            pool4: NONE,
            pool6: NONE,
            mentioned: Number.NEGATIVE_INFINITY,
        });
        this.setNetwork(o.id, o.settings);
    }
    setNetwork(id, s) {
        const n = this.network(id);
        n.macHi = macHi(s.mac);
        n.macLo = macLo(s.mac);
        n.learning = s.learning;
        n.floodOn = s.floodOn;
        n.accept = s.accept;
        n.ranges = s.ranges;
        n.keepVlan = s.keepVlan;
        n.copyEcn = s.copyEcn;
        n.dscp = s.dscp;
        n.hashPort = s.hashPort;
        n.sourceCheck = s.sourceCheck;
        n.fdb.configure(s.macLimit, Math.ceil(s.ageing / TICK));
        if (!s.learning)
            n.fdb.forgetLearnedAll();
        // Strangers that may no longer speak here lose their stations with their ids.
        for (let vtep = 0; vtep < this.vteps.capacity; vtep++) {
            if (this.vteps.network[vtep] !== id || this.vteps.stranger[vtep] === 0)
                continue;
            const [a, b, c, d] = this.words(vtep);
            if (!n.admits(a, b, c, d))
                this.removeVtep(n, vtep);
        }
    }
    removeNetwork(id) {
        const network = this.network(id);
        for (let vtep = 0; vtep < this.vteps.capacity; vtep++) {
            if (this.vteps.network[vtep] === id)
                this.removeVtep(network, vtep);
        }
        this.networks.remove(id);
        this.sides.delete(id);
        this.counters.clearNetwork(id);
    }
    setPeers(id, peers, statics) {
        const network = this.network(id);
        const side = this.side(id);
        const kept = new Set();
        const ids = peers.map((p) => {
            const vtep = this.placePeer(network, p);
            kept.add(vtep);
            return vtep;
        });
        // First the lists, then the ids: nobody may name an id that is free.
        network.flood = Int32Array.from(ids.filter((v) => v !== NONE));
        network.routes.set(peers
            .flatMap((p, k) => p.prefixes.map((prefix) => ({ prefix, vtep: ids[k] })))
            .filter((r) => r.vtep >= 0));
        for (const old of side.peers)
            if (old !== NONE && !kept.has(old))
                this.removeVtep(network, old);
        side.peers = ids;
        this.replaceStatics(network, statics, ids);
        return ids;
    }
    placePeer(network, p) {
        const [a, b, c, d] = p.words;
        const had = this.vteps.find(network.id, a, b, c, d);
        const vtep = this.vteps.add(network.id, a, b, c, d, false);
        if (vtep === NONE)
            return NONE;
        if (had === NONE)
            this.counters.clearVtep(vtep);
        this.vteps.setStranger(vtep, false);
        this.setEndpoint(vtep, p.sockaddr, p.pool);
        this.setMtu(vtep, p.mtu);
        if (p.mac) {
            this.vteps.macHi[vtep] = macHi(p.mac);
            this.vteps.macLo[vtep] = macLo(p.mac);
        }
        else if (this.vteps.macFixed[vtep] === 1) {
            this.vteps.macHi[vtep] = 0xffff;
            this.vteps.macLo[vtep] = -1;
        }
        this.vteps.macFixed[vtep] = p.mac ? 1 : 0;
        return vtep;
    }
    replaceStatics(network, statics, ids) {
        for (const key of this.configured.get(network.id) ?? []) {
            const mac = Buffer.from(key, 'hex');
            network.fdb.forget(macHi(mac), macLo(mac));
        }
        const usable = statics.filter((s) => ids[s.peer] !== undefined && ids[s.peer] !== NONE);
        for (const s of usable)
            this.putStatic(network, s.mac, ids[s.peer]);
        this.configured.set(network.id, usable.map((s) => Buffer.from(s.mac).toString('hex')));
    }
    putStatic(network, mac, vtep) {
        if (this.vteps.network[vtep] !== network.id)
            return false;
        network.fdb.put(macHi(mac), macLo(mac), vtep, this.tick);
        return true;
    }
    removeVtep(network, vtep) {
        network.fdb.forgetVtep(vtep);
        this.native.clearEndpoint(vtep);
        this.sockaddrs.delete(vtep);
        this.vteps.remove(vtep);
    }
    setEndpoint(vtep, address, pool) {
        this.sockaddrs.set(vtep, address);
        this.native.setEndpoint(vtep, address, NO_LOCAL, pool);
    }
    setMtu(vtep, mtu) {
        this.vteps.mtu[vtep] = mtu;
        this.counters.setVtep(vtep, VTEP_MTU, mtu);
    }
    forgetIdleStrangers() {
        const used = new Uint8Array(this.vteps.capacity);
        for (const n of this.networks.all()) {
            n.fdb.each(this.tick, (_hi, _lo, vtep) => {
                used[vtep] = 1;
            });
        }
        for (let vtep = 0; vtep < this.vteps.capacity; vtep++) {
            if (this.vteps.stranger[vtep] === 0 || used[vtep] === 1)
                continue;
            const network = this.networks.at(this.vteps.network[vtep]);
            if (network)
                this.removeVtep(network, vtep);
        }
    }
    list(network) {
        const rows = [];
        network.fdb.each(this.tick, (hi, lo, vtep, origin, ageMs) => {
            const mac = new Uint8Array([hi >> 8, hi, lo >>> 24, lo >> 16, lo >> 8, lo]);
            rows.push({ mac, vtep, words: this.words(vtep), isStatic: origin === STATIC, ageMs });
        });
        return rows;
    }
    words(vtep) {
        return [...this.vteps.words.subarray(vtep * 4, vtep * 4 + 4)];
    }
    network(id) {
        const n = this.networks.at(id);
        if (!n)
            throw new Error(`no network with id ${id}`);
        return n;
    }
    side(id) {
        return this.sides.get(id);
    }
}
function macHi(mac) {
    return (mac[0] << 8) | mac[1];
}
function macLo(mac) {
    return (mac[2] << 24) | (mac[3] << 16) | (mac[4] << 8) | mac[5];
}
// sockaddr_in or sockaddr_in6 (ip(7), ipv6(7)). The family is in host order; both bytes orders of this small number differ.
function sockaddr(v6, words, port) {
    const out = new Uint8Array(32);
    const view = new DataView(out.buffer);
    new Uint16Array(out.buffer, 0, 1)[0] = v6 ? 10 : 2;
    view.setUint16(2, port);
    if (v6)
        for (let k = 0; k < 4; k++)
            view.setInt32(8 + k * 4, words[k]);
    else
        view.setInt32(4, words[3]);
    return out;
}
//# sourceMappingURL=tables.js.map