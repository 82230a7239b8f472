// The far ends: which addresses may speak in which network, and what is known of each. An id stands for one address in one
// network; FDB entries and routes name ids, and native keeps an endpoint under the same number.
// Two ids stand for one address where what is behind it wants two MACs.
// Peers come and go with the configuration. Where a network accepts strangers (`accept`), one that speaks gets an id too, and
// loses it when no station is learned behind it. In a secure network a far end is a key, wherever it is: its tunnel's number,
// dressed as an address that nobody has (`keyWords`). Temperature: hot (find and the columns), cold (add, remove).
import { NONE } from '../drop.ts'

const STRIDE = 6
const NETWORK = 4
const ID = 5
const FREE = -1
/** 100::/64, which is never on a wire (RFC 6666 §4): in front of a tunnel's number. */
export const KEYED = 0x01000000

/** The four words under which a tunnel is found. */
export function keyWords(tunnel: number): number[] {
  return [KEYED, 0, 0, tunnel]
}

export class Vteps {
  readonly capacity: number
  /** Columns by id. Path MTU in bytes; network id or NONE when the id is free; bytes that the underlay's headers and seal take. */
  readonly mtu: Int32Array
  readonly network: Int32Array
  readonly overhead: Int32Array
  /** Secure networks: the tunnel it is reached through; NONE: in clear text. */
  readonly tunnel: Int32Array
  /** Secure layer 3: packets are filled up to multiples of 16, at most to this length; 0: they are not. */
  readonly pad: Uint16Array
  /** 1: a stranger that `accept` let in, not a peer of the configuration. */
  readonly stranger: Uint8Array
  /** Layer 3: the MAC to write to; all ones (broadcast) until learned or configured. */
  readonly macHi: Uint16Array
  readonly macLo: Int32Array
  /** 1: the MAC is the configuration's and is not learned. */
  readonly macFixed: Uint8Array
  /** Another VTEP for whose prefixes it may speak too, while one takes the other's place; NONE: none. */
  readonly twin: Int32Array
  /** The address, four words an id. */
  readonly words: Int32Array
  /** Strangers with an id. */
  strangers = 0
  private readonly table: Int32Array
  private readonly mask: number
  private readonly seed: number
  /** Ids that nobody has, in a ring: the one that came back first goes first, so that what still names it has time to end. */
  private readonly free: Int32Array
  private freeAt = 0
  private freeCount: number

  /** `capacity` ids, `seed`: 32 random bits. */
  constructor(capacity: number, seed: number) {
    let slots = 64
    while (slots < capacity * 2) slots *= 2
    this.capacity = capacity
    this.mtu = new Int32Array(capacity)
    this.network = new Int32Array(capacity).fill(NONE)
    this.overhead = new Int32Array(capacity)
    this.tunnel = new Int32Array(capacity).fill(NONE)
    this.pad = new Uint16Array(capacity)
    this.stranger = new Uint8Array(capacity)
    this.macHi = new Uint16Array(capacity)
    this.macLo = new Int32Array(capacity)
    this.macFixed = new Uint8Array(capacity)
    this.twin = new Int32Array(capacity).fill(NONE)
    this.words = new Int32Array(capacity * 4)
    this.table = new Int32Array(slots * STRIDE)
    for (let at = 0; at < this.table.length; at += STRIDE) this.table[at + NETWORK] = FREE
    this.mask = slots - 1
    this.seed = seed
    this.free = Int32Array.from({ length: capacity }, (_, k) => k)
    this.freeCount = capacity
  }

  /** Id of an address (four big-endian words, IPv4 mapped) in a network, or NONE. */
  find(network: number, a: number, b: number, c: number, d: number): number {
    const at = this.slot(network, a, b, c, d)
    return this.table[at + NETWORK] === FREE ? NONE : this.table[at + ID]!
  }

  /** An id for the address in the network, the one it has if any; NONE when all are taken. */
  add(network: number, a: number, b: number, c: number, d: number, stranger: boolean): number {
    const at = this.slot(network, a, b, c, d)
    if (this.table[at + NETWORK] !== FREE) return this.table[at + ID]!
    const id = this.take(network, a, b, c, d, stranger)
    if (id !== NONE) this.table.set([a, b, c, d, network, id], at)
    return id
  }

  /** One more id for the address of another, with a MAC of its own: two leases of one host. `find` answers the other still. */
  addBeside(id: number): number {
    const [a, b, c, d] = this.words.subarray(id * 4, id * 4 + 4)
    return this.take(this.network[id]!, a!, b!, c!, d!, false)
  }

  /** `find` answers this one of those with its address from now on. */
  promote(id: number): void {
    const [a, b, c, d] = this.words.subarray(id * 4, id * 4 + 4)
    this.table[this.slot(this.network[id]!, a!, b!, c!, d!) + ID] = id
  }

  /** Whether `id` may speak for what is behind `other` too: its twin, or one with the same address. Neither is NONE. */
  isPair(id: number, other: number): boolean {
    if (this.twin[id] === other) return true
    const { words } = this
    const x = id * 4
    const y = other * 4
    return (
      words[x + 3] === words[y + 3] &&
      words[x + 2] === words[y + 2] &&
      words[x + 1] === words[y + 1] &&
      words[x] === words[y]
    )
  }

  private take(network: number, a: number, b: number, c: number, d: number, stranger: boolean): number {
    if (this.freeCount === 0) return NONE
    const id = this.free[this.freeAt]!
    this.freeAt = (this.freeAt + 1) % this.capacity
    this.freeCount--
    this.words.set([a, b, c, d], id * 4)
    this.network[id] = network
    this.stranger[id] = stranger ? 1 : 0
    this.strangers += stranger ? 1 : 0
    this.mtu[id] = 0
    this.overhead[id] = a === 0 && b === 0 && c === 0xffff ? 28 : 48
    this.tunnel[id] = a === KEYED && b === 0 && c === 0 ? d : NONE
    this.pad[id] = 0
    this.macHi[id] = 0xffff
    this.macLo[id] = -1
    this.macFixed[id] = 0
    this.twin[id] = NONE
    return id
  }

  /** A stranger has become a peer, or the other way round. */
  setStranger(id: number, stranger: boolean): void {
    this.strangers += (stranger ? 1 : 0) - this.stranger[id]!
    this.stranger[id] = stranger ? 1 : 0
  }

  /** Frees an id. Whoever names it (FDB, routes, flood list) has let go before, and one beside it is promoted. */
  remove(id: number): void {
    const [a, b, c, d] = this.words.subarray(id * 4, id * 4 + 4)
    const at = this.slot(this.network[id]!, a!, b!, c!, d!)
    if (this.table[at + ID] === id) this.unlink(at / STRIDE)
    this.strangers -= this.stranger[id]!
    this.stranger[id] = 0
    this.network[id] = NONE
    this.free[(this.freeAt + this.freeCount) % this.capacity] = id
    this.freeCount++
  }

  // Backward shift deletion, as in fdb.ts.
  private unlink(i: number): void {
    const table = this.table
    let hole = i
    let j = i
    for (;;) {
      j = (j + 1) & this.mask
      const at = j * STRIDE
      if (table[at + NETWORK] === FREE) break
      const home =
        this.hash(table[at + NETWORK]!, table[at]!, table[at + 1]!, table[at + 2]!, table[at + 3]!) & this.mask
      if (((j - home) & this.mask) >= ((j - hole) & this.mask)) {
        table.copyWithin(hole * STRIDE, at, at + STRIDE)
        hole = j
      }
    }
    table.fill(0, hole * STRIDE, hole * STRIDE + STRIDE)
    table[hole * STRIDE + NETWORK] = FREE
  }

  private slot(network: number, a: number, b: number, c: number, d: number): number {
    const table = this.table
    let i = this.hash(network, a, b, c, d) & this.mask
    for (;;) {
      const at = i * STRIDE
      const n = table[at + NETWORK]!
      if (n === FREE) return at
      if (n === network && table[at + 3] === d && table[at + 2] === c && table[at + 1] === b && table[at] === a) {
        return at
      }
      i = (i + 1) & this.mask
    }
  }

  private hash(network: number, a: number, b: number, c: number, d: number): number {
    let h = Math.imul(d ^ this.seed, 0x9e3779b1)
    h = Math.imul(h ^ (h >>> 15) ^ c, 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 13) ^ b, 0xc2b2ae35)
    h = Math.imul(h ^ (h >>> 16) ^ a, 0x27d4eb2f)
    h = Math.imul(h ^ (h >>> 15) ^ network, 0x9e3779b1)
    return h ^ (h >>> 14)
  }
}
