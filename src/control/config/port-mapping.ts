// One of `ports`: a port of this host that leads to a port of an address in a network. `8080:10.42.3.7:80/tcp`, with one of the
// host's addresses in front when only that is meant: `198.18.0.1:8080:10.42.3.7:80`. IPv6 stands in brackets.
import { addressText, type Cidr, isLinkLocal6, isMulticast, isUnspecified, parseAddress } from '../cidr.ts'

export interface PortMapping {
  readonly family: 4 | 6
  readonly protocol: 'tcp' | 'udp'
  /** Canonical; null: every address of this host but the loopback ones. */
  readonly host: string | null
  readonly hostPort: number
  /** Canonical. */
  readonly target: string
  readonly targetPort: number
}

export const PORT_MAPPING_WANT =
  'want PORT:ADDRESS:PORT/tcp or /udp; write it like "8080:10.42.3.7:80/tcp" or "8080:[fd00:42::7]:80/tcp"'

const ADDRESS = String.raw`\[[^\]]*\]|[^:[\]]*`
const FORM = new RegExp(String.raw`^(?:(${ADDRESS}):)?(\d{1,5}):(${ADDRESS}):(\d{1,5})(?:/(tcp|udp))?$`)

/** Of a text that `portMappingFault` finds nothing wrong with. */
export function parsePortMapping(text: string): PortMapping {
  const [, host, hostPort, target, targetPort, protocol = 'tcp'] = FORM.exec(text)!
  const to = bracketed(target!)!
  return {
    family: to.v6 ? 6 : 4,
    protocol: protocol as PortMapping['protocol'],
    host: host === undefined ? null : addressText(bracketed(host)!),
    hostPort: Number(hostPort),
    target: addressText(to),
    targetPort: Number(targetPort),
  }
}

/** What is wrong with it, and what to write instead; null: nothing. */
export function portMappingFault(text: string): string | null {
  const parts = FORM.exec(text)
  if (!parts) return PORT_MAPPING_WANT
  const [, host, hostPort, target, targetPort] = parts
  const to = bracketed(target!)
  const at = host === undefined ? null : bracketed(host)
  if (!to || (host !== undefined && !at)) return PORT_MAPPING_WANT
  for (const port of [hostPort!, targetPort!]) {
    if (Number(port) < 1 || Number(port) > 65535) return 'want ports of 1..65535; write such ones'
  }
  if (!isOneHost(to)) return 'want the address of one host in a network; write one like 10.42.3.7'
  if (at && !isOneHost(at)) return 'want an address of this host in front, or none; loopback addresses are not mapped'
  return at && at.v6 !== to.v6 ? 'want both addresses of one family; write two IPv4 or two IPv6 addresses' : null
}

/** As it is written; no two mappings of a host have the same first part. */
export function listensAt({ family, protocol, host, hostPort }: PortMapping): string {
  return `${host ?? (family === 4 ? '0.0.0.0' : '[::]')}:${hostPort}/${protocol}`
}

function bracketed(text: string): Cidr | null {
  const inside = /^\[(.*)\]$/.exec(text)
  const address = parseAddress(inside ? inside[1]! : text)
  return address && address.v6 === (inside !== null) ? address : null
}

function isOneHost(a: Cidr): boolean {
  const loopback = a.v6 ? a.value === 1n : a.value >> 24n === 127n
  return !isUnspecified(a) && !isMulticast(a) && !isLinkLocal6(a) && !loopback
}
