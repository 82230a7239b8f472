// What native does to a batch that is sealed or opened, the plain way: slices, and libsodium for the arithmetic. The headers of a
// train's segments are copied as they are; that native corrects them is shown in test/native.
import { type Batch, KEEPALIVE } from '../../../src/batch.ts'
import * as aead from '../../../src/crypto/aead.ts'
import * as wire from '../../../src/wire/wireguard.ts'

export interface Key {
  readonly key: Uint8Array
  readonly remote: number
}

const EBADMSG = -74
const ENOKEY = -126

/** The datagrams of slot j, sealed when it has a key, filled up to multiples of 16 but not beyond `pad` (0: not at all). */
export function datagrams(b: Batch, j: number, key: Key | undefined, pad: number): Uint8Array[] {
  const parts = segments(b, j)
  if (b.key[j]! < 0) return parts
  if (key === undefined) throw new Error(`slot ${j} is sealed with key ${b.key[j]}, which nobody has set`)
  return parts.map((plain, k) => seal(key, b.ctr[j]! + k, plain, pad))
}

/** Opens in place what has a key, as Engine.open does; answers how many failed. */
export function open(b: Batch, keys: ReadonlyMap<number, Key>): number {
  let failed = 0
  for (let i = 0; i < b.count; i++) {
    if (b.len[i] === 0 || b.key[i]! < 0) continue
    const off = b.off[i]!
    const key = keys.get(b.key[i]!)
    const sealed = b.bytes.subarray(off + wire.HEADER_LEN, off + b.len[i]!)
    const plain = key ? aead.open(key.key, b.ctr[i]!, sealed, null) : null
    b.err[i] = plain ? 0 : key ? EBADMSG : ENOKEY
    // What native leaves of a failed one is nobody's business.
    b.bytes.fill(0xee, off + wire.HEADER_LEN, off + b.len[i]!)
    if (plain) b.bytes.set(plain, off + wire.HEADER_LEN)
    else failed++
  }
  return failed
}

function segments(b: Batch, j: number): Uint8Array[] {
  const bytes = b.bytes.slice(b.off[j]!, b.off[j]! + b.len[j]!)
  const size = b.segment[j]!
  if (size === 0) return bytes.length > 0 || b.kind[j] === KEEPALIVE ? [bytes] : []
  const header = bytes.subarray(0, b.header[j]!)
  const out: Uint8Array[] = []
  for (let at = header.length; at < bytes.length; at += size) {
    out.push(Uint8Array.from([...header, ...bytes.subarray(at, at + size)]))
  }
  return out
}

function seal({ key, remote }: Key, counter: number, plain: Uint8Array, pad: number): Uint8Array {
  const length = plain.length >= pad ? plain.length : Math.min((plain.length + 15) & ~15, pad)
  const padded = new Uint8Array(length)
  padded.set(plain)
  const sealed = aead.seal(key, counter, padded, null)
  const message = new Uint8Array(wire.HEADER_LEN + sealed.length)
  wire.writeTransport(message, 0, remote, counter)
  message.set(sealed, wire.HEADER_LEN)
  return message
}
