import { Client } from './client.js';
import { DONE } from './exit.js';
import { networkTable } from './networks.js';
import { paintFor, print, printable, printJson } from './output.js';
import { peerTable } from './peers.js';
import { table } from './table.js';
import { bitRate, count, packetRate, span } from './units.js';
/** Milliseconds between two looks. */
const WATCH = 1000;
const CLEAR = '\x1b[H\x1b[2J';
export async function status(flags) {
    const client = new Client(flags);
    if (flags.on('watch'))
        return watch(client, flags);
    const now = await client.ask('GET', '/v1/status');
    if (flags.on('json'))
        printJson(now);
    else
        print(page(now, paintFor(process.stdout)));
    return DONE;
}
// Until Ctrl-C, or until the agent is gone.
async function watch(client, flags) {
    let before = null;
    for (;;) {
        const now = await client.ask('GET', '/v1/status');
        if (flags.on('json'))
            printJson(now);
        else
            print(`${process.stdout.isTTY ? CLEAR : ''}${page(now, paintFor(process.stdout))}${rates(before, now)}`);
        before = now;
        await new Promise((resolve) => setTimeout(resolve, WATCH));
    }
}
function page(s, paint) {
    const state = s.ready ? paint('green', 'ready') : paint('yellow', 'not ready');
    const head = `${paint('bold', printable(s.node))} ${state}, vtepd ${s.version}, pid ${s.pid}, up ${span(s.uptimeSeconds)}\n`;
    return [
        head,
        networkTable(s.networks, paint),
        peerTable(s.peers, paint),
        drops(s, paint),
        offloads(s),
        undesired(s, paint),
    ]
        .filter((part) => part !== '')
        .join('\n');
}
function drops(s, paint) {
    const rows = Object.entries(s.drops)
        .filter(([, n]) => n > 0)
        .map(([reason, n]) => [reason, count(n)]);
    return rows.length === 0
        ? 'Nothing dropped.\n'
        : table([{ title: 'DROPPED' }, { title: 'PACKETS', right: true }], rows, paint);
}
function offloads(s) {
    const parts = Object.entries(s.offloads).map(([name, state]) => `${name} ${state}`);
    return parts.length === 0 ? '' : `Offloads: ${parts.join(', ')}\n`;
}
function undesired(s, paint) {
    if (s.undesired.length === 0)
        return '';
    const lines = s.undesired.map((u) => printable(`  ${u.where}: ${u.what} is ${u.have}, should be ${u.want}`));
    return `${paint('red', 'Not as it should be:')}\n${lines.join('\n')}\n`;
}
function rates(before, now) {
    if (before === null || before.pid !== now.pid)
        return '';
    const lines = now.networks.flatMap((n) => {
        const old = before.networks.find((o) => o.name === n.name && o.vni === n.vni);
        return old ? [`${printable(n.name)}: rx ${rate(old, n, 'rx')}, tx ${rate(old, n, 'tx')}\n`] : [];
    });
    return lines.length === 0 ? '' : `\n${lines.join('')}`;
}
function rate(old, now, way) {
    const seconds = WATCH / 1000;
    const bits = bitRate((now[`${way}Bytes`] - old[`${way}Bytes`]) / seconds);
    return `${bits} (${packetRate((now[`${way}Packets`] - old[`${way}Packets`]) / seconds)})`;
}
//# sourceMappingURL=status.js.map