// The host's rules as chains of iptables: flannel's own, by its names, text and order, so that who knows those finds them here,
// and ours for what flannel has not. Pure; iptables(8), iptables-extensions(8). Cold.

import type { PortMapping } from '../config/port-mapping.ts'
import { type HostRules, masqueradedFrom, portsOf, prefixesOf } from './host-rules.ts'

export const TABLES = ['raw', 'nat', 'filter'] as const
export type Table = (typeof TABLES)[number]

export interface WantedTable {
  /** Name → its rules, without `-A NAME`. */
  readonly chains: ReadonlyMap<string, readonly string[]>
  /** The kernel's chains' rules that lead into ours, without `-A`. */
  readonly jumps: readonly string[]
}

const MULTICAST = { 4: '224.0.0.0/4', 6: 'ff00::/8' } as const
const LOOPBACK = { 4: '127.0.0.0/8', 6: '::1/128' } as const
const MASQ = '-m comment --comment "flanneld masq"'
const FORWARD = '-m comment --comment "flanneld forward"'
const PORTS = '-m comment --comment "vtepd ports"'
const NOTRACK = '-m comment --comment "vtepd notrack"'
const HERE = '-m addrtype --dst-type LOCAL'
const FROM_HERE = '-m addrtype --src-type LOCAL'
const SNAT = '-j MASQUERADE --random-fully'

export interface Names {
  /** An empty chain that says whose the others are, where the names alone do not. */
  readonly mark: string | null
  readonly masquerade: string
  readonly forward: string
  readonly mapped: string
  readonly answers: string
  readonly passed: string
  readonly untrackedIn: string
  readonly untrackedOut: string
}

/** `id`: of the agent, 8 characters. `shared`: flannel's names, which one agent of a namespace can have. */
export function chainNames(id: string, shared: boolean): Names {
  const end = shared ? '' : `-${id}`
  return {
    mark: shared ? `VTEPD-${id}` : null,
    masquerade: `FLANNEL-POSTRTG${end}`,
    forward: `FLANNEL-FWD${end}`,
    mapped: `VTEPD-PORTS${end}`,
    answers: `VTEPD-POSTRTG${end}`,
    passed: `VTEPD-FWD${end}`,
    untrackedIn: `VTEPD-NOTRACK-IN${end}`,
    untrackedOut: `VTEPD-NOTRACK-OUT${end}`,
  }
}

/** Whether a chain's name is one of a mark. */
export function isMark(name: string): boolean {
  return /^VTEPD-[0-9a-f]{8}$/.test(name)
}

/** Tables in which nothing is wanted are left out. */
export function wantedTables(rules: HostRules, family: 4 | 6, names: Names): Map<Table, WantedTable> {
  const found = new Map<Table, WantedTable>()
  for (const table of TABLES) {
    const parts = partsOf[table](rules, family, names).filter((part) => part.rules.length > 0)
    if (parts.length === 0) continue
    const chains = new Map<string, readonly string[]>(names.mark === null ? [] : [[names.mark, []]])
    for (const { chain, rules: own } of parts) chains.set(chain, own)
    found.set(table, { chains, jumps: parts.flatMap((part) => part.jumps) })
  }
  return found
}

interface Part {
  readonly chain: string
  readonly rules: readonly string[]
  readonly jumps: readonly string[]
}

const partsOf: Record<Table, (rules: HostRules, family: 4 | 6, names: Names) => Part[]> = {
  raw: (rules, family, names) => [
    {
      chain: names.untrackedIn,
      rules: untracked(rules, family, ({ own }) => own.map((port) => `--dport ${port} ${HERE}`)),
      jumps: [`PREROUTING ${NOTRACK} -j ${names.untrackedIn}`],
    },
    {
      chain: names.untrackedOut,
      rules: untracked(rules, family, ({ own, far }) => [
        ...own.map((port) => `--sport ${port} ${FROM_HERE}`),
        ...far.map((port) => `--dport ${port} ${FROM_HERE}`),
      ]),
      jumps: [`OUTPUT ${NOTRACK} -j ${names.untrackedOut}`],
    },
  ],
  nat: (rules, family, names) => [
    {
      chain: names.mapped,
      rules: portsOf(rules, family).map(mapping),
      jumps: [
        `PREROUTING ${HERE} ${PORTS} -j ${names.mapped}`,
        // Loopback addresses stay with who listens there: packets from them cannot leave the host.
        `OUTPUT ! -d ${LOOPBACK[family]} ${HERE} ${PORTS} -j ${names.mapped}`,
      ],
    },
    {
      chain: names.answers,
      rules: portsOf(rules, family).map((m) => answerable(m, rules)),
      jumps: [`POSTROUTING ${PORTS} -j ${names.answers}`],
    },
    {
      chain: names.masquerade,
      rules: masquerading(rules, family),
      jumps: [`POSTROUTING ${MASQ} -j ${names.masquerade}`],
    },
  ],
  filter: (rules, family, names) => [
    {
      chain: names.passed,
      rules: portsOf(rules, family).flatMap(passed),
      jumps: [`FORWARD ${PORTS} -j ${names.passed}`],
    },
    {
      chain: names.forward,
      rules: rules.forward ? forwarding(rules, family) : [],
      jumps: [`FORWARD ${FORWARD} -j ${names.forward}`],
    },
  ],
}

// flannel's order. What stays as it is goes first for all networks, since one's source may be another's destination.
function masquerading(rules: HostRules, family: 4 | 6): string[] {
  const prefixes = prefixesOf(rules, family)
  if (!rules.masquerade || prefixes.length === 0) return []
  const kept = prefixes.flatMap(({ cidr, own, flat }) => [
    ...(flat ? [`-s ${cidr} -d ${cidr} ${MASQ} -j RETURN`] : []),
    ...own.flatMap((p) => [
      ...(flat ? [] : [`-s ${p} -d ${cidr} ${MASQ} -j RETURN`, `-s ${cidr} -d ${p} ${MASQ} -j RETURN`]),
      `! -s ${cidr} -d ${p} ${MASQ} -j RETURN`,
    ]),
  ])
  const changed = prefixes.flatMap(({ cidr }) => [
    `-s ${cidr} ! -d ${MULTICAST[family]} ${MASQ} ${SNAT}`,
    `! -s ${cidr} -d ${cidr} ${MASQ} ${SNAT}`,
  ])
  // Kubernetes' kube-proxy will masquerade what it has marked so; twice is wrong on some kernels.
  return [`-m mark --mark 0x4000/0x4000 ${MASQ} -j RETURN`, ...kept, ...changed]
}

function forwarding(rules: HostRules, family: 4 | 6): string[] {
  return [
    ...prefixesOf(rules, family).flatMap(({ cidr }) => [
      `-s ${cidr} ${FORWARD} -j ACCEPT`,
      `-d ${cidr} ${FORWARD} -j ACCEPT`,
    ]),
    ...rules.interfaces.flatMap((name) => [`-i ${name} ${FORWARD} -j ACCEPT`, `-o ${name} ${FORWARD} -j ACCEPT`]),
    ...rules.bridgeable.flatMap((name) => [
      `-m physdev --physdev-in ${name} ${FORWARD} -j ACCEPT`,
      `-m physdev --physdev-out ${name} --physdev-is-bridged ${FORWARD} -j ACCEPT`,
    ]),
  ]
}

function mapping({ family, protocol, host, hostPort, target, targetPort }: PortMapping): string {
  const at = host === null ? '' : `-d ${alone(host)} `
  const to = family === 6 ? `[${target}]` : target
  return `${at}-p ${protocol} -m ${protocol} --dport ${hostPort} ${PORTS} -j DNAT --to-destination ${to}:${targetPort}`
}

function answerable(m: PortMapping, rules: HostRules): string {
  const source = masqueradedFrom(m, rules)
  const from = source === null ? '' : `-s ${source} `
  const to = `-d ${alone(m.target)} -p ${m.protocol} -m ${m.protocol} --dport ${m.targetPort}`
  return `${from}${to} -m conntrack --ctstate DNAT --ctorigdstport ${m.hostPort} ${PORTS} ${SNAT}`
}

function passed({ protocol, target, targetPort }: PortMapping): string[] {
  const of = `-p ${protocol} -m ${protocol}`
  const mapped = `-m conntrack --ctstate DNAT ${PORTS} -j ACCEPT`
  return [
    `-d ${alone(target)} ${of} --dport ${targetPort} ${mapped}`,
    `-s ${alone(target)} ${of} --sport ${targetPort} ${mapped}`,
  ]
}

function untracked(rules: HostRules, _family: 4 | 6, ports: (untracked: HostRules['untracked']) => string[]): string[] {
  return ports(rules.untracked).map((port) => `-p udp -m udp ${port} ${NOTRACK} -j CT --notrack`)
}

function alone(address: string): string {
  return `${address}/${address.includes(':') ? 128 : 32}`
}
