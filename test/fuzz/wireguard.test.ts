// Any bytes at all into the handshakes: nothing throws, and nothing but what was really said makes a session.
import { beforeAll, describe, expect, it } from 'vitest'
import { ready } from '../../src/crypto/sodium.ts'
import { UNDER_LOAD_QUEUE } from '../../src/wireguard/constants.ts'
import { CookieJar } from '../../src/wireguard/cookie.ts'
import { Handshakes } from '../../src/wireguard/handshakes.ts'
import { chance, sockaddr, twoPairs } from '../support/keys.ts'
import { generator, seed } from '../support/seed.ts'

beforeAll(() => ready())

const ROUNDS = 600
const FROM = sockaddr([10, 0, 0, 1], 51820)

describe('handshakes', () => {
  it('take changed messages, with MAC1 made anew, for what they are', () => {
    const random = generator(seed)
    const [ka, kb] = twoPairs(chance(seed))
    const [a, b] = [new Handshakes(chance(seed ^ 1)), new Handshakes(chance(seed ^ 2))]
    a.setPrivateKey(ka.private)
    b.setPrivateKey(kb.private)
    a.addPeer(1, kb.public, null)
    b.addPeer(1, ka.public, null)
    const [toA, toB] = [new CookieJar(ka.public), new CookieJar(kb.public)]
    for (let round = 0; round < ROUNDS; round++) {
      const now = round * 5000
      const initiation = a.initiate(1, now, 1e12 + now)!
      const asked = a.initiate(1, now, 1e12 + now)!
      const answered = b.handle(asked, FROM, 0, now)
      if (answered.kind !== 'session') throw new Error(answered.kind)
      const cookie = b.handle(initiation, FROM, UNDER_LOAD_QUEUE, now + 1)
      if (cookie.kind !== 'send') throw new Error(cookie.kind)
      for (const [message, host, jar] of [
        [initiation, b, toB],
        [answered.message!, a, toA],
        [cookie.message, a, null],
      ] as const) {
        const changed = mutated(message, random)
        if (jar && changed.length === message.length && random() % 2 === 0) jar.sign(changed, now)
        // The sender's index is covered by MAC1 alone (WG §5.4.4), which anybody can make.
        const isSame = Buffer.compare(changed.subarray(8, -32), message.subarray(8, -32)) === 0
        const outcome = host.handle(changed, FROM, 0, now + 2000)
        if (!isSame) expect(outcome.kind).toBe('nothing')
      }
    }
  })
})

// Some bytes changed, at times cut or prolonged.
function mutated(sample: Uint8Array, random: () => number): Uint8Array {
  const length = random() % 8 === 0 ? random() % 200 : sample.length
  const bytes = new Uint8Array(length)
  bytes.set(sample.subarray(0, length))
  for (let n = random() % 4; n > 0 && length > 0; n--) bytes[random() % length] = random() & 255
  return bytes
}
