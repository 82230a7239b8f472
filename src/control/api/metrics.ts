// Prometheus text from the same Status that `vtepd status` shows, so the two agree. Labels are network, vni, peer and reason
// only: what a peer chooses (a MAC, say) never becomes a label.
import type { Registry } from 'prom-client'
import type { Status } from './api.ts'

/** When the last handshake with this key was, in seconds since the epoch, the same however often it is asked; null: none. */
export type HandshakeAt = (publicKey: string) => number | null

type Labels = Partial<Record<'network' | 'vni' | 'peer' | 'reason' | 'version' | 'node', string>>
type Sample = readonly [value: number, labels?: Labels]

type Prom = typeof import('prom-client')

interface Row {
  readonly kind: 'counter' | 'gauge'
  readonly name: string
  readonly help: string
  readonly labels?: readonly (keyof Labels)[]
  readonly samples: (status: Status, handshakeAt: HandshakeAt) => readonly Sample[]
}

const NETWORK = ['network', 'vni'] as const
const PEER = ['peer'] as const

const ROWS: readonly Row[] = [
  {
    kind: 'gauge',
    name: 'vtepd_build_info',
    help: 'Always 1; the labels say which version runs and under which node name.',
    labels: ['version', 'node'],
    samples: ({ version, node }) => [[1, { version, node }]],
  },
  {
    kind: 'gauge',
    name: 'vtepd_ready',
    help: '1 when every device is up and the peers are programmed.',
    samples: ({ ready }) => [[ready ? 1 : 0]],
  },
  {
    kind: 'gauge',
    name: 'vtepd_uptime_seconds',
    help: 'Seconds since the agent started.',
    samples: ({ uptimeSeconds }) => [[uptimeSeconds]],
  },
  perNetwork('counter', 'vtepd_received_bytes_total', 'Bytes of inner frames from the underlay.', (n) => n.rxBytes),
  perNetwork('counter', 'vtepd_sent_bytes_total', 'Bytes of inner frames to the underlay.', (n) => n.txBytes),
  perNetwork('counter', 'vtepd_received_packets_total', 'Wire packets from the underlay.', (n) => n.rxPackets),
  perNetwork('counter', 'vtepd_sent_packets_total', 'Wire packets to the underlay.', (n) => n.txPackets),
  perNetwork(
    'counter',
    'vtepd_flooded_packets_total',
    'Broadcast, unknown and multicast packets that were replicated to peers.',
    (n) => n.floodedPackets,
  ),
  {
    kind: 'counter',
    name: 'vtepd_dropped_packets_total',
    help: 'Wire packets that did not arrive, by reason.',
    labels: ['reason'],
    samples: ({ drops }) => Object.entries(drops).map(([reason, count]) => [count, { reason }]),
  },
  perNetwork('gauge', 'vtepd_fdb_entries', 'Stations in the forwarding table.', (n) => n.fdbEntries),
  perNetwork('gauge', 'vtepd_network_mtu_bytes', "MTU of the network's device.", (n) => n.mtu),
  perPeer('counter', 'vtepd_peer_received_bytes_total', 'Bytes of inner frames from the peer.', (p) => p.rxBytes),
  perPeer('counter', 'vtepd_peer_sent_bytes_total', 'Bytes of inner frames to the peer.', (p) => p.txBytes),
  perPeer('gauge', 'vtepd_peer_mtu_bytes', "The underlay's path MTU towards the peer.", (p) => p.mtu),
  perPeer(
    'gauge',
    'vtepd_peer_last_handshake_timestamp_seconds',
    'When the last handshake with the peer was, in seconds since the epoch.',
    (p, handshakeAt) => (p.publicKey === null ? null : handshakeAt(p.publicKey)),
  ),
  offload('tso', 'TCP segmentation offload on the devices'),
  offload('uso', 'UDP segmentation offload on the devices'),
  offload('udpGso', 'UDP_SEGMENT on the underlay'),
  offload('udpGro', 'UDP_GRO on the underlay'),
  {
    kind: 'counter',
    name: 'vtepd_firewall_repairs_total',
    help: "Times that the host's firewall rules were put back after somebody had changed them.",
    samples: ({ firewall }) => [[firewall.repairs]],
  },
  {
    kind: 'gauge',
    name: 'vtepd_undesired',
    help: 'Things on the host that are not as the configuration wants them; `vtepd status` names them.',
    samples: ({ undesired }) => [[undesired.length]],
  },
  {
    kind: 'counter',
    name: 'vtepd_repairs_total',
    help: 'Things on the host that were put back as the configuration wants them, by what they were.',
    labels: ['network', 'vni', 'reason'],
    samples: ({ repairs }) =>
      repairs.map(({ network, vni, reason, count }) => [count, { network, vni: String(vni), reason }]),
  },
]

export class Metrics {
  private registry: Registry | null = null
  private status!: Status
  private handshakeAt!: HandshakeAt

  /** Prometheus text, version 0.0.4, of one moment. */
  async text(status: Status, handshakeAt: HandshakeAt): Promise<string> {
    this.registry ??= await this.filled()
    this.status = status
    this.handshakeAt = handshakeAt
    return this.registry.metrics()
  }

  // The library is loaded when somebody asks: it is a good part of what an agent would load to start.
  private async filled(): Promise<Registry> {
    // By its default, which its types do not have: bundled, a CommonJS module has no names of its own.
    const { default: prom } = (await import('prom-client')) as unknown as { default: Prom }
    const registry = new prom.Registry()
    for (const row of ROWS) this.add(prom, registry, row)
    return registry
  }

  private add({ Counter, Gauge }: Prom, registry: Registry, { kind, name, help, labels, samples }: Row): void {
    const metrics = this
    const common = { name, help, labelNames: labels ?? [], registers: [registry] }
    if (kind === 'gauge') {
      new Gauge({
        ...common,
        collect() {
          this.reset()
          for (const [value, of] of samples(metrics.status, metrics.handshakeAt)) this.set(of ?? {}, value)
        },
      })
      return
    }
    new Counter({
      ...common,
      collect() {
        this.reset()
        for (const [value, of] of samples(metrics.status, metrics.handshakeAt)) this.inc(of ?? {}, value)
      },
    })
  }
}

function perNetwork(
  kind: Row['kind'],
  name: string,
  help: string,
  read: (network: Status['networks'][number]) => number,
): Row {
  return {
    kind,
    name,
    help,
    labels: NETWORK,
    samples: ({ networks }) => networks.map((n) => [read(n), { network: n.name, vni: String(n.vni) }]),
  }
}

function perPeer(
  kind: Row['kind'],
  name: string,
  help: string,
  read: (peer: Status['peers'][number], handshakeAt: HandshakeAt) => number | null,
): Row {
  return {
    kind,
    name,
    help,
    labels: PEER,
    samples: ({ peers }, handshakeAt) =>
      peers.flatMap((p): Sample[] => {
        const value = read(p, handshakeAt)
        return value === null ? [] : [[value, { peer: p.name }]]
      }),
  }
}

function offload(key: string, what: string): Row {
  return {
    kind: 'gauge',
    name: `vtepd_offload_${key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`,
    help: `1 when ${what} is in use.`,
    samples: ({ offloads }) => [[offloads[key] === 'on' ? 1 : 0]],
  }
}
