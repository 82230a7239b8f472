import { COPIES, FLOODED, IN_PACKETS, TX_BYTES, TX_PACKETS, VTEP_TX_BYTES } from '../counters.js';
import * as drop from '../drop.js';
import { FULL } from '../link.js';
import * as ecn from '../wire/ecn.js';
import * as ethernet from '../wire/ethernet.js';
import * as flow from '../wire/flow.js';
import * as ipv4 from '../wire/ipv4.js';
import * as ipv6 from '../wire/ipv6.js';
import * as vxlan from '../wire/vxlan.js';
const EMSGSIZE = -90;
export class Outbound {
    p;
    frames;
    // Where `step` goes on: the frame, and how many copies of it have been made.
    at = 0;
    copy = 0;
    hash = 0;
    constructor(parts) {
        this.p = parts;
        this.frames = parts.datagrams;
    }
    /** Starts with a batch that a device has filled. It is ours until `step` has answered false and `settle` is done. */
    begin(frames) {
        this.frames = frames;
        this.at = 0;
        this.copy = 0;
    }
    /** Fills the datagrams' batch; false when there was nothing left to fill it with. */
    step() {
        const datagrams = this.p.datagrams;
        datagrams.count = 0;
        while (this.at < this.frames.count) {
            if (datagrams.count === datagrams.slots)
                return true;
            const i = this.at;
            if (this.frames.len[i] !== 0) {
                const network = this.p.networks.at(this.frames.link[i]);
                if (network === undefined)
                    this.p.counters.dropped(drop.DEVICE_GONE, wirePackets(this.frames, i));
                else if (this.take(network, i))
                    return true;
            }
            this.at = i + 1;
            this.copy = 0;
        }
        return datagrams.count > 0;
    }
    /** Sends what `step` made and counts how it went. False when a socket is full: call `resume` when it has drained. */
    send(udp) {
        return this.settle(udp.send(this.p.datagrams));
    }
    resume(udp) {
        return this.settle(udp.resume(this.p.datagrams));
    }
    // One frame: true when the datagrams' batch is full and the frame has copies to go.
    take(network, i) {
        const frames = this.frames;
        const first = this.copy === 0;
        if (first) {
            this.p.counters.addNetwork(network.id, IN_PACKETS, wirePackets(frames, i));
            if (network.captured)
                this.p.capture.frame(network, frames, i);
        }
        return network.layer2 ? this.takeFrame(network, i, first) : this.takePacket(network, i);
    }
    takeFrame(network, i, first) {
        const { bytes } = this.frames;
        const off = this.frames.off[i];
        const end = off + this.frames.len[i];
        if (first) {
            const refused = ethernet.check(bytes, off, end);
            if (refused !== 0)
                return this.refuse(refused, i);
            // RFC 7348 §6.1: no inner VLAN tag unless configured. Refused, never stripped.
            if (!network.keepVlan && ethernet.isTagged(bytes, off))
                return this.refuse(drop.INNER_VLAN_TAG, i);
            this.hash = network.hashPort ? flow.hash(bytes, off, end, true, this.p.seed) : 0;
            vxlan.write(bytes, off - vxlan.LEN, network.vni);
            // A station that speaks on our side has moved here, whatever was learned from afar.
            network.fdb.forgetLearned(ethernet.srcHi(bytes, off), ethernet.srcLo(bytes, off));
            if (!ethernet.isGroup(bytes, off)) {
                const vtep = network.fdb.find(ethernet.dstHi(bytes, off), ethernet.dstLo(bytes, off));
                if (vtep !== drop.NONE) {
                    this.put(network, i, vtep, off - vxlan.LEN);
                    return false;
                }
            }
            if (!network.floodOn)
                return this.refuse(drop.FLOOD_OFF, i);
            if (network.flood.length === 0)
                return this.refuse(drop.NO_PEER, i);
            this.countFlood(network, i);
        }
        return this.flood(network, i, off - vxlan.LEN);
    }
    // Head-end replication: the same bytes to every peer of the network.
    flood(network, i, off) {
        const peers = network.flood;
        while (this.copy < peers.length) {
            if (this.p.datagrams.count === this.p.datagrams.slots)
                return true;
            this.put(network, i, peers[this.copy], off);
            this.copy++;
        }
        return false;
    }
    countFlood(network, i) {
        const n = wirePackets(this.frames, i);
        this.p.counters.addNetwork(network.id, FLOODED, n);
        this.p.counters.addNetwork(network.id, COPIES, n * (network.flood.length - 1));
    }
    // Layer 3: the packet gets an Ethernet header with the VTEPs' MACs, so that a kernel's VXLAN device understands it.
    takePacket(network, i) {
        const { bytes } = this.frames;
        const vteps = this.p.vteps;
        const packet = this.frames.off[i];
        const end = packet + this.frames.len[i];
        const v6 = bytes[packet] >>> 4 === 6;
        // A train's packet length may exceed what its length field says; native has compared the headers with the device's word.
        const refused = v6 ? ipv6.check(bytes, packet, end) : ipv4.check(bytes, packet, end);
        if (refused !== 0)
            return this.refuse(refused, i);
        const vtep = v6
            ? network.routes.find6(ipv6.dstWord(bytes, packet, 0), ipv6.dstWord(bytes, packet, 1), ipv6.dstWord(bytes, packet, 2), ipv6.dstWord(bytes, packet, 3))
            : network.routes.find4(ipv4.dst(bytes, packet));
        if (vtep === drop.NONE)
            return this.refuse(drop.NO_ROUTE, i);
        this.hash = network.hashPort ? flow.hash(bytes, packet, end, false, this.p.seed) : 0;
        const off = packet - ethernet.LEN - vxlan.LEN;
        const type = v6 ? ethernet.IPV6 : ethernet.IPV4;
        ethernet.write(bytes, packet - ethernet.LEN, vteps.macHi[vtep], vteps.macLo[vtep], network.macHi, network.macLo, type);
        vxlan.write(bytes, off, network.vni);
        this.put(network, i, vtep, off);
        return false;
    }
    // One datagram, or train of them, for one VTEP; its bytes start at `off`, in the frame's headroom.
    put(network, i, vtep, off) {
        const { frames } = this;
        const { datagrams, vteps } = this.p;
        const grown = frames.off[i] - off;
        const segment = frames.segment[i];
        const longest = segment === 0 ? frames.len[i] : frames.header[i] + segment;
        const mtu = vteps.mtu[vtep];
        if (mtu !== 0 && longest + grown + vteps.overhead[vtep] > mtu) {
            this.tooBig(network, i, vtep);
            return;
        }
        const j = datagrams.count;
        datagrams.count = j + 1;
        datagrams.off[j] = off;
        datagrams.len[j] = frames.len[i] + grown;
        datagrams.peer[j] = vtep;
        datagrams.link[j] = network.id;
        datagrams.segment[j] = segment;
        datagrams.header[j] = segment === 0 ? 0 : frames.header[i] + grown;
        const l3 = frames.l3[i];
        datagrams.l3[j] = network.layer2 && l3 === 0 ? 0 : l3 + grown;
        // csum_start grows with the headers in front; csum_offset counts from there.
        datagrams.sum[j] = frames.sum[i] === 0 ? 0 : frames.sum[i] + (grown << 16);
        datagrams.kind[j] = frames.kind[i];
        datagrams.port[j] = this.hash & 0xffff;
        datagrams.tos[j] = this.tos(network, i);
    }
    tos(network, i) {
        const { frames } = this;
        const l3 = frames.l3[i];
        if (network.layer2 && l3 === 0)
            return network.dscp < 0 ? 0 : network.dscp;
        const ip = frames.off[i] + l3;
        const inner = frames.bytes[ip] >>> 4 === 6 ? ipv6.trafficClass(frames.bytes, ip) : ipv4.tos(frames.bytes, ip);
        const dscp = network.dscp < 0 ? inner & 0xfc : network.dscp;
        return dscp | (network.copyEcn ? ecn.encapsulate(inner) : 0);
    }
    tooBig(network, i, vtep) {
        const { vteps, answers, counters } = this.p;
        const { frames } = this;
        counters.dropped(drop.TOO_BIG, wirePackets(frames, i));
        const off = frames.off[i];
        answers.tooBig(network, frames, off, off + frames.len[i], vteps.mtu[vtep] - vteps.overhead[vtep] - vxlan.LEN);
    }
    refuse(code, i) {
        this.p.counters.dropped(code, wirePackets(this.frames, i));
        return false;
    }
    // After a send: what went out, what did not, and why.
    settle(failed) {
        if (failed === FULL)
            return false;
        const { datagrams, counters } = this.p;
        for (let j = 0; j < datagrams.count; j++) {
            const error = failed === 0 ? 0 : datagrams.err[j];
            if (error !== 0) {
                this.failed(j, error);
                continue;
            }
            const network = this.p.networks.at(datagrams.link[j]);
            // Taken down while a socket was full: nobody asks for its counts any more.
            if (network === undefined)
                continue;
            const n = wirePackets(datagrams, j);
            const bytes = innerBytes(datagrams, j, n, network.layer2);
            counters.addNetwork(datagrams.link[j], TX_PACKETS, n);
            counters.addNetwork(datagrams.link[j], TX_BYTES, bytes);
            counters.addVtep(datagrams.peer[j], VTEP_TX_BYTES, bytes);
        }
        return true;
    }
    // EMSGSIZE: the path has shrunk, or the kernel has just learned that it had (ip(7), IP_MTU_DISCOVER).
    failed(j, error) {
        const { datagrams, counters, vteps, networks, answers } = this.p;
        const vtep = datagrams.peer[j];
        if (error !== EMSGSIZE) {
            counters.dropped(drop.UDP_SEND_FAILED, wirePackets(datagrams, j));
            return;
        }
        this.p.learnMtu(vtep);
        counters.dropped(drop.TOO_BIG, wirePackets(datagrams, j));
        const network = networks.at(datagrams.link[j]);
        if (network === undefined || vteps.mtu[vtep] === 0)
            return;
        const frame = datagrams.off[j] + (network.layer2 ? vxlan.LEN : vxlan.LEN + ethernet.LEN);
        const end = datagrams.off[j] + datagrams.len[j];
        answers.tooBig(network, datagrams, frame, end, vteps.mtu[vtep] - vteps.overhead[vtep] - vxlan.LEN);
    }
}
/** Wire packets in slot i: a train counts as its segments. */
function wirePackets(b, i) {
    const segment = b.segment[i];
    if (segment === 0)
        return 1;
    return Math.ceil((b.len[i] - b.header[i]) / segment);
}
/** Bytes of a datagram's slot as the device counts them: what segments repeat counts for each, what we put in front does not. */
function innerBytes(b, j, packets, layer2) {
    const ours = layer2 ? vxlan.LEN : vxlan.LEN + ethernet.LEN;
    return b.len[j] + (packets - 1) * b.header[j] - packets * ours;
}
//# sourceMappingURL=outbound.js.map