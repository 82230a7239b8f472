// Keys and values as etcd's messages have them. Cold.
import type { Entry } from './kv.ts'

export interface RawEntry {
  readonly key: Buffer
  readonly value: Buffer
  readonly create_revision: string
  readonly mod_revision: string
  readonly lease: string
}

export function entryOf(kv: RawEntry): Entry {
  return {
    key: kv.key.toString(),
    value: kv.value.toString(),
    createRevision: Number(kv.create_revision),
    modRevision: Number(kv.mod_revision),
    lease: kv.lease,
  }
}

/** The first key behind all that begin so. */
export function rangeEnd(prefix: string): Buffer {
  const end = Buffer.from(prefix)
  for (let last = end.length - 1; last >= 0; last--) {
    if (end[last]! === 0xff) continue
    end[last]!++
    return end.subarray(0, last + 1)
  }
  // Of no bytes, or of 0xff alone: all keys.
  return Buffer.from([0])
}
