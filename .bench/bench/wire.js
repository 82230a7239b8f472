// On a wire: two namespaces over one veth pair with its defaults, an agent in each, the kernel's VXLAN device beside them on
// another port. Both systems stay up; each round measures them in turn, so that what the machine does meanwhile meets both.
// A figure is the ratio of the two medians over all rounds, of what the receiver got. docs/performance.md says more.
import { setTimeout as pause } from 'node:timers/promises';
import { startAgent } from '../src/lab/agent.js';
import { addKernelVxlan } from '../src/lab/kernel-vxlan.js';
import { Lab } from '../src/lab/lab.js';
import { median } from '../src/lab/median.js';
import { refusal } from '../src/lab/permission.js';
import { ping } from '../src/lab/ping.js';
import { chooseTraffic } from '../src/lab/traffic.js';
import { cpuSeconds, residentBytes } from './proc.js';
import { Samples, wireRows, wireTable } from './wire-table.js';
const UNDERLAY = { a: '198.18.0.1', b: '198.18.0.2' };
const TAP = { a: '10.42.0.1', b: '10.42.0.2' };
const KERNEL = { a: '10.43.0.1', b: '10.43.0.2' };
const TUN = { a: '10.44.0.1', b: '10.44.0.2' };
const KERNEL_PORT = 4790;
const WARMUP = 1;
const PINGS = { count: 500, interval: 10 };
const WARMUP_PINGS = { count: 20, interval: 10 };
/** Rounds that measure the bare veth pair too: a ceiling to know, no figure to divide by. */
const RAW_ROUNDS = 2;
/** Milliseconds after which the data thread has published its CPU time. */
const PUBLISHED = 2500;
const GBIT = 1e9;
/** Measures and prints; null when this machine does not allow it. */
export async function wire({ rounds, seconds }) {
    const why = refusal();
    if (why !== null) {
        process.stdout.write(`skipped: ${why}\n`);
        return null;
    }
    const lab = new Lab();
    try {
        const rig = await build(lab, seconds);
        const agents = await startAgents(rig, false);
        process.stdout.write(`${rounds} rounds, ${seconds} s each after ${WARMUP} s of warm-up, by ${rig.traffic.name}\n`);
        for (let i = 1; i <= rounds; i++)
            await round(rig, agents, i);
        rig.samples.add('memory', 'vtepd', Math.max(...agents.map((agent) => residentBytes(agent.pid))) / 1e6);
        await Promise.all(agents.map((agent) => agent.stop()));
        await profile(rig, rounds);
        const rows = wireRows(rig.samples);
        process.stdout.write(`\n${wireTable(rows)}`);
        return { rounds, seconds, warmup: WARMUP, tool: rig.traffic.name, rows };
    }
    finally {
        await lab.close();
    }
}
async function build(lab, seconds) {
    const a = await lab.host('a');
    const b = await lab.host('b');
    await lab.connect([
        { host: a, addresses: [`${UNDERLAY.a}/30`] },
        { host: b, addresses: [`${UNDERLAY.b}/30`] },
    ]);
    const lacking = (await kernelDevice(a, 'a', 'b')) ?? (await kernelDevice(b, 'b', 'a'));
    if (lacking !== null)
        throw new Error(`this kernel has no VXLAN device to compare with: ${lacking}`);
    return { lab, a, b, traffic: chooseTraffic(), seconds, samples: new Samples() };
}
function kernelDevice(host, local, remote) {
    const ends = { local: UNDERLAY[local], remote: UNDERLAY[remote], address: `${KERNEL[local]}/24` };
    return addKernelVxlan(host, { name: 'vxlan0', vni: 43, port: KERNEL_PORT, ...ends });
}
function startAgents({ a, b }, isProfiled) {
    const options = { profile: isProfiled };
    return Promise.all([startAgent(a, configuration('a', 'b'), options), startAgent(b, configuration('b', 'a'), options)]);
}
function configuration(local, remote) {
    const plain = { security: 'plain' };
    return {
        underlay: { address: UNDERLAY[local] },
        networks: {
            tap: { ...plain, vni: 42, device: 'tap', address: `${TAP[local]}/24` },
            tun: { ...plain, vni: 44, device: 'tun', address: `${TUN[local]}/24` },
        },
        peers: {
            [remote]: {
                endpoint: UNDERLAY[remote],
                networks: { tap: {}, tun: { allowedIps: [`${TUN[remote]}/32`] } },
            },
        },
    };
}
async function round(rig, agents, number) {
    const systems = number % 2 === 1 ? ['kernel', 'vtepd'] : ['vtepd', 'kernel'];
    if (number <= RAW_ROUNDS)
        systems.push('raw');
    process.stderr.write(`round ${number}\n`);
    await inTurn(systems, (system) => tcp(rig, system, 'tcpThere', 1, agents));
    await tunTcp(rig, 'tunThere');
    await inTurn(systems, (system) => tcp(rig, system, 'tcpBack', 1, agents));
    await tunTcp(rig, 'tunBack');
    await inTurn(systems, (system) => tcp(rig, system, 'tcp4', 4, []));
    await inTurn(systems, (system) => udp(rig, system, 'udp1400', 1400));
    await inTurn(systems, (system) => udp(rig, system, 'udp64', 64));
    await inTurn(systems, (system) => roundTrip(rig, system, 'rtt', addressesOf(system)));
    await roundTrip(rig, 'vtepd', 'tunRtt', TUN);
}
async function inTurn(systems, measure) {
    for (const system of systems)
        await measure(system);
}
function addressesOf(system) {
    return { vtepd: TAP, kernel: KERNEL, raw: UNDERLAY }[system];
}
// Agents given: their CPU time is a sample too, over the warm-up as well, for which bytes are counted likewise.
async function tcp(rig, system, goal, streams, agents) {
    const spent = () => agents.reduce((sum, agent) => sum + cpuSeconds(agent.pid), 0);
    const before = spent();
    const load = loadFor(rig, addressesOf(system), goal === 'tcpBack');
    const { bitsPerSecond, totalBytes } = await rig.traffic.tcp(load, streams);
    note(rig, goal, system, bitsPerSecond / GBIT);
    if (system === 'vtepd' && agents.length > 0)
        note(rig, 'cpu', system, ((spent() - before) / totalBytes) * 1e9);
}
async function tunTcp(rig, goal) {
    const { bitsPerSecond } = await rig.traffic.tcp(loadFor(rig, TUN, goal === 'tunBack'), 1);
    note(rig, goal, 'vtepd', bitsPerSecond / GBIT);
}
async function udp(rig, system, goal, size) {
    const { bitsPerSecond } = await rig.traffic.udp(loadFor(rig, addressesOf(system), false), size);
    note(rig, goal, system, bitsPerSecond / GBIT);
}
async function roundTrip(rig, system, goal, addresses) {
    await ping(rig.a, addresses.b, WARMUP_PINGS);
    note(rig, goal, system, median(await ping(rig.a, addresses.b, PINGS)));
}
function loadFor({ a, b, seconds }, addresses, isBack) {
    const [from, to] = isBack ? [b, a] : [a, b];
    return { from, to, address: isBack ? addresses.a : addresses.b, seconds, warmup: WARMUP };
}
// A start of its own, since reading the clock around every native call costs. The worse of the two agents counts.
async function profile(rig, rounds) {
    const agents = await startAgents(rig, true);
    for (let i = 0; i < rounds; i++) {
        const before = await profiles(agents);
        await rig.traffic.tcp(loadFor(rig, TAP, i % 2 === 1), 1);
        const after = await profiles(agents);
        note(rig, 'script', 'vtepd', Math.max(...agents.map((_, k) => share(before[k], after[k]))));
    }
    await Promise.all(agents.map((agent) => agent.stop()));
}
async function profiles(agents) {
    await pause(PUBLISHED);
    return Promise.all(agents.map((agent) => agent.get('/v1/profile')));
}
function share(before, after) {
    const spent = (key) => after[key] - before[key];
    return (100 * (spent('dataThreadCpuNs') - spent('nativeCpuNs'))) / spent('processCpuNs');
}
function note(rig, goal, system, value) {
    rig.samples.add(goal, system, value);
    process.stderr.write(`  ${goal} ${system} ${value.toPrecision(3)}\n`);
}
//# sourceMappingURL=wire.js.map