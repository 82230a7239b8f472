// Round trip times by ping(8) of iputils.
import { CommandError } from './command.js';
/** Seconds that a reply may take. */
const WAIT = 2;
/** Milliseconds of each reply, in order; lost ones are missing. Throws when none came. */
export async function ping(host, address, { count, interval }) {
    const pace = ['-c', String(count), '-i', String(interval / 1000), '-W', String(WAIT)];
    const command = ['ping', '-n', ...pace, address];
    const patience = count * interval + WAIT * 1000 + 10_000;
    let stdout;
    try {
        stdout = (await host.run(command, patience)).stdout;
    }
    catch (error) {
        // ping ends with 1 when no reply came.
        if (!(error instanceof CommandError) || error.exitCode !== 1)
            throw error;
        throw new Error(`${address} does not answer ${host.name}'s ${count} pings`);
    }
    return [...stdout.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1]));
}
//# sourceMappingURL=ping.js.map