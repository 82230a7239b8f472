// What is on the wire between two agents of secure networks, read by tshark: an independent reader of WireGuard. With the private key
// of one host it reads who began, and when.
//
//   a: agent, vt42 (TAP) 10.42.0.1 fd00:42::1, vt43 (TUN) 10.43.0.1 ─ eth0 198.18.0.1, fd00:18::1 ─┐
//   b: the same with .2, ::2                                        ─ eth0 198.18.0.2, fd00:18::2 ─┘ tcpdump on b
//
// eth0 has no offloads, so that every frame on it is one datagram with its checksum.
import type { ChildProcess } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startAgent } from '../../src/lab/agent.ts'
import { finish, start } from '../../src/lab/command.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { networkOf, reaches, until } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { type Pair, pair, secureConfiguration } from '../support/secure.ts'
import { transferTcp } from '../support/transfer.ts'

const OFF = ['tx', 'off', 'rx', 'off', 'gso', 'off', 'gro', 'off', 'tso', 'off']
/** In every ping: 16 bytes that nothing else has. */
const MARK = 'c0ffee5eed0ddba11fa7edbeefcafe42'
const FIELDS = [
  ...['wg.type', 'wg.reserved', 'wg.sender', 'wg.receiver', 'wg.counter', 'wg.mac2', 'wg.static', 'wg.receiver_pubkey'],
  ...['wg.timestamp.nanoseconds', 'wg.bad_packet_length', 'udp.length', 'udp.checksum.status', 'frame.time_relative'],
  ...['ip.src', 'ip.dsfield', 'ip.flags.df', 'ip.frag_offset', 'ipv6.src', 'ipv6.tclass', 'ipv6.nxt'],
] as const
type Row = Record<(typeof FIELDS)[number], string>

const FAMILIES = { IPv4: ['198.18.0.1', '198.18.0.2'], IPv6: ['fd00:18::1', 'fd00:18::2'] } as const
const [INITIATION, RESPONSE, TRANSPORT] = ['1', '2', '4']

describeRoot('on the wire', () => {
  describe.each(Object.entries(FAMILIES))('over %s', (family, ends) => {
    let lab: Lab
    let keys: [Pair, Pair]
    let file: string
    let macs: string[]
    let rows: Row[]

    const tosOf = (row: Row): number => Number(family === 'IPv4' ? row['ip.dsfield'] : row['ipv6.tclass'])
    const sourceOf = (row: Row): string => (family === 'IPv4' ? row['ip.src'] : row['ipv6.src'])
    const of = (type: string): Row[] => rows.filter((row) => row['wg.type'] === type)

    beforeAll(async () => {
      lab = new Lab()
      const [a, b] = [await lab.host('a'), await lab.host('b')]
      keys = [pair(), pair()]
      file = join(lab.dir, 'wire.pcap')
      await lab.connect(
        [a, b].map((host, i) => ({ host, addresses: [`198.18.0.${i + 1}/24`, `fd00:18::${i + 1}/64`] })),
      )
      for (const host of [a, b]) await host.run(['ethtool', '-K', 'eth0', ...OFF])
      const reader = await capture(b, file)
      const agents = []
      for (const [i, host] of [a, b].entries()) {
        const [n, m] = [i + 1, 2 - i]
        const networks = {
          blue: { vni: 42, address: [`10.42.0.${n}/24`, `fd00:42::${n}/64`] },
          red: { vni: 43, device: 'tun', address: `10.43.0.${n}/24` },
        }
        const places = { blue: {}, red: { allowedIps: [`10.43.0.${m}/32`] } }
        const peers = { other: { endpoint: ends[1 - i], publicKey: keys[1 - i]!.public, networks: places } }
        agents.push(await startAgent(host, secureConfiguration(host, keys[i]!, { networks, peers })))
      }
      await reaches(a, '10.42.0.2', 'fd00:42::2', '10.43.0.2')
      // DSCP EF with each of the four ECN values.
      for (const tos of ['0xb8', '0xb9', '0xba', '0xbb']) await talk(a, tos, '10.42.0.2', '10.43.0.2', 'fd00:42::2')
      await transferTcp({ from: a, to: b, address: '10.42.0.2' }, 300_000)
      macs = await Promise.all(agents.map(async (agent) => (await networkOf(agent, 'blue')).mac!))
      await stop(reader)
      rows = await read(lab, file, keys[1])
    })
    afterAll(() => lab?.close())

    it('everything between the two is WireGuard, each type in its length, reserved bytes zero', () => {
      expect(new Set(rows.map((row) => row['wg.type']))).toEqual(new Set([INITIATION, RESPONSE, TRANSPORT]))
      for (const row of rows) {
        expect(row['wg.reserved']).toBe('000000')
        expect(row['wg.bad_packet_length']).toBe('')
      }
      const lengths = (type: string): Set<number> => new Set(of(type).map((row) => Number(row['udp.length']) - 8))
      expect(lengths(INITIATION)).toEqual(new Set([148]))
      expect(lengths(RESPONSE)).toEqual(new Set([92]))
      expect(Math.min(...lengths(TRANSPORT))).toBeGreaterThanOrEqual(32)
      expect(rows.every((row) => row['udp.checksum.status'] === '1')).toBe(true)
    })

    it('who began is sealed for the other one, whose key opens it; timestamps are rounded', () => {
      const own = of(INITIATION).filter((row) => sourceOf(row) === ends[0])
      expect(own.length).toBeGreaterThan(0)
      for (const row of own) {
        expect(row['wg.receiver_pubkey']).toBe(keys[1].public)
        expect(row['wg.static']).toBe(keys[0].public)
        expect(Number(row['wg.timestamp.nanoseconds']) % 2 ** 24).toBe(0)
        expect(row['wg.mac2']).toBe('00'.repeat(16))
      }
    })

    it('counters ascend by one from zero, in each session and direction', () => {
      const sessions = new Map<string, number[]>()
      for (const row of of(TRANSPORT)) {
        const key = `${sourceOf(row)} → ${row['wg.receiver']}`
        sessions.set(key, [...(sessions.get(key) ?? []), Number(row['wg.counter'])])
      }
      expect(sessions.size).toBeGreaterThanOrEqual(2)
      for (const [key, counters] of sessions) expect(counters, key).toEqual(counters.map((_, k) => k))
    })

    it('handshakes are marked AF41, data shows its ECN bits and nothing of its DSCP', () => {
      for (const row of [...of(INITIATION), ...of(RESPONSE)]) expect(tosOf(row)).toBe(0x88)
      const seen = of(TRANSPORT).map(tosOf)
      expect(new Set(seen.map((tos) => tos >> 2))).toEqual(new Set([0]))
      expect(new Set(seen.map((tos) => tos & 3))).toEqual(new Set([0, 1, 2, 3]))
    })

    it('nothing is fragmented, or may be', () => {
      for (const row of rows) {
        if (family === 'IPv4') expect([row['ip.flags.df'], row['ip.frag_offset']]).toEqual(['1', '0'])
        // UDP comes next, no fragment header.
        else expect(row['ipv6.nxt']).toBe('17')
      }
    })

    it('no byte of what was said can be found, nor who said it', () => {
      const all = readFileSync(file)
      expect(all.length).toBeGreaterThan(300_000)
      // The measure works: the hosts' own addresses are there.
      expect(all.includes(Buffer.from('c6120001c6120002', 'hex')) || family === 'IPv6').toBe(true)
      const told = ['0a2a00010a2a0002', '0a2a00020a2a0001', '0a2b00010a2b0002', 'fd000042000000000000000000000001']
      const secrets = [MARK.slice(0, 16), ...told, ...macs.map((mac) => mac.replaceAll(':', ''))]
      secrets.push(...keys.flatMap((k) => [k.private, k.public]).map((k) => Buffer.from(k, 'base64').toString('hex')))
      expect(secrets.filter((hex) => all.includes(Buffer.from(hex, 'hex')))).toEqual([])
    })
  })
}, ['ping', 'tcpdump', 'tshark', 'ethtool'])

/** Pings with this TOS, every packet with the mark in it. */
async function talk(host: Host, tos: string, ...addresses: string[]): Promise<void> {
  for (const to of addresses) {
    await host.run(['ping', '-n', '-c', '2', '-i', '0.05', '-W', '2', '-p', MARK, '-s', '200', '-Q', tos, to])
  }
}

async function capture(host: Host, file: string): Promise<ChildProcess> {
  const child = host.spawn(['tcpdump', '-U', '--immediate-mode', '-n', '-i', 'eth0', '-w', file, 'udp port 51820'])
  let said = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  await until(
    'tcpdump',
    () => said,
    (text) => text.includes('listening on'),
  )
  return child
}

async function stop(child: ChildProcess): Promise<void> {
  const closed = new Promise((resolve) => child.once('close', resolve))
  child.kill('SIGINT')
  await closed
}

/** Every packet of the file; `known`: a host whose private key tshark has. */
async function read(lab: Lab, file: string, known: Pair): Promise<Row[]> {
  const dir = join(lab.dir, 'wireshark')
  mkdirSync(dir)
  writeFileSync(join(dir, 'wg_keys'), `"Private","${known.private}"\n`, { mode: 0o600 })
  const options = ['-o', 'udp.check_checksum:TRUE', '-T', 'fields', '-E', 'separator=/t', '-E', 'occurrence=f']
  const command = ['tshark', '-r', file, ...options, ...FIELDS.flatMap((field) => ['-e', field])]
  const child = start(command, { env: { ...process.env, WIRESHARK_CONFIG_DIR: dir } })
  const { stdout } = await finish(lab.keep(child), command, 30_000)
  const lines = stdout.split('\n').filter((line) => line !== '')
  return lines.map((line) => {
    const values = line.split('\t')
    return Object.fromEntries(FIELDS.map((field, k) => [field, values[k] ?? ''])) as Row
  })
}
