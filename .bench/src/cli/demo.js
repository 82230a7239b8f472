import { startAgent } from '../lab/agent.js';
import { isInstalled } from '../lab/command.js';
import { addKernelVxlan } from '../lab/kernel-vxlan.js';
import { Lab } from '../lab/lab.js';
import { median } from '../lab/median.js';
import { againInUserNamespace, refusal, userNamespaceRefusal } from '../lab/permission.js';
import { ping } from '../lab/ping.js';
import { chooseTraffic } from '../lab/traffic.js';
import { DONE, FAILED, Failure, NOT_PERMITTED } from './exit.js';
import { paintFor, print } from './output.js';
import { table } from './table.js';
const VNI = 42;
const PORT = 4789;
/** The kernel's device beside ours: another VNI, another port, another subnet. */
const KERNEL_VNI = 43;
const KERNEL_PORT = 4790;
const PREFIX = 24;
const UNDERLAY = { a: '198.18.0.1', b: '198.18.0.2' };
const OURS = { a: '10.42.0.1', b: '10.42.0.2' };
const KERNELS = { a: '10.43.0.1', b: '10.43.0.2' };
/** Measured seconds of each transfer, and seconds before them that do not count. */
const SECONDS = 2;
const WARMUP = 1;
const UDP_SIZE = 1400;
const PINGS = { count: 50, interval: 10 };
const MBIT = 1e6;
const GBIT = 1e9;
/** Runs the demonstration; its exit code. Throws Failure when this machine does not allow it. */
export async function demo() {
    const why = refusal();
    if (why !== null)
        return withoutRoot(why);
    const absent = ['ip', 'ping'].filter((program) => !isInstalled(program));
    if (absent.length > 0) {
        throw new Failure(FAILED, `${absent.join(' and ')} not found: install iproute2 and iputils-ping`);
    }
    print(topology());
    const lab = new Lab();
    try {
        await show(lab);
    }
    finally {
        say('cleaning up');
        await lab.close();
    }
    return DONE;
}
async function withoutRoot(why) {
    const whyNot = await userNamespaceRefusal();
    if (whyNot !== null) {
        throw new Failure(NOT_PERMITTED, `${why}, and a user namespace cannot stand in: ${whyNot}; run it as root (sudo)`);
    }
    say(`${why}: going on in a user namespace`);
    return againInUserNamespace();
}
async function show(lab) {
    say('two hosts and an underlay');
    const a = await lab.host('a');
    const b = await lab.host('b');
    await lab.connect([
        { host: a, addresses: [`${UNDERLAY.a}/30`] },
        { host: b, addresses: [`${UNDERLAY.b}/30`] },
    ]);
    say('an agent on each');
    const agents = await Promise.all([startAgent(a, configuration('a', 'b')), startAgent(b, configuration('b', 'a'))]);
    say("the kernel's own VXLAN device beside them");
    const lacking = (await kernelDevice(a, 'a', 'b')) ?? (await kernelDevice(b, 'b', 'a'));
    if (lacking !== null)
        say(`  not on this kernel (${lacking}): vtepd alone is measured`);
    const traffic = chooseTraffic();
    say(`throughput with ${traffic.name}, ${SECONDS} s each after ${WARMUP} s of warm-up`);
    const ours = await measure('vtepd', a, b, OURS, traffic);
    const kernels = lacking === null ? await measure('kernel VXLAN', a, b, KERNELS, traffic) : null;
    print(`\n${results(ours, kernels)}`);
    for (const agent of agents)
        print(await dropped(agent));
}
// The two hosts as boxes, what joins them in between.
function topology() {
    const width = 22;
    const rows = [
        [`vt${VNI}  ${OURS.a}/${PREFIX}`, `===== VNI ${VNI} =====`, `${OURS.b}/${PREFIX}  vt${VNI}`, 'overlay'],
        ['  |', '', '|  ', ''],
        [`vtepd  UDP ${PORT}`, '', `UDP ${PORT}  vtepd`, ''],
        ['  |', '', '|  ', ''],
        [`eth0  ${UNDERLAY.a}/30`, '------ veth -----', `${UNDERLAY.b}/30  eth0`, 'underlay'],
    ];
    const edge = `+${'-'.repeat(width + 2)}+`;
    const gap = rows[0][1].length + 2;
    const lines = rows.map(([left, wire, right, what]) => {
        const boxes = [`| ${left.padEnd(width)} |`, wire.padEnd(gap - 2), `| ${right.padStart(width)} |`];
        return `  ${boxes.join(' ')}  ${what}`.trimEnd();
    });
    const top = `  ${edge}${' '.repeat(gap)}${edge}`;
    return ['', `  host a${' '.repeat(edge.length + gap - 6)}host b`, top, ...lines, top, ''].join('\n');
}
function configuration(local, remote) {
    return {
        underlay: { address: UNDERLAY[local] },
        networks: { demo: { vni: VNI, security: 'plain', address: `${OURS[local]}/${PREFIX}` } },
        peers: { [remote]: { endpoint: UNDERLAY[remote] } },
    };
}
function kernelDevice(host, local, remote) {
    const address = `${KERNELS[local]}/${PREFIX}`;
    const ends = { local: UNDERLAY[local], remote: UNDERLAY[remote] };
    return addKernelVxlan(host, { name: 'vxlan0', vni: KERNEL_VNI, port: KERNEL_PORT, address, ...ends });
}
async function measure(who, a, b, addresses, traffic) {
    say(`${who}: pings both ways`);
    // The first one waits for ARP.
    await ping(a, addresses.b, { ...PINGS, count: 1 });
    const there = await ping(a, addresses.b, PINGS);
    const back = await ping(b, addresses.a, PINGS);
    say(`  ${there.length + back.length} of ${2 * PINGS.count} answered`);
    const load = { from: a, to: b, address: addresses.b, seconds: SECONDS, warmup: WARMUP };
    say(`${who}: TCP, one stream`);
    const tcp = await traffic.tcp(load, 1);
    say(`  ${rate(tcp.bitsPerSecond)} Gbit/s`);
    say(`${who}: UDP, ${UDP_SIZE} bytes, sender flat out`);
    const udp = await traffic.udp(load, UDP_SIZE);
    say(`  ${rate(udp.bitsPerSecond)} Gbit/s arrived`);
    return { tcp: tcp.bitsPerSecond, udp: udp.bitsPerSecond, rtt: median([...there, ...back]) };
}
function results(ours, kernels) {
    const row = (what, unit, key, format) => {
        if (!kernels)
            return [what, unit, format(ours[key]), '-', '-'];
        return [what, unit, format(ours[key]), format(kernels[key]), (ours[key] / kernels[key]).toFixed(2)];
    };
    const columns = [
        { title: '' },
        { title: '' },
        { title: 'vtepd', right: true },
        { title: 'kernel VXLAN', right: true },
        { title: 'ratio', right: true },
    ];
    const rows = [
        row('TCP, one stream', 'Gbit/s', 'tcp', rate),
        row(`UDP, ${UDP_SIZE} bytes`, 'Gbit/s', 'udp', rate),
        row('RTT, median', 'ms', 'rtt', (ms) => ms.toFixed(3)),
    ];
    return table(columns, rows, paintFor(process.stdout));
}
// A sender that goes flat out is dropped somewhere; what the agents themselves dropped, they say.
async function dropped(agent) {
    const { drops } = await agent.get('/v1/status');
    const reasons = Object.entries(drops).filter(([, count]) => count > 0);
    const list = reasons.map(([reason, count]) => `${reason} ${count}`).join(', ');
    return `dropped by the agent on ${agent.host.name}: ${list || 'nothing'}`;
}
/** Gbit/s with three digits that count, down to a megabit. */
function rate(bitsPerSecond) {
    if (bitsPerSecond < MBIT)
        return (bitsPerSecond / GBIT).toFixed(6);
    return (bitsPerSecond / GBIT).toFixed(bitsPerSecond < GBIT / 10 ? 4 : 2);
}
function say(line) {
    print(line);
}
//# sourceMappingURL=demo.js.map