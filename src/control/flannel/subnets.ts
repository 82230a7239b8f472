// Which subnets are taken, which overlap, and which one a new member takes. Pure: chance is an argument. Cold.
import { bits, type Cidr, covers, network as networkOf, parseAddress, parseCidr } from '../cidr.ts'
import type { Subnets } from './lease.ts'
import type { Range, StoreConfig } from './model.ts'

/** As flanneld: one of the first so many free ones, so that two that choose at once seldom choose the same. */
const CANDIDATES = 100

export interface Owned<T> {
  readonly cidr: Cidr
  readonly owner: T
}

/** Prefixes and whose they are. Overlaps are found at the price of a look-up for each length that occurs. */
export class PrefixIndex<T> {
  // Family and length → first address → who has it.
  private readonly lengths = new Map<string, { length: number; v6: boolean; byValue: Map<bigint, Owned<T>> }>()

  /** One that has an address in common with this prefix. */
  overlap(cidr: Cidr): Owned<T> | undefined {
    for (const { length, v6, byValue } of this.lengths.values()) {
      if (v6 !== cidr.v6) continue
      if (length <= cidr.length) {
        const found = byValue.get(networkOf({ ...cidr, length }).value)
        if (found) return found
        continue
      }
      for (const found of byValue.values()) if (covers(cidr, found.cidr)) return found
    }
    return undefined
  }

  add(cidr: Cidr, owner: T): void {
    const name = `${cidr.v6 ? 6 : 4}/${cidr.length}`
    let row = this.lengths.get(name)
    if (!row) {
      row = { length: cidr.length, v6: cidr.v6, byValue: new Map() }
      this.lengths.set(name, row)
    }
    row.byValue.set(cidr.value, { cidr, owner })
  }
}

/** The families that there are, of a lease. */
export function prefixesOf({ subnet, subnet6 }: Subnets): Cidr[] {
  return [subnet, subnet6].filter((cidr): cidr is Cidr => cidr !== null)
}

/** Whether an address is in both. */
export function overlaps(a: Cidr, b: Cidr): boolean {
  return covers(a, b) || covers(b, a)
}

/** Whether it has all of the network's addresses, as no member can: nothing is taken by it. */
export function isWholeNetwork(cidr: Cidr, { ipv4, ipv6 }: Pick<StoreConfig, 'ipv4' | 'ipv6'>): boolean {
  const range = cidr.v6 ? ipv6 : ipv4
  return range !== null && covers(cidr, parseCidr(range.network)!)
}

/** Whether this network gives out such subnets: the right families, lengths and ranges. */
export function fits({ subnet, subnet6 }: Subnets, config: StoreConfig): boolean {
  return fitsRange(subnet, config.ipv4) && fitsRange(subnet6, config.ipv6)
}

function fitsRange(cidr: Cidr | null, range: Range | null): boolean {
  if (!cidr || !range) return !cidr && !range
  const { first, last } = edgesOf(range)
  return cidr.length === range.subnetLength && cidr.value >= first && cidr.value <= last
}

/**
 * What a new member takes: what it had before where that is free and fits, each family for itself, else one of the first free
 * ones by chance. null: there is none. `random`: 0 ≤ x < 1.
 */
export function choose(
  config: StoreConfig,
  taken: PrefixIndex<unknown>,
  previous: Subnets | null,
  random: () => number,
): Subnets | null {
  const subnet = config.ipv4 && chooseOne(config.ipv4, taken, previous?.subnet ?? null, random)
  const subnet6 = config.ipv6 && chooseOne(config.ipv6, taken, previous?.subnet6 ?? null, random)
  return subnet === undefined || subnet6 === undefined ? null : { subnet, subnet6 }
}

function chooseOne(
  range: Range,
  taken: PrefixIndex<unknown>,
  previous: Cidr | null,
  random: () => number,
): Cidr | undefined {
  if (previous && fitsRange(previous, range) && !taken.overlap(previous)) return previous
  const { v6, first, last } = edgesOf(range)
  const size = 1n << BigInt(bits(v6) - range.subnetLength)
  const free: Cidr[] = []
  let value = first
  while (value <= last && free.length < CANDIDATES) {
    const cidr = { v6, value, length: range.subnetLength }
    const held = taken.overlap(cidr)
    if (!held) free.push(cidr)
    value = held && held.cidr.length < cidr.length ? endOf(held.cidr) : value + size
  }
  return free[Math.floor(random() * free.length)]
}

// One behind the last address; a multiple of every shorter subnet's size.
function endOf({ v6, value, length }: Cidr): bigint {
  return value + (1n << BigInt(bits(v6) - length))
}

function edgesOf(range: Range): { v6: boolean; first: bigint; last: bigint } {
  const { v6 } = parseCidr(range.network)!
  return { v6, first: parseAddress(range.subnetMin)!.value, last: parseAddress(range.subnetMax)!.value }
}
