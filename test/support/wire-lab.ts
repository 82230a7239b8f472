// An agent whose other end is scapy, a frame at a time:
//
//   a: vt42, vt43, vt44 (TAP) ─ agent ─ eth0 198.18.0.1, fd00:18::1 ──── eth0 198.18.0.2, fd00:18::2 :w scapy
//      scapy listens there too
//
// blue 42 has the defaults; grey 43 innerVlan keep, dscp inherit, udpChecksum off; green 44 dscp 46, ecn off, sourcePort
// fixed, accept 198.18.0.64/26. eth0 has no offloads, so that every frame on it is one, with its checksum.
import { type LabAgent, startAgent } from '../../src/lab/agent.ts'
import { Lab } from '../../src/lab/lab.ts'
import { configuration } from './overlay.ts'
import { scapyPython, Wire } from './wire.ts'

export const HERE = { mac: '02:aa:00:00:00:01', ipv4: '198.18.0.1', ipv6: 'fd00:18::1' }
export const THERE = { mac: '02:aa:00:00:00:02', ipv4: '198.18.0.2', ipv6: 'fd00:18::2' }
export const DEVICES = ['vt42', 'vt43', 'vt44'] as const
const OFF = ['tx', 'off', 'rx', 'off', 'gso', 'off', 'gro', 'off', 'tso', 'off']

export interface WireLab {
  readonly lab: Lab
  readonly agent: LabAgent
  /** On the agent's host, at its devices. */
  readonly inside: Wire
  /** At the far end of the wire. */
  readonly outside: Wire
}

export async function wireLab(): Promise<WireLab> {
  const lab = new Lab()
  const [a, w] = [await lab.host('a'), await lab.host('w')]
  await lab.connect([
    { host: a, addresses: [`${HERE.ipv4}/24`, `${HERE.ipv6}/64`] },
    { host: w, addresses: [`${THERE.ipv4}/24`, `${THERE.ipv6}/64`] },
  ])
  for (const [host, { mac }] of [[a, HERE] as const, [w, THERE] as const]) {
    await host.ip('link', 'set', 'eth0', 'address', mac)
    await host.run(['ethtool', '-K', 'eth0', ...OFF])
  }
  const networks = {
    blue: { vni: 42 },
    grey: { vni: 43, innerVlan: 'keep', dscp: 'inherit', udpChecksum: 'off' },
    green: { vni: 44, dscp: 46, ecn: 'off', sourcePort: 'fixed', accept: ['198.18.0.64/26'] },
  }
  const peers = { w4: THERE.ipv4, w6: { endpoint: THERE.ipv6, networks: ['blue', 'green'] } }
  const agent = await startAgent(a, configuration({ underlay: [HERE.ipv4, HERE.ipv6], networks, peers }))
  const python = scapyPython()!
  const [inside, outside] = [new Wire(a, python), new Wire(w, python)]
  for (const device of DEVICES) await inside.listen(device)
  await outside.listen('eth0')
  return { lab, agent, inside, outside }
}

export interface Outer {
  readonly from?: string
  readonly v6?: boolean
  readonly sport?: number
  readonly dport?: number
  readonly tos?: number
  /** Instead of the right checksum. */
  readonly checksum?: number
}

/** scapy's expression of a datagram with these bytes (hex), then `inner`, for the agent. */
export function datagram(header: string, inner: string | null, outer: Outer = {}): string {
  const { v6 = false, from, sport = 50000, dport = 4789, tos = 0, checksum } = outer
  const ether = `Ether(dst='${HERE.mac}',src='${THERE.mac}')`
  const ip = v6
    ? `IPv6(src='${from ?? THERE.ipv6}',dst='${HERE.ipv6}',tc=${tos})`
    : `IP(src='${from ?? THERE.ipv4}',dst='${HERE.ipv4}',tos=${tos})`
  const udp = `UDP(sport=${sport},dport=${dport}${checksum === undefined ? '' : `,chksum=${checksum}`})`
  const payload = `Raw(bytes.fromhex('${header}'))${inner === null ? '' : `/${inner}`}`
  return `${ether}/${ip}/${udp}/${payload}`
}

/** A VXLAN header in hex: flags I alone and nothing reserved, unless given. */
export function vxlan(vni: number, flags = 0x08, reserved = 0, last = 0): string {
  const byte = (value: number, digits: number): string => value.toString(16).padStart(digits, '0')
  return byte(flags, 2) + byte(reserved, 6) + byte(vni, 6) + byte(last, 2)
}

let marks = 0

/** Eight bytes, in hex, that nothing else on any wire has. */
export function mark(): string {
  marks++
  return Buffer.from(`\xfe\xed\xfa\xce`, 'latin1').toString('hex') + marks.toString(16).padStart(8, '0')
}

/** scapy's expression of such bytes. */
export function marked(bytes: string): string {
  return `Raw(bytes.fromhex('${bytes}'))`
}
