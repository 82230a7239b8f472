// Peers' endpoints as addresses. An address is itself; a name is looked up, again every minute, since addresses change.
import { lookup } from 'node:dns/promises';
import { isIP, isIPv6 } from 'node:net';
export class Resolver {
    known = new Map();
    /** Address for a host as of the last look-up; undefined when a name has none yet. */
    address(host) {
        return isIP(host) !== 0 ? host : this.known.get(host);
    }
    /**
     * Looks names up, at most one address each, of a family that the underlay has. Resolves to whether an address changed.
     * `failed` hears of names without one; what was known of them stays.
     */
    async refresh(hosts, underlay, failed) {
        const names = [...new Set(hosts)].filter((h) => isIP(h) === 0);
        const changes = await Promise.all(names.map((name) => this.refreshOne(name, underlay, failed)));
        return changes.includes(true);
    }
    async refreshOne(name, underlay, failed) {
        try {
            const all = await lookup(name, { all: true });
            const usable = all.map((a) => a.address).filter((a) => underlay.some((l) => l.v6 === isIPv6(a)));
            const now = usable.find((a) => a === this.known.get(name)) ?? usable[0];
            if (now === undefined) {
                failed(name, `none of its addresses is of the underlay's family (${all.map((a) => a.address).join(', ')})`);
                return false;
            }
            const changed = this.known.get(name) !== now;
            this.known.set(name, now);
            return changed;
        }
        catch (error) {
            failed(name, error instanceof Error ? error.message : String(error));
            return false;
        }
    }
}
//# sourceMappingURL=resolve.js.map