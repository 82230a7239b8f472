import { mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { built } from './built.js';
/** Milliseconds until an agent must be ready, must have stopped, must have answered; and between two questions. */
const READY = 15_000;
const STOPPED = 10_000;
const ANSWER = 5000;
const LOOK = 20;
/** Characters of the log that are kept for an error message. */
const LOG_MAX = 64 * 1024;
/** Starts an agent with a configuration in the file's shape; resolves when it is ready. It stops with the lab. */
export async function startAgent(host, config, options = {}) {
    const dir = join(host.lab.dir, host.name);
    mkdirSync(dir, { recursive: true });
    // JSON is YAML.
    const file = join(dir, 'vtepd.yaml');
    writeFileSync(file, JSON.stringify({ node: host.name, ...config }, null, 2), { mode: 0o600 });
    const env = options.profile ? { ...process.env, VTEPD_PROFILE: '1' } : process.env;
    const command = [process.execPath, built('main.js'), 'up', '-c', file, '--runtime-dir', dir, '--state-dir', dir];
    const agent = new LabAgent(host, host.spawn(command, { env }), dir);
    host.lab.beforeClose(() => agent.stop());
    await agent.untilReady();
    return agent;
}
export class LabAgent {
    host;
    runtimeDir;
    child;
    ended;
    log = '';
    running = true;
    constructor(host, child, runtimeDir) {
        this.host = host;
        this.child = child;
        this.runtimeDir = runtimeDir;
        const keepLog = (text) => {
            this.log = (this.log + text).slice(-LOG_MAX);
        };
        child.stdout.setEncoding('utf8').on('data', keepLog);
        child.stderr.setEncoding('utf8').on('data', keepLog);
        this.ended = new Promise((resolve) => {
            child.once('error', (error) => keepLog(String(error)));
            child.once('close', () => {
                this.running = false;
                resolve();
            });
        });
    }
    get pid() {
        return this.child.pid;
    }
    /** What it has logged. */
    get stderr() {
        return this.log;
    }
    async untilReady() {
        const end = performance.now() + READY;
        while (performance.now() < end) {
            if (!this.running) {
                throw new Error(`the agent on ${this.host.name} ended with ${this.child.exitCode}: ${said(this.log)}`);
            }
            const answer = await this.ask('/readyz').catch(() => null);
            if (answer?.status === 200)
                return;
            await pause(LOOK);
        }
        await this.stop();
        throw new Error(`the agent on ${this.host.name} was not ready within ${READY / 1000} s: ${said(this.log)}`);
    }
    /** JSON behind a path of its socket, /v1/status for one. */
    async get(path) {
        const { status, text } = await this.ask(path);
        if (status !== 200)
            throw new Error(`the agent on ${this.host.name} answers GET ${path} with ${status}: ${text}`);
        return JSON.parse(text);
    }
    /** SIGTERM, and SIGKILL when that takes too long. */
    async stop() {
        if (!this.running)
            return;
        this.child.kill('SIGTERM');
        const timer = setTimeout(() => this.child.kill('SIGKILL'), STOPPED);
        await this.ended;
        clearTimeout(timer);
    }
    ask(path) {
        return new Promise((resolve, reject) => {
            const socketPath = join(this.runtimeDir, 'vtepd.sock');
            const sent = request({ socketPath, path, agent: false, timeout: ANSWER }, (response) => {
                let text = '';
                response.setEncoding('utf8').on('data', (more) => {
                    text += more;
                });
                response.once('end', () => resolve({ status: response.statusCode, text }));
                response.once('error', reject);
            });
            sent.once('timeout', () => sent.destroy(new Error(`no answer from ${socketPath} within ${ANSWER / 1000} s`)));
            sent.once('error', reject);
            sent.end();
        });
    }
}
function said(log) {
    return log.trim() || 'it said nothing';
}
//# sourceMappingURL=agent.js.map