// Runs one program to its end and answers with what it said. Arguments are arrays and never pass through a shell.
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
/** Milliseconds after which a program that was given no time of its own is ended. */
const PATIENCE = 20_000;
/** Where administrators' programs lie, also when PATH leaves them out. */
const ADMIN_PATH = ['/usr/sbin', '/sbin'];
/** A program that failed: `message` has the command and what it said. */
export class CommandError extends Error {
    exitCode;
    stdout;
    stderr;
    constructor(command, exitCode, signal, { stdout, stderr }) {
        const how = signal ? `was ended by ${signal}` : `ended with ${exitCode}`;
        const said = stderr.trim() || lastLine(stdout);
        super(`\`${command.join(' ')}\` ${how}${said ? `: ${said}` : ''}`);
        this.exitCode = exitCode;
        this.stdout = stdout;
        this.stderr = stderr;
    }
}
/** Starts a program with its output readable and nothing to read itself, unless `options.stdio` says otherwise. */
export function start(command, options = {}) {
    const [file, ...args] = command;
    return spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options, env: withPath(options.env ?? process.env) });
}
/** The environment with a PATH that has administrators' programs too. */
export function withPath(env) {
    return { ...env, PATH: searchPath().join(delimiter) };
}
/** Waits for a program's end. Rejects with CommandError unless it ends with 0; ends it after `patience` ms. */
export function finish(child, command, patience = PATIENCE) {
    return new Promise((resolve, reject) => {
        let stdout = '';
        let stderr = '';
        child.stdout?.setEncoding('utf8').on('data', (text) => {
            stdout += text;
        });
        child.stderr?.setEncoding('utf8').on('data', (text) => {
            stderr += text;
        });
        const timer = setTimeout(() => {
            stderr += `\nno end after ${patience / 1000} s`;
            child.kill('SIGKILL');
        }, patience);
        child.once('error', (error) => {
            clearTimeout(timer);
            reject(error);
        });
        child.once('close', (code, signal) => {
            clearTimeout(timer);
            if (code === 0)
                resolve({ stdout, stderr });
            else
                reject(new CommandError(command, code, signal, { stdout, stderr }));
        });
    });
}
/** Whether a program of this name can be run. */
export function isInstalled(program) {
    return searchPath().some((dir) => {
        try {
            accessSync(join(dir, program), constants.X_OK);
            return true;
        }
        catch {
            return false;
        }
    });
}
function searchPath() {
    const path = (process.env['PATH'] ?? '').split(delimiter).filter((dir) => dir !== '');
    return [...path, ...ADMIN_PATH.filter((dir) => !path.includes(dir))];
}
function lastLine(text) {
    return text.trim().split('\n').at(-1) ?? '';
}
//# sourceMappingURL=command.js.map