// Sealing and opening by the native Engine over a real socket, compared with node:crypto byte for byte.
import { createCipheriv, randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { KEEPALIVE } from '../../src/batch.ts'
import { aeadEngines, aeadUse } from '../../src/host/addon.ts'
import { Loopback } from '../support/loopback.ts'

const REMOTE = 0xfedcba98

describe.each(aeadEngines())('%s', (name) => {
  let loop: Loopback
  let key: Uint8Array

  beforeEach(() => {
    aeadUse(name)
    loop = new Loopback()
    key = new Uint8Array(randomBytes(32))
    loop.engine.setKey(7, key, REMOTE)
  })
  afterEach(() => {
    loop.close()
    aeadUse(null)
  })

  it('seals what node:crypto seals, of every length', () => {
    const packets = [0, 1, 15, 16, 17, 63, 64, 65, 255, 256, 1023, 1024, 1420, 4000].map((n) => packet(n))
    for (const [i, p] of packets.entries()) {
      loop.clear()
      const slot = loop.put(p, 7, 1000 + i)
      if (p.length === 0) loop.out.kind[slot] = KEEPALIVE
      expect(loop.send()).toBe(0)
      expect(loop.receive(1)).toEqual([seal(p, key, REMOTE, 1000 + i)])
    }
  })
})

function packet(length: number): Uint8Array {
  return new Uint8Array(randomBytes(length))
}

function seal(text: Uint8Array, key: Uint8Array, remote: number, counter: number): Uint8Array {
  const message = new Uint8Array(text.length + 32)
  const view = new DataView(message.buffer)
  view.setUint32(0, 4, true)
  view.setUint32(4, remote, true)
  view.setBigUint64(8, BigInt(counter), true)
  const nonce = new Uint8Array(12)
  nonce.set(message.subarray(8, 16), 4)
  const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 })
  message.set(cipher.update(text), 16)
  cipher.final()
  message.set(cipher.getAuthTag(), 16 + text.length)
  return message
}
