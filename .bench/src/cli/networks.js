import { Client } from './client.js';
import { DONE } from './exit.js';
import { paintFor, print, printJson } from './output.js';
import { table } from './table.js';
import { bytes, count } from './units.js';
const COLUMNS = [
    { title: 'NETWORK' },
    { title: 'VNI', right: true },
    { title: 'KIND' },
    { title: 'INTERFACE' },
    { title: 'MAC' },
    { title: 'MTU', right: true },
    { title: 'FDB', right: true },
    { title: 'RX', right: true },
    { title: 'TX', right: true },
    { title: 'ADDRESS' },
];
export async function networks(flags) {
    const answer = await new Client(flags).ask('GET', '/v1/networks');
    if (flags.on('json'))
        printJson(answer);
    else
        print(networkTable(answer.networks, paintFor(process.stdout)));
    return DONE;
}
/** One line a network. */
export function networkTable(all, paint) {
    const rows = all.map((n) => [
        n.name,
        String(n.vni),
        `${n.device} ${n.security}`,
        n.interface,
        n.mac ?? '-',
        String(n.mtu),
        count(n.fdbEntries),
        `${count(n.rxPackets)}, ${bytes(n.rxBytes)}`,
        `${count(n.txPackets)}, ${bytes(n.txBytes)}`,
        n.address.join(' '),
    ]);
    return table(COLUMNS, rows, paint);
}
//# sourceMappingURL=networks.js.map