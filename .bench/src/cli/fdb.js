import { Client } from './client.js';
import { DONE } from './exit.js';
import { paintFor, print, printJson } from './output.js';
import { table } from './table.js';
import { span } from './units.js';
const COLUMNS = [
    { title: 'NETWORK' },
    { title: 'VNI', right: true },
    { title: 'MAC' },
    { title: 'VTEP' },
    { title: 'PEER' },
    { title: 'ORIGIN' },
    { title: 'AGE', right: true },
];
const WHICH = 'stations are kept per network; say which one';
export async function list(flags) {
    const network = flags.text('network');
    const query = network === undefined ? '' : `?network=${encodeURIComponent(network)}`;
    const answer = await new Client(flags).ask('GET', `/v1/fdb${query}`);
    if (flags.on('json')) {
        printJson(answer);
        return DONE;
    }
    const rows = answer.entries.map((e) => [
        e.network,
        String(e.vni),
        e.mac,
        e.vtep,
        e.peer ?? '-',
        e.origin,
        e.origin === 'learned' ? span(e.ageSeconds) : '-',
    ]);
    print(table(COLUMNS, rows, paintFor(process.stdout)));
    return DONE;
}
export async function add(flags) {
    const body = { network: flags.need('network', WHICH), mac: flags.text('mac'), vtep: flags.text('vtep') };
    const answer = await new Client(flags).ask('POST', '/v1/fdb', body);
    if (flags.on('json'))
        printJson(answer);
    return DONE;
}
export async function del(flags) {
    const path = [flags.need('network', WHICH), flags.text('mac')].map(encodeURIComponent).join('/');
    const answer = await new Client(flags).ask('DELETE', `/v1/fdb/${path}`);
    if (flags.on('json'))
        printJson(answer);
    return DONE;
}
//# sourceMappingURL=fdb.js.map