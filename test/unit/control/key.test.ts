import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  base64Of,
  generatePresharedKey,
  generatePrivateKey,
  isKey,
  isZeroKey,
  keyFromBase64,
  publicKeyOf,
} from '../../../src/control/key.ts'
import { ready } from '../../../src/crypto/sodium.ts'
import { publicKey } from '../../../src/crypto/x25519.ts'

const ZERO = `${'A'.repeat(43)}=`

function read(text: string): Uint8Array | null {
  return keyFromBase64(Buffer.from(text, 'latin1'))
}

describe('the text of a key', () => {
  test('is read as Buffer reads it, and written back the same', () => {
    for (let i = 0; i < 200; i++) {
      const bytes = Uint8Array.from(randomBytes(32))
      const text = Buffer.from(bytes).toString('base64')
      expect(read(text)).toEqual(bytes)
      expect(base64Of(bytes)).toBe(text)
      expect(isKey(text)).toBe(true)
    }
  })

  test('is written from a part of a larger array', () => {
    const whole = Uint8Array.from({ length: 64 }, (_, i) => i)
    expect(read(base64Of(whole.subarray(16, 48)))).toEqual(whole.slice(16, 48))
  })

  test('is a key to both readers or to neither, whatever byte stands wherever', () => {
    for (let place = 0; place < ZERO.length; place++) {
      for (let byte = 0; byte < 256; byte++) {
        const text = ZERO.slice(0, place) + String.fromCharCode(byte) + ZERO.slice(place + 1)
        if ((read(text) !== null) !== isKey(text)) expect.fail(`byte ${byte} at ${place}`)
      }
    }
  })

  test.each([
    ['nothing', ''],
    ['31 bytes', Buffer.alloc(31).toString('base64')],
    ['33 bytes', Buffer.alloc(33).toString('base64')],
    ['no padding', 'A'.repeat(43)],
    ['stray bits in the last character', `${'A'.repeat(42)}B=`],
    ['the alphabet for addresses of RFC 4648 §5', `${'-'.repeat(42)}A=`],
    ['hexadecimal digits', '0'.repeat(64)],
    ['a line end', `${ZERO}\n`],
  ])('is none with %s', (_, text) => {
    expect(read(text)).toBeNull()
    expect(isKey(text)).toBe(false)
  })
})

// RFC 7748 §6.1
const ALICE = '77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a'
const ALICE_PUBLIC = '8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a'
const BOB = '5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb'
const BOB_PUBLIC = 'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f'

describe('a key pair', () => {
  test.each([
    ['Alice', ALICE, ALICE_PUBLIC],
    ['Bob', BOB, BOB_PUBLIC],
  ])('has the public key of RFC 7748 §6.1: %s', (_, secret, half) => {
    const bytes = Uint8Array.from(Buffer.from(secret, 'hex'))
    expect(Buffer.from(publicKeyOf(bytes)).toString('hex')).toBe(half)
    // The argument stays the caller's.
    expect(Buffer.from(bytes).toString('hex')).toBe(secret)
  })

  test('has the same public key whether clamped or not', () => {
    const loose = Uint8Array.from({ length: 32 }, () => 0xff)
    const clamped = loose.slice()
    clamped[0]! &= 248
    clamped[31] = (clamped[31]! & 127) | 64
    expect(publicKeyOf(loose)).toEqual(publicKeyOf(clamped))
  })

  test('has the public key that the handshake will use', async () => {
    await ready()
    for (let i = 0; i < 20; i++) {
      const key = Uint8Array.from(randomBytes(32))
      expect(publicKeyOf(key)).toEqual(publicKey(key))
    }
  })

  test('is made clamped and never twice', () => {
    const keys = Array.from({ length: 50 }, generatePrivateKey)
    for (const key of keys) expect([key.length, key[0]! & 7, key[31]! & 0xc0]).toEqual([32, 0, 0x40])
    expect(new Set(keys.map(base64Of)).size).toBe(50)
  })
})

test('a preshared key is 32 bytes by chance', () => {
  const keys = Array.from({ length: 50 }, generatePresharedKey)
  expect(keys.every((key) => key.length === 32 && !isZeroKey(key))).toBe(true)
  expect(new Set(keys.map(base64Of)).size).toBe(50)
  // Not clamped: the bits that clamping clears do occur.
  expect(keys.some((key) => (key[0]! & 7) !== 0)).toBe(true)
})

test('zeros are told from a key by any one bit', () => {
  const key = new Uint8Array(32)
  expect(isZeroKey(key)).toBe(true)
  key[31] = 1
  expect(isZeroKey(key)).toBe(false)
})
