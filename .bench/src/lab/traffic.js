// What a load generator offers, and which one this machine has.
import { isInstalled } from './command.js';
import { Iperf } from './iperf.js';
import { Loadgen } from './loadgen.js';
/** iperf3 where it is installed, else our own. */
export function chooseTraffic() {
    return isInstalled('iperf3') ? new Iperf() : new Loadgen();
}
//# sourceMappingURL=traffic.js.map