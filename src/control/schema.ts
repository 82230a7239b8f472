// The shape of a configuration: which keys there are, of what form, with which default. What values mean together is
// network-check.ts's and peer-check.ts's; what is named but not delivered yet is later.ts's.
// A message is `want …; how to mend`; issue.ts puts in what was got. Descriptions are for editors, by way of jsonSchema.
import * as z from 'zod'
import {
  cidrText,
  isLinkLocal6,
  isMulticast,
  isUnspecified,
  network as networkOf,
  parseAddress,
  parseCidr,
  parsePrefix,
} from './cidr.ts'
import { parseDuration } from './duration.ts'
import { parseEndpoint } from './endpoint.ts'
import { isKey, isZeroKey, KEY_PATTERN, keyFromBase64 } from './key.ts'
import { isGroupMac, isZeroMac, MAC_PATTERN, parseMac } from './mac.ts'

/** A year: what a deadline of 32 bits in tenths of a second holds many times over. */
const MAX_AGEING_SEC = 365 * 86400
/** Entries of 16 bytes at load one half: 128 MiB a network. */
const MAX_MAC_LIMIT = 4194304
/** RFC 791 §3.1: every module must forward 68 bytes; 65535 less the outer IPv4, UDP, VXLAN and Ethernet headers. */
const MIN_MTU = 68
const MAX_MTU = 65485
/** What 16 bits of seconds hold, as WireGuard's own tools take it. */
const MAX_KEEPALIVE_SEC = 65535
/** What may be a key that lost or gained something on the way. */
const LIKE_KEY = /^[A-Za-z0-9+][A-Za-z0-9+/]{39,}={0,2}$/
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/
const PEER_NAME = /^[A-Za-z0-9:][A-Za-z0-9._:-]{0,62}$/
/** Not the kernel's to give: `lo` is there already, the others are directories in /proc/sys/net/ipv4/conf. */
const RESERVED_INTERFACES = ['lo', 'all', 'default']

function integer(min: number, max: number, mend: string, other = '') {
  const error = `want ${min}..${max}${other}; ${mend}`
  return z.int({ error }).min(min, { error }).max(max, { error })
}

// `fault` answers null for a good text.
function text(want: string, fault: (text: string) => string | null) {
  return z.string({ error: want }).superRefine((value, context) => {
    const message = fault(value)
    if (message !== null) context.addIssue({ code: 'custom', message })
  })
}

function words<const T extends readonly [string, ...string[]]>(list: T) {
  return z.enum(list, { error: `want ${list.join(' | ')}; write one of these` })
}

function flag() {
  return z.boolean({ error: 'want true | false; write one of these, without quotes' })
}

function map<T extends z.ZodRawShape>(shape: T, example: string) {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? undefined : `want a map; write ${example}`),
  })
}

function named<T extends z.ZodType>(name: RegExp, want: string, value: T, example: string) {
  const key = z.string().regex(name, { error: `${want}; rename it` })
  return z.record(key, value, {
    error: (issue) => (issue.code === 'invalid_key' ? undefined : `want a map; write ${example}`),
  })
}

function listOf<T extends z.ZodType>(item: T, example: string) {
  return z.array(item, { error: `want a list; write ${example}` })
}

function oneOrMore<T extends z.ZodType>(item: T, want: string, example: string) {
  const list = z
    .array(item, { error: want })
    .min(1, { error: `want at least one; write ${example}, or remove the key` })
  return z.union([item, list], { error: want })
}

const NAME_WANT = 'want 1..63 letters, digits, dots, underscores and hyphens, a letter or digit first'
const MAC_WANT = 'want a MAC address; write it like 02:00:5e:10:00:01, in quotes if need be'
const CIDR_WANT = 'want ADDRESS/LENGTH; write it like 10.42.0.1/24 or "fd00:42::1/64"'
const PREFIX_WANT = 'want ADDRESS/LENGTH; write it like 10.42.0.0/24 or "fd00:42::/64"'
export const ENDPOINT_WANT =
  'want host, host:port, IPv6 or [IPv6]:port; write it like 198.18.0.2, 198.18.0.2:4789 or "[fd00::2]:4789"'
const LISTEN_WANT = 'want ADDRESS:PORT; write it like 127.0.0.1:9478, or 0.0.0.0:9478 for every IPv4 address'
const DURATION_WANT = 'want a duration; write it like 300s, 5m or 1h, or 0s for never'
const PUBLIC_KEY_WANT =
  'want a public key, 32 bytes in base64; write what `vtepd pubkey` prints on the peer, 44 characters with = at the end'
const UNDERLAY_WANT = 'want an IP address of this host; write it like 198.18.0.1 or "fd00::1"'
const NETNS_WANT = 'want a namespace: NAME, /path or PID; write a name from `ip netns`, a path or a process id'

function mac() {
  return text(MAC_WANT, (value) => {
    const parsed = parseMac(value)
    if (!parsed) return MAC_WANT
    if (isGroupMac(parsed)) return 'want a unicast MAC; make the first byte even, 02:... for one of your own'
    return isZeroMac(parsed) ? 'want a MAC that is not zero; write one like 02:00:5e:10:00:01' : null
  }).meta({ pattern: MAC_PATTERN })
}

function cidr() {
  return text(CIDR_WANT, (value) => {
    const parsed = parseCidr(value)
    if (!parsed) {
      const bare = parseAddress(value)
      return bare
        ? `want a prefix length; write ${value}/${bare.v6 ? 64 : 24} or the length that the network has`
        : CIDR_WANT
    }
    if (isMulticast(parsed) || isUnspecified(parsed)) return 'want the address of one host; write one like 10.42.0.1/24'
    return null
  })
}

function prefix() {
  return text(PREFIX_WANT, (value) => {
    const parsed = parsePrefix(value)
    if (!parsed) return PREFIX_WANT
    const canonical = networkOf(parsed)
    return canonical.value === parsed.value ? null : `want no host bits; write ${cidrText(canonical)}`
  })
}

function interfaceName() {
  const want = 'want 1..15 bytes without "/", ":", "%" and spaces; write a name like vt42'
  return text(want, (value) => {
    const bytes = Buffer.byteLength(value)
    // dev_valid_name of the kernel, and `%`, which asks it to choose a number.
    if (bytes < 1 || bytes > 15 || value === '.' || value === '..') return want
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
    if (/[/:%\s\u0000-\u001f\u007f]/.test(value)) return want
    return RESERVED_INTERFACES.includes(value)
      ? "want a name that is free; lo, all and default are the kernel's own"
      : null
  })
}

function netns() {
  const name = text(NETNS_WANT, (value) => {
    if (value.startsWith('/')) return value.includes('\0') ? NETNS_WANT : null
    const fine = value !== '' && value !== '.' && value !== '..' && value.length <= 255 && !/[/\0]/.test(value)
    return fine ? null : NETNS_WANT
  })
  return z.union([name, z.int({ error: NETNS_WANT }).min(1, { error: NETNS_WANT })], { error: NETNS_WANT })
}

function duration(max: number, tooLong: string) {
  return text(DURATION_WANT, (value) => {
    const seconds = parseDuration(value)
    if (seconds === null) return DURATION_WANT
    return seconds > max ? tooLong : null
  })
}

function publicKey() {
  return text(PUBLIC_KEY_WANT, (value) => {
    if (!isKey(value)) return PUBLIC_KEY_WANT
    return isZeroKey(keyFromBase64(Buffer.from(value))!)
      ? 'want a key that is not zero; write the one of the peer'
      : null
  }).meta({ pattern: KEY_PATTERN })
}

function keyFile(maker: string) {
  const want = `want the name of a file; write that of the file with the key, as \`${maker}\` writes it`
  return text(want, (value) => {
    if (isKey(value) || LIKE_KEY.test(value)) {
      return 'want the name of a file, not a key; put the key into a file of mode 0600 and name that'
    }
    return value === '' || /[\0\n]/.test(value) ? want : null
  })
}

function storePrefix() {
  const want = 'want a path in the store; write it like /coreos.com/network'
  return text(want, (value) => (/^(\/[^/\s]+)+$/.test(value) ? null : want))
}

function filePath() {
  const want = 'want the name of a file from / on; write it like /run/flannel/subnet.env'
  return text(want, (value) => (value.startsWith('/') && !/[\0\n]|\/$/.test(value) ? null : want))
}

function underlayAddress() {
  return text(UNDERLAY_WANT, (value) => {
    const parsed = parseAddress(value)
    if (!parsed) return UNDERLAY_WANT
    if (isUnspecified(parsed)) return 'want one address, not every one; write the one that peers send to'
    if (isMulticast(parsed)) return UNDERLAY_WANT
    return isLinkLocal6(parsed) ? 'want an address that is not link-local; write a global or unique local one' : null
  })
}

function endpoint() {
  return text(ENDPOINT_WANT, (value) => {
    const parsed = parseEndpoint(value)
    if (!parsed) return ENDPOINT_WANT
    const address = parseAddress(parsed.host)
    if (!address) return null
    if (isUnspecified(address) || isMulticast(address))
      return "want the address of one host; write the peer's underlay address"
    return isLinkLocal6(address) ? 'want an address that is not link-local; write a global or unique local one' : null
  })
}

function listen() {
  return text(LISTEN_WANT, (value) => (parseEndpoint(value)?.port ? null : LISTEN_WANT))
}

const fdbEntry = map(
  {
    mac: mac().describe('MAC of the station'),
    vtep: z
      .string({ error: "want a peer's name or address; write one of this network" })
      .describe('The peer behind which it is: its name, or its underlay address'),
  },
  '{ mac: 02:00:5e:10:00:01, vtep: host-b }',
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
    flood: words(['replicate', 'off'])
      .default('replicate')
      .describe('Broadcast, multicast and unknown destinations: to every peer, or to nobody'),
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

function isMap(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function root<N extends z.ZodType, P extends z.ZodType, M extends z.ZodType>(
  networkShape: N,
  peerShape: P,
  metricsShape: M,
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
      metrics: metricsShape.optional().describe('Prometheus metrics over TCP; off unless given'),
      offloads: offloads.prefault({}).describe('Kernel offloads, each on its own'),
      workers: z.literal(1, { error: 'want 1; write 1 or remove the key' }).default(1).describe('Data threads'),
    },
    'keys such as networks and peers',
  )
}

/** What a file must look like. */
export const schema = root(network, peer, metrics)

/** The same without required keys: what is left of a faulty file once the faults are cut out. */
export const partialSchema = root(networkKeys, peer, metrics.partial()).partial({ networks: true })

export type NetworkShape = z.output<typeof networkKeys>
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
