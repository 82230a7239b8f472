// Packets in tests: hex with spaces between fields in, a place in a slab with neighbours on both sides out.

/** Bytes of hex digits; blanks and line ends between them are for the reader. */
export function hex(text: string): Uint8Array {
  const digits = text.replaceAll(/\s+/g, '')
  if (digits.length % 2 !== 0 || /[^0-9a-fA-F]/.test(digits)) throw new Error(`not hex: ${text}`)
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}

/** The other way round, without blanks. */
export function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** A packet as the walks see it: [off, end) of `buf`, other packets' bytes around it. */
export interface Placed {
  readonly buf: Uint8Array
  readonly off: number
  readonly end: number
}

/** Puts `bytes` between two neighbours full of `neighbour`. */
export function place(bytes: Uint8Array, neighbour = 0xa5, before = 37, after = 64): Placed {
  const buf = new Uint8Array(before + bytes.length + after).fill(neighbour)
  buf.set(bytes, before)
  return { buf, off: before, end: before + bytes.length }
}

/** A place to write to, full of 0xa5. */
export function blank(size: number): Uint8Array {
  return new Uint8Array(size).fill(0xa5)
}

/** Whether everything outside [off, end) still is `neighbour`. */
export function untouched(buf: Uint8Array, off: number, end: number, neighbour = 0xa5): boolean {
  return buf.every((byte, at) => (at >= off && at < end) || byte === neighbour)
}

/** A copy with a 0 there. */
export function zeroed(bytes: Uint8Array, at: number): Uint8Array {
  const copy = bytes.slice()
  copy[at] = 0
  return copy
}
