// What goes out, read by tshark: an independent reader of RFC 7348.
//
//   a vtepd vt42 10.42.0.1/24, VNI 42 ──── b: tshark on its eth0, and a peer that hears nothing
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { type LabAgent, startAgent } from '../../src/lab/agent.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { configuration, type Keys, until } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'

/** One line a datagram. */
const FIELDS = ['ip.flags.df', 'ip.dsfield', 'udp.srcport', 'udp.checksum.status', 'vxlan.flags', 'vxlan.vni']
const INNER = ['eth.src', 'frame.len', 'udp.dstport']

let lab: Lab | null = null

afterEach(async () => {
  await lab?.close()
  lab = null
})

interface Seen {
  readonly fields: string[]
}

async function hosts(): Promise<[Host, Host]> {
  lab = new Lab()
  const a = await lab.host('a')
  const b = await lab.host('b')
  await lab.connect([
    { host: a, addresses: ['198.18.0.1/24'] },
    { host: b, addresses: ['198.18.0.2/24'] },
  ])
  // As on a wire: datagrams one by one, checksums finished.
  await a.run(['ethtool', '-K', 'eth0', 'tx', 'off'])
  return [a, b]
}

/**
 * Repeats `traffic` until tshark on b has seen what is `enough` of the flows to `ports`, and answers with that. Repeats, since tshark
 * announces itself a moment before it hears; what the kernel says by itself is of no such flow.
 */
async function watch(
  b: Host,
  ports: readonly number[],
  traffic: () => Promise<void>,
  enough: (seen: readonly Seen[]) => boolean,
): Promise<Seen[]> {
  const fields = [...FIELDS, ...INNER].flatMap((f) => ['-e', f])
  const options = ['-n', '-l', '-o', 'udp.check_checksum:TRUE', '-T', 'fields', '-E', 'occurrence=a']
  const reader = b.spawn(['tshark', '-i', 'eth0', '-f', 'udp dst port 4789', ...options, ...fields])
  const closed = new Promise((resolve) => reader.once('close', resolve))
  let out = ''
  reader.stdout!.on('data', (text) => {
    out += text
  })
  // Whole lines only: the last one may still be on its way.
  const seen = (): Seen[] =>
    out
      .split('\n')
      .slice(0, -1)
      .map((line) => ({ fields: line.split('\t') }))
      .filter((one) => ports.includes(innerPort(one)))
  const sendAndLook = async (): Promise<Seen[]> => {
    await traffic()
    return seen()
  }
  const all = await until('what tshark sees', sendAndLook, enough, 30_000)
  reader.kill('SIGTERM')
  await closed
  return all
}

/** Sends one datagram from a's overlay address to each port of a host that is not there but has a MAC. */
async function sendTo(a: Host, ports: number[], tos = 0): Promise<void> {
  const script = `
    import socket, sys
    for port in sys.argv[2:]:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, int(sys.argv[1]))
        s.bind(('10.42.0.1', 4000))
        s.sendto(b'x' * 100, ('10.42.0.2', int(port)))
        s.close()`.replace(/^ {4}/gm, '')
  await a.run(['/usr/bin/python3', '-c', script, String(tos), ...ports.map(String)])
}

function file(network: Keys): Keys {
  return configuration({
    underlay: '198.18.0.1',
    networks: { blue: { vni: 0xabcdef, interface: 'vt42', address: '10.42.0.1/24', ...network } },
    peers: { b: '198.18.0.2' },
  })
}

async function agentOn(a: Host, network: Keys = {}): Promise<LabAgent> {
  const agent = await startAgent(a, file(network))
  await a.ip('neigh', 'replace', '10.42.0.2', 'lladdr', '02:00:00:00:00:02', 'dev', 'vt42')
  return agent
}

/** Inner UDP destination port, NaN without one: it tells our flows from what the kernel says by itself. */
function innerPort({ fields }: Seen): number {
  return Number(fields.at(-1)!.split(',')[1] ?? Number.NaN)
}

/** The first of a field's occurrences is the outer one. */
function outer({ fields }: Seen, name: string): string {
  return fields[[...FIELDS, ...INNER].indexOf(name)]!.split(',')[0]!
}

describeRoot('what goes out', () => {
  it('is VXLAN as RFC 7348 has it (VX1, VX4, VX5, VX8, VX9, VX15), a port for each flow (VX11, VX12)', async () => {
    const [a, b] = await hosts()
    await agentOn(a)
    const ports = Array.from({ length: 40 }, (_, k) => 5000 + k)
    // Each flow several times: a port is a flow's only if it stays.
    const several = (seen: readonly Seen[]): boolean =>
      ports.every((port) => seen.filter((one) => innerPort(one) === port).length >= 3)
    const seen = await watch(b, ports, () => sendTo(a, ports), several)
    const flows = new Map<string, Set<string>>()
    for (const one of seen) {
      expect(outer(one, 'ip.flags.df')).toMatch(/1|True/)
      expect(outer(one, 'udp.dstport')).toBe('4789')
      expect(outer(one, 'udp.checksum.status')).toBe('1')
      expect(Number(outer(one, 'vxlan.flags'))).toBe(0x0800)
      expect(Number(outer(one, 'vxlan.vni'))).toBe(0xabcdef)
      const source = Number(outer(one, 'udp.srcport'))
      expect(source).toBeGreaterThanOrEqual(49152)
      const inner = String(innerPort(one))
      flows.set(inner, (flows.get(inner) ?? new Set()).add(String(source)))
    }
    expect(flows.size).toBe(40)
    for (const sources of flows.values()) expect(sources.size).toBe(1)
    const distinct = new Set([...flows.values()].map((s) => [...s][0]))
    expect(distinct.size).toBeGreaterThan(10)
  })

  it('carries the DSCP that is asked for and the inner ECN (EC1), or neither (EC2)', async () => {
    for (const [network, tos, want] of [
      [{}, 0xba, '0x02'],
      [{ dscp: 'inherit' }, 0xba, '0xba'],
      [{ dscp: 46, ecn: 'off' }, 0x03, '0xb8'],
    ] as const) {
      const [a, b] = await hosts()
      await agentOn(a, network)
      const ports = [5000, 5001, 5002]
      const seen = await watch(
        b,
        ports,
        () => sendTo(a, ports, tos),
        (all) => all.length >= 6,
      )
      for (const one of seen) expect(outer(one, 'ip.dsfield')).toBe(want)
      await lab?.close()
    }
  })

  it('comes from the one port when that is asked for, without checksum when that is', async () => {
    const [a, b] = await hosts()
    await agentOn(a, { sourcePort: 'fixed', udpChecksum: 'off' })
    const ports = [5000, 5001]
    const seen = await watch(
      b,
      ports,
      () => sendTo(a, ports),
      (all) => all.length >= 4,
    )
    for (const one of seen) {
      expect(outer(one, 'udp.srcport')).toBe('4789')
      expect(outer(one, 'udp.checksum.status')).not.toBe('0')
    }
  })

  it('gets its checksum and loses it by reload, also from the one port', async () => {
    const [a, b] = await hosts()
    const agent = await agentOn(a, { sourcePort: 'fixed' })
    const ports = [5000, 5001]
    for (const udpChecksum of ['off', 'on']) {
      const config = { node: a.name, ...file({ sourcePort: 'fixed', udpChecksum }) }
      writeFileSync(join(agent.runtimeDir, 'vtepd.yaml'), JSON.stringify(config))
      await agent.reload()
      const seen = await watch(
        b,
        ports,
        () => sendTo(a, ports),
        (all) => all.length >= 4,
      )
      // tshark: 1 right, 3 there is none.
      for (const one of seen) expect(outer(one, 'udp.checksum.status')).toBe(udpChecksum === 'on' ? '1' : '3')
    }
  })
}, ['tshark'])
