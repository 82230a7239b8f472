// TAI64N (https://cr.yp.to/libtai/tai64.html): 12 bytes, seconds and nanoseconds, big-endian, so that later means larger. Whitened:
// the nanoseconds are rounded down to a multiple of 2^24 (about 17 ms), to tell less of the host's clock. Cold.

export const LEN = 12

/** TAI64 of the Unix epoch, 2^62 + 10: its upper and lower 32 bits. The 10 s are what TAI was ahead of UTC then. */
const EPOCH_HI = 0x40000000
const EPOCH_LO = 10
const WHITEN = 2 ** 24

/** A wall clock's time (ms since 1970, fractions allowed) as a whitened timestamp. */
export function encode(wallMs: number): Uint8Array {
  const seconds = Math.floor(wallMs / 1000)
  return pack(seconds + EPOCH_LO, Math.floor((wallMs - seconds * 1000) * 1e6))
}

/** As `encode`, but always later than `last`: a clock that is set back, or asked twice in 17 ms, repeats no timestamp. */
export function next(wallMs: number, last: Uint8Array): Uint8Array {
  const stamp = encode(wallMs)
  if (compare(stamp, last) > 0) return stamp
  const view = new DataView(last.buffer, last.byteOffset, LEN)
  const seconds = (view.getUint32(0) - EPOCH_HI) * 2 ** 32 + view.getUint32(4)
  const nanoseconds = view.getUint32(8) + WHITEN
  return nanoseconds < 1e9 ? pack(seconds, nanoseconds) : pack(seconds + 1, 0)
}

/** < 0, 0 or > 0, as `a` is earlier than `b`, the same or later. */
export function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < LEN; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return 0
}

// `seconds`: since 1970, with TAI's 10 s added.
function pack(seconds: number, nanoseconds: number): Uint8Array {
  const stamp = new Uint8Array(LEN)
  const view = new DataView(stamp.buffer)
  view.setUint32(0, EPOCH_HI + Math.floor(seconds / 2 ** 32))
  view.setUint32(4, seconds % 2 ** 32)
  view.setUint32(8, nanoseconds - (nanoseconds % WHITEN))
  return stamp
}
