// Which of this host's addresses carry the overlay, and what their interfaces can take.
import { isIPv6 } from 'node:net';
import * as netdev from '../host/netdev.js';
import { Refusal } from './refusal.js';
/** At most one address per family. Refuses when there is none, or the configured one is not this host's. */
export function findUnderlay(c) {
    return c.addresses.length > 0 ? c.addresses.map(ownAddress) : addressesOfInterface(c);
}
function ownAddress(address) {
    const found = netdev.interfaceOf(address);
    if (!found) {
        const mend = '`ip address` lists what it has; or name an `interface` instead';
        throw new Refusal(`underlay.address: no interface of this host has ${address}; ${mend}`, 1);
    }
    return { address, v6: isIPv6(address), interface: found.name, mtu: found.mtu };
}
function addressesOfInterface(c) {
    const name = c.interface ?? netdev.defaultRouteInterface(4) ?? netdev.defaultRouteInterface(6);
    if (name === null) {
        throw new Refusal('underlay: this host has no default route to take an address from; give underlay.address', 1);
    }
    const link = netdev.link(name, null);
    if (!link)
        throw new Refusal(`underlay.interface: this host has no interface "${name}"; see \`ip link\``, 1);
    const all = netdev.addressesOf(name).map((a) => a.split('/')[0]);
    const v4 = all.find((a) => !isIPv6(a));
    const v6 = all.find((a) => isIPv6(a) && !/^fe[89ab]/i.test(a));
    const found = [v4, v6].filter((a) => a !== undefined);
    if (found.length === 0) {
        throw new Refusal(`underlay: interface ${name} has no address yet; give it one, or set underlay.address`, 1);
    }
    return found.map((address) => ({ address, v6: isIPv6(address), interface: name, mtu: link.mtu }));
}
/** Whether two answers of `findUnderlay` mean the same sockets. */
export function sameAddresses(a, b) {
    return a.length === b.length && a.every((x, i) => x.address === b[i].address);
}
//# sourceMappingURL=underlay.js.map