// The size of this room's hash tables. Cold.

/**
 * Slots for `limit` entries at a load of at most one half: a power of two. Pages of an empty table stay untouched, so a large limit
 * costs nothing until it is used.
 */
export function capacityFor(limit: number): number {
  let capacity = 64
  while (capacity < limit * 2) capacity *= 2
  return capacity
}
