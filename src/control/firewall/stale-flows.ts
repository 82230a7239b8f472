// UDP flows that go on as no rule says any more: a flow keeps the way that its first packet was shown, so that whoever keeps sending
// from one port stays with the target of yesterday, or with a server of this host. TCP ends by itself. Pure.
import type { Flow } from '../../host/flows.ts'
import type { PortMapping } from '../config/port-mapping.ts'

/** Ports to look at when mappings change: of those that there were and are. */
export function udpPorts(family: 4 | 6, mappings: readonly PortMapping[]): number[] {
  const fit = mappings.filter((m) => m.protocol === 'udp' && m.family === family)
  return [...new Set(fit.map((m) => m.hostPort))]
}

/** Whether a flow is to be met anew. `own`: addresses of this host. */
export function isStale(
  flow: Flow,
  before: readonly PortMapping[],
  now: readonly PortMapping[],
  own: ReadonlySet<string>,
): boolean {
  const wanted = mappingOf(flow, now, own)
  if (wanted) return !leadsTo(flow, wanted)
  const had = mappingOf(flow, before, own)
  return had !== undefined && flow.isMapped && leadsTo(flow, had)
}

// What is said of one address goes before what is said of all.
function mappingOf(
  { family, destination, port }: Flow,
  mappings: readonly PortMapping[],
  own: ReadonlySet<string>,
): PortMapping | undefined {
  const fit = mappings.filter((m) => m.protocol === 'udp' && m.family === family && m.hostPort === port)
  const ofAll = own.has(destination) ? fit.find((m) => m.host === null) : undefined
  return fit.find((m) => m.host === destination) ?? ofAll
}

function leadsTo({ answerer, answererPort }: Flow, { target, targetPort }: PortMapping): boolean {
  return answerer === target && answererPort === targetPort
}
