// From a file's text or quick flags to the frozen Config, or to all that is wrong with them at once. Read docs/configuration.md
// first: it is what is promised. The way: text → values (source.ts) → not delivered yet (later.ts) → shape (schema.ts) →
// draft with defaults (draft.ts) → meaning (network-check.ts, peer-check.ts) → Config (model.ts).
import { Cuts, draftOf } from './draft.js';
import { Faults, pathText } from './fault.js';
import { addIssues } from './issue.js';
import { findLater } from './later.js';
import { checkNetworks } from './network-check.js';
import { checkPeers, underlayFaults as noteUnderlayFaults, UNPLACED } from './peer-check.js';
import { flagText, quickValue } from './quick.js';
import { schema, toJsonSchema } from './schema.js';
import { readSource } from './source.js';
/** What is wrong with a configuration: each fault is one line, `path: what; how to mend (line N)`. */
export class ConfigError extends Error {
    faults;
    /** `path`: the file's name, or null for flags. */
    constructor(path, faults) {
        const count = faults.length === 1 ? 'one fault' : `${faults.length} faults`;
        super(`${path ?? 'flags'}: ${count}\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
        this.name = 'ConfigError';
        this.faults = faults;
    }
}
/**
 * Parses a configuration file's text. `path` is for the error's message only; `hostname` is the default of `node`.
 * Throws ConfigError with every fault; nothing is looked up on the host.
 */
export function parseConfig(text, options) {
    const { value, faults } = readSource(text);
    const config = value === undefined ? null : configOf(value, faults, options.hostname);
    if (faults.count > 0 || !config)
        throw new ConfigError(options.path, faults.texts());
    return config;
}
/** The configuration of `vtepd up --vni …`. Throws ConfigError whose faults name flags: `--vni: …`. */
export function fromQuickFlags(flags, options) {
    const faults = new Faults({ label: flagText, line: () => 0 });
    const value = quickValue(flags, faults);
    const config = configOf(value, faults, options.hostname);
    if (faults.count > 0 || !config)
        throw new ConfigError(null, faults.texts());
    return config;
}
/** JSON Schema (draft 2020-12) of what this version takes. */
export function jsonSchema() {
    return toJsonSchema();
}
/** What can be said only once the underlay's addresses are known (`underlay.interface`): faults as in ConfigError. */
export function underlayFaults(config, addresses) {
    const faults = new Faults(UNPLACED);
    noteUnderlayFaults(config, addresses, faults);
    return faults.texts();
}
// null when there is a fault.
function configOf(given, faults, hostname) {
    const value = withoutEmpty(given);
    if (value === null) {
        faults.add([], 'empty', 'give it networks: { blue: { vni: 42, security: plain } }');
        return null;
    }
    const cuts = new Cuts();
    const later = new Set();
    findLater(value, faults, (path) => {
        cuts.add(path);
        later.add(pathText(path));
    });
    const parsed = schema.safeParse(value);
    if (!parsed.success) {
        const skip = (path) => path.some((_, i) => later.has(pathText(path.slice(0, i + 1))));
        addIssues(parsed.error.issues, value, faults, (path) => cuts.add(path), skip);
    }
    cuts.apply(value);
    const draft = draftOf(value, cuts);
    if (!draft)
        return null;
    checkNode(draft, hostname, faults);
    checkNetworks(draft, faults);
    checkPeers(draft, faults);
    return faults.count > 0 ? null : finished(draft, hostname);
}
// A section whose lines are all commented out is empty, not faulty.
function withoutEmpty(value) {
    if (!isMap(value))
        return value;
    for (const key of ['underlay', 'peers', 'offloads'])
        if (value[key] === null)
            delete value[key];
    for (const key of ['networks', 'peers']) {
        const section = value[key];
        if (!isMap(section))
            continue;
        for (const name of Object.keys(section)) {
            if (section[name] === null)
                section[name] = {};
            const networks = isMap(section[name]) ? section[name]['networks'] : undefined;
            if (key !== 'peers' || !isMap(networks))
                continue;
            for (const network of Object.keys(networks))
                networks[network] ??= {};
        }
    }
    return value;
}
function isMap(value) {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
}
function checkNode(draft, hostname, faults) {
    if (draft.node !== null || schema.shape.node.safeParse(hostname).success)
        return;
    faults.add(['node'], `missing, and the hostname ${JSON.stringify(hostname)} does not do as a name`, 'name this host');
}
// Every field is known when there are no faults.
function finished(draft, hostname) {
    const peers = [...draft.peers.values()].map(({ name, endpoint, members }) => ({
        name,
        endpoint,
        networks: members.map((member) => ({
            network: member.network,
            allowedIps: draft.networks.get(member.network).device === 'tun' ? [...member.allowedIps] : [],
            mac: draft.networks.get(member.network).device === 'tun' ? member.mac : null,
        })),
    }));
    const networks = [...draft.networks.values()];
    return frozen({ ...draft, node: draft.node ?? hostname, networks, peers });
}
function frozen(value) {
    if (typeof value !== 'object' || value === null || Object.isFrozen(value))
        return value;
    Object.freeze(value);
    for (const part of Object.values(value))
        frozen(part);
    return value;
}
//# sourceMappingURL=config.js.map