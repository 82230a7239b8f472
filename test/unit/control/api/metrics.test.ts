import { describe, expect, test } from 'vitest'
import type { Status } from '../../../../src/control/api/api.ts'
import { Metrics } from '../../../../src/control/api/metrics.ts'
import { EPOCH, NETWORK, STATUS } from '../../../support/fake-agent.ts'

const KEY = 'JixLSct+yeb96aia+ZAjg1mczTae3D5YxMARBiJUGjg='

function textOf(status: Status, metrics = new Metrics()): Promise<string> {
  return metrics.text(status, (key) => (key === KEY ? EPOCH : null))
}

/** Sample lines of the text, by name and labels. */
async function samples(status: Status, metrics = new Metrics()): Promise<Map<string, number>> {
  const lines = (await textOf(status, metrics)).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  )
}

describe('metrics', () => {
  test('say the same as status', async () => {
    const found = await samples(STATUS)
    const blue = '{network="blue",vni="42"}'
    expect(found.get('vtepd_build_info{version="0.1.0",node="host-a"}')).toBe(1)
    expect(found.get('vtepd_ready')).toBe(1)
    expect(found.get('vtepd_uptime_seconds')).toBe(3725)
    expect(found.get(`vtepd_received_bytes_total${blue}`)).toBe(1_500_000)
    expect(found.get(`vtepd_received_packets_total${blue}`)).toBe(1234)
    expect(found.get(`vtepd_sent_bytes_total${blue}`)).toBe(700)
    expect(found.get(`vtepd_sent_packets_total${blue}`)).toBe(7)
    expect(found.get(`vtepd_flooded_packets_total${blue}`)).toBe(3)
    expect(found.get(`vtepd_fdb_entries${blue}`)).toBe(2)
    expect(found.get(`vtepd_network_mtu_bytes${blue}`)).toBe(1450)
    expect(found.get('vtepd_received_packets_total{network="red",vni="43"}')).toBe(0)
    expect(found.get('vtepd_dropped_packets_total{reason="too-big"}')).toBe(5)
    expect(found.get('vtepd_dropped_packets_total{reason="truncated"}')).toBe(0)
    expect(found.get('vtepd_peer_mtu_bytes{peer="host-b"}')).toBe(1500)
    expect(found.get('vtepd_peer_received_bytes_total{peer="host-b"}')).toBe(1_500_000)
    expect(found.get('vtepd_peer_sent_bytes_total{peer="host-b"}')).toBe(700)
    expect(found.get('vtepd_undesired')).toBe(0)
    expect(found.get('vtepd_repairs_total{network="blue",vni="42",reason="route"}')).toBe(3)
  })

  test('show each offload, and off with a reason is 0', async () => {
    const found = await samples(STATUS)
    const names = ['tso', 'uso', 'udp_gso', 'udp_gro']
    expect(names.map((name) => found.get(`vtepd_offload_${name}`))).toEqual([1, 0, 1, 1])
  })

  test('have no sample for what is not known', async () => {
    const [peer] = STATUS.peers
    const found = await samples({ ...STATUS, peers: [{ ...peer!, mtu: null }] })
    const names = [...found.keys()].filter((name) => /peer_mtu|handshake/.test(name))
    expect(names).toEqual([])
  })

  test('say when a handshake was, not how old it is', async () => {
    const [peer] = STATUS.peers
    for (const lastHandshakeSeconds of [20, 21]) {
      const found = await samples({ ...STATUS, peers: [{ ...peer!, publicKey: KEY, lastHandshakeSeconds }] })
      expect(found.get('vtepd_peer_last_handshake_timestamp_seconds{peer="host-b"}')).toBe(EPOCH)
    }
  })

  test('follow status: counters go on, a network that went is gone', async () => {
    const metrics = new Metrics()
    await samples(STATUS, metrics)
    const status = { ...STATUS, ready: false, networks: [{ ...NETWORK, rxPackets: 2 ** 53 - 1 }] }
    const found = await samples(status, metrics)
    expect(found.get('vtepd_received_packets_total{network="blue",vni="42"}')).toBe(2 ** 53 - 1)
    expect(found.get('vtepd_ready')).toBe(0)
    expect([...found.keys()].filter((name) => name.includes('"red"'))).toEqual([])
  })

  test('have base units, _total on counters alone, and the allowed labels alone', async () => {
    const text = await textOf(STATUS)
    const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!] as const)
    expect(types.length).toBeGreaterThan(15)
    for (const [name, type] of types) {
      expect(name).toMatch(/^vtepd_[a-z_]+$/)
      expect(name.endsWith('_total'), name).toBe(type === 'counter')
    }
    const labels = [...text.matchAll(/[{,]([a-z_]+)="/g)].map(([, label]) => label)
    expect([...new Set(labels)].sort()).toEqual(['network', 'node', 'peer', 'reason', 'version', 'vni'])
  })

  test('escape what a name may hold', async () => {
    const [peer] = STATUS.peers
    const text = await textOf({ ...STATUS, peers: [{ ...peer!, name: 'a"b\\c\nd' }] })
    expect(text).toContain('vtepd_peer_mtu_bytes{peer="a\\"b\\\\c\\nd"} 1500')
  })
})
