// What is measured on the wire, and how good it has to be. A figure is the median of what a system does, divided by the median
// of the system that it is measured against; without one it stands for itself.

/** tap, tun: our plain networks · secure: our secure layer 2 network · kernel: its VXLAN device · raw: the veth pair without an
 * overlay, the ceiling · wireguardGo: Debian's · wireguard: the newest wireguard-go. */
export type System = 'tap' | 'tun' | 'secure' | 'kernel' | 'raw' | 'wireguardGo' | 'wireguard'

export const NAMES: Readonly<Record<System, string>> = {
  tap: 'plain',
  tun: 'plain, TUN',
  secure: 'secure',
  kernel: 'kernel VXLAN',
  raw: 'raw veth',
  wireguardGo: 'wireguard-go',
  wireguard: 'wireguard-go, newest',
}

export type Quantity =
  | 'tcpThere'
  | 'tcpBack'
  | 'tcp4'
  | 'udp1400'
  | 'udp1300'
  | 'udp64'
  | 'rtt'
  | 'cpu'
  | 'memory'
  | 'script'

interface Measure {
  readonly name: string
  readonly unit: string
  /** More is better: throughput. */
  readonly more: boolean
}

export const QUANTITIES: Readonly<Record<Quantity, Measure>> = {
  tcpThere: { name: 'TCP 1 stream, a to b', unit: 'Gbit/s', more: true },
  tcpBack: { name: 'TCP 1 stream, b to a', unit: 'Gbit/s', more: true },
  tcp4: { name: 'TCP 4 streams', unit: 'Gbit/s', more: true },
  udp1400: { name: 'UDP 1400 B delivered', unit: 'Gbit/s', more: true },
  udp1300: { name: 'UDP 1300 B delivered', unit: 'Gbit/s', more: true },
  udp64: { name: 'UDP 64 B delivered', unit: 'Gbit/s', more: true },
  rtt: { name: 'RTT idle', unit: 'ms', more: false },
  cpu: { name: 'CPU of both agents', unit: 's/1e9 B', more: false },
  memory: { name: 'VmRSS of one agent', unit: '1e6 B', more: false },
  script: { name: "TypeScript's share", unit: '%', more: false },
}

/** Parts of the measurement that can be had alone. */
export type Part = 'plain' | 'secure'
export const PARTS: readonly Part[] = ['plain', 'secure']

export interface Goal {
  readonly part: Part
  readonly quantity: Quantity
  readonly system: System
  readonly against: System | null
  /** Null: shown, and nothing is asked of it. */
  readonly floor: number | null
  readonly aim: number | null
}

function goal(part: Part, quantity: Quantity, [system, against]: [System, System?], marks?: [number, number]): Goal {
  const [floor, aim] = marks ?? [null, null]
  return { part, quantity, system, against: against ?? null, floor, aim }
}

/** What other programs reach, beside ours. */
function beside(system: System): Goal[] {
  const quantities: Quantity[] = ['tcpThere', 'tcpBack', 'udp1300', 'udp64']
  const ratios = quantities.map((quantity) => goal('secure', quantity, [system, 'kernel']))
  return [...ratios, goal('secure', 'rtt', [system, 'tap'])]
}

/** One line of the table each. */
export const GOALS: readonly Goal[] = [
  goal('plain', 'tcpThere', ['tap', 'kernel'], [0.65, 0.85]),
  goal('plain', 'tcpBack', ['tap', 'kernel'], [0.65, 0.85]),
  goal('plain', 'tcp4', ['tap', 'kernel'], [0.4, 0.55]),
  goal('plain', 'udp1400', ['tap', 'kernel'], [0.8, 1.2]),
  goal('plain', 'udp64', ['tap', 'kernel'], [0.75, 1.2]),
  goal('plain', 'rtt', ['tap', 'kernel'], [3.5, 2.5]),
  goal('plain', 'tcpThere', ['tun', 'kernel'], [0.65, 0.85]),
  goal('plain', 'tcpBack', ['tun', 'kernel'], [0.65, 0.85]),
  goal('plain', 'rtt', ['tun', 'kernel'], [3.5, 2.5]),
  goal('plain', 'cpu', ['tap'], [0.95, 0.5]),
  goal('plain', 'memory', ['tap'], [120, 85]),
  goal('plain', 'script', ['tap'], [15, 5]),
  goal('secure', 'tcpThere', ['secure', 'kernel'], [0.35, 0.6]),
  goal('secure', 'tcpBack', ['secure', 'kernel'], [0.35, 0.6]),
  goal('secure', 'udp1300', ['secure', 'kernel'], [0.7, 1]),
  goal('secure', 'udp64', ['secure', 'kernel'], [0.65, 0.9]),
  goal('secure', 'rtt', ['secure', 'tap'], [1.2, 1.1]),
  goal('secure', 'tcpThere', ['secure', 'wireguardGo'], [6, 6]),
  goal('secure', 'tcpThere', ['secure', 'wireguard']),
  goal('secure', 'cpu', ['secure']),
  ...beside('wireguardGo'),
  ...beside('wireguard'),
]

/** How a figure stands against its goal. */
export function verdict({ floor, aim, quantity }: Goal, figure: number): string {
  if (Number.isNaN(figure)) return 'not measured'
  if (floor === null || aim === null) return ''
  const reaches = (mark: number): boolean => (QUANTITIES[quantity].more ? figure >= mark : figure <= mark)
  return reaches(aim) ? 'aim' : reaches(floor) ? 'floor' : 'MISSED'
}
