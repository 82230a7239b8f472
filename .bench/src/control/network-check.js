// What the underlay and the networks mean together: numbers, names and addresses that may exist once only, and values that
// exclude each other. Form is schema.ts's business; peers are peer-check.ts's.
import { MAX_NETWORKS } from '../counters.js';
import { addressText, parseAddress, parseCidr } from './cidr.js';
import { shown } from './fault.js';
/** RFC 8200 §5: IPv6 needs links that carry 1280 bytes. */
const MIN_MTU6 = 1280;
export function checkNetworks(draft, faults) {
    checkUnderlay(draft, faults);
    const networks = [...(draft.networks?.values() ?? [])];
    if (networks.length > MAX_NETWORKS) {
        faults.add(['networks'], `want ${MAX_NETWORKS} networks at most, got ${networks.length}`, 'remove some');
    }
    checkUnique(networks, faults);
    checkSharedPorts(networks, faults);
    for (const network of networks)
        checkNetwork(network, draft, faults);
}
function checkUnderlay(draft, faults) {
    const { addresses, interface: name } = draft.underlay;
    if (name && (addresses === undefined || addresses.length > 0)) {
        faults.add(['underlay', 'interface'], 'address is given too', 'keep one of them: an interface is followed when its address changes');
    }
    const families = new Set(addresses?.map((text) => parseAddress(text).v6));
    if (addresses && families.size < addresses.length) {
        faults.add(['underlay', 'address'], 'want one address of each family at most', 'keep one IPv4 and one IPv6 address');
    }
}
// Things that may exist once: VNIs on the host, interface names and addresses in a namespace.
function checkUnique(networks, faults) {
    const vnis = new Map();
    const interfaces = new Map();
    const addresses = new Map();
    for (const network of networks) {
        const { name, vni, netns } = network;
        const other = vni === undefined ? undefined : vnis.get(vni);
        if (other !== undefined) {
            faults.add(['networks', name, 'vni'], `${vni} is network ${other}'s VNI too`, 'give each network a VNI of its own');
        }
        else if (vni !== undefined)
            vnis.set(vni, name);
        if (netns === undefined)
            continue;
        const space = spaceOf(netns);
        // Networks of one VNI have the same interface by default: that is one fault, not two.
        if (network.interface !== undefined && !(other !== undefined && network.interface === `vt${vni}`)) {
            const owner = claim(interfaces, `${space} ${network.interface}`, name);
            const mend = 'give each device of a namespace a name of its own';
            if (owner !== name) {
                faults.add(['networks', name, 'interface'], `${shown(network.interface)} is network ${owner}'s interface too`, mend);
            }
        }
        checkAddresses(network, space, addresses, faults);
    }
}
function checkAddresses(network, space, seen, faults) {
    for (const text of network.addresses ?? []) {
        const address = addressText(parseCidr(text));
        const key = `${space} ${address}`;
        const owner = seen.get(key);
        const path = ['networks', network.name, 'address'];
        if (owner === network.name)
            faults.add(path, `${address} is given twice`, 'keep one of them');
        else if (owner !== undefined)
            faults.add(path, `${address} is network ${owner}'s address too`, 'keep it in one of them');
        else
            seen.set(key, network.name);
    }
}
/** Who has `key`: `name` from now on, if nobody had it. */
export function claim(owners, key, name) {
    const owner = owners.get(key);
    if (owner === undefined)
        owners.set(key, name);
    return owner ?? name;
}
/** One text for a namespace however it is spelled: `blue` and /run/netns/blue are the same. */
export function spaceOf(netns) {
    if (netns === null)
        return '';
    const named = /^(?:\/var)?\/run\/netns\/([^/]+)$/.exec(netns);
    return named ? named[1] : netns;
}
// With `sourcePort: fixed` the port's receiving socket sends too, and has one checksum setting.
function checkSharedPorts(networks, faults) {
    const first = new Map();
    for (const network of networks) {
        const { port, sourcePort, udpChecksum } = network;
        if (sourcePort !== 'fixed' || port === undefined || udpChecksum === undefined)
            continue;
        const other = first.get(port);
        if (!other)
            first.set(port, network);
        else if (other.udpChecksum !== udpChecksum) {
            const what = `network ${other.name} sends from port ${port} with udpChecksum: ${other.udpChecksum}`;
            faults.add(['networks', network.name, 'udpChecksum'], what, 'give both the same, or one of them another port');
        }
    }
}
function checkNetwork(network, draft, faults) {
    const path = ['networks', network.name];
    const six = network.addresses?.find((text) => parseCidr(text).v6);
    if (six !== undefined && typeof network.mtu === 'number' && network.mtu < MIN_MTU6) {
        const what = `want ${MIN_MTU6} or more with the IPv6 address ${six}, got ${network.mtu}`;
        faults.add([...path, 'mtu'], what, 'raise it, or remove the IPv6 address');
    }
    const own = draft.underlay.addresses?.map((text) => parseAddress(text)) ?? [];
    if (network.udpChecksum === 'off' && own.length > 0 && own.every((address) => address.v6)) {
        faults.add([...path, 'udpChecksum'], 'want on or auto, the underlay is IPv6', 'write on (RFC 8200 §8.1)');
    }
    checkStatic(network, faults);
}
function checkStatic(network, faults) {
    const fdb = network.fdb ?? [];
    const path = ['networks', network.name, 'fdb'];
    if (fdb.length > 0 && network.device === 'tun') {
        faults.add(path, 'a tun network has no stations', "remove it; prefixes go to a peer's allowedIps, its MAC to its mac");
    }
    const seen = new Map();
    fdb.forEach(({ mac }, i) => {
        const first = seen.get(mac);
        if (first !== undefined)
            faults.add([...path, i, 'mac'], `${mac} is fdb[${first}] too`, 'keep one of them');
        else
            seen.set(mac, i);
        if (mac === network.mac)
            faults.add([...path, i, 'mac'], `${mac} is this network's own MAC`, "write the station's");
    });
}
//# sourceMappingURL=network-check.js.map