// The shape of a configuration: which keys there are, of what form, with which default. What values mean together is
// network-check.ts's and peer-check.ts's; what is named but not delivered yet is later.ts's.
// A message is `want …; how to mend`; issue.ts puts in what was got. Descriptions are for editors, by way of jsonSchema.
import * as z from 'zod'
import { parseDuration } from './duration.ts'
import {
  CIDR_WANT,
  cidr,
  duration,
  endpoint,
  fileName,
  filePath,
  flag,
  groupAddress,
  HOST_WANT,
  hostAddress,
  integer,
  interfaceName,
  keyFile,
  listen,
  listOf,
  mac,
  map,
  NAME_WANT,
  named,
  netns,
  oneOrMore,
  prefix,
  publicKey,
  storePrefix,
  storeUrl,
  text,
  UNDERLAY_WANT,
  underlayAddress,
  words,
} from './form.ts'
import { PORT_MAPPING_WANT, portMappingFault } from './port-mapping.ts'

/** A year: what a deadline of 32 bits in tenths of a second holds many times over. */
const MAX_AGEING_SEC = 365 * 86400
const MAX_LEASE_SEC = 365 * 86400
/** Entries of 16 bytes at load one half: 128 MiB a network. */
const MAX_MAC_LIMIT = 4194304
/** Every frame of a 10 Gbit/s line. */
const MAX_STORM = 14880952
/** RFC 791 §3.1: every module must forward 68 bytes; 65535 less the outer IPv4, UDP, VXLAN and Ethernet headers. */
const MIN_MTU = 68
const MAX_MTU = 65485
/** What 16 bits of seconds hold, as WireGuard's own tools take it. */
const MAX_KEEPALIVE_SEC = 65535
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/
const PEER_NAME = /^[A-Za-z0-9:][A-Za-z0-9._:-]{0,62}$/

const fdbEntry = map(
  {
    mac: mac().describe('MAC of the station'),
    vtep: z
      .string({ error: "want a peer's name or address; write one of this network" })
      .describe('The peer behind which it is: its name, or its underlay address'),
    ip: oneOrMore(hostAddress(), HOST_WANT, '[10.42.0.17]')
      .optional()
      .describe('Addresses of the station, for which its MAC is answered'),
  },
  '{ mac: 02:00:5e:10:00:01, vtep: host-b }',
)

const FLOOD_GROUP = '{ group: 239.1.1.42, interface: eth0 }'
const FLOOD_WANT = `want replicate | off | { group, interface }; write one of these, a group like ${FLOOD_GROUP}`

const group = map(
  {
    group: groupAddress().describe('Multicast address, IPv4 or IPv6, that every VTEP of the network listens to'),
    interface: interfaceName()
      .optional()
      .describe('Interface of the group; default: the one that has the underlay address of its family'),
  },
  FLOOD_GROUP,
)

const VNI_MEND = 'write a number in that range, without quotes'

const networkKeys = map(
  {
    vni: integer(0, 16777215, VNI_MEND)
      .optional()
      .describe('VXLAN network identifier; a flannel network has that of the store'),
    type: words(['vxlan', 'flannel'])
      .default('vxlan')
      .describe('vxlan: what this file says; flannel: back end, address and members come from the store'),
    prefix: storePrefix().optional().describe('flannel: where it is in the store; default control.etcd.prefix'),
    subnetFile: filePath()
      .optional()
      .describe('flannel: file for others that tells our subnet; default subnet.env in the runtime directory'),
    device: words(['tap', 'tun'])
      .optional()
      .describe('tap: layer 2, Ethernet frames; tun: layer 3, IP packets; default tap, of a flannel network tun'),
    interface: interfaceName().optional().describe('Name of the device; default vt<vni>'),
    port: integer(1, 65535, 'write a UDP port')
      .optional()
      .describe('plain: UDP port of this network; default underlay.vxlanPort'),
    address: oneOrMore(cidr(), CIDR_WANT, '[10.42.0.1/24]').optional().describe('Addresses of the device'),
    mac: mac()
      .optional()
      .describe(
        'MAC of the device; default: made from the VNI and our public key, or without one from node and underlay address',
      ),
    mtu: integer(MIN_MTU, MAX_MTU, 'write the inner MTU, or remove the key')
      .optional()
      .describe(
        'MTU of the device; default: underlay MTU less 82 (IPv4) or 102 (IPv6), secure tun 60 or 80, plain 50 or 70',
      ),
    security: words(['secure', 'plain'])
      .default('secure')
      .describe('secure: inside WireGuard; plain: standard VXLAN in clear text'),
    netns: netns().optional().describe('Network namespace that holds the device: a name, a path or a process id'),
    learning: flag().default(true).describe('Learn MAC addresses from frames'),
    ageing: duration(MAX_AGEING_SEC, 'want a year at most; write 8760h, or 0s for never')
      .default('300s')
      .describe('How long a learned MAC stays without frames; 0s: for ever'),
    macLimit: integer(1, MAX_MAC_LIMIT, 'write how many stations to remember')
      .default(65536)
      .describe('Most MACs to remember'),
    flood: z
      .union([words(['replicate', 'off']), group], { error: FLOOD_WANT })
      .default('replicate')
      .describe(
        'Broadcast, multicast and unknown destinations: to every peer, to nobody, or plain: to a multicast group',
      ),
    stormLimit: integer(0, MAX_STORM, 'write packets per second, or 0 for no limit')
      .default(0)
      .describe('tap: how many broadcast, multicast and unknown packets per second the device may send; 0: no limit'),
    suppressArp: flag()
      .default(true)
      .describe('tap: answer ARP and neighbour discovery for stations whose address is known, instead of flooding it'),
    accept: z
      .union([words(['peers', 'any']), listOf(prefix(), '[198.18.0.0/24]')], {
        error: 'want peers | any | [CIDR, ...]; write one of these',
      })
      .default('peers')
      .describe('plain: who may send VXLAN here: the peers, anybody, or these prefixes beside the peers'),
    innerVlan: words(['drop', 'keep']).default('drop').describe('Inner frames with a VLAN tag'),
    mssClamp: flag()
      .default(false)
      .describe('Lower the segment size that TCP SYNs offer to what the path carries, both ways'),
    ecn: words(['copy', 'off']).default('copy').describe('copy: RFC 6040 normal mode; off: compatibility mode'),
    dscp: z
      .union([integer(0, 63, 'write one of these, without quotes', ' | inherit'), words(['inherit'])], {
        error: 'want 0..63 | inherit; write one of these, without quotes',
      })
      .default(0)
      .describe('DSCP of the outer header; inherit: that of the inner one'),
    udpChecksum: words(['on', 'off', 'auto'])
      .default('on')
      .describe('plain: outer UDP checksum; off: IPv4 only, and no UDP GSO'),
    sourcePort: words(['hash', 'fixed'])
      .default('hash')
      .describe('plain: outer source port: by inner flow, or the VXLAN port'),
    fdb: listOf(fdbEntry, '[{ mac: 02:00:5e:10:00:01, vtep: host-b }]')
      .default([])
      .describe('Static entries: never aged, never overridden'),
    routes: flag().default(true).describe("tun: allowedIps outside the device's own prefixes become routes"),
    sourceCheck: flag()
      .default(true)
      .describe("tun: drop inner sources outside the sender's allowedIps; false in plain networks only"),
  },
  '{ vni: 42 }',
)

// Said together with all other faults of the network.
const network = networkKeys
  .refine(
    (value) => (value as { vni?: unknown }).vni !== undefined || (value as { type?: unknown }).type === 'flannel',
    {
      path: ['vni'],
      error: `want 0..16777215; ${VNI_MEND}`,
      when: ({ value }) => isMap(value),
    },
  )
  .meta({
    if: { required: ['type'], properties: { type: { const: 'flannel' } } },
    // biome-ignore lint/suspicious/noThenProperty: JSON Schema's word
    then: {},
    else: { required: ['vni'] },
  })

const peerNetwork = map(
  {
    allowedIps: listOf(prefix(), '[10.42.0.2/32]')
      .optional()
      .describe('tun: prefixes behind this peer in this network'),
    mac: mac().optional().describe('plain tun: MAC of its VTEP in this network; default: learned'),
  },
  '{ allowedIps: [10.42.0.2/32] }',
)

const peer = map(
  {
    endpoint: endpoint()
      .optional()
      .describe(
        'Where it is: host, host:port, IPv6 or [IPv6]:port; without a port our own WireGuard port, or the VXLAN port of a ' +
          'plain network. Not needed with a publicKey: the peer then calls us',
      ),
    publicKey: publicKey().optional().describe('Its public key, base64; secure networks need one'),
    presharedKeyFile: keyFile('vtepd genpsk')
      .optional()
      .describe('File of mode 0600 with a key that both ends have, as `vtepd genpsk` writes it'),
    keepalive: duration(MAX_KEEPALIVE_SEC, 'want 18h12m15s at most; write 25s, or 0s for never')
      .default('0s')
      .describe('How often to send something even when there is nothing to say, for NAT; 0s: never'),
    type: words(['vtepd', 'wireguard'])
      .default('vtepd')
      .describe(
        'vtepd, as which a standard VXLAN device counts too; wireguard: a stock WireGuard peer, tun networks only',
      ),
    networks: z
      .union(
        [
          listOf(z.string({ error: "want a network's name; write one from networks" }), '[blue]'),
          z.record(z.string(), peerNetwork),
        ],
        {
          error: 'want a list or a map of networks; write [blue] or { blue: { allowedIps: [10.42.0.2/32] } }',
        },
      )
      .optional()
      .describe(
        'Networks that it is in; default: all secure ones with a publicKey, all plain ones without. A map gives allowedIps ' +
          'and mac for each',
      ),
    allowedIps: listOf(prefix(), '[10.42.0.2/32]').optional().describe('tun: inner prefixes behind this peer'),
    mac: mac().optional().describe('plain tun: MAC of its VTEP; default: learned, until then broadcast'),
  },
  '{ endpoint: 198.18.0.2 }',
)

const underlay = map(
  {
    address: oneOrMore(underlayAddress(), UNDERLAY_WANT, '198.18.0.1')
      .optional()
      .describe('Own address, or one of each family; default: those of the interface of the default route'),
    interface: interfaceName().optional().describe('Interface whose address is used and followed; instead of address'),
    vxlanPort: integer(1, 65535, 'write a UDP port')
      .default(4789)
      .describe('UDP port of plain networks without one of their own'),
    wireguardPort: integer(1, 65535, 'write a UDP port')
      .default(51820)
      .describe('UDP port of all secure networks, on every address'),
  },
  '{ address: 198.18.0.1 }',
)

const offload = () => words(['auto', 'on', 'off']).default('auto')
const offloads = map({ tso: offload(), uso: offload(), udpGso: offload(), udpGro: offload() }, '{ tso: auto }')

const metrics = map({ listen: listen().describe('ADDRESS:PORT of the metrics server') }, '{ listen: 127.0.0.1:9478 }')

/** Keys about the host's firewall. */
const rules = {
  masquerade: flag()
    .default(false)
    .describe('What leaves the networks by this host, or comes into them by it, leaves with an address of its own'),
  forward: flag().default(true).describe('Accept what this host forwards from and to the networks'),
  firewall: words(['auto', 'nftables', 'iptables', 'off'])
    .default('auto')
    .describe('Which firewall takes the rules; auto: iptables where the host uses it, else nftables; off: none'),
  notrack: flag().default(false).describe('No connection tracking for the UDP ports of the tunnels'),
  ports: listOf(text(PORT_MAPPING_WANT, portMappingFault), '["8080:10.42.3.7:80/tcp"]')
    .default([])
    .describe('Ports of this host that lead into the networks: [ADDRESS:]PORT:ADDRESS:PORT/tcp or /udp'),
}

/** What etcd makes of a lease that is shorter. */
const MIN_LEASE_SEC = 2

const etcd = map(
  {
    endpoints: listOf(storeUrl(), '[http://198.18.0.9:2379]')
      .min(1, { error: 'want at least one; write [http://198.18.0.9:2379]' })
      .describe('Servers of etcd: one is used, the others when it fails'),
    prefix: storePrefix()
      .default('/coreos.com/network')
      .describe('Where flannel networks without a prefix of their own are'),
    leaseTtl: duration(MAX_LEASE_SEC, 'want a year at most; write 24h')
      .refine((value) => (parseDuration(value) ?? MIN_LEASE_SEC) >= MIN_LEASE_SEC, {
        error: `want ${MIN_LEASE_SEC}s at least; write 24h`,
      })
      .default('24h')
      .describe('How long our subnet stays ours when this agent is gone'),
    renewMargin: duration(MAX_LEASE_SEC, 'want less than leaseTtl; write 60m')
      .optional()
      .describe(
        'The lease is renewed when so much of it is left; default: 60m, or half of a lease of less than two hours',
      ),
    caFile: fileName("the authority's certificate").optional().describe('PEM; default: the authorities of the system'),
    certFile: fileName('our certificate').optional().describe('PEM; for servers that ask for one'),
    keyFile: fileName("our certificate's key").optional().describe('PEM'),
    username: z
      .string({ error: 'want a name; write that of a user of etcd' })
      .min(1, { error: 'want a name; write that of a user of etcd' })
      .optional()
      .describe('User of etcd'),
    passwordFile: fileName('the password').optional().describe('File of mode 0600 with its password'),
  },
  '{ endpoints: [http://198.18.0.9:2379] }',
)

function controlOf<E extends z.ZodType>(shape: E) {
  return map({ etcd: shape.optional() }, '{ etcd: { endpoints: [http://198.18.0.9:2379] } }')
}

function isMap(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function root<N extends z.ZodType, P extends z.ZodType, M extends z.ZodType, E extends z.ZodType>(
  networkShape: N,
  peerShape: P,
  metricsShape: M,
  etcdShape: E,
) {
  const nodeName = text(`${NAME_WANT}; write a name in quotes, or remove the key`, (value) =>
    NAME.test(value) ? null : `${NAME_WANT}; write such a name`,
  )
  const networks = named(NAME, NAME_WANT, networkShape, 'networks: { blue: { vni: 42 } }')
  const peers = named(PEER_NAME, NAME_WANT, peerShape, 'peers: { host-b: { endpoint: 198.18.0.2 } }')
  return map(
    {
      node: nodeName.optional().describe('Name of this host; default: its hostname'),
      privateKeyFile: keyFile('vtepd genkey')
        .optional()
        .describe('File of mode 0600 with our private key, as `vtepd genkey` writes it; secure networks need one'),
      underlay: underlay.prefault({}).describe('The network that carries the tunnels'),
      networks: networks.describe('Networks by name: each one VNI with its device'),
      peers: peers.default({} as never).describe('Other hosts by name'),
      ...rules,
      control: controlOf(etcdShape).prefault({}).describe('Where peers come from, beside peers'),
      metrics: metricsShape.optional().describe('Prometheus metrics over TCP; off unless given'),
      offloads: offloads.prefault({}).describe('Kernel offloads, each on its own'),
      workers: z.literal(1, { error: 'want 1; write 1 or remove the key' }).default(1).describe('Data threads'),
    },
    'keys such as networks and peers',
  )
}

/** What a file must look like. */
export const schema = root(network, peer, metrics, etcd)

/** The same without required keys: what is left of a faulty file once the faults are cut out. */
export const partialSchema = root(networkKeys, peer, metrics.partial(), etcd.partial()).partial({ networks: true })

export type NetworkShape = z.output<typeof networkKeys>
export type EtcdShape = z.output<typeof etcd>
export type PeerShape = z.output<typeof peer>
export type PeerNetworkShape = z.output<typeof peerNetwork>
export type RootShape = z.output<typeof schema>

/** JSON Schema (draft 2020-12) of the file, for editors. */
export function toJsonSchema(): object {
  return {
    ...z.toJSONSchema(schema, { io: 'input', target: 'draft-2020-12' }),
    title: 'vtepd configuration',
  }
}
