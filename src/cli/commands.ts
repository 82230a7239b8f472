// Every command with its flags, as data: the parser, `--help` and the completions are all made from this table. A command
// that this version does not deliver is not here. Imports nothing, so that a short command starts fast.
import type { Flags } from './flags.ts'

export interface Flag {
  readonly name: string
  readonly short?: string
  /** switch: no value · text: one value · list: may be given again. */
  readonly kind: 'switch' | 'text' | 'list'
  /** What the value is called; FILE and DIR are completed as such. */
  readonly value?: string
  readonly choices?: readonly string[]
  readonly about: string
}

export interface Argument {
  readonly name: string
  readonly optional?: boolean
  readonly choices?: readonly string[]
  /** Completed as a file's name. */
  readonly isFile?: boolean
  readonly about: string
}

/** Runs a command; the number is its exit code. */
export type Run = (flags: Flags) => Promise<number>

export interface Command {
  readonly name: string
  readonly about: string
  /** A sentence for its own help. */
  readonly more?: string
  readonly examples?: readonly string[]
  readonly arguments?: readonly Argument[]
  readonly flags?: readonly Flag[]
  readonly commands?: readonly Command[]
  /** Answers SIGINT and SIGTERM by itself. */
  readonly ownSignals?: boolean
  /** Imports the command's file only when it runs; absent: only its subcommands run. */
  readonly load?: () => Promise<Run>
}

export const GLOBAL_FLAGS: readonly Flag[] = [
  { name: 'config', short: 'c', kind: 'text', value: 'FILE', about: 'Read FILE instead of /etc/vtepd/vtepd.yaml' },
  {
    name: 'config-dir',
    kind: 'text',
    value: 'DIR',
    about: 'DIR of vtepd.yaml and conf.d (default /etc/vtepd)',
  },
  { name: 'runtime-dir', kind: 'text', value: 'DIR', about: "DIR of the agent's socket (default /run/vtepd)" },
  { name: 'state-dir', kind: 'text', value: 'DIR', about: 'DIR of what survives restarts (default /var/lib/vtepd)' },
  { name: 'json', short: 'j', kind: 'switch', about: 'Answer with one JSON object' },
  { name: 'quiet', short: 'q', kind: 'switch', about: 'Log warnings and errors only' },
  { name: 'verbose', short: 'v', kind: 'switch', about: 'Log more' },
]

const ADDRESS: Flag = {
  name: 'address',
  kind: 'list',
  value: 'CIDR',
  about: 'Address of our device, as 10.42.0.1/24; may be repeated',
}
const DEVICE: Flag = {
  name: 'device',
  kind: 'text',
  value: 'KIND',
  choices: ['tap', 'tun'],
  about: 'tap: layer 2 (default), tun: layer 3 with one peer',
}
const PORT: Flag = {
  name: 'port',
  kind: 'text',
  value: 'PORT',
  about: 'Our UDP port (default 51820, with --plain 4789)',
}

/** Flags of `up` that describe one network without a file. */
export const QUICK_FLAGS: readonly Flag[] = [
  { name: 'vni', kind: 'text', value: 'N', about: 'VXLAN network identifier, 0 to 16777215' },
  { name: 'local', kind: 'list', value: 'ADDRESS', about: 'Our underlay address; may be repeated, one per family' },
  {
    name: 'peer',
    kind: 'list',
    value: 'PEER',
    about: 'Another host, as PUBLICKEY@HOST:PORT with --key, HOST or HOST:PORT with --plain; may be repeated',
  },
  ADDRESS,
  DEVICE,
  { name: 'interface', kind: 'text', value: 'NAME', about: 'NAME of our device (default vt and the VNI)' },
  PORT,
  { name: 'mtu', kind: 'text', value: 'BYTES', about: "MTU of our device (default: the underlay's less overhead)" },
  { name: 'key', kind: 'text', value: 'FILE', about: 'Our private key, as `vtepd genkey` writes it: a secure network' },
  { name: 'plain', kind: 'switch', about: 'Send in clear, and mean it' },
]

const NETWORK: Flag = { name: 'network', kind: 'text', value: 'NAME', about: 'This network only' }
const IN_NETWORK: Flag = { ...NETWORK, about: 'The network of the station' }
const MAC: Argument = { name: 'mac', about: 'MAC address of the station' }

export const COMMANDS: readonly Command[] = [
  {
    name: 'up',
    about: 'Run the agent in the foreground; Ctrl-C cleans up',
    more: 'Reads /etc/vtepd/vtepd.yaml with /etc/vtepd/conf.d/*.yaml, or FILE alone, or takes one network from flags.',
    examples: [
      'vtepd up -c vtepd.yaml',
      'vtepd up --vni 42 --key key --peer PUBLICKEY@198.18.0.2:51820 --address 10.42.0.1/24',
      'vtepd up --vni 42 --local 198.18.0.1 --peer 198.18.0.2 --address 10.42.0.1/24 --plain',
    ],
    flags: QUICK_FLAGS,
    ownSignals: true,
    load: async () => (await import('./up.ts')).up,
  },
  {
    name: 'stop',
    about: 'Stop the running agent and wait until it has cleaned up',
    flags: [{ name: 'cleanup', kind: 'switch', about: 'Also give leases back, and remove what a killed agent left' }],
    load: async () => (await import('./stop.ts')).stop,
  },
  {
    name: 'reload',
    about: 'Have the running agent read its configuration again',
    load: async () => (await import('./reload.ts')).reload,
  },
  {
    name: 'status',
    about: 'Node, networks, peers, traffic and drops',
    flags: [{ name: 'watch', kind: 'switch', about: 'Draw again every second, with rates' }],
    load: async () => (await import('./status.ts')).status,
  },
  {
    name: 'networks',
    about: 'Networks with their devices',
    load: async () => (await import('./networks.ts')).networks,
  },
  {
    name: 'peers',
    about: 'Peers with their endpoints',
    load: async () => (await import('./peers.ts')).peers,
  },
  {
    name: 'leases',
    about: 'Members of flannel networks, and who is none and why',
    flags: [NETWORK],
    load: async () => (await import('./leases.ts')).leases,
  },
  {
    name: 'fdb',
    about: 'Which station is behind which VTEP; also add and del',
    flags: [NETWORK],
    load: async () => (await import('./fdb.ts')).list,
    commands: [
      {
        name: 'add',
        about: 'Bind a station to a VTEP until the agent stops',
        arguments: [MAC, { name: 'vtep', about: 'Name of a peer, or its underlay address' }],
        flags: [IN_NETWORK],
        examples: ['vtepd fdb add 02:00:5e:10:00:01 host-b --network blue'],
        load: async () => (await import('./fdb.ts')).add,
      },
      {
        name: 'del',
        about: 'Forget a station',
        arguments: [MAC],
        flags: [IN_NETWORK],
        load: async () => (await import('./fdb.ts')).del,
      },
    ],
  },
  {
    name: 'neigh',
    about: 'Which MAC has an address, as ARP and neighbour discovery said',
    flags: [NETWORK],
    load: async () => (await import('./neigh.ts')).neigh,
  },
  {
    name: 'routes',
    about: 'Which prefix goes to which peer',
    flags: [NETWORK],
    load: async () => (await import('./routes.ts')).routes,
  },
  {
    name: 'where',
    about: 'All that is known of an address, a MAC or an interface, and where from',
    arguments: [{ name: 'what', about: 'An IP address, a MAC, or the name of an interface' }],
    examples: ['vtepd where 10.42.0.7', 'vtepd where 02:00:5e:10:00:01', 'vtepd where veth3'],
    load: async () => (await import('./where.ts')).where,
  },
  {
    name: 'capture',
    about: 'Inner traffic as pcap, or one line a packet on a terminal',
    examples: ['vtepd capture --network blue -w blue.pcap', 'vtepd capture | tshark -r -'],
    flags: [
      NETWORK,
      { name: 'write', short: 'w', kind: 'text', value: 'FILE', about: 'Write pcap to FILE; - is stdout' },
      { name: 'count', short: 'n', kind: 'text', value: 'N', about: 'End after N packets' },
    ],
    load: async () => (await import('./capture.ts')).capture,
  },
  {
    name: 'invite',
    about: 'Print a token by which another host may join a network',
    more:
      'The token is good for one host and for an hour. A host without a secure network gets one first, and an agent is ' +
      'started where none runs.',
    examples: ['vtepd invite host-b', 'vtepd invite host-b --network blue --expires 10m'],
    arguments: [{ name: 'name', about: 'What the other host is to be called' }],
    flags: [
      { ...NETWORK, about: 'The network (default: the secure one that there is)' },
      { name: 'expires', kind: 'text', value: 'SPAN', about: 'For how long the token is good (default 1h)' },
      {
        name: 'endpoint',
        kind: 'list',
        value: 'HOST',
        about:
          'Where the other host calls this one, as HOST or HOST:PORT (default: its underlay addresses); may be repeated',
      },
      { ...ADDRESS, about: 'Our address in a new network, as 10.42.0.1/24 (default: one that is free)' },
      { ...DEVICE, about: 'Kind of a new network: tap, layer 2 (default), or tun, layer 3' },
      { ...PORT, about: 'Our UDP port, on a host without a configuration (default 51820)' },
    ],
    load: async () => (await import('./invite.ts')).invite,
  },
  {
    name: 'join',
    about: 'Join the network that a token invites this host to',
    more: 'Without TOKEN it is read from stdin. An agent is started where none runs.',
    examples: ['vtepd join vtepd1-…', 'ssh host-a vtepd invite host-b | vtepd join'],
    arguments: [{ name: 'token', optional: true, about: 'What `vtepd invite` printed (default: from stdin)' }],
    flags: [
      { ...ADDRESS, about: 'Our address in the network, as 10.42.0.7 (default: the next free one)' },
      { ...PORT, about: 'Our UDP port, on a host without a configuration (default 51820)' },
    ],
    ownSignals: true,
    load: async () => (await import('./join.ts')).join,
  },
  {
    name: 'genkey',
    about: 'A new private key, in base64',
    examples: ['(umask 077 && vtepd genkey > /etc/vtepd/key)'],
    load: async () => (await import('./key.ts')).genkey,
  },
  {
    name: 'pubkey',
    about: 'The public key of the private one on stdin',
    examples: ['vtepd pubkey < /etc/vtepd/key'],
    load: async () => (await import('./key.ts')).pubkey,
  },
  {
    name: 'genpsk',
    about: 'A new preshared key, which both ends have, in base64',
    examples: ['(umask 077 && vtepd genpsk > /etc/vtepd/host-b.psk)'],
    load: async () => (await import('./key.ts')).genpsk,
  },
  {
    name: 'config',
    about: 'Check a configuration, print its JSON Schema, import one',
    commands: [
      {
        name: 'check',
        about: 'List every fault of a configuration with its mend',
        arguments: [{ name: 'file', optional: true, isFile: true, about: 'The file (default: what `up` would read)' }],
        load: async () => (await import('./config.ts')).check,
      },
      {
        name: 'schema',
        about: 'JSON Schema of the configuration, for editors',
        load: async () => (await import('./config.ts')).schema,
      },
      {
        name: 'import',
        about: 'Print a configuration made from that of another program',
        commands: [
          {
            name: 'wg-quick',
            about: 'One secure layer 3 network with stock WireGuard peers; what is not carried over is named',
            arguments: [{ name: 'file', isFile: true, about: 'The .conf of wg-quick' }],
            flags: [
              {
                name: 'key-out',
                kind: 'text',
                value: 'FILE',
                about: 'Write the private key to FILE (mode 0600), preshared keys beside it',
              },
              { name: 'vni', kind: 'text', value: 'N', about: 'VXLAN network identifier (default 1)' },
            ],
            examples: ['vtepd config import wg-quick /etc/wireguard/wg0.conf --key-out /etc/vtepd/wg0.key'],
            load: async () => (await import('./config-import.ts')).wgQuick,
          },
        ],
      },
    ],
  },
  {
    name: 'completion',
    about: 'Completion script for a shell',
    examples: [
      'vtepd completion bash > /usr/share/bash-completion/completions/vtepd',
      'vtepd completion zsh > /usr/share/zsh/vendor-completions/_vtepd',
    ],
    arguments: [{ name: 'shell', choices: ['bash', 'zsh'], about: 'bash or zsh' }],
    load: async () => (await import('./completion.ts')).completion,
  },
  {
    name: 'demo',
    about: 'Two hosts on this machine, with pings and throughput',
    ownSignals: true,
    load: async () => (await import('./demo.ts')).demo,
  },
]

/** Every flag of these commands and of those below them. */
export function flagsOf(commands: readonly Command[]): Flag[] {
  return commands.flatMap((command) => [...(command.flags ?? []), ...flagsOf(command.commands ?? [])])
}
