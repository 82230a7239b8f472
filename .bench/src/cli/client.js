// HTTP over the agent's Unix socket, for the commands that ask it something. An agent that does not answer is exit code 3.
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { FAILED, Failure, NOT_PERMITTED, NOT_RUNNING, USAGE } from './exit.js';
/** Milliseconds that an answer may take; a reload waits for devices to come up. */
const TIMEOUT = 30_000;
export class Client {
    runtimeDir;
    socketPath;
    constructor(flags) {
        this.runtimeDir = flags.runtimeDir;
        this.socketPath = join(flags.runtimeDir, 'vtepd.sock');
    }
    /** The answer's JSON object. Throws Failure. */
    async ask(method, path, body) {
        const response = await this.send(method, path, body);
        const value = await json(response);
        if (response.statusCode >= 300)
            throw refusal(response.statusCode, value);
        return value;
    }
    /** A stream of bytes that lasts until either side ends it. */
    async stream(path) {
        const response = await this.send('GET', path);
        if (response.statusCode >= 300)
            throw refusal(response.statusCode, await json(response));
        response.socket.setTimeout(0);
        return response;
    }
    /** Whether anybody still listens at the socket. */
    alive() {
        return new Promise((resolve) => {
            const socket = connect({ path: this.socketPath });
            socket.once('connect', () => {
                socket.destroy();
                resolve(true);
            });
            socket.once('error', (error) => resolve(error.code === 'EAGAIN'));
        });
    }
    send(method, path, body) {
        return new Promise((resolve, reject) => {
            const text = body === undefined ? '' : JSON.stringify(body);
            const headers = body === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) };
            const options = { socketPath: this.socketPath, method, path, headers, agent: false, timeout: TIMEOUT };
            const sent = request(options, resolve);
            sent.on('timeout', () => {
                sent.destroy(new Failure(FAILED, `the agent at ${this.socketPath} did not answer within ${TIMEOUT / 1000} s`));
            });
            sent.on('error', (error) => reject(this.told(error)));
            sent.end(text);
        });
    }
    told(error) {
        if (error instanceof Failure)
            return error;
        const { code, message } = error;
        if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTDIR') {
            return new Failure(NOT_RUNNING, `no agent at ${this.socketPath}: is \`vtepd up\` running? (--runtime-dir says where)`);
        }
        if (code === 'EACCES' || code === 'EPERM') {
            return new Failure(NOT_PERMITTED, `not permitted to open ${this.socketPath}; run it as root`);
        }
        if (code === 'ECONNRESET' || code === 'EPIPE') {
            return new Failure(NOT_RUNNING, `the agent at ${this.socketPath} ended before it answered`);
        }
        return new Failure(FAILED, `cannot ask the agent at ${this.socketPath}: ${message}`);
    }
}
async function json(response) {
    const chunks = [];
    try {
        for await (const chunk of response)
            chunks.push(chunk);
        return JSON.parse(Buffer.concat(chunks).toString('utf8'));
    }
    catch {
        throw new Failure(FAILED, 'what answers at the socket is not vtepd, or ended in the middle of its answer');
    }
}
// What the caller got wrong is usage (2), what is forbidden 4, the rest failed (1).
function refusal(status, value) {
    const { error, faults } = (value ?? {});
    const code = status === 403 ? NOT_PERMITTED : [400, 404, 413, 422].includes(status) ? USAGE : FAILED;
    const message = typeof error === 'string' ? error : `the agent answered with status ${status}`;
    return new Failure(code, message, Array.isArray(faults) ? faults.map(String) : []);
}
//# sourceMappingURL=client.js.map