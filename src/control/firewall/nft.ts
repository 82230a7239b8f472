// The host's rules as one table of nftables, replaced whole in one transaction. `ruleset` is pure. nft(8). Cold.
import { readChains, readTable, writeNft } from '../../host/firewall.ts'
import type { PortMapping } from '../config/port-mapping.ts'
import { type HostRules, masqueradedFrom, portsOf, prefixesOf } from './host-rules.ts'

const FAMILIES = [4, 6] as const
const WORD = { 4: 'ip', 6: 'ip6' } as const
const MULTICAST = { 4: '224.0.0.0/4', 6: 'ff00::/8' } as const
const LOOPBACK = { 4: '127.0.0.0/8', 6: '::1' } as const
/** Kubernetes' kube-proxy will masquerade what it has marked so; twice is wrong on some kernels. */
const KUBE_PROXY = 'meta mark & 0x4000 == 0x4000 return'
const SNAT = 'masquerade fully-random'

/** The table, or null when there is nothing to say in it. */
export function ruleset(table: string, rules: HostRules): string | null {
  const mapped = rules.ports.length > 0
  const chains = [
    base('postrouting', 'nat hook postrouting priority srcnat', postrouting(rules)),
    base('forward', 'filter hook forward priority filter', forward(rules)),
    mapped
      ? chain(
          'mapped',
          FAMILIES.flatMap((f) => portsOf(rules, f).map(mapping)),
        )
      : '',
    base('prerouting', 'nat hook prerouting priority dstnat', mapped ? ['fib daddr type local jump mapped'] : []),
    // `dstnat` has no name at this hook.
    base('output', 'nat hook output priority -100', mapped ? FAMILIES.map(fromHere) : []),
    base('untracked-in', 'filter hook prerouting priority raw', untrackedIn(rules)),
    base('untracked-out', 'filter hook output priority raw', untrackedOut(rules)),
  ].filter((text) => text !== '')
  return chains.length === 0 ? null : `table inet ${table} {\n${chains.join('\n')}}\n`
}

/** Keeps one table. */
export class NftTable {
  readonly label = 'nftables'
  readonly where: string
  /** What events about it have in them. */
  readonly names: readonly string[]
  private readonly table: string
  private wanted: string | null = null
  /** As nft says it of what was wanted: versions differ. null: nothing is there. */
  private known: string | null = null

  constructor(table: string) {
    this.table = table
    this.where = `nft table inet ${table}`
    this.names = [table]
  }

  /** Makes the table what `rules` say. Answers whether it had been changed by others since the last time. */
  async put(rules: HostRules): Promise<boolean> {
    const wanted = ruleset(this.table, rules)
    const had = await readTable('inet', this.table)
    const damaged = had !== this.known
    if (wanted === this.wanted && !damaged) return false
    const first = this.wanted === null
    // A table that is not there cannot be deleted, one that is there can be made again: so both.
    const clear = `table inet ${this.table}\ndelete table inet ${this.table}\n`
    if (wanted !== null || had !== null) await writeNft(`${clear}${wanted ?? ''}`)
    this.known = wanted === null ? null : await readTable('inet', this.table)
    this.wanted = wanted
    return damaged && !first
  }

  async remove(): Promise<void> {
    this.known = null
    this.wanted = null
    if ((await readTable('inet', this.table)) !== null) await writeNft(`delete table inet ${this.table}\n`)
  }
}

/** Chains of others that drop what is forwarded, whatever we accept: `table FAMILY NAME, chain NAME`. */
export async function droppingChains(own: string): Promise<string[]> {
  const { nftables } = JSON.parse(await readChains()) as { nftables: { chain?: Chain }[] }
  return nftables.flatMap(({ chain }) => {
    if (chain?.hook !== 'forward' || chain.policy !== 'drop' || chain.table === own) return []
    return [`table ${chain.family} ${chain.table}, chain ${chain.name}`]
  })
}

interface Chain {
  readonly family: string
  readonly table: string
  readonly name: string
  readonly hook?: string
  readonly policy?: string
}

function base(name: string, hook: string, rules: readonly string[]): string {
  return rules.length === 0 ? '' : chain(name, [`type ${hook}; policy accept;`, ...rules])
}

function chain(name: string, lines: readonly string[]): string {
  return `\tchain ${name} {\n${lines.map((line) => `\t\t${line}\n`).join('')}\t}\n`
}

// The first rule that fits decides. What stays as it is goes first for all networks, since one's source may be another's
// destination.
function postrouting(rules: HostRules): string[] {
  const mapped = FAMILIES.flatMap((f) => portsOf(rules, f).map((m) => answerable(m, rules)))
  const families = FAMILIES.filter((f) => rules.masquerade && prefixesOf(rules, f).length > 0)
  if (families.length === 0) return mapped
  return [
    ...mapped,
    KUBE_PROXY,
    ...families.flatMap((f) => kept(rules, f)),
    ...families.flatMap((f) => changed(rules, f)),
  ]
}

function kept(rules: HostRules, family: 4 | 6): string[] {
  const ip = WORD[family]
  return prefixesOf(rules, family).flatMap(({ cidr, own, flat }) => [
    ...(flat ? [`${ip} saddr ${cidr} ${ip} daddr ${cidr} return`] : []),
    ...own.flatMap((p) => [
      ...(flat ? [] : [`${ip} saddr ${p} ${ip} daddr ${cidr} return`, `${ip} saddr ${cidr} ${ip} daddr ${p} return`]),
      `${ip} saddr != ${cidr} ${ip} daddr ${p} return`,
    ]),
  ])
}

function changed(rules: HostRules, family: 4 | 6): string[] {
  const ip = WORD[family]
  return prefixesOf(rules, family).flatMap(({ cidr }) => [
    `${ip} saddr ${cidr} ${ip} daddr != ${MULTICAST[family]} ${SNAT}`,
    `${ip} saddr != ${cidr} ${ip} daddr ${cidr} ${SNAT}`,
  ])
}

function forward(rules: HostRules): string[] {
  const prefixes = FAMILIES.flatMap((f) => prefixesOf(rules, f).map(({ cidr }) => [WORD[f], cidr] as const))
  const accepted = [
    ...prefixes.flatMap(([ip, cidr]) => [`${ip} saddr ${cidr} accept`, `${ip} daddr ${cidr} accept`]),
    ...rules.interfaces.flatMap((name) => [`iifname "${name}" accept`, `oifname "${name}" accept`]),
  ]
  const mapped = rules.ports.flatMap(({ family, protocol, target, targetPort }) => [
    `ct status dnat ${WORD[family]} daddr ${target} ${protocol} dport ${targetPort} accept`,
    `ct status dnat ${WORD[family]} saddr ${target} ${protocol} sport ${targetPort} accept`,
  ])
  return [...(rules.forward ? accepted : []), ...mapped]
}

function mapping({ family, protocol, host, hostPort, target, targetPort }: PortMapping): string {
  const to = family === 6 ? `[${target}]` : target
  const at = host === null ? `meta nfproto ipv${family}` : `${WORD[family]} daddr ${host}`
  return `${at} ${protocol} dport ${hostPort} dnat ${WORD[family]} to ${to}:${targetPort}`
}

// Loopback addresses stay with who listens there: packets from them cannot leave the host.
function fromHere(family: 4 | 6): string {
  return `${WORD[family]} daddr != ${LOOPBACK[family]} fib daddr type local jump mapped`
}

function answerable(m: PortMapping, rules: HostRules): string {
  const ip = WORD[m.family]
  const source = masqueradedFrom(m, rules)
  const from = source === null ? '' : `${ip} saddr ${source} `
  const to = `${ip} daddr ${m.target} ${m.protocol} dport ${m.targetPort}`
  return `ct status dnat ${from}${to} ct original proto-dst ${m.hostPort} ${SNAT}`
}

function untrackedIn({ untracked: { own } }: HostRules): string[] {
  return own.map((port) => `fib daddr type local udp dport ${port} notrack`)
}

function untrackedOut({ untracked: { own, far } }: HostRules): string[] {
  return [
    ...own.map((port) => `fib saddr type local udp sport ${port} notrack`),
    ...far.map((port) => `fib saddr type local udp dport ${port} notrack`),
  ]
}
