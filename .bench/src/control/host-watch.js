// Hears of changes on the host (links, addresses, routes) in every namespace that matters, and gathers them: one change
// seldom comes alone. What changed, the listener looks up. Cold.
import { Monitor } from '../host/netdev.js';
/** Milliseconds in which changes are gathered. */
const SETTLE = 50;
export class HostWatch {
    monitors = new Map();
    changed;
    timer = null;
    constructor(changed) {
        this.changed = changed;
    }
    /** Watches these namespaces and no others; null is our own. */
    watch(namespaces) {
        const wanted = new Set(namespaces.map((path) => path ?? ''));
        for (const [path, monitor] of this.monitors) {
            if (wanted.has(path))
                continue;
            monitor.close();
            this.monitors.delete(path);
        }
        for (const path of wanted) {
            if (this.monitors.has(path))
                continue;
            const monitor = new Monitor(path === '' ? null : path);
            monitor.on('change', () => this.gather());
            this.monitors.set(path, monitor);
        }
    }
    close() {
        if (this.timer)
            clearTimeout(this.timer);
        this.watch([]);
    }
    gather() {
        this.timer ??= setTimeout(() => {
            this.timer = null;
            this.changed();
        }, SETTLE);
    }
}
//# sourceMappingURL=host-watch.js.map