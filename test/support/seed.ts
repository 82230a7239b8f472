// The run's seed, and a small generator for tests that need more chance than fast-check draws.

/** The same in every file of a run. */
export const seed: number = Number(process.env['VTEPD_SEED'] ?? 1) | 0

/** mulberry32: uint32 from a seed, the same on every machine. */
export function generator(start: number): () => number {
  let state = start | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let x = Math.imul(state ^ (state >>> 15), state | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return (x ^ (x >>> 14)) >>> 0
  }
}
