// The library entry `vtepd`: an agent inside another program. docs/command-line.md describes what `status` answers.
import { hostname } from 'node:os';
import { startAgent } from './agent.js';
import { parseConfig } from './control/config.js';
import { createLog } from './log.js';
/** `config`: what a configuration file holds, as an object. Faults throw at once, all of them, as `faults`. */
export function createAgent(config, options = {}) {
    const parsed = parseConfig(JSON.stringify(config), { path: 'config', hostname: hostname() });
    const log = createLog({ level: options.logLevel ?? 'warn' });
    let running = null;
    return {
        async start() {
            if (running)
                throw new Error('the agent runs already');
            running = await startAgent(parsed, { runtimeDir: options.runtimeDir ?? '/run/vtepd', log });
        },
        async stop() {
            const stopping = running;
            running = null;
            stopping?.stop();
            await stopping?.done;
        },
        status() {
            if (!running)
                throw new Error('the agent does not run');
            return running.status();
        },
    };
}
//# sourceMappingURL=index.js.map