import { Client } from './client.js';
import { DONE } from './exit.js';
import { paintFor, print, printJson } from './output.js';
import { table } from './table.js';
import { bytes } from './units.js';
const COLUMNS = [
    { title: 'PEER' },
    { title: 'ENDPOINT' },
    { title: 'STATE' },
    { title: 'PATH MTU', right: true },
    { title: 'RX', right: true },
    { title: 'TX', right: true },
    { title: 'NETWORKS' },
];
export async function peers(flags) {
    const answer = await new Client(flags).ask('GET', '/v1/peers');
    if (flags.on('json'))
        printJson(answer);
    else
        print(peerTable(answer.peers, paintFor(process.stdout)));
    return DONE;
}
/** One line a peer. */
export function peerTable(all, paint) {
    const rows = all.map((p) => [
        p.name,
        p.endpoint ?? '-',
        p.state,
        p.mtu === null ? '-' : String(p.mtu),
        bytes(p.rxBytes),
        bytes(p.txBytes),
        p.networks.join(' '),
    ]);
    return table(COLUMNS, rows, paint);
}
//# sourceMappingURL=peers.js.map