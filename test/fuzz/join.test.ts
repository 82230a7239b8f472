// Any bytes at all as a message of another agent's control thread, and any text as a token: nothing throws but what is meant to,
// and what is read is written as it came.
import { expect, it } from 'vitest'
import { type JoinMessage, readMessage, writeMessage } from '../../src/control/join/join-message.ts'
import { decodeToken, encodeToken, TokenError } from '../../src/control/join/token.ts'
import { Secret } from '../../src/control/secret.ts'
import { KEY_C } from '../support/config.ts'
import { generator, seed } from '../support/seed.ts'

const ROUNDS = 3000
const SAMPLES: JoinMessage[] = [
  { id: 1, ask: 'join', key: KEY_C, port: 51820, at: ['198.18.0.2'], want: ['10.42.0.7'] },
  {
    id: 2,
    page: {
      version: '0123456789abcdef',
      from: 0,
      next: 3,
      members: [{ name: 'c', key: KEY_C, endpoint: '198.18.0.3:1', ips: ['10.42.0.3/32'], told: true }],
    },
  },
  { id: 3, no: { why: 'used', at: 1, text: '' } },
  { changed: 'blue' },
]

function changed(bytes: Uint8Array, random: () => number): Uint8Array {
  const copy = Uint8Array.from(bytes)
  for (let n = 1 + (random() % 4); n > 0; n--) copy[random() % copy.length] = random() & 255
  return random() % 4 === 0 ? copy.subarray(0, random() % copy.length) : copy
}

it('messages that are read are written as they came', () => {
  const random = generator(seed)
  for (let round = 0; round < ROUNDS; round++) {
    const sample = writeMessage(SAMPLES[round % SAMPLES.length]!)
    const message = readMessage(changed(sample, random))
    if (message) expect(readMessage(writeMessage(message))).toEqual(message)
  }
})

it('tokens are what was made, or none', () => {
  const random = generator(seed)
  const key = (byte: number): Secret => new Secret(new Uint8Array(32).fill(byte))
  const text = encodeToken({
    expires: 1,
    privateKey: key(1),
    publicKey: new Uint8Array(32).fill(2),
    presharedKey: key(3),
    network: 'blue',
    vni: 42,
    name: 'b',
    host: 'a',
    endpoints: [{ host: '198.18.0.1', port: 51820 }],
  })
  for (let round = 0; round < ROUNDS; round++) {
    const other = Buffer.from(changed(Buffer.from(text), random)).toString('latin1')
    if (other.replaceAll(/\s+/g, '') === text) continue
    expect(() => decodeToken(other)).toThrow(TokenError)
  }
})
