// Times small pure functions: warm-up, then trials of a fixed number of calls; the median trial counts, and its spread is said.
// CPU time, which what else runs on the machine stretches less than the clock on the wall.
import { median } from '../src/lab/median.js';
const TRIALS = 15;
const WARMUP_TRIALS = 5;
/** Nanoseconds that a trial should last, so that the clock's grain of a microsecond does not show. */
const TRIAL_NS = 20e6;
/** Times `run(n)`, which does n operations and returns something that depends on them all, so that none is optimised away. */
export function time(run) {
    let n = 64;
    while (once(run, n) < TRIAL_NS)
        n *= 2;
    for (let i = 0; i < WARMUP_TRIALS; i++)
        once(run, n);
    const trials = Array.from({ length: TRIALS }, () => once(run, n) / n);
    return { ns: median(trials), spread: Math.max(...trials) / Math.min(...trials) - 1 };
}
let lines = [];
/** One line of a table, printed and kept for `takeLines`. */
export function line(name, timing, note = '') {
    lines.push({ name, ...timing });
    const { ns, spread } = timing;
    const text = `${name.padEnd(44)} ${ns.toFixed(ns < 100 ? 1 : 0).padStart(8)} ns  ±${(spread * 50).toFixed(0).padStart(2)} %`;
    process.stdout.write(note === '' ? `${text}\n` : `${text}  ${note}\n`);
}
/** The lines since the last call. */
export function takeLines() {
    const taken = lines;
    lines = [];
    return taken;
}
let kept = 0;
function once(run, n) {
    const start = process.cpuUsage();
    kept ^= run(n);
    const { user, system } = process.cpuUsage(start);
    return (user + system) * 1000;
}
/** What all runs returned together: reading it keeps them. */
export function result() {
    return kept;
}
//# sourceMappingURL=timing.js.map