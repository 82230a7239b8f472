import { Failure, USAGE } from './exit.js';
export class Flags {
    values;
    constructor(values) {
        this.values = values;
    }
    /** null: not given. */
    origin(name) {
        return this.values.get(name)?.origin ?? null;
    }
    on(name) {
        return this.values.get(name)?.value === true;
    }
    text(name) {
        const value = this.values.get(name)?.value;
        return typeof value === 'string' ? value : undefined;
    }
    list(name) {
        const value = this.values.get(name)?.value;
        return Array.isArray(value) ? value : [];
    }
    /** A flag that the command cannot do without. */
    need(name, why) {
        const text = this.text(name);
        if (text === undefined)
            throw new Failure(USAGE, `--${name} is missing: ${why}`);
        return text;
    }
    get runtimeDir() {
        return this.text('runtime-dir') ?? '/run/vtepd';
    }
    get stateDir() {
        return this.text('state-dir') ?? '/var/lib/vtepd';
    }
}
/** VTEPD_RUNTIME_DIR for runtime-dir. */
export function variableOf(flag) {
    return `VTEPD_${flag.name.toUpperCase().replaceAll('-', '_')}`;
}
/** The variables VTEPD or VTEPD_X that name no flag in `known`. */
export function unknownVariables(env, known) {
    const names = new Set(known.map(variableOf));
    return Object.keys(env).filter((name) => (name === 'VTEPD' || name.startsWith('VTEPD_')) && !names.has(name));
}
/** Joins what was typed with the environment. `typed` has a key for each flag or argument that was given. */
export function join(typed, flags, env) {
    const values = new Map();
    for (const flag of flags) {
        const given = typed[flag.name];
        const variable = env[variableOf(flag)];
        if (given !== undefined)
            values.set(flag.name, { value: typedValue(flag, given), origin: 'command line' });
        else if (variable !== undefined && variable !== '') {
            values.set(flag.name, { value: variableValue(flag, variable), origin: 'environment' });
        }
    }
    for (const [name, value] of Object.entries(typed)) {
        if (typeof value === 'string' && !values.has(name))
            values.set(name, { value, origin: 'command line' });
    }
    return new Flags(values);
}
function typedValue(flag, given) {
    const label = `--${flag.name}`;
    if (flag.kind === 'list')
        return (Array.isArray(given) ? given : [given]).map((one) => text(label, flag, String(one)));
    if (Array.isArray(given)) {
        if (flag.kind === 'switch')
            return given.at(-1) === true;
        throw new Failure(USAGE, `${label} is given ${given.length} times; keep one`);
    }
    return flag.kind === 'switch' ? given === true : text(label, flag, String(given));
}
function variableValue(flag, variable) {
    const label = variableOf(flag);
    if (flag.kind === 'text')
        return text(label, flag, variable);
    if (flag.kind === 'list')
        return variable.split(/[\s,]+/).filter((part) => part !== '');
    if (/^(1|true|yes|on)$/i.test(variable))
        return true;
    if (/^(0|false|no|off)$/i.test(variable))
        return false;
    throw new Failure(USAGE, `${label}: want 1 or 0, got ${JSON.stringify(variable)}`);
}
function text(label, flag, value) {
    if (value === '')
        throw new Failure(USAGE, `${label} has no value; want ${label} ${flag.value ?? 'VALUE'}`);
    if (flag.choices && !flag.choices.includes(value)) {
        throw new Failure(USAGE, `${label}: want ${flag.choices.join(' or ')}, got ${JSON.stringify(value)}`);
    }
    return value;
}
//# sourceMappingURL=flags.js.map