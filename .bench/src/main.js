#!/usr/bin/env node
import { exitCodeOf, explain, INTERRUPTED } from './cli/exit.js';
import { parse } from './cli/parse.js';
async function main(args) {
    const parsed = await parse(args, process.env, process.stdout.columns);
    if (parsed.kind === 'text') {
        process.stdout.write(parsed.text);
        return 0;
    }
    for (const warning of parsed.warnings)
        process.stderr.write(`vtepd: ${warning}\n`);
    return run(parsed.command, parsed.flags);
}
async function run(command, flags) {
    if (!command.ownSignals)
        process.once('SIGINT', () => process.exit(INTERRUPTED));
    try {
        return await (await command.load())(flags);
    }
    catch (error) {
        if (flags.on('verbose') && error instanceof Error)
            process.stderr.write(`${error.stack}\n`);
        throw error;
    }
}
// The reader of a pipe may leave early (`vtepd fdb | head`): that ends us, and is no failure.
process.stdout.on('error', (error) => {
    if (error.code === 'EPIPE')
        process.exit(process.exitCode);
    process.stderr.write(`vtepd: cannot write to stdout: ${error.message}\n`);
    process.exit(exitCodeOf(error));
});
process.stderr.on('error', () => { });
process.exitCode = await main(process.argv.slice(2)).catch((error) => {
    process.stderr.write(explain(error));
    return exitCodeOf(error);
});
// What was written goes out first; nothing that a command left open keeps us.
process.stdout.write('', () => process.exit());
//# sourceMappingURL=main.js.map