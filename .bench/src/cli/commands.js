export const GLOBAL_FLAGS = [
    { name: 'config', short: 'c', kind: 'text', value: 'FILE', about: 'Configuration (default /etc/vtepd/vtepd.yaml)' },
    { name: 'runtime-dir', kind: 'text', value: 'DIR', about: 'Where the socket is (default /run/vtepd)' },
    { name: 'state-dir', kind: 'text', value: 'DIR', about: 'What survives restarts (default /var/lib/vtepd)' },
    { name: 'json', short: 'j', kind: 'switch', about: 'Answer with one JSON object' },
    { name: 'quiet', short: 'q', kind: 'switch', about: 'Log warnings and errors only' },
    { name: 'verbose', short: 'v', kind: 'switch', about: 'Log more' },
];
/** Flags of `up` that describe one network without a file. */
export const QUICK_FLAGS = [
    { name: 'vni', kind: 'text', value: 'N', about: 'VXLAN network identifier, 0 to 16777215' },
    { name: 'local', kind: 'list', value: 'ADDRESS', about: 'Our underlay address; once per family' },
    { name: 'peer', kind: 'list', value: 'ADDRESS', about: 'Another VTEP, ADDRESS or ADDRESS:PORT; may be repeated' },
    { name: 'address', kind: 'list', value: 'CIDR', about: 'Address of the device; may be repeated' },
    {
        name: 'device',
        kind: 'text',
        value: 'KIND',
        choices: ['tap', 'tun'],
        about: 'tap: layer 2 (default), tun: layer 3',
    },
    { name: 'interface', kind: 'text', value: 'NAME', about: 'Name of the device (default vt<vni>)' },
    { name: 'port', kind: 'text', value: 'PORT', about: 'VXLAN port (default 4789)' },
    { name: 'mtu', kind: 'text', value: 'BYTES', about: 'MTU of the device (default: underlay MTU less overhead)' },
    { name: 'plain', kind: 'switch', about: 'Send in clear, and mean it' },
];
const NETWORK = { name: 'network', kind: 'text', value: 'NAME', about: 'This network only' };
const MAC = { name: 'mac', about: 'MAC address of the station' };
export const COMMANDS = [
    {
        name: 'up',
        about: 'Run the agent in the foreground; Ctrl-C cleans up',
        more: 'Without flags it reads /etc/vtepd/vtepd.yaml and /etc/vtepd/conf.d/*.yaml.\n' +
            'One network without a file:\n' +
            '  vtepd up --vni 42 --local 198.18.0.1 --peer 198.18.0.2 --address 10.42.0.1/24 --plain',
        flags: QUICK_FLAGS,
        ownSignals: true,
        load: async () => (await import('./up.js')).up,
    },
    {
        name: 'stop',
        about: 'Stop the running agent and wait until it has cleaned up',
        flags: [
            { name: 'cleanup', kind: 'switch', about: 'Also remove what a killed agent left in the runtime directory' },
        ],
        load: async () => (await import('./stop.js')).stop,
    },
    {
        name: 'reload',
        about: 'Have the running agent read its configuration again',
        load: async () => (await import('./reload.js')).reload,
    },
    {
        name: 'status',
        about: 'Node, networks, peers, traffic and drops',
        flags: [{ name: 'watch', kind: 'switch', about: 'Draw again every second, with rates' }],
        load: async () => (await import('./status.js')).status,
    },
    {
        name: 'networks',
        about: 'Networks with their devices',
        load: async () => (await import('./networks.js')).networks,
    },
    {
        name: 'peers',
        about: 'Peers with their endpoints',
        load: async () => (await import('./peers.js')).peers,
    },
    {
        name: 'fdb',
        about: 'Which station is behind which VTEP; add, del',
        flags: [NETWORK],
        load: async () => (await import('./fdb.js')).list,
        commands: [
            {
                name: 'add',
                about: 'Bind a station to a VTEP until the agent stops',
                arguments: [MAC, { name: 'vtep', about: 'Name of a peer, or an underlay address' }],
                flags: [NETWORK],
                load: async () => (await import('./fdb.js')).add,
            },
            {
                name: 'del',
                about: 'Forget a station',
                arguments: [MAC],
                flags: [NETWORK],
                load: async () => (await import('./fdb.js')).del,
            },
        ],
    },
    {
        name: 'capture',
        about: 'Inner traffic as pcap, or one line a packet on a terminal',
        more: 'For example:\n  vtepd capture -w blue.pcap --network blue\n  vtepd capture | tshark -r -',
        flags: [
            NETWORK,
            { name: 'write', short: 'w', kind: 'text', value: 'FILE', about: 'Write pcap to FILE (-: stdout)' },
            { name: 'count', short: 'n', kind: 'text', value: 'N', about: 'End after N packets' },
        ],
        load: async () => (await import('./capture.js')).capture,
    },
    {
        name: 'config',
        about: 'Check a configuration, or print its JSON Schema',
        commands: [
            {
                name: 'check',
                about: 'List every fault of a configuration with its mend',
                arguments: [{ name: 'file', optional: true, about: 'The file (default: what `up` would read)' }],
                load: async () => (await import('./config.js')).check,
            },
            {
                name: 'schema',
                about: 'JSON Schema of the configuration, for editors',
                load: async () => (await import('./config.js')).schema,
            },
        ],
    },
    {
        name: 'completion',
        about: 'Completion script for a shell',
        more: 'For example:\n  vtepd completion bash > /usr/share/bash-completion/completions/vtepd',
        arguments: [{ name: 'shell', choices: ['bash', 'zsh'], about: 'bash or zsh' }],
        load: async () => (await import('./completion.js')).completion,
    },
    {
        name: 'demo',
        about: 'Two hosts on this machine, with pings and throughput',
        ownSignals: true,
        load: async () => (await import('./demo.js')).demo,
    },
];
/** Every flag of these commands and of those below them. */
export function flagsOf(commands) {
    return commands.flatMap((command) => [...(command.flags ?? []), ...flagsOf(command.commands ?? [])]);
}
//# sourceMappingURL=commands.js.map