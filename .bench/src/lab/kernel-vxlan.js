// The kernel's own VXLAN device with its default settings: what vtepd is measured against. ip-link(8), type vxlan.
import { CommandError } from './command.js';
import { UNDERLAY } from './lab.js';
/** Makes the device and sets it up: null, or why this kernel cannot. */
export async function addKernelVxlan(host, v) {
    const how = ['id', String(v.vni), 'local', v.local, 'remote', v.remote, 'dstport', String(v.port), 'dev', UNDERLAY];
    try {
        await host.ip('link', 'add', v.name, 'type', 'vxlan', ...how);
    }
    catch (error) {
        // EOPNOTSUPP: a kernel without the module. What else may go wrong is as good a reason.
        if (error instanceof CommandError)
            return error.stderr.trim() || 'ip(8) does not say why';
        throw error;
    }
    await host.ip('addr', 'add', v.address, 'dev', v.name);
    await host.ip('link', 'set', v.name, 'up');
    return null;
}
//# sourceMappingURL=kernel-vxlan.js.map