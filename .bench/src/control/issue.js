import { gotText, nearest, shown } from './fault.js';
import { toJsonSchema } from './schema.js';
/** Notes each issue as a fault and calls `found` with the path of what is faulty. `skip` knows the paths dealt with before. */
export function addIssues(issues, value, faults, found, skip) {
    const keys = new Keys();
    const add = (issue, base) => {
        const path = [...base, ...issue.path.map((part) => (typeof part === 'number' ? part : String(part)))];
        if (skip(path))
            return;
        if (issue.code === 'unrecognized_keys') {
            for (const key of issue.keys) {
                // source.ts has named `__proto__` already, which not every shape sees.
                if (key === '__proto__' || skip([...path, key]))
                    continue;
                faults.add([...path, key], ...unknownKey(keys, path, key));
                found([...path, key]);
            }
            return;
        }
        if (issue.code === 'invalid_union') {
            const inside = issue.errors.find(isInside);
            if (inside) {
                for (const inner of inside)
                    add(inner, path);
                return;
            }
        }
        const message = issue.code === 'invalid_key' ? issue.issues[0].message : issue.message;
        const got = issue.code === 'invalid_key' ? path.at(-1) : at(value, path);
        faults.add(path, ...withGot(message, got));
        found(path);
    };
    for (const issue of issues)
        add(issue, []);
}
// A branch whose own form fits and whose content does not: the one that was meant.
function isInside(branch) {
    return branch.every((issue) => issue.path.length > 0 || issue.code === 'unrecognized_keys' || issue.code === 'too_small');
}
function withGot(message, value) {
    const semicolon = message.indexOf('; ');
    const want = message.slice(0, semicolon);
    const mend = message.slice(semicolon + 2);
    const number = typeof value === 'string' && /^\d+$/.test(value) && /^want \d+\.\.\d+/.test(want);
    if (number)
        return [`${want}, ${gotText(value)}`, 'write it in that range and without quotes'];
    return [value === undefined ? `missing, ${want}` : `${want}, ${gotText(value)}`, mend];
}
function unknownKey(keys, path, key) {
    const siblings = keys.at(path);
    const near = nearest(key, siblings);
    if (near)
        return ['unknown key', `did you mean ${near}?`];
    const home = keys.home(key);
    if (home)
        return ['unknown key', `did you mean ${home}?`];
    return ['unknown key', `remove it, known here are ${siblings.join(', ')}`];
}
// Where a key that is right but misplaced would belong.
const HOMES = [
    ['', []],
    ['underlay.', ['underlay']],
    ['networks.NAME.', ['networks', 'NAME']],
    ['peers.NAME.', ['peers', 'NAME']],
    ['metrics.', ['metrics']],
    ['offloads.', ['offloads']],
];
// Which keys there may be at a path. Made for one answer, so that a file without faults never builds a JSON Schema.
class Keys {
    root = null;
    at(path) {
        this.root ??= toJsonSchema();
        let shapes = [this.root];
        for (const part of path) {
            shapes = shapes.flatMap(branches).flatMap((shape) => {
                const next = typeof part === 'number' ? shape.items : (shape.properties?.[part] ?? shape.additionalProperties);
                return next ? [next] : [];
            });
        }
        return shapes.flatMap(branches).flatMap((shape) => Object.keys(shape.properties ?? {}));
    }
    home(key) {
        const home = HOMES.find(([, path]) => this.at(path).includes(key));
        return home ? home[0] + key : null;
    }
}
function branches(shape) {
    return shape.anyOf ? shape.anyOf.flatMap(branches) : [shape];
}
function at(value, path) {
    let node = value;
    for (const part of path) {
        if (typeof node !== 'object' || node === null || !Object.hasOwn(node, part))
            return undefined;
        node = node[part];
    }
    return node;
}
/** `no network "blu"` with the nearest that there is. */
export function noSuch(kind, name, names) {
    const near = nearest(name, names);
    const mend = near
        ? `did you mean ${near}?`
        : names.length > 0
            ? `there are ${names.slice(0, 8).join(', ')}`
            : 'there are none';
    return [`no ${kind} ${shown(name)}`, mend];
}
//# sourceMappingURL=issue.js.map