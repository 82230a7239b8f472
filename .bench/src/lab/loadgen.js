import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { built } from './built.js';
const PORT = 5202;
/** Milliseconds that the counting side may take to answer. */
const ANSWER = 5000;
export class Loadgen {
    name = 'its own generator (iperf3 is not installed)';
    tcp(load, streams) {
        return this.measure(load, 'tcp', streams);
    }
    udp(load, size) {
        return this.measure(load, 'udp', size);
    }
    async measure(load, protocol, amount) {
        const { from, to, address, seconds, warmup } = load;
        const child = [process.execPath, built('lab/loadgen-child.js')];
        const where = [protocol, address, String(PORT)];
        const sink = new Sink(to.spawn([...child, 'sink', ...where], { stdio: ['pipe', 'pipe', 'inherit'] }));
        let source = null;
        try {
            await sink.line();
            source = from.spawn([...child, 'source', ...where, String(amount)], { stdio: ['ignore', 'ignore', 'inherit'] });
            await pause(warmup * 1000);
            const first = await sink.mark();
            await pause(seconds * 1000);
            const last = await sink.mark();
            const bitsPerSecond = ((last.bytes - first.bytes) * 8 * 1000) / (last.now - first.now);
            return { bitsPerSecond, totalBytes: last.bytes };
        }
        finally {
            await Promise.all([end(source), end(sink.child)]);
        }
    }
}
class Sink {
    child;
    lines = [];
    waiting = null;
    constructor(child) {
        this.child = child;
        createInterface({ input: child.stdout }).on('line', (line) => {
            const waiting = this.waiting;
            this.waiting = null;
            if (waiting)
                waiting(line);
            else
                this.lines.push(line);
        });
    }
    async mark() {
        this.child.stdin.write('\n');
        return JSON.parse(await this.line());
    }
    line() {
        const line = this.lines.shift();
        if (line !== undefined)
            return Promise.resolve(line);
        return new Promise((resolve, reject) => {
            const timer = setTimeout(() => reject(new Error('the load generator does not answer')), ANSWER);
            this.waiting = (text) => {
                clearTimeout(timer);
                resolve(text);
            };
        });
    }
}
async function end(child) {
    if (!child || child.exitCode !== null || child.signalCode !== null)
        return;
    const closed = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await closed;
}
//# sourceMappingURL=loadgen.js.map