// What is measured on the wire, and how good it has to be. `ratio` figures are medians divided by the kernel's; the others
// stand for themselves.

export interface Goal {
  readonly name: string
  readonly unit: string
  readonly ratio: boolean
  /** More is better: throughput. */
  readonly more: boolean
  readonly floor: number
  readonly aim: number
}

const faster = (name: string, floor: number, aim: number): Goal => ({
  name,
  unit: 'Gbit/s',
  ratio: true,
  more: true,
  floor,
  aim,
})
const rtt = (name: string): Goal => ({ name, unit: 'ms', ratio: true, more: false, floor: 3.5, aim: 2.5 })
const less = (name: string, unit: string, floor: number, aim: number): Goal => ({
  name,
  unit,
  ratio: false,
  more: false,
  floor,
  aim,
})

export const GOALS = {
  tcpThere: faster('TCP 1 stream, a to b', 0.65, 0.85),
  tcpBack: faster('TCP 1 stream, b to a', 0.65, 0.85),
  tcp4: faster('TCP 4 streams', 0.4, 0.55),
  udp1400: faster('UDP 1400 B delivered', 0.8, 1.2),
  udp64: faster('UDP 64 B delivered', 0.75, 1.2),
  rtt: rtt('RTT idle'),
  tunThere: faster('TUN: TCP 1 stream, a to b', 0.65, 0.85),
  tunBack: faster('TUN: TCP 1 stream, b to a', 0.65, 0.85),
  tunRtt: rtt('TUN: RTT idle'),
  secThere: faster('Secure: TCP 1 stream, a to b', 0.35, 0.6),
  secBack: faster('Secure: TCP 1 stream, b to a', 0.35, 0.6),
  secUdp1300: faster('Secure: UDP 1300 B delivered', 0.7, 1),
  secUdp64: faster('Secure: UDP 64 B delivered', 0.65, 0.9),
  // Beside our own plain network, not beside the kernel.
  secRtt: { ...rtt('Secure: RTT idle, ÷ plain'), floor: 1.2, aim: 1.1 },
  cpu: less('CPU of both agents', 's/1e9 B', 0.95, 0.5),
  memory: less('VmRSS of one agent', '1e6 B', 120, 85),
  script: less("TypeScript's share", '%', 15, 5),
} as const satisfies Record<string, Goal>

export type GoalName = keyof typeof GOALS

/** How a figure stands against its goal. */
export function verdict(goal: Goal, figure: number): string {
  const reaches = (mark: number): boolean => (goal.more ? figure >= mark : figure <= mark)
  if (Number.isNaN(figure)) return 'not measured'
  return reaches(goal.aim) ? 'aim' : reaches(goal.floor) ? 'floor' : 'MISSED'
}
