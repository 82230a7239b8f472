// One packet on one line, in the manner of tcpdump: for `capture`, logs and failing tests. Any bytes whatever give a line;
// nothing here throws. What is cut short is marked with [|name]. Cold: it allocates.
import { NONE } from '../drop.ts'
import * as arp from './arp.ts'
import * as ethernet from './ethernet.ts'
import * as icmp from './icmp.ts'
import * as ipv4 from './ipv4.ts'
import * as ipv6 from './ipv6.ts'
import * as nd from './nd.ts'
import { address4, address6, mac } from './print-address.ts'
import { dhcp, lldp } from './print-options.ts'
import * as tcp from './tcp.ts'
import * as udp from './udp.ts'
import * as vxlan from './vxlan.ts'

const LLDP = 0x88cc
/** VXLAN in VXLAN and errors about errors are shown this deep. */
const MAX_DEPTH = 3

/** The frame (`l2`) or IP packet in [off, end) as one line without a newline. */
export function line(buf: Uint8Array, off: number, end: number, l2: boolean): string {
  return l2 ? frame(buf, off, end, 0) : packet(buf, off, end, 0)
}

function frame(buf: Uint8Array, off: number, end: number, depth: number): string {
  if (ethernet.check(buf, off, end) !== 0) return `[|ether] length ${Math.max(end - off, 0)}`
  const ends = `${mac(buf, off + 6)} > ${mac(buf, off)}`
  const header = ethernet.headerLen(buf, off, end)
  const type = u16(buf, off + header - 2)
  return `${ends}${tags(buf, off, header)}, ${typeName(type)}, length ${end - off}: ${payload(buf, off + header, end, type, depth)}`
}

function tags(buf: Uint8Array, off: number, header: number): string {
  let text = ''
  for (let at = off + ethernet.LEN; at < off + header; at += ethernet.TAG_LEN) {
    text += `, vlan ${u16(buf, at) & 0xfff}`
    const priority = buf[at] >>> 5
    if (priority !== 0) text += ` p ${priority}`
  }
  return text
}

function typeName(type: number): string {
  switch (type) {
    case ethernet.IPV4:
      return 'IPv4'
    case ethernet.IPV6:
      return 'IPv6'
    case ethernet.ARP:
      return 'ARP'
    case LLDP:
      return 'LLDP'
    case ethernet.VLAN:
    case ethernet.QINQ:
    case ethernet.QINQ_OLD:
      return '802.1Q'
    default:
      return type < 0x600 ? '802.3' : `type 0x${type.toString(16).padStart(4, '0')}`
  }
}

function payload(buf: Uint8Array, off: number, end: number, type: number, depth: number): string {
  if (type === ethernet.IPV4 || type === ethernet.IPV6) return packet(buf, off, end, depth)
  if (type === ethernet.ARP) return arpText(buf, off, end)
  if (type === LLDP) return lldp(buf, off, end)
  return hex(buf, off, end)
}

function packet(buf: Uint8Array, off: number, end: number, depth: number): string {
  const version = end > off ? buf[off] >>> 4 : 0
  if (version === 4) return packet4(buf, off, end, depth)
  if (version === 6) return packet6(buf, off, end, depth)
  return end > off ? `IP version ${version}: ${hex(buf, off, end)}` : '[|ip]'
}

// A packet quoted by an ICMP error is cut, so everything that is there gets printed, and only headers have to be whole.
function packet4(buf: Uint8Array, off: number, end: number, depth: number): string {
  if (end - off < ipv4.LEN) return '[|ip]'
  const ends = `${address4(buf, off + 12)} > ${address4(buf, off + 16)}`
  const header = ipv4.headerLen(buf, off)
  const total = ipv4.totalLen(buf, off)
  if (header < ipv4.LEN || header > end - off || total < header) return `${ends}: bad header length or total length`
  const last = Math.min(end, off + total)
  const protocol = ipv4.protocol(buf, off)
  const marks = ipv4.tos(buf, off) === 0 ? '' : `, tos 0x${ipv4.tos(buf, off).toString(16)}`
  if (ipv4.isFragment(buf, off)) {
    const at = ipv4.fragmentOffset(buf, off)
    const more = (buf[off + 6] & 0x20) === 0 ? '' : '+'
    const tail = `frag ${ipv4.ident(buf, off)}:${total - header}@${at}${more}`
    if (at !== 0) return `${ends}: ${protocolName(protocol)}, ${tail}${marks}`
    return `${upperText(buf, off, off + header, last, protocol, depth)}, ${tail}${marks}`
  }
  return `${upperText(buf, off, off + header, last, protocol, depth)}${marks}`
}

function packet6(buf: Uint8Array, off: number, end: number, depth: number): string {
  if (end - off < ipv6.LEN) return '[|ip6]'
  const last = Math.min(end, off + ipv6.LEN + ipv6.payloadLen(buf, off))
  const upper = ipv6.upper(buf, off, last)
  const marks = ipv6.trafficClass(buf, off) === 0 ? '' : `, class 0x${ipv6.trafficClass(buf, off).toString(16)}`
  const fragment = ipv6.isFragment(buf, off, last) ? ', frag' : ''
  if (upper === NONE) {
    const ends = `${address6(buf, off + 8)} > ${address6(buf, off + 24)}`
    return `${ends}: ${fragment === '' ? '[|extension header]' : 'frag'}${marks}`
  }
  return `${upperText(buf, off, upper, last, ipv6.upperProtocol(buf, off, last), depth)}${fragment}${marks}`
}

function upperText(buf: Uint8Array, ip: number, at: number, end: number, protocol: number, depth: number): string {
  const v4 = buf[ip] >>> 4 === 4
  const src = v4 ? address4(buf, ip + 12) : address6(buf, ip + 8)
  const dst = v4 ? address4(buf, ip + 16) : address6(buf, ip + 24)
  if (protocol === ipv4.TCP) {
    if (end - at < 4) return `${src} > ${dst}: [|tcp]`
    return `${src}.${tcp.srcPort(buf, at)} > ${dst}.${tcp.dstPort(buf, at)}: ${tcpText(buf, at, end)}`
  }
  if (protocol === ipv4.UDP) {
    if (end - at < udp.LEN) return `${src} > ${dst}: [|udp]`
    return `${src}.${udp.srcPort(buf, at)} > ${dst}.${udp.dstPort(buf, at)}: ${udpText(buf, at, end, depth)}`
  }
  const ends = `${src} > ${dst}`
  if (protocol === ipv4.ICMP && v4) return `${ends}: ICMP ${icmpText(buf, at, end, depth)}`
  if (protocol === ipv6.ICMPV6 && !v4) return `${ends}: ICMP6, ${icmp6Text(buf, at, end, depth)}`
  return `${ends}: ${protocolName(protocol)}, length ${end - at}`
}

function protocolName(protocol: number): string {
  const names: Record<number, string> = { 1: 'ICMP', 2: 'IGMP', 6: 'TCP', 17: 'UDP', 47: 'GRE', 50: 'ESP', 58: 'ICMP6' }
  return names[protocol] ?? (protocol === ipv4.SCTP ? 'SCTP' : `protocol ${protocol}`)
}

function tcpText(buf: Uint8Array, at: number, end: number): string {
  if (tcp.check(buf, at, end) !== 0) return '[|tcp]'
  const flags = tcp.flags(buf, at)
  let letters = ''
  for (const [bit, letter] of [
    [tcp.FIN, 'F'],
    [tcp.SYN, 'S'],
    [tcp.RST, 'R'],
    [tcp.PSH, 'P'],
    [tcp.URG, 'U'],
    [tcp.ECE, 'E'],
    [tcp.CWR, 'W'],
    [tcp.ACK, '.'],
  ] as const) {
    if ((flags & bit) !== 0) letters += letter
  }
  const length = end - at - tcp.headerLen(buf, at)
  const seq = tcp.seq(buf, at)
  const range = length > 0 ? `seq ${seq}:${(seq + length) % 0x100000000}, ` : `seq ${seq}, `
  const acked = (flags & tcp.ACK) === 0 ? '' : `ack ${tcp.ack(buf, at)}, `
  return `Flags [${letters === '' ? 'none' : letters}], ${range}${acked}win ${tcp.window(buf, at)}, length ${length}`
}

function udpText(buf: Uint8Array, at: number, end: number, depth: number): string {
  const src = udp.srcPort(buf, at)
  const dst = udp.dstPort(buf, at)
  const body = at + udp.LEN
  if (src === 67 || src === 68 || dst === 67 || dst === 68) return dhcp(buf, body, end)
  if (dst === udp.VXLAN_PORT && depth < MAX_DEPTH && end - body >= vxlan.LEN) {
    if (vxlan.check(buf, body, end) !== 0) return `VXLAN, flags 0x${buf[body].toString(16)} without a VNI`
    return `VXLAN, vni ${vxlan.vni(buf, body)}: ${frame(buf, body + vxlan.LEN, end, depth + 1)}`
  }
  const length = udp.length(buf, at)
  return length < udp.LEN ? `UDP, bad length ${length}` : `UDP, length ${length - udp.LEN}`
}

function icmpText(buf: Uint8Array, at: number, end: number, depth: number): string {
  if (end - at < icmp.LEN) return '[|icmp]'
  const type = icmp.type(buf, at)
  const code = icmp.code(buf, at)
  const length = `length ${end - at}`
  if (type === icmp.ECHO || type === icmp.ECHO_REPLY) {
    const what = type === icmp.ECHO ? 'request' : 'reply'
    return `echo ${what}, id ${icmp.echoId(buf, at)}, seq ${icmp.echoSeq(buf, at)}, ${length}`
  }
  const quoted = depth < MAX_DEPTH ? ` (${packet(buf, at + icmp.LEN, end, depth + 1)})` : ''
  if (type === icmp.UNREACHABLE && code === icmp.FRAGMENTATION_NEEDED) {
    return `unreachable - need to frag (mtu ${icmp.mtu4(buf, at)}), ${length}${quoted}`
  }
  if (type === icmp.UNREACHABLE) return `unreachable code ${code}, ${length}${quoted}`
  if (type === icmp.TIME_EXCEEDED) return `time exceeded code ${code}, ${length}${quoted}`
  return `type ${type} code ${code}, ${length}`
}

function icmp6Text(buf: Uint8Array, at: number, end: number, depth: number): string {
  if (end - at < 4) return '[|icmp6]'
  const length = `length ${end - at}`
  const type = icmp.type(buf, at)
  if (type === 143) return `multicast listener report v2, ${length}`
  if (end - at < icmp.LEN) return '[|icmp6]'
  if (type === icmp.ECHO6 || type === icmp.ECHO_REPLY6) {
    const what = type === icmp.ECHO6 ? 'request' : 'reply'
    return `echo ${what}, id ${icmp.echoId(buf, at)}, seq ${icmp.echoSeq(buf, at)}, ${length}`
  }
  if (type >= nd.ROUTER_SOLICITATION && type <= nd.REDIRECT) return `${ndText(buf, at, end)}, ${length}`
  const quoted = depth < MAX_DEPTH ? ` (${packet(buf, at + icmp.LEN, end, depth + 1)})` : ''
  if (type === icmp.TOO_BIG6) return `packet too big, mtu ${icmp.mtu6(buf, at)}, ${length}${quoted}`
  if (type === 1) return `unreachable code ${icmp.code(buf, at)}, ${length}${quoted}`
  return `type ${type} code ${icmp.code(buf, at)}, ${length}`
}

function ndText(buf: Uint8Array, at: number, end: number): string {
  if (nd.check(buf, at, end) !== 0) return '[|nd]'
  const type = nd.type(buf, at)
  const source = linkText(buf, at, end, nd.SOURCE_LINK_ADDRESS, 'source')
  const target = linkText(buf, at, end, nd.TARGET_LINK_ADDRESS, 'target')
  if (type === nd.ROUTER_SOLICITATION) return `router solicitation${source}`
  if (type === nd.ROUTER_ADVERTISEMENT) return `router advertisement${source}`
  const about = address6(buf, at + nd.TARGET)
  if (type === nd.NEIGHBOUR_SOLICITATION) return `neighbor solicitation, who has ${about}${source}`
  if (type === nd.REDIRECT) return `redirect, ${about}${target}`
  const flags = nd.flags(buf, at)
  let names = ''
  if ((flags & nd.ROUTER) !== 0) names += ' router'
  if ((flags & nd.SOLICITED) !== 0) names += ' solicited'
  if ((flags & nd.OVERRIDE) !== 0) names += ' override'
  return `neighbor advertisement, tgt is ${about}${names === '' ? '' : `, flags${names}`}${target}`
}

function linkText(buf: Uint8Array, at: number, end: number, kind: number, name: string): string {
  const where = nd.linkAddress(buf, at, end, kind)
  return where === NONE ? '' : `, ${name} ${mac(buf, where)}`
}

function arpText(buf: Uint8Array, off: number, end: number): string {
  const refused = arp.check(buf, off, end)
  if (refused !== 0) return end - off < arp.LEN ? '[|arp]' : `not for IPv4 over Ethernet: ${hex(buf, off, end)}`
  const sender = address4(buf, off + 14)
  const target = address4(buf, off + 24)
  const operation = arp.operation(buf, off)
  if (operation === arp.REQUEST) return `Request who-has ${target} tell ${sender}`
  if (operation === arp.REPLY) return `Reply ${sender} is-at ${mac(buf, off + 8)}`
  return `operation ${operation}, ${sender} to ${target}`
}

/** Up to 16 bytes of what nobody here knows. */
function hex(buf: Uint8Array, off: number, end: number): string {
  const shown = Math.min(end, off + 16)
  let text = ''
  for (let at = off; at < shown; at++) text += buf[at].toString(16).padStart(2, '0')
  return end > shown ? `${text}…` : text
}

function u16(buf: Uint8Array, at: number): number {
  return (buf[at] << 8) | buf[at + 1]
}
