// What comes in, hand-made by scapy: an independent writer of RFC 7348 and RFC 6040.
//
//   a vtepd vt42 10.42.0.1/24, VNI 42, on 198.18.0.1 and fd00::1 ──── 198.18.0.2, fd00::2 b: python3-scapy
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type LabAgent, startAgent } from '../../src/lab/agent.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { configuration, drops, fdbOf, networkOf, status, until } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'

interface Case {
  src?: string
  dst?: string
  vni?: number
  flags?: number
  r1?: number
  r2?: number
  tos?: number
  csum?: number
  inner?: string
  raw?: string
}

const ADDRESSES = { src: '198.18.0.2', dst: '198.18.0.1' }
const BROADCAST = 'ffffffffffff'

let lab: Lab
let a: Host
let b: Host
let agent: LabAgent

/** An ARP request from a station, whose MAC ends with `n`. */
function arp(n: number, tag = ''): string {
  const mac = `0200000000${n.toString(16).padStart(2, '0')}`
  return `${BROADCAST}${mac}${tag}08060001080006040001${mac}0a2a0063000000000000${'0a2a0001'}`
}

/** An IPv4 packet to our device that nobody answers: protocol 253 (RFC 3692), with the ECN bits given. */
function ipv4(mac: string, ecn: number): string {
  const head = [0x45, ecn, 0, 24, 0, 1, 0, 0, 64, 253, 0, 0, 10, 42, 0, 99, 10, 42, 0, 1]
  let sum = 0
  for (let k = 0; k < 20; k += 2) sum += (head[k]! << 8) | head[k + 1]!
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16)
  head[10] = (~sum >> 8) & 255
  head[11] = ~sum & 255
  return `${mac.replaceAll(':', '')}0200000000500800${Buffer.from(head).toString('hex')}01020304`
}

async function send(...cases: Case[]): Promise<void> {
  const lines = cases.map((c) => JSON.stringify({ ...ADDRESSES, vni: 42, ...c }))
  const child = b.spawn(['/usr/bin/python3', new URL('../support/craft.py', import.meta.url).pathname], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let said = ''
  child.stdout!.on('data', (text) => {
    said += text
  })
  child.stderr!.on('data', (text) => {
    said += text
  })
  child.stdin!.end(`${lines.join('\n')}\n`)
  await new Promise((resolve) => child.once('close', resolve))
  expect(said).toContain('sent')
}

/** Frames that reached a device, of all networks. */
async function received(): Promise<number> {
  return (await status(agent)).networks.reduce((n, { rxPackets }) => n + rxPackets, 0)
}

/** Sends, and expects these drops and this many frames at the device, and nothing else. */
async function expectOutcome(cases: Case[], dropped: Record<string, number>, delivered = 0): Promise<void> {
  const before = { drops: await drops(agent), rx: await received() }
  await send(...cases)
  const want = { ...dropped, delivered }
  const outcome = async (): Promise<Record<string, number>> => {
    const now = await drops(agent)
    const entries = Object.entries(now).map(([reason, n]) => [reason, n - (before.drops[reason] ?? 0)] as const)
    return {
      ...Object.fromEntries(entries.filter(([, n]) => n !== 0)),
      delivered: (await received()) - before.rx,
    }
  }
  const total = Object.values(want).reduce((x, y) => x + y, 0)
  const got = await until('the outcome', outcome, (o) => Object.values(o).reduce((x, y) => x + y, 0) >= total)
  expect(got).toEqual(want)
}

beforeAll(async () => {
  if (process.geteuid?.() !== 0) return
  lab = new Lab()
  a = await lab.host('a')
  b = await lab.host('b')
  await lab.connect([
    { host: a, addresses: ['198.18.0.1/24', 'fd00::1/64'] },
    { host: b, addresses: ['198.18.0.2/24', '198.18.0.3/24', 'fd00::2/64'] },
  ])
  agent = await startAgent(
    a,
    configuration({
      underlay: ['198.18.0.1', 'fd00::1'],
      networks: {
        blue: { vni: 42, address: '10.42.0.1/24' },
        tagged: { vni: 43, innerVlan: 'keep', macLimit: 2 },
      },
      peers: { four: '198.18.0.2', six: 'fd00::2' },
    }),
  )
})

afterAll(() => lab?.close())

describeRoot('what comes in', () => {
  it('is taken with any reserved bits and fields (VX6)', () =>
    expectOutcome([{ flags: 0xff, r1: 0xffffff, r2: 0xff, inner: arp(1) }, { inner: arp(1) }], {}, 2))

  it('is dropped without the I flag (VX7), for unknown VNIs (VX21), and when it is cut short', () =>
    expectOutcome(
      [
        { flags: 0xf7, inner: arp(1) },
        { vni: 4242, inner: arp(1) },
        { vni: 0xffffff, inner: arp(1) },
        { raw: '' },
        { raw: '08' },
        { raw: '0800000000002a00' },
        { raw: `0800000000002a00${arp(1).slice(0, 26)}` },
      ],
      { 'vxlan-no-vni': 1, 'vxlan-unknown-vni': 2, truncated: 4 },
    ))

  it('is dropped from senders that are no peers (VX29)', () =>
    expectOutcome([{ src: '198.18.0.3', inner: arp(1) }], { 'vxlan-unknown-vtep': 1 }))

  it('is taken without UDP checksum over IPv4 (VX14), and not over IPv6 (ZC3) or when it is wrong (VX16)', () =>
    expectOutcome(
      [
        { csum: 0x1234, inner: arp(2) },
        { src: 'fd00::2', dst: 'fd00::1', csum: 0, inner: arp(2) },
        { src: 'fd00::2', dst: 'fd00::1', inner: arp(3) },
        { csum: 0, inner: arp(2) },
      ],
      {},
      2,
    ))

  it('is dropped with a VLAN tag unless the network keeps them (VX17)', () =>
    expectOutcome(
      [
        { inner: arp(1, '81000007') },
        { inner: arp(1, '88a80007') },
        { vni: 43, inner: arp(4, '81000007') },
        { inner: arp(1) },
      ],
      { 'inner-vlan-tag': 2 },
      2,
    ))

  it('teaches who is where, but not groups and not beyond the limit', async () => {
    await expectOutcome(
      [
        { vni: 43, inner: arp(4) },
        { vni: 43, inner: arp(5) },
        { vni: 43, inner: arp(6) },
        { vni: 43, inner: arp(4).replace('020000000004', '030000000004') },
      ],
      { 'mac-limit': 1 },
      3,
    )
    const learned = (await fdbOf(agent)).filter((e) => e.vni === 43).map((e) => e.mac)
    expect(learned.sort()).toEqual(['02:00:00:00:00:04', '02:00:00:00:00:05'])
  })

  it('is dropped with our own MAC as its source, and the log names the sender', async () => {
    const mac = (await networkOf(agent, 'blue')).mac!.replaceAll(':', '')
    await expectOutcome([{ inner: arp(1).replaceAll('020000000001', mac) }], { 'own-mac': 1 })
    await until(
      'the log',
      () => agent.stderr,
      (log) => log.includes('198.18.0.2 sends frames with our own MAC'),
    )
  })

  it('has its ECN combined by the table of RFC 6040 (VX30, EC4)', async () => {
    const mac = (await networkOf(agent, 'blue')).mac!
    // Rows: inner Not-ECT, ECT(1), ECT(0), CE as bits 0 1 2 3; columns: outer bits 0 1 2 3. null: dropped.
    const table = [
      [0, 0, 0, null],
      [1, 1, 1, 3],
      [2, 1, 2, 3],
      [3, 3, 3, 3],
    ]
    const reader = a.spawn(['tcpdump', '-U', '-n', '-l', '-v', '-c', '15', '-i', 'vt42', 'ip', 'proto', '253'])
    let seen = ''
    reader.stdout!.on('data', (text) => {
      seen += text
    })
    let ready = ''
    reader.stderr!.on('data', (text) => {
      ready += text
    })
    await until(
      'tcpdump',
      () => ready,
      (text) => text.includes('listening on'),
    )
    const cases = table.flatMap((row, inner) => row.map((_, outer) => ({ tos: outer, inner: ipv4(mac, inner) })))
    await expectOutcome(cases, { 'ecn-ce-on-not-ect': 1 }, 15)
    await until(
      '15 packets',
      () => seen,
      (text) => (text.match(/tos 0x/g) ?? []).length === 15,
    )
    const tos = [...seen.matchAll(/tos 0x([0-9a-f]+)/g)].map(([, hex]) => Number.parseInt(hex!, 16))
    expect(tos).toEqual(table.flat().filter((x) => x !== null))
    expect(seen).not.toContain('bad cksum')
  })
}, ['tcpdump'])
