const REMOVE = 'remove it';
const CLEAR = 'write `security: plain` if clear text is meant';
const PLAIN_PEER = 'remove it: networks with `security: plain` need no keys';
const ROWS = [
    { path: ['privateKeyFile'], mend: PLAIN_PEER },
    { path: ['control'], mend: 'remove it and list the hosts under peers' },
    ...['masquerade', 'forward', 'firewall', 'notrack', 'ports'].map((key) => ({ path: [key], mend: REMOVE })),
    {
        path: ['workers'],
        when: (value) => typeof value === 'number' && value > 1,
        what: 'more than one',
        mend: 'write 1',
    },
    { path: ['underlay', 'wireguardPort'], mend: PLAIN_PEER },
    ...['prefix', 'subnetFile', 'bridge', 'stormLimit', 'suppressArp'].map((key) => ({
        path: ['networks', '*', key],
        mend: REMOVE,
    })),
    { path: ['networks', '*', 'type'], when: (value) => value === 'flannel', what: 'flannel', mend: 'write vxlan' },
    { path: ['networks', '*', 'security'], when: (value) => value === 'secure', what: 'secure', mend: CLEAR },
    {
        path: ['networks', '*', 'security'],
        when: (value) => value === undefined,
        what: 'missing, and the default, secure,',
        mend: CLEAR,
    },
    {
        path: ['networks', '*', 'flood'],
        when: (value) => typeof value === 'object' && value !== null && Object.hasOwn(value, 'group'),
        what: 'a multicast group',
        mend: 'write replicate',
    },
    ...['publicKey', 'presharedKeyFile', 'keepalive'].map((key) => ({ path: ['peers', '*', key], mend: PLAIN_PEER })),
    { path: ['peers', '*', 'type'], when: (value) => value === 'wireguard', what: 'wireguard', mend: 'write vtepd' },
];
/** Notes a fault for everything in `value` that is not delivered yet, and calls `found` with its path. */
export function findLater(value, faults, found) {
    for (const row of ROWS) {
        for (const [path, holder] of holders(value, row.path.slice(0, -1), [])) {
            const key = row.path.at(-1);
            const there = Object.hasOwn(holder, key);
            if (row.when ? !row.when(there ? holder[key] : undefined) : !there)
                continue;
            const what = row.what ? `${row.what} is not in this version` : 'not in this version';
            faults.add([...path, key], what, row.mend);
            found([...path, key]);
        }
    }
}
function* holders(value, path, at) {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
        return;
    const map = value;
    const [part, ...rest] = path;
    if (part === undefined)
        yield [at, map];
    else if (part !== '*')
        yield* holders(Object.hasOwn(map, part) ? map[part] : undefined, rest, [...at, part]);
    else
        for (const name of Object.keys(map))
            yield* holders(map[name], rest, [...at, name]);
}
//# sourceMappingURL=later.js.map