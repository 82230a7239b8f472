// FDB look-ups at three sizes, hits in an order that no cache foresees, and misses; and the layer 3 table's.
import { Fdb } from '../src/overlay/fdb.ts'
import { Routes } from '../src/overlay/routes.ts'
import { line, time } from './timing.ts'

const SIZES = [10, 10_000, 1_000_000]
const ORDER = 65536
const HOSTS = 10_000
const SEED = 0x5eed1234

export function fdb(): void {
  for (const size of SIZES) {
    const table = new Fdb(size, 0, SEED)
    for (let i = 0; i < size; i++) table.learn(hi(i), lo(i), i & 0xff, 0)
    const order = shuffled(size)
    line(
      `find, ${size} entries`,
      time((n) => {
        let sum = 0
        for (let k = 0; k < n; k++) {
          const i = order[k & (ORDER - 1)]!
          sum += table.find(hi(i), lo(i))
        }
        return sum
      }),
    )
    line(
      `find, ${size} entries, unknown station`,
      time((n) => {
        let sum = 0
        for (let k = 0; k < n; k++) {
          const i = order[k & (ORDER - 1)]!
          sum += table.find(hi(i) ^ 1, lo(i))
        }
        return sum
      }),
    )
    line(
      `learn, ${size} entries, known station`,
      time((n) => {
        let sum = 0
        for (let k = 0; k < n; k++) {
          const i = order[k & (ORDER - 1)]!
          sum += table.learn(hi(i), lo(i), i & 0xff, k)
        }
        return sum
      }),
    )
  }
  prefixes()
}

// A flannel network of ten thousand hosts: a /24 each.
function prefixes(): void {
  const table = new Routes(SEED)
  const subnet = (i: number): number => (0x0a400000 + (i << 8)) | 0
  for (let i = 0; i < HOSTS; i++) table.put({ words: [subnet(i), 0, 0, 0], v6: false, length: 24 }, i)
  const order = shuffled(HOSTS)
  line(
    `longest prefix, ${HOSTS} subnets`,
    time((n) => {
      let sum = 0
      for (let k = 0; k < n; k++) sum += table.find4(subnet(order[k & (ORDER - 1)]!) | (k & 0xff))
      return sum
    }),
  )
}

// MACs as machines make them: one vendor prefix, numbers behind it.
function hi(i: number): number {
  return 0x0242 ^ ((i >>> 20) << 4)
}

function lo(i: number): number {
  return (0xac11 << 16) | i
}

// Indices below `size` in a seeded order (xorshift32).
function shuffled(size: number): Int32Array {
  let state = SEED
  return Int32Array.from({ length: ORDER }, () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % size
  })
}
