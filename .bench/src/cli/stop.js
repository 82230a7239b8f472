// `vtepd stop`: asks the agent to end and waits until its socket is gone, which is the last thing that it cleans up.
import { readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from './client.js';
import { DONE, FAILED, Failure, NOT_RUNNING } from './exit.js';
import { printJson } from './output.js';
/** Milliseconds: longer than the 10 s that `up` gives itself. */
const PATIENCE = 15_000;
const POLL = 25;
export async function stop(flags) {
    const client = new Client(flags);
    const pid = await ask(client, flags.on('cleanup'));
    if (pid !== null)
        await gone(client, pid);
    if (flags.on('cleanup'))
        await removeLeftovers(client);
    if (flags.on('json'))
        printJson({ schema: 1, pid });
    return DONE;
}
// The agent's pid; null when there is none and that is all right.
async function ask(client, cleanup) {
    try {
        return (await client.ask('POST', '/v1/stop')).pid;
    }
    catch (error) {
        if (cleanup && error instanceof Failure && error.exitCode === NOT_RUNNING)
            return null;
        throw error;
    }
}
async function gone(client, pid) {
    const until = performance.now() + PATIENCE;
    while (await client.alive()) {
        if (performance.now() > until) {
            throw new Failure(FAILED, `the agent (pid ${pid}) is still cleaning up after ${PATIENCE / 1000} s; its log says why`);
        }
        await new Promise((resolve) => setTimeout(resolve, POLL));
    }
}
// Devices go with the process; sockets of a killed agent stay. Whoever still answers is left alone.
async function removeLeftovers(client) {
    if (await client.alive())
        return;
    const names = await readdir(client.runtimeDir).catch((error) => {
        if (error.code === 'ENOENT')
            return [];
        throw error;
    });
    for (const name of names) {
        if (/^vtepd\.sock(\.[0-9a-f]{8}~?)?$/.test(name))
            await unlink(join(client.runtimeDir, name));
    }
}
//# sourceMappingURL=stop.js.map