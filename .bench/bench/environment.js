// What figures depend on: said above every table, so that nobody compares what cannot be compared.
import { spawnSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
export function environment() {
    return {
        commit: commit(),
        node: process.versions.node,
        v8: process.versions.v8,
        kernel: release(),
        cores: cpus().length,
        processor: cpus()[0]?.model.trim() ?? 'unknown',
        memoryBytes: totalmem(),
    };
}
/** For people, two lines. */
export function describe(e) {
    return (`commit ${e.commit} · Node ${e.node} (V8 ${e.v8}) · Linux ${e.kernel}\n` +
        `${e.cores} × ${e.processor}, ${Math.round(e.memoryBytes / 1e9)} GB\n`);
}
function commit() {
    const git = (...args) => spawnSync('git', args, { encoding: 'utf8' }).stdout?.trim() ?? '';
    const hash = git('rev-parse', '--short', 'HEAD');
    if (hash === '')
        return 'unknown';
    return git('status', '--porcelain') === '' ? hash : `${hash} with changes`;
}
//# sourceMappingURL=environment.js.map