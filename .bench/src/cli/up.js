// `vtepd up`: the agent in the foreground, as systemd (Type=notify) or a terminal runs it. Cleans up on SIGINT, SIGTERM and
// `vtepd stop`; SIGHUP reloads.
import { hostname } from 'node:os';
import { startAgent } from '../agent.js';
import { fromQuickFlags } from '../control/config.js';
import { notify } from '../host/notify.js';
import { createLog } from '../log.js';
import { QUICK_FLAGS } from './commands.js';
import { readConfig } from './config-source.js';
import { DONE, explain, FAILED, Failure, USAGE } from './exit.js';
/** Milliseconds that cleaning up may take. */
const PATIENCE = 10_000;
export async function up(flags) {
    const log = createLog({ level: flags.on('verbose') ? 'debug' : flags.on('quiet') ? 'warn' : 'info' });
    const quick = quickFlags(flags);
    const config = quick ? fromQuickFlags(quick, { hostname: hostname() }) : await readConfig(flags.text('config'));
    const agent = await startAgent(config, {
        runtimeDir: flags.runtimeDir,
        log,
        ...(quick ? {} : { readConfig: () => readConfig(flags.text('config')) }),
    });
    notify('READY=1');
    const watchdog = startWatchdog(agent);
    const forced = obeySignals(agent, log);
    await Promise.race([agent.done, forced]);
    if (watchdog)
        clearInterval(watchdog);
    return process.exitCode === FAILED ? FAILED : DONE;
}
// null: a file is meant.
function quickFlags(flags) {
    const given = QUICK_FLAGS.filter((flag) => flags.origin(flag.name) !== null);
    if (given.length === 0)
        return null;
    if (flags.origin('config') !== null) {
        const names = given.map((flag) => `--${flag.name}`).join(', ');
        throw new Failure(USAGE, `${names}: describe a network without a file, so --config cannot be given as well; drop one`);
    }
    const values = given.map(({ name, kind }) => {
        return [name, kind === 'switch' ? flags.on(name) : kind === 'list' ? flags.list(name) : flags.text(name)];
    });
    return Object.fromEntries(values);
}
// Resolves when cleaning up is cut short, by a second signal or because it takes too long.
function obeySignals(agent, log) {
    process.on('SIGHUP', () => void reload(agent, log));
    return new Promise((resolve) => {
        let asked = false;
        const stop = (signal) => {
            if (asked) {
                process.exitCode = FAILED;
                resolve();
                return;
            }
            asked = true;
            log.info(`${signal}: cleaning up`);
            notify('STOPPING=1');
            agent.stop();
            setTimeout(() => {
                log.error(`cleaning up takes longer than ${PATIENCE / 1000} s: giving up`);
                process.exitCode = FAILED;
                resolve();
            }, PATIENCE).unref();
        };
        process.on('SIGINT', stop);
        process.on('SIGTERM', stop);
    });
}
async function reload(agent, log) {
    notify(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
    try {
        await agent.reload();
    }
    catch (error) {
        log.error(`reload refused, the configuration stays as it was: ${explain(error)
            .replace(/^vtepd: /, '')
            .trim()}`);
    }
    notify('READY=1');
}
// sd_watchdog_enabled(3): half of the time that the service manager waits.
function startWatchdog(agent) {
    const usec = Number(process.env['WATCHDOG_USEC']);
    if (!(usec > 0))
        return null;
    const timer = setInterval(() => {
        if (agent.alive())
            notify('WATCHDOG=1');
    }, usec / 2000);
    timer.unref();
    return timer;
}
//# sourceMappingURL=up.js.map