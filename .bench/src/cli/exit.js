// How a command ends: exit codes (docs/command-line.md lists them) and the error that carries one.
export const DONE = 0;
export const FAILED = 1;
export const USAGE = 2;
export const NOT_RUNNING = 3;
export const NOT_PERMITTED = 4;
export const INTERRUPTED = 130;
/** Ends the command: `message` says where and how to mend it, `lines` follow it indented. */
export class Failure extends Error {
    exitCode;
    lines;
    constructor(exitCode, message, lines = []) {
        super(message);
        this.exitCode = exitCode;
        this.lines = lines;
    }
}
/** The exit code of any error: its own `exitCode`, 2 for what lists faults, 4 for what the kernel forbids, else 1. */
export function exitCodeOf(error) {
    if (typeof error !== 'object' || error === null)
        return FAILED;
    const { exitCode, faults, code } = error;
    if (typeof exitCode === 'number')
        return exitCode;
    if (Array.isArray(faults) && faults.length > 0)
        return USAGE;
    return code === 'EACCES' || code === 'EPERM' ? NOT_PERMITTED : FAILED;
}
/** What is said on stderr: one line, and one indented line for each fault when there are several. */
export function explain(error) {
    if (!(error instanceof Error))
        return `vtepd: ${String(error)}\n`;
    const { lines, faults } = error;
    const more = lines ?? faults ?? [];
    // Where the message lists its faults itself, they are in its later lines.
    const head = oneLine(more.length === 0 ? error.message : error.message.split('\n')[0]);
    if (more.length === 0 || (more.length === 1 && head.includes(more[0])))
        return `vtepd: ${head}\n`;
    if (more.length === 1)
        return `vtepd: ${head}: ${more[0]}\n`;
    return `vtepd: ${head}:\n${more.map((line) => `  ${line}\n`).join('')}`;
}
function oneLine(text) {
    return text.replace(/\s*\n\s*/g, ' ').trim();
}
//# sourceMappingURL=exit.js.map