// Longest prefix match as a linear scan over bits, for comparison with src/overlay/routes.ts.
import { NONE } from '../../../src/drop.ts'
import type { Prefix } from '../../../src/overlay/routes.ts'

export function slowFind(
  entries: readonly { prefix: Prefix; vtep: number }[],
  words: readonly number[],
  v6: boolean,
): number {
  let best = { length: -1, vtep: NONE }
  for (const { prefix, vtep } of entries) {
    if (prefix.v6 !== v6 || prefix.length < best.length) continue
    if (bits(prefix.words).startsWith(bits(words).slice(0, prefix.length))) best = { length: prefix.length, vtep }
  }
  return best.vtep
}

function bits(words: readonly number[]): string {
  return words.map((w) => (w >>> 0).toString(2).padStart(32, '0')).join('')
}
