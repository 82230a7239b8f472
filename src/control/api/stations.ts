// `vtepd fdb` and `vtepd neigh`: stations and their addresses by network, listed, added and removed in the data thread's tables.
// Cold.
import type { FdbRow, Mailbox, NeighbourRow } from '../../datapath/mailbox.ts'
import type { Overlay, Running } from '../apply.ts'
import { macBytes } from '../far.ts'
import { parseMac, stationFault } from '../mac.ts'
import { ApiError, type FdbEntry, type NeighbourEntry } from './api.ts'
import { fdbEntry, namedMembers, neighbour } from './report.ts'

/** Of one network, or of all. Throws ApiError like `networkNamed`. */
export async function listStations(mailbox: Mailbox, overlay: Overlay, network?: string): Promise<FdbEntry[]> {
  const lists = await Promise.all(
    some(overlay, network).map(async (r) => {
      const rows = await mailbox.ask<FdbRow[]>({ kind: 'fdb-list', id: r.id })
      return [...rows.map((row) => fdbEntry(overlay, r, row)), ...memberEntries(overlay, r)]
    }),
  )
  return lists.flat()
}

/** Likewise. */
export async function listNeighbours(mailbox: Mailbox, overlay: Overlay, network?: string): Promise<NeighbourEntry[]> {
  const lists = await Promise.all(
    some(overlay, network).map(async (r) => {
      const rows = await mailbox.ask<NeighbourRow[]>({ kind: 'neighbour-list', id: r.id })
      return [...rows.map((row) => neighbour(r, row)), ...memberNeighbours(r)]
    }),
  )
  return lists.flat()
}

// Members whose VTEP's MAC the store names: frames for what is behind them are written to it.
function memberEntries(overlay: Overlay, r: Running): FdbEntry[] {
  const { name: network, vni } = r.config
  return namedMembers(r).map(({ placed, mac }) => {
    const { name: peer } = placed.peer
    const vtep = overlay.addressOf(placed) ?? peer
    return { network, vni, mac, vtep, peer, port: null, origin: 'control', ageSeconds: 0 }
  })
}

// As in flannel, where a subnet is routed to its own first address.
function memberNeighbours(r: Running): NeighbourEntry[] {
  return namedMembers(r).flatMap(({ mac, prefixes }) =>
    prefixes.map((prefix) => {
      const ip = prefix.slice(0, prefix.indexOf('/'))
      return { network: r.config.name, ip, mac, origin: 'control' as const, ageSeconds: 0 }
    }),
  )
}

function some(overlay: Overlay, network: string | undefined): readonly Running[] {
  return network === undefined ? [...overlay.running.values()] : [networkNamed(overlay, network)]
}

/** Throws ApiError when there is none of that name. */
export function networkNamed({ running }: Overlay, network: string): Running {
  const r = running.get(network)
  if (r) return r
  const names = [...running.keys()].join(', ')
  throw new ApiError(404, `network: there is no "${network}" (there are: ${names || 'none'})`)
}

/** `vtep`: a peer's name, or in plain networks its address. Throws ApiError when there is no such peer or no such MAC. */
export async function addStation(mailbox: Mailbox, r: Running, mac: string, vtep: string): Promise<void> {
  if (r.config.device === 'tun') throw new ApiError(400, `network: ${r.config.name} is tun, and has no stations`)
  const placed = r.placed.find((p) => p.peer.name === vtep || p.address === vtep)
  if (!placed || placed.vtep < 0) {
    const names = r.placed.map((p) => p.peer.name).join(', ')
    throw new ApiError(400, `vtep: "${vtep}" is no peer of network ${r.config.name} (it has: ${names || 'none'})`)
  }
  const bytes = station(mac)
  if (parseMac(mac) === r.device.state.mac) {
    throw new ApiError(400, `mac: ${mac} is network ${r.config.name}'s own MAC; give the station's`)
  }
  await mailbox.ask({ kind: 'fdb-add', id: r.id, mac: bytes, vtep: placed.vtep })
}

export async function removeStation(mailbox: Mailbox, r: Running, mac: string): Promise<void> {
  const had = await mailbox.ask<boolean>({ kind: 'fdb-del', id: r.id, mac: station(mac) })
  if (!had) throw new ApiError(404, `mac: network ${r.config.name} has no entry for ${mac}`)
}

function station(text: string): Uint8Array {
  const fault = stationFault(text)
  if (fault !== null) throw new ApiError(400, `mac: ${fault}`)
  return macBytes(parseMac(text)!)
}
