// Key pairs and chance for tests of the protocol: the same in every run with the same seed.
import { generate, type KeyPair, type Random } from '../../src/crypto/x25519.ts'
import { generator } from './seed.ts'

export function chance(start: number): Random {
  const draw = generator(start)
  return (into) => {
    for (let i = 0; i < into.length; i++) into[i] = draw()
  }
}

/** Two pairs, the one with the lower public key first. Await sodium's `ready` before. */
export function twoPairs(random: Random): [KeyPair, KeyPair] {
  const a = generate(random)
  const b = generate(random)
  return Buffer.compare(a.public, b.public) < 0 ? [a, b] : [b, a]
}

/** A sockaddr as batches have them: 32 bytes. */
export function sockaddr(address: number[], port: number): Uint8Array {
  const bytes = new Uint8Array(32)
  const v6 = address.length === 16
  bytes[0] = v6 ? 10 : 2
  bytes[2] = port >> 8
  bytes[3] = port
  bytes.set(address, v6 ? 8 : 4)
  return bytes
}

/** Public keys, in base64, whose secret with any other is zero (RFC 7748 §6.1). */
export const lowOrder: readonly string[] = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].map((hex) => Buffer.from(hex, 'hex').toString('base64'))
