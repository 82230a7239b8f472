// What control's orders do to the tables of a layer 2 network that come and go with its settings: whose address is which, who
// listens to what, how much is flooded; and what all of its tables hold. One owner, as with tables.ts: only the data thread's loop calls this, between batches. Cold.
import { NONE } from '../drop.ts'
import { STATIC as STATIC_STATION, TICK } from '../overlay/fdb.ts'
import { CONTROL, type Duplicate, LEARNED, LOCAL, Neighbours, OVERRIDE, STATIC } from '../overlay/neighbours.ts'
import { type Network, tagOf } from '../overlay/networks.ts'
import { Snoop } from '../overlay/snoop.ts'
import { Storm } from '../overlay/storm.ts'
import type { Binding, FdbRow, NeighbourRow, Settings, StaticStation } from './mailbox.ts'

/** Ticks that a binding holds where stations never age. */
const NEIGHBOUR_TICKS = 3000

/** Settings that change live. `seed`: 32 random bits; `now`: milliseconds. */
export function configureLayer2(n: Network, s: Settings, seed: number, now: number): void {
  n.groupTag = s.group === 0 ? NONE : tagOf(n.port, s.group)
  if (!n.layer2) return
  n.snoop ??= new Snoop(n.flood, seed)
  const ticks = Math.ceil(s.ageing / TICK) || NEIGHBOUR_TICKS
  if (!s.suppressArp) n.neighbours = null
  else if (n.neighbours) n.neighbours.configure(s.macLimit, ticks)
  else n.neighbours = new Neighbours(s.macLimit, ticks, seed)
  if (s.stormLimit === 0) n.storm = null
  else if (n.storm) n.storm.configure(s.stormLimit)
  else n.storm = new Storm(s.stormLimit, now)
}

/** The operator's bindings: all that there were are replaced. `ids`: VTEPs of the stations' peers, NONE where there is none. */
export function bindStatics(n: Network, statics: readonly StaticStation[], ids: readonly number[]): void {
  if (!n.neighbours) return
  n.neighbours.forgetOrigin(STATIC)
  for (const { mac, peer, addresses = [] } of statics) {
    const vtep = ids[peer] ?? NONE
    if (vtep !== NONE) for (const words of addresses) put(n.neighbours, { words, mac, vtep }, STATIC)
  }
}

/** Control's bindings: all that there were are replaced. Their stations must be in the FDB behind the same VTEP. */
export function bindControl(n: Network, bindings: readonly Binding[]): void {
  if (!n.neighbours) return
  n.neighbours.forgetOrigin(CONTROL)
  for (const binding of bindings) put(n.neighbours, binding, CONTROL)
}

/** Once a second: what is old goes. A duplicate address that was seen since, or null. */
export function expireLayer2(n: Network, tick: number): Duplicate | null {
  n.snoop?.expire(tick)
  n.neighbours?.expire(tick)
  return n.neighbours?.takeDuplicate(tick) ?? null
}

/** Stations of the FDB. `words`: of a VTEP. */
export function listStations(n: Network, tick: number, words: (vtep: number) => number[]): FdbRow[] {
  const rows: FdbRow[] = []
  n.fdb.each(tick, (hi, lo, vtep, origin, ageMs) => {
    rows.push({ mac: macOf(hi, lo), vtep, words: words(vtep), isStatic: origin === STATIC_STATION, ageMs })
  })
  return rows
}

/** Bindings that hold: of stations on our side, and of those that the FDB knows where they spoke. */
export function listNeighbours(n: Network, tick: number): NeighbourRow[] {
  const rows: NeighbourRow[] = []
  n.neighbours?.each(tick, ({ words, hi, lo, vtep, origin, age }) => {
    const isLocal = vtep === LOCAL
    if (!isLocal && n.fdb.find(hi, lo) !== vtep) return
    const said = isLocal ? 'local' : 'learned'
    const named = origin === LEARNED ? said : origin === STATIC ? 'static' : 'control'
    rows.push({ words, mac: macOf(hi, lo), vtep, origin: named, ageMs: age * TICK })
  })
  return rows
}

function macOf(hi: number, lo: number): Uint8Array {
  return new Uint8Array([hi >> 8, hi, lo >>> 24, lo >> 16, lo >> 8, lo])
}

function put(neighbours: Neighbours, { words, mac, vtep }: Binding, origin: number): void {
  const lo = (mac[2]! << 24) | (mac[3]! << 16) | (mac[4]! << 8) | mac[5]!
  neighbours.put(words, (mac[0]! << 8) | mac[1]!, lo, vtep, OVERRIDE, origin)
}
