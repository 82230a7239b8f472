// Whether this process may make namespaces and devices, and the way around for who is not root: a user namespace, in which
// we are (user_namespaces(7)). ip(8) keeps its names in /run/netns, so that gets a mount of its own there.
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { CommandError, finish, isInstalled, start } from './command.js';
/** Bits of CapEff in /proc/self/status, capabilities(7). */
const CAP_NET_ADMIN = 12;
const CAP_SYS_ADMIN = 21;
const TUN = '/dev/net/tun';
const NAMESPACES = '/run/netns';
/** Set for the process inside: one try is enough. */
const INSIDE = 'INSIDE_USER_NAMESPACE';
/** null when namespaces and devices can be made here, else what is missing. */
export function refusal() {
    if (process.geteuid?.() !== 0)
        return 'this is not root';
    const line = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'));
    const effective = BigInt(`0x${line?.[1] ?? '0'}`);
    const has = (bit) => ((effective >> BigInt(bit)) & 1n) === 1n;
    const missing = [...(has(CAP_NET_ADMIN) ? [] : ['CAP_NET_ADMIN']), ...(has(CAP_SYS_ADMIN) ? [] : ['CAP_SYS_ADMIN'])];
    return missing.length === 0 ? null : `this root has no ${missing.join(' and no ')}`;
}
/** null when a user namespace gives what we need, else why not. Costs some milliseconds. */
export async function userNamespaceRefusal() {
    if (process.env[INSIDE])
        return 'already inside a user namespace';
    if (!isInstalled('unshare'))
        return 'unshare(1) is not installed';
    try {
        accessSync(TUN, constants.R_OK | constants.W_OK);
    }
    catch {
        return `${TUN} may not be opened`;
    }
    const command = wrapped(['sh', '-c', 'ip netns add vtepd-probe && ip netns exec vtepd-probe true']);
    try {
        await finish(start(command), command);
        return null;
    }
    catch (error) {
        return error instanceof CommandError ? error.stderr.trim() || error.message : String(error);
    }
}
/** This very command again in a user namespace; its exit code. Signals for us go to it. */
export function againInUserNamespace() {
    const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
    const child = start(wrapped(again), { stdio: 'inherit', env: { ...process.env, [INSIDE]: '1' } });
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
        process.on(signal, () => child.kill(signal));
    return new Promise((resolve, reject) => {
        child.once('error', reject);
        child.once('exit', (code) => resolve(code ?? 1));
    });
}
// `exec "$@"`: a signal for the child reaches what it has become.
function wrapped(command) {
    const mount = existsSync(NAMESPACES)
        ? `mount -t tmpfs tmpfs ${NAMESPACES}`
        : `mount -t tmpfs tmpfs /run && mkdir ${NAMESPACES}`;
    return ['unshare', '-Urnm', 'sh', '-c', `${mount} && exec "$@"`, 'sh', ...command];
}
//# sourceMappingURL=permission.js.map