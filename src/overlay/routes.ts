// Longest prefix match for one layer 3 network: prefix → VTEP id, IPv4 and IPv6. A hash table holds all prefixes; a search
// tries the lengths that are in use, longest first, so it costs one probe per distinct length (a handful in practice).
// Slot: four address words | family and length | vtep. Temperature: hot (find4, find6), cold (put, remove).
import { NONE } from '../drop.ts'

const STRIDE = 6
const META = 4
const VTEP = 5
const V6 = 256
const USED = 512
const MIN_SLOTS = 16

export interface Prefix {
  /** Four big-endian words; IPv4 in the first. Host bits are zero. */
  readonly words: readonly number[]
  readonly v6: boolean
  readonly length: number
}

export class Routes {
  private readonly seed: number
  private table = new Int32Array(MIN_SLOTS * STRIDE)
  private mask = MIN_SLOTS - 1
  /** Lengths in use, longest first, and how many prefixes have each. */
  private lengths4 = new Int32Array(0)
  private lengths6 = new Int32Array(0)
  private readonly used4 = new Int32Array(33)
  private readonly used6 = new Int32Array(129)
  /** Prefixes that there are. */
  size = 0

  /** `seed`: 32 random bits. */
  constructor(seed: number) {
    this.seed = seed
  }

  /** The prefix leads to this VTEP from now on, wherever it led before. */
  put({ words, v6, length }: Prefix, vtep: number): void {
    if ((this.size + 1) * 2 > this.mask + 1) this.grow()
    const [a, b, c, d] = words as [number, number, number, number]
    const meta = length | (v6 ? V6 : 0) | USED
    const at = this.slot(a | 0, b | 0, c | 0, d | 0, meta)
    if (this.table[at + META] === 0) {
      this.size++
      this.use(v6, length, 1)
    }
    this.table.set([a, b, c, d, meta, vtep], at)
  }

  /** The prefix leads nowhere any more, unless it has come to lead to another VTEP. */
  remove({ words, v6, length }: Prefix, vtep: number): void {
    const [a, b, c, d] = words as [number, number, number, number]
    const at = this.slot(a | 0, b | 0, c | 0, d | 0, length | (v6 ? V6 : 0) | USED)
    if (this.table[at + META] === 0 || this.table[at + VTEP] !== vtep) return
    this.unlink(at / STRIDE)
    this.size--
    this.use(v6, length, -1)
  }

  /** VTEP for an IPv4 address (a 32-bit word), or NONE. */
  find4(address: number): number {
    const lengths = this.lengths4
    for (let k = 0; k < lengths.length; k++) {
      const length = lengths[k]!
      const at = this.slot(address & word(length, 0), 0, 0, 0, length | USED)
      if (this.table[at + META] !== 0) return this.table[at + VTEP]!
    }
    return NONE
  }

  /** VTEP for an IPv6 address in four big-endian words, or NONE. */
  find6(a: number, b: number, c: number, d: number): number {
    const lengths = this.lengths6
    for (let k = 0; k < lengths.length; k++) {
      const n = lengths[k]!
      const at = this.slot(a & word(n, 0), b & word(n, 32), c & word(n, 64), d & word(n, 96), n | V6 | USED)
      if (this.table[at + META] !== 0) return this.table[at + VTEP]!
    }
    return NONE
  }

  // Where the prefix is, or the free slot where it belongs.
  private slot(a: number, b: number, c: number, d: number, meta: number): number {
    const table = this.table
    let i = this.hash(a, b, c, d, meta) & this.mask
    for (;;) {
      const at = i * STRIDE
      if (table[at + META] === 0) return at
      if (
        table[at + META] === meta &&
        table[at] === a &&
        table[at + 1] === b &&
        table[at + 2] === c &&
        table[at + 3] === d
      ) {
        return at
      }
      i = (i + 1) & this.mask
    }
  }

  private hash(a: number, b: number, c: number, d: number, meta: number): number {
    let h = Math.imul(a ^ this.seed, 0x9e3779b1)
    h = Math.imul(h ^ (h >>> 15) ^ b, 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 13) ^ c, 0xc2b2ae35)
    h = Math.imul(h ^ (h >>> 16) ^ d ^ meta, 0x27d4eb2f)
    return h ^ (h >>> 15)
  }

  // Backward shift deletion, as in fdb.ts.
  private unlink(i: number): void {
    const { table, mask } = this
    let hole = i
    let j = i
    for (;;) {
      j = (j + 1) & mask
      const at = j * STRIDE
      const meta = table[at + META]!
      if (meta === 0) break
      const home = this.hash(table[at]!, table[at + 1]!, table[at + 2]!, table[at + 3]!, meta) & mask
      if (((j - home) & mask) >= ((j - hole) & mask)) {
        table.copyWithin(hole * STRIDE, at, at + STRIDE)
        hole = j
      }
    }
    table.fill(0, hole * STRIDE, hole * STRIDE + STRIDE)
  }

  private grow(): void {
    const old = this.table
    this.table = new Int32Array(old.length * 2)
    this.mask = this.mask * 2 + 1
    for (let at = 0; at < old.length; at += STRIDE) {
      if (old[at + META] === 0) continue
      const to = this.slot(old[at]!, old[at + 1]!, old[at + 2]!, old[at + 3]!, old[at + META]!)
      this.table.set(old.subarray(at, at + STRIDE), to)
    }
  }

  private use(v6: boolean, length: number, by: number): void {
    const used = v6 ? this.used6 : this.used4
    const before = used[length]!
    used[length] = before + by
    if (before !== 0 && before + by !== 0) return
    const lengths = Int32Array.from([...used.keys()].filter((n) => used[n] !== 0)).reverse()
    if (v6) this.lengths6 = lengths
    else this.lengths4 = lengths
  }
}

/** Mask of the 32-bit word that begins at bit `from` of a prefix of `length` bits. */
function word(length: number, from: number): number {
  const n = length - from
  return n >= 32 ? -1 : n <= 0 ? 0 : -1 << (32 - n)
}
