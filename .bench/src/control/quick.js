// `vtepd up --vni 42 …`: one network from flags, as the values that a file would have given, and the way back from a path in
// them to the flag that was typed.
import { bits, cidrText, network as networkOf, parseCidr } from './cidr.js';
import { parseEndpoint } from './endpoint.js';
import { shown } from './fault.js';
const FLAGS = {
    vni: '--vni',
    device: '--device',
    interface: '--interface',
    port: '--port',
    address: '--address',
    mtu: '--mtu',
    security: '--plain',
};
/** The values of a file with the same meaning. Faults of flags alone are noted. */
export function quickValue(flags, faults) {
    const vni = number(flags.vni);
    const local = many(flags.local);
    const name = typeof vni === 'number' ? `vt${vni}` : 'vt';
    const allowedIps = flags.device === 'tun' ? tunPrefixes(flags, faults) : undefined;
    if (flags.key !== undefined)
        faults.add(['--key'], 'not in this version', 'remove it and add --plain');
    else if (flags.plain !== true) {
        faults.add(['--plain'], 'missing, and without it a network is secure, which is not in this version', 'add --plain if clear text is meant');
    }
    const network = {
        vni,
        security: 'plain',
        // A layer 3 network that cannot be is looked at as layer 2, for what else is wrong.
        ...given('device', flags.device === 'tun' && !allowedIps ? 'tap' : flags.device),
        ...given('interface', flags.interface),
        ...given('port', number(flags.port)),
        ...given('mtu', number(flags.mtu)),
        ...given('address', flags.address === undefined ? undefined : many(flags.address)),
    };
    return {
        underlay: local.length > 0 ? { address: local } : {},
        networks: { [name]: network },
        peers: quickPeers(flags, allowedIps, faults),
    };
}
/** The flag that a path in the values came from. */
export function flagText(path) {
    const [top, , key] = path;
    if (typeof top === 'string' && top.startsWith('--'))
        return top;
    if (top === 'underlay')
        return '--local';
    if (top === 'networks')
        return FLAGS[String(key)] ?? '--vni';
    return top === 'peers' ? '--peer' : String(top);
}
function quickPeers(flags, allowedIps, faults) {
    const texts = many(flags.peer);
    if (texts.length === 0)
        faults.add(['--peer'], 'missing', 'name the other host, --peer 198.18.0.2 say');
    const peers = new Map();
    texts.forEach((text, i) => {
        if (text.includes('@')) {
            faults.add(['--peer'], 'a public key is not in this version', 'write the host alone and add --plain');
            return;
        }
        const endpoint = parseEndpoint(text);
        // A faulty one needs a name too; the fault comes from its endpoint.
        const name = endpoint && endpoint.host.length <= 63 ? endpoint.host.replace(/\.$/, '') : `peer-${i + 1}`;
        if (peers.has(name))
            faults.add(['--peer'], `${shown(name)} is given twice`, 'name each host once');
        peers.set(name, { endpoint: text, ...given('allowedIps', allowedIps) });
    });
    return Object.fromEntries(peers);
}
// What the one peer of a tun network gets: all that the device's own prefixes hold. undefined when there is a fault, which
// for the form of an address comes from the address itself.
function tunPrefixes(flags, faults) {
    const before = faults.count;
    const peers = many(flags.peer).length;
    if (peers > 1) {
        const mend = 'keep one, or write a file with allowedIps for each';
        faults.add(['--peer'], `want one with --device tun, got ${peers}`, mend);
    }
    const cidrs = many(flags.address).map((text) => parseCidr(text));
    if (cidrs.length === 0) {
        const mend = 'add --address 10.42.0.1/24 or the like';
        faults.add(['--address'], 'missing, and a tun peer gets its prefix', mend);
    }
    const prefixes = new Set();
    for (const cidr of cidrs) {
        if (!cidr)
            return undefined;
        if (cidr.length === bits(cidr.v6)) {
            const mend = 'give the prefix that both share, /24 say';
            faults.add(['--address'], `${shown(cidrText(cidr))} has no room for the peer`, mend);
        }
        prefixes.add(cidrText(networkOf(cidr)));
    }
    return faults.count > before ? undefined : [...prefixes];
}
function many(value) {
    return value === undefined ? [] : typeof value === 'string' ? [value] : value;
}
function given(key, value) {
    return value === undefined ? {} : { [key]: value };
}
// Digits become a number; anything else stays as it was typed, for the fault to show.
function number(value) {
    return typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
}
//# sourceMappingURL=quick.js.map