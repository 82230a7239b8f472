/** Who may send VXLAN into a network beside its peers. */
export const PEERS = 0;
export const CIDRS = 1;
export const ANY = 2;
export class Network {
    id;
    vni;
    layer2;
    port;
    fdb;
    routes;
    /** Our own MAC. */
    macHi = 0;
    macLo = 0;
    /** Who gets broadcast, multicast and unknown destinations. */
    flood = new Int32Array(0);
    floodOn = true;
    learning = true;
    accept = PEERS;
    ranges = [];
    keepVlan = false;
    copyEcn = true;
    /** Outer DSCP << 2, or -1: the inner packet's. */
    dscp = 0;
    hashPort = true;
    sourceCheck = true;
    /** Somebody captures this network's frames. */
    captured = false;
    constructor(id, vni, layer2, port, fdb, routes) {
        this.id = id;
        this.vni = vni;
        this.layer2 = layer2;
        this.port = port;
        this.fdb = fdb;
        this.routes = routes;
    }
    /** Whether a stranger with this address may speak here. Cold: asked once per stranger and batch. */
    admits(a, b, c, d) {
        if (this.accept === PEERS)
            return false;
        if (this.accept === ANY)
            return true;
        for (let i = 0; i < this.ranges.length; i++) {
            const range = this.ranges[i];
            if (covers(range, 0, a) && covers(range, 1, b) && covers(range, 2, c) && covers(range, 3, d))
                return true;
        }
        return false;
    }
}
export class Networks {
    byId = [];
    byNumber = new Map();
    add(network) {
        this.byId[network.id] = network;
        this.byNumber.set(network.vni, network);
    }
    remove(id) {
        const network = this.byId[id];
        if (!network)
            return;
        // Another network may have taken the VNI over.
        if (this.byNumber.get(network.vni) === network)
            this.byNumber.delete(network.vni);
        this.byId[id] = undefined;
    }
    /** The network of a device, undefined when it has just gone. */
    at(id) {
        return this.byId[id];
    }
    /** The network of a VNI; the caller compares its port. VNIs are unique on a host. */
    byVni(vni) {
        return this.byNumber.get(vni);
    }
    all() {
        return [...this.byNumber.values()];
    }
}
function covers(range, index, word) {
    const n = range.length - index * 32;
    const mask = n >= 32 ? -1 : n <= 0 ? 0 : -1 << (32 - n);
    return (word & mask) === (range.words[index] & mask);
}
//# sourceMappingURL=networks.js.map