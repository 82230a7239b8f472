// The agent: builds every part and joins them. Control runs here, on the main thread, one change at a time; packets run on the
// data thread (data-thread.ts). The only file that knows all rooms.
import { isIP } from 'node:net';
import { ApiError } from './control/api.js';
import { macBytes, Overlay } from './control/apply.js';
import { Captures } from './control/captures.js';
import { HostWatch } from './control/host-watch.js';
import { isGroupMac, isZeroMac, parseMac } from './control/mac.js';
import { Metrics } from './control/metrics.js';
import { refusalFrom } from './control/refusal.js';
import * as report from './control/report.js';
import { Resolver } from './control/resolve.js';
import { ControlSocket, MetricsListener } from './control/socket.js';
import { findUnderlay, sameAddresses } from './control/underlay.js';
import { Counters, STAT_NATIVE_CPU, STAT_NOW, STAT_THREAD_CPU } from './counters.js';
import { spawnDataThread } from './spawn.js';
import { version } from './version.js';
/** Milliseconds: names are looked up again, and sooner while one has no address. */
const RESOLVE = 60_000;
const RESOLVE_SOON = 5_000;
/** Milliseconds without a sign of life after which the data thread counts as stuck. */
const ALIVE = 5000;
/** Starts an agent; resolves once devices are up and the socket answers. Leaves nothing behind when it throws. */
export async function startAgent(config, options) {
    const agent = new Agent(config, options);
    await agent.start();
    return agent;
}
export class Agent {
    /** Resolves when the agent has stopped and cleaned up. */
    done;
    config;
    options;
    log;
    counters = new Counters();
    resolver = new Resolver();
    startedAt = Date.now();
    hostWatch = new HostWatch(() => this.hostChanged());
    worker = null;
    mailbox;
    captures;
    applied = null;
    underlay = [];
    socket = null;
    listener = null;
    metricsRegistry = null;
    queue = Promise.resolve();
    resolveTimer = null;
    stopping = false;
    finished;
    constructor(config, options) {
        this.config = config;
        this.options = options;
        this.log = options.log;
        this.done = new Promise((resolve) => {
            this.finished = resolve;
        });
    }
    async start() {
        try {
            // The socket first: a second agent on the same runtime directory must not touch a device.
            this.socket = await ControlSocket.open(this.options.runtimeDir);
            this.socket.serve(this);
            const { metrics } = this.config;
            if (metrics)
                this.listener = await MetricsListener.open(metrics.host, metrics.port, this);
            await this.startDataThread();
            this.underlay = findUnderlay(this.config.underlay);
            await this.lookUpNames();
            this.applied = new Overlay(this.mailbox, this.counters, this.resolver, this.config.offloads);
            this.captures = new Captures(this.mailbox, () => this.running);
            await this.overlay.apply(this.config, this.underlay);
            this.watchHost();
            this.armResolver();
            this.sayWhatRuns();
        }
        catch (error) {
            await this.shutDown();
            throw error;
        }
    }
    status() {
        const { applied, counters, config, running } = this;
        return {
            schema: 1,
            node: this.config.node,
            version,
            pid: process.pid,
            uptimeSeconds: Math.floor((Date.now() - this.startedAt) / 1000),
            ready: this.ready(),
            networks: running.map((r) => report.networkStatus(r, counters)),
            peers: applied ? config.peers.map((p) => report.peerStatus(p, applied, counters)) : [],
            drops: counters.drops(),
            offloads: applied ? report.offloads(config, applied, counters) : {},
            undesired: running.flatMap((r) => r.device.faults()),
        };
    }
    ready() {
        if (!this.applied || this.stopping)
            return false;
        const all = this.running;
        return all.length === this.config.networks.length && all.every((r) => r.device.up) && this.applied.complete();
    }
    /** Whether packets are carried: the data thread, which wakes every second, has done so lately. */
    alive() {
        const now = Number(process.hrtime.bigint() / 1000000n);
        return now - this.counters.stats[STAT_NOW] < ALIVE;
    }
    metrics() {
        this.metricsRegistry ??= new Metrics({ status: () => this.status(), epochSeconds: () => Date.now() / 1000 });
        return this.metricsRegistry.text();
    }
    profile() {
        const { user, system } = process.cpuUsage();
        return {
            dataThreadCpuNs: this.counters.stats[STAT_THREAD_CPU],
            nativeCpuNs: this.counters.stats[STAT_NATIVE_CPU],
            processCpuNs: (user + system) * 1000,
        };
    }
    async fdb(network) {
        const running = network === undefined ? this.running : [this.find(network)];
        const lists = await Promise.all(running.map(async (r) => {
            const rows = await this.mailbox.ask({ kind: 'fdb-list', id: r.id });
            return rows.map((row) => report.fdbEntry(r, row));
        }));
        return lists.flat();
    }
    async fdbAdd(network, mac, vtep) {
        const r = this.find(network);
        const placed = r.placed.find((p) => p.peer.name === vtep || p.address === vtep);
        if (!placed || placed.vtep < 0) {
            const names = r.placed.map((p) => p.peer.name).join(', ');
            throw new ApiError(400, `vtep: "${vtep}" is no peer of network ${network} (it has: ${names || 'none'})`);
        }
        await this.mailbox.ask({ kind: 'fdb-add', id: r.id, mac: station(mac), vtep: placed.vtep });
    }
    async fdbDel(network, mac) {
        const r = this.find(network);
        const had = await this.mailbox.ask({ kind: 'fdb-del', id: r.id, mac: station(mac) });
        if (!had)
            throw new ApiError(404, `mac: network ${network} has no entry for ${mac}`);
    }
    async reload() {
        const { readConfig } = this.options;
        if (!readConfig)
            throw new ApiError(409, 'this agent was started without a file; restart it with other flags');
        const next = await readConfig();
        const faults = unchangeable(this.config, next);
        if (faults.length > 0)
            throw new ApiError(409, 'the file asks for what cannot change live; restart the agent', faults);
        await this.inTurn(() => this.replace(next));
    }
    stop() {
        if (this.stopping)
            return;
        this.stopping = true;
        void this.inTurn(() => this.shutDown()).catch((error) => this.log.error(String(error)));
    }
    capture(network, sink) {
        if (network !== undefined)
            this.find(network);
        return this.captures.start(network, sink);
    }
    get running() {
        return this.applied ? [...this.applied.running.values()] : [];
    }
    get overlay() {
        if (!this.applied)
            throw new ApiError(503, 'the agent is starting; ask again in a moment');
        return this.applied;
    }
    // Changes of host and tables, one after the other.
    inTurn(change) {
        const turn = this.queue.then(change);
        this.queue = turn.catch(() => { });
        return turn;
    }
    async startDataThread() {
        const thread = await spawnDataThread(this.counters, (n) => this.hear(n));
        this.worker = thread.worker;
        this.mailbox = thread.mailbox;
        thread.ended.catch((error) => this.dataThreadEnded(error));
    }
    dataThreadEnded(error) {
        this.mailbox.close(error instanceof Error ? error : new Error(String(error)));
        if (this.stopping)
            return;
        // Nothing carries packets any more: better a restart by the service manager than an agent that only looks alive.
        this.log.error(`the data thread failed: ${error instanceof Error ? error.stack : error}`);
        process.exitCode = 1;
        this.stopping = true;
        void this.shutDown();
    }
    async replace(next) {
        const before = { config: this.config, underlay: this.underlay };
        try {
            const underlay = findUnderlay(next.underlay);
            this.config = next;
            this.underlay = underlay;
            await this.lookUpNames();
            await this.overlay.apply(next, underlay);
        }
        catch (error) {
            this.config = before.config;
            this.underlay = before.underlay;
            await this.overlay.apply(before.config, before.underlay);
            throw error;
        }
        this.watchHost();
        this.armResolver();
        await this.captures.switch();
        this.log.info('configuration reloaded');
    }
    async shutDown() {
        this.stopping = true;
        if (this.resolveTimer)
            clearTimeout(this.resolveTimer);
        this.hostWatch.close();
        try {
            await this.applied?.removeAll();
            if (this.worker)
                await this.mailbox.ask({ kind: 'stop' });
        }
        catch (error) {
            this.log.debug(`while stopping: ${error instanceof Error ? error.message : error}`);
        }
        await this.worker?.terminate();
        this.applied?.sockets.closeAll();
        await this.listener?.close();
        await this.socket?.close();
        this.finished();
    }
    hear(n) {
        const r = 'id' in n ? this.running.find((x) => x.id === n.id) : undefined;
        if (n.kind === 'captured') {
            this.captures.take(r, n.frame);
        }
        else if (n.kind === 'gone' && r) {
            void this.inTurn(() => this.remake(r)).catch((error) => this.log.error(String(error)));
        }
        else if (n.kind === 'own-mac' && r) {
            const who = report.wordsText(n.words);
            this.log.warn(`network ${r.config.name}: ${who} sends frames with our own MAC ${r.device.state.mac}: a loop, or a second host with it`);
        }
        else if (n.kind === 'mtu') {
            const placed = this.running.flatMap((x) => x.placed).find((p) => p.vtep === n.vtep);
            if (placed)
                this.log.info(`path to ${placed.peer.name} (${placed.address}) carries ${n.mtu} bytes now`);
        }
    }
    // Somebody deleted the device under us.
    async remake(r) {
        if (this.stopping || !this.overlay.running.has(r.config.name))
            return;
        try {
            r.device.reopen(this.config.offloads);
            await this.overlay.deviceChanged(r);
            r.device.start();
            this.log.warn(`network ${r.config.name}: device ${r.config.interface} was deleted by somebody: made again`);
        }
        catch (error) {
            const e = refusalFrom(error, `device ${r.config.interface}`, 'restart the agent');
            this.log.error(`network ${r.config.name}: device was deleted and cannot be made again: ${e.message}`);
        }
    }
    watchHost() {
        this.hostWatch.watch([null, ...this.running.map((r) => r.device.netns)]);
    }
    hostChanged() {
        void this.inTurn(() => this.checkHost()).catch((error) => this.log.error(String(error)));
    }
    async checkHost() {
        if (this.stopping)
            return;
        await this.followUnderlay();
        for (const r of this.overlay.running.values()) {
            const before = { ...r.device.state };
            for (const line of r.device.check(Date.now()))
                this.log.warn(`device ${r.config.interface}: ${line}`);
            const { mtu, mac } = r.device.state;
            if (mtu !== before.mtu || mac !== before.mac)
                await this.overlay.deviceChanged(r);
        }
        await this.overlay.refreshMtus();
    }
    // An interface's address may change under us; configured addresses stay what they are.
    async followUnderlay() {
        if (this.config.underlay.addresses.length > 0)
            return;
        let now;
        try {
            now = findUnderlay(this.config.underlay);
        }
        catch {
            // No address at the moment: the old sockets stay, and the next change brings us back here.
            return;
        }
        if (sameAddresses(now, this.underlay))
            return;
        this.log.info(`underlay address is ${now.map((l) => l.address).join(', ')} now`);
        await this.replaceUnderlay(now);
    }
    async replaceUnderlay(now) {
        this.underlay = now;
        await this.overlay.apply(this.config, now);
    }
    async lookUpNames() {
        const hosts = this.config.peers.map((p) => p.endpoint.host);
        return this.resolver.refresh(hosts, this.underlay, (host, why) => this.log.warn(`endpoint ${host}: ${why}`));
    }
    armResolver() {
        if (this.resolveTimer)
            clearTimeout(this.resolveTimer);
        if (this.stopping || this.config.peers.every((p) => isIP(p.endpoint.host) !== 0))
            return;
        const again = async () => {
            if (await this.lookUpNames())
                await this.inTurn(() => this.overlay.replacePeers());
            this.armResolver();
        };
        const wait = this.overlay.complete() ? RESOLVE : RESOLVE_SOON;
        this.resolveTimer = setTimeout(() => void again().catch((e) => this.log.error(String(e))), wait);
    }
    find(network) {
        const r = this.overlay.running.get(network);
        if (r)
            return r;
        const names = [...this.overlay.running.keys()].join(', ');
        throw new ApiError(404, `network: there is no "${network}" (there are: ${names || 'none'})`);
    }
    sayWhatRuns() {
        for (const r of this.running) {
            const { name, vni, device, interface: ifname, port } = r.config;
            const on = this.underlay.map((l) => l.address).join(', ');
            this.log.info(`network ${name}: VNI ${vni}, ${device} ${ifname}, MTU ${r.device.state.mtu}, UDP ${port} on ${on}, in clear text`);
            const overhead = this.underlay.every((l) => l.v6) ? 70 : 50;
            const room = Math.min(...this.underlay.map((l) => l.mtu)) - overhead;
            if (r.device.state.mtu > room) {
                this.log.warn(`network ${name}: MTU ${r.device.state.mtu} is more than the underlay carries (${room}); hosts are told by ICMP`);
            }
        }
    }
}
function station(text) {
    const mac = parseMac(text);
    if (mac === null)
        throw new ApiError(400, `mac: want six pairs of hexadecimal digits, got "${text}"`);
    if (isGroupMac(mac) || isZeroMac(mac))
        throw new ApiError(400, `mac: ${mac} is not the address of one station`);
    return macBytes(mac);
}
function unchangeable(now, next) {
    const faults = [];
    const compare = (path, a, b) => {
        if (JSON.stringify(a) !== JSON.stringify(b)) {
            faults.push(`${path}: cannot change live (now ${JSON.stringify(a)}); restart the agent`);
        }
    };
    compare('node', now.node, next.node);
    compare('metrics', now.metrics, next.metrics);
    compare('offloads', now.offloads, next.offloads);
    return faults;
}
//# sourceMappingURL=agent.js.map