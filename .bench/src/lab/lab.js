import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { finish, start, withPath } from './command.js';
/** Name of a host's interface towards the underlay. */
export const UNDERLAY = 'eth0';
const SWITCH = 'switch';
const BRIDGE = 'br0';
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
/** Milliseconds that a killed process may take to end, and between two looks at it. */
const DEATH = 2000;
const LOOK = 2;
let labs = 0;
export class Lab {
    id;
    /** For configurations and sockets; removed with the lab. */
    dir;
    hosts = [];
    children = new Set();
    closers = [];
    onExit = () => this.destroy();
    onSignal = (signal) => {
        this.destroy();
        process.exit(128 + constants.signals[signal]);
    };
    destroyed = false;
    constructor() {
        labs++;
        this.id = labs === 1 ? String(process.pid) : `${process.pid}.${labs}`;
        this.dir = mkdtempSync(join(tmpdir(), `vtepd-lab-${this.id}-`));
        process.on('exit', this.onExit);
        for (const signal of SIGNALS)
            process.on(signal, this.onSignal);
    }
    /** A new host with its loopback up. */
    async host(name) {
        const host = new Host(this, name);
        this.hosts.push(host);
        await this.run(['ip', 'netns', 'add', host.namespace]);
        await host.ip('link', 'set', 'lo', 'up');
        return host;
    }
    /** Joins hosts by one underlay: a veth pair between two, a bridge between more. Links are up when it resolves. */
    async connect(ends, mtu = 1500) {
        if (ends.length === 2) {
            await this.pair(ends[0].host, UNDERLAY, ends[1].host, UNDERLAY);
        }
        else {
            const hub = await this.host(SWITCH);
            await hub.ip('link', 'add', BRIDGE, 'type', 'bridge');
            await hub.ip('link', 'set', BRIDGE, 'mtu', String(mtu), 'up');
            for (const [i, { host }] of ends.entries()) {
                const port = `port${i}`;
                await this.pair(host, UNDERLAY, hub, port);
                await hub.ip('link', 'set', port, 'mtu', String(mtu), 'master', BRIDGE, 'up');
            }
        }
        for (const { host, addresses } of ends) {
            for (const address of addresses) {
                // nodad: an IPv6 address can be bound at once.
                const flags = address.includes(':') ? ['nodad'] : [];
                await host.ip('addr', 'add', address, 'dev', UNDERLAY, ...flags);
            }
            await host.ip('link', 'set', UNDERLAY, 'mtu', String(mtu), 'up');
        }
    }
    /** Runs a program outside the hosts. Rejects with CommandError unless it ends with 0. */
    run(command, patience) {
        return finish(this.keep(start(command)), command, patience);
    }
    /** Ends `child` with the lab, if it still runs then. */
    keep(child) {
        this.children.add(child);
        child.once('exit', () => this.children.delete(child));
        return child;
    }
    /** Called by `close`, last first, before the namespaces go. */
    beforeClose(closer) {
        this.closers.unshift(closer);
    }
    /** Stops what runs here in good order, then removes everything. */
    async close() {
        try {
            for (const closer of this.closers.splice(0))
                await closer();
        }
        finally {
            this.destroy();
        }
    }
    // Synchronous, since nothing else runs once a process exits.
    destroy() {
        if (this.destroyed)
            return;
        this.destroyed = true;
        process.off('exit', this.onExit);
        for (const signal of SIGNALS)
            process.off(signal, this.onSignal);
        // All of them first: an `ip netns add` on its way must not finish behind our back.
        endProcesses([...this.children].map((child) => child.pid ?? 0));
        for (const { namespace } of this.hosts) {
            endProcesses(ipNetns('pids', namespace).split(/\s+/).map(Number));
            ipNetns('del', namespace);
        }
        rmSync(this.dir, { recursive: true, force: true });
    }
    async pair(a, nameA, b, nameB) {
        const far = ['type', 'veth', 'peer', 'name', nameB, 'netns', b.namespace];
        await this.run(['ip', 'link', 'add', nameA, 'netns', a.namespace, ...far]);
    }
}
export class Host {
    lab;
    name;
    namespace;
    constructor(lab, name) {
        this.lab = lab;
        this.name = name;
        this.namespace = `vtepd-${lab.id}-${name}`;
    }
    /** Starts a program on this host; it ends with the lab at the latest. */
    spawn(command, options) {
        return this.lab.keep(start(this.inside(command), options));
    }
    /** Runs a program on this host to its end. Rejects with CommandError unless it ends with 0. */
    run(command, patience) {
        return finish(this.spawn(command), command, patience);
    }
    /** ip(8) on this host. */
    async ip(...args) {
        const { stdout } = await this.lab.run(['ip', '-n', this.namespace, ...args]);
        return stdout;
    }
    inside(command) {
        return ['ip', 'netns', 'exec', this.namespace, ...command];
    }
}
// What is already gone is what we want.
function ipNetns(verb, namespace) {
    const options = { encoding: 'utf8', timeout: 5000, env: withPath(process.env) };
    return spawnSync('ip', ['netns', verb, namespace], options).stdout ?? '';
}
// Kills and waits, without the event loop: a zombie counts as ended, its parent may not come to reap it any more.
function endProcesses(pids) {
    const known = pids.filter((pid) => pid > 0);
    for (const pid of known) {
        try {
            process.kill(pid, 'SIGKILL');
        }
        catch {
            // It has ended meanwhile.
        }
    }
    const clock = new Int32Array(new SharedArrayBuffer(4));
    const end = performance.now() + DEATH;
    while (known.some(isAlive) && performance.now() < end)
        Atomics.wait(clock, 0, 0, LOOK);
}
function isAlive(pid) {
    try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
    }
    catch {
        return false;
    }
}
//# sourceMappingURL=lab.js.map