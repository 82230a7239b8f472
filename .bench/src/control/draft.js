// A configuration on its way: the model's fields with defaults filled in, where undefined means "faulty, so not known".
// Checks of meaning step over what is not known and so never blame a second key for the fault of a first.
import { addressText, cidrText, parseAddress, parseCidr, parsePrefix } from './cidr.js';
import { parseDuration } from './duration.js';
import { parseEndpoint } from './endpoint.js';
import { parseMac } from './mac.js';
import { partialSchema } from './schema.js';
/** Paths that are faulty. What lies in a list counts as the whole list. */
export class Cuts {
    paths = new Map();
    add(path) {
        const end = path.findIndex((part) => typeof part === 'number');
        const whole = end < 0 ? path : path.slice(0, end);
        this.paths.set(JSON.stringify(whole), whole);
    }
    has(...path) {
        return this.paths.has(JSON.stringify(path));
    }
    /** Names under a top-level key that are faulty as a whole. */
    names(key) {
        return [...this.paths.values()]
            .filter((path) => path.length === 2 && path[0] === key)
            .map((path) => String(path[1]));
    }
    /** Removes every path from `value`, which is changed. */
    apply(value) {
        for (const path of this.paths.values()) {
            let holder = value;
            for (const part of path.slice(0, -1))
                holder = isMap(holder) && Object.hasOwn(holder, part) ? holder[part] : undefined;
            if (isMap(holder))
                delete holder[path.at(-1)];
        }
    }
}
function isMap(value) {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
}
/** The draft of `value`, which has the right shape but for what `cuts` took away; null when too little is left. */
export function draftOf(value, cuts) {
    const left = partialSchema.safeParse(value);
    if (!left.success)
        return null;
    const root = left.data;
    const unless = (path, known) => (cuts.has(...path) ? undefined : known);
    const own = root.underlay;
    const underlay = cuts.has('underlay')
        ? { addresses: undefined, interface: undefined, vxlanPort: undefined }
        : {
            addresses: unless(['underlay', 'address'], list(own.address).map(canonicalAddress)),
            interface: unless(['underlay', 'interface'], own.interface ?? null),
            vxlanPort: unless(['underlay', 'vxlanPort'], own.vxlanPort),
        };
    const networks = new Map();
    for (const [name, network] of entries(root.networks, cuts, 'networks')) {
        networks.set(name, networkDraft(name, network, underlay.vxlanPort, cuts));
    }
    const known = cuts.has('networks') ? undefined : networks;
    const peers = new Map();
    for (const [name, peer] of entries(root.peers, cuts, 'peers'))
        peers.set(name, peerDraft(name, peer, known, cuts));
    const listen = root.metrics ? parseEndpoint(root.metrics.listen) : null;
    return {
        node: unless(['node'], root.node ?? null),
        underlay,
        networks: known,
        peers: cuts.has('peers') ? undefined : peers,
        metrics: listen ? { host: listen.host, port: listen.port } : null,
        offloads: root.offloads,
    };
}
// Names that are faulty as a whole stay as names, so that others may refer to them.
function* entries(record, cuts, key) {
    if (record)
        yield* Object.entries(record);
    for (const name of cuts.names(key))
        yield [name, undefined];
}
function networkDraft(name, shape, vxlanPort, cuts) {
    const known = (key) => shape !== undefined && !cuts.has('networks', name, key);
    const field = (key) => (known(key) ? shape?.[key] : undefined);
    const vni = field('vni');
    const usual = vni === undefined ? undefined : `vt${vni}`;
    const ageing = field('ageing');
    const accept = field('accept');
    return {
        name,
        vni,
        device: field('device'),
        interface: known('interface') ? (shape?.interface ?? usual) : undefined,
        port: known('port') ? (shape?.port ?? vxlanPort) : undefined,
        addresses: known('address') ? list(shape?.address).map((text) => cidrText(parseCidr(text))) : undefined,
        mac: known('mac') ? canonicalMac(shape?.mac) : undefined,
        mtu: known('mtu') ? (shape?.mtu ?? null) : undefined,
        security: field('security'),
        netns: known('netns') ? (shape?.netns === undefined ? null : String(shape.netns)) : undefined,
        learning: field('learning'),
        ageingSec: ageing === undefined ? undefined : parseDuration(ageing),
        macLimit: field('macLimit'),
        flood: field('flood'),
        accept: Array.isArray(accept) ? accept.map(canonicalPrefix) : accept,
        innerVlan: field('innerVlan'),
        ecn: field('ecn'),
        dscp: field('dscp'),
        udpChecksum: field('udpChecksum'),
        sourcePort: field('sourcePort'),
        fdb: field('fdb')?.map(({ mac, vtep }) => ({ mac: parseMac(mac), vtep: canonicalAddress(vtep) })),
        routes: field('routes'),
        sourceCheck: field('sourceCheck'),
    };
}
function peerDraft(name, shape, networks, cuts) {
    const known = (key) => shape !== undefined && !cuts.has('peers', name, key);
    const endpoint = shape?.endpoint === undefined ? undefined : parseEndpoint(shape.endpoint);
    const given = shape?.networks;
    const member = (network, path, own = {}) => {
        const cut = (key) => cuts.has(...path, key);
        const ownIps = own.allowedIps !== undefined || cut('allowedIps');
        const ownMac = own.mac !== undefined || cut('mac');
        const ips = (ownIps ? own.allowedIps : shape?.allowedIps)?.map(canonicalPrefix) ?? null;
        return {
            network,
            path,
            allowedIps: (ownIps ? cut('allowedIps') : !known('allowedIps')) ? undefined : ips,
            allowedIpsPath: ownIps ? [...path, 'allowedIps'] : ['peers', name, 'allowedIps'],
            own: ownIps,
            mac: (ownMac ? cut('mac') : !known('mac')) ? undefined : canonicalMac(ownMac ? own.mac : shape?.mac),
            macPath: ownMac ? [...path, 'mac'] : ['peers', name, 'mac'],
        };
    };
    let members;
    const path = ['peers', name, 'networks'];
    if (!known('networks'))
        members = undefined;
    else if (given === undefined)
        members = networks && [...networks.keys()].map((network) => member(network, ['peers', name]));
    else if (Array.isArray(given))
        members = given.map((network, i) => member(network, [...path, i]));
    else
        members = Object.entries(given).map(([network, own]) => member(network, [...path, network], own));
    return { name, endpoint, members, listed: given !== undefined };
}
function list(value) {
    return value === undefined ? [] : typeof value === 'string' ? [value] : value;
}
function canonicalAddress(text) {
    const address = parseAddress(text);
    return address ? addressText(address) : text;
}
function canonicalPrefix(text) {
    return cidrText(parsePrefix(text));
}
function canonicalMac(text) {
    return text === undefined ? null : parseMac(text);
}
//# sourceMappingURL=draft.js.map