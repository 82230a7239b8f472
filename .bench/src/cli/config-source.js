// Where a configuration comes from: `-c FILE`, or /etc/vtepd/vtepd.yaml with conf.d/*.yaml beside it. Files are joined before
// they are checked: `networks` and `peers` of all of them together, everything else from the main file alone.
import { readdir, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { parseDocument } from 'yaml';
import { ConfigError, parseConfig } from '../control/config.js';
import { FAILED, Failure, NOT_PERMITTED, USAGE } from './exit.js';
const DEFAULT_FILE = '/etc/vtepd/vtepd.yaml';
/** What files of conf.d may hold. */
const JOINED = ['networks', 'peers'];
/** `file` undefined: the default file with its conf.d. Throws ConfigError with all faults, or Failure. */
export async function readConfig(file) {
    const path = file ?? DEFAULT_FILE;
    const text = await read(path);
    const parts = file === undefined ? await confD(join(dirname(path), 'conf.d')) : [];
    if (parts.length === 0)
        return parseConfig(text, { path, hostname: hostname() });
    // The main file alone first: its faults come with its own line numbers.
    parseConfig(text, { path, hostname: hostname() });
    return parseConfig(JSON.stringify(joined(path, text, parts)), { path: `${path} with conf.d`, hostname: hostname() });
}
async function confD(dir) {
    const names = await readdir(dir).catch((error) => {
        if (error.code === 'ENOENT')
            return [];
        throw error;
    });
    const files = names.filter((name) => /\.ya?ml$/.test(name)).sort();
    return Promise.all(files.map(async (name) => ({ path: join(dir, name), text: await read(join(dir, name)) })));
}
function joined(path, text, parts) {
    const whole = mapOf(path, text);
    const faults = [];
    for (const part of parts) {
        for (const [key, value] of Object.entries(mapOf(part.path, part.text))) {
            if (!JOINED.includes(key)) {
                faults.push(`${part.path}: ${key}: belongs into ${path}; files of conf.d hold ${JOINED.join(' and ')} only`);
                continue;
            }
            whole[key] ??= {};
            const into = whole[key];
            for (const [name, entry] of Object.entries((value ?? {}))) {
                if (Object.hasOwn(into, name))
                    faults.push(`${part.path}: ${key}.${name}: is defined twice; keep one`);
                else
                    into[name] = entry;
            }
        }
    }
    if (faults.length > 0)
        throw new ConfigError(path, faults);
    return whole;
}
function mapOf(path, text) {
    const document = parseDocument(text);
    const [first] = document.errors;
    if (first)
        throw new ConfigError(path, [`${path}: ${first.message.split('\n')[0]}`]);
    const value = document.toJS();
    if (value === null)
        return {};
    if (typeof value !== 'object' || Array.isArray(value))
        throw new ConfigError(path, [`${path}: want keys with values`]);
    return value;
}
async function read(path) {
    try {
        return await readFile(path, 'utf8');
    }
    catch (error) {
        const { code, message } = error;
        if (code === 'ENOENT') {
            const mend = 'write one (docs/configuration.md), name another with -c, or describe a network by flags (`vtepd up --help`)';
            throw new Failure(USAGE, `${path}: no such file; ${mend}`);
        }
        if (code === 'EACCES')
            throw new Failure(NOT_PERMITTED, `${path}: not permitted to read it; run as root`);
        throw new Failure(FAILED, `${path}: ${message}`);
    }
}
//# sourceMappingURL=config-source.js.map