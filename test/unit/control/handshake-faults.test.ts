// What is said of handshakes that come to nothing, and how often.
import { expect, it } from 'vitest'
import { HandshakeFaults } from '../../../src/control/handshake-faults.ts'
import { pack } from '../../../src/host/sockaddr.ts'
import { INITIATION_LEN, RESPONSE_LEN } from '../../../src/wire/wireguard.ts'
import type { Why } from '../../../src/wireguard/handshakes.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const FROM = pack('198.18.0.2', 4000)
const OWN = new Uint8Array(32).fill(1)

function ears() {
  const faults = new HandshakeFaults()
  const hear = (peer: number, name: string | null, length: number, why: Why, now: number, caller?: Uint8Array) => {
    const failed = { name, message: new Uint8Array(length), from: FROM, own: OWN }
    return faults.hear({ kind: 'nothing', why, peer, caller: caller ?? null }, failed, now)
  }
  return {
    faults,
    answer: (peer: number, name: string, why: Why, now: number) => hear(peer, name, RESPONSE_LEN, why, now),
    call: (peer: number, name: string, why: Why, now: number) => hear(peer, name, INITIATION_LEN, why, now),
    stranger: (key: number, now: number) =>
      hear(-1, null, INITIATION_LEN, 'unknown-peer', now, new Uint8Array(32).fill(key)),
  }
}

it('says of an answer that does not open that the preshared keys may differ, once a minute for each peer', () => {
  const { answer } = ears()
  expect(answer(1, 'b', 'bad-tag', 0)).toMatch(/^peer b answers .*preshared key/)
  for (const now of [1, 5000, MINUTE - 1]) expect(answer(1, 'b', 'bad-tag', now)).toBeNull()
  expect(answer(2, 'c', 'bad-tag', 5)).toMatch(/^peer c /)
  expect(answer(1, 'b', 'bad-tag', MINUTE)).toMatch(/^peer b /)
})

it('says of the third handshake in a row that is older than one before that the clock was set back, once a minute', () => {
  const { call } = ears()
  const said = [0, 1, 2, 3, MINUTE + 1, MINUTE + 2].map((now) => call(1, 'b', 'replay', now))
  expect(said.map((line) => line !== null)).toEqual([false, false, true, false, false, true])
  expect(said[2]).toMatch(/^peer b: .*clock/)
})

it('says nothing of one that a network has doubled, between those that succeed', () => {
  const { call, faults } = ears()
  for (let now = 0; now < 100; now++) {
    expect(call(1, 'b', 'replay', now)).toBeNull()
    faults.succeeded(1)
  }
})

it('says nothing of what anybody can send in a name', () => {
  const { call, answer } = ears()
  for (const why of ['bad-tag', 'bad-mac', 'flood', 'unknown-peer'] as const)
    for (let n = 0; n < 5; n++) expect(call(1, 'b', why, n)).toBeNull()
  for (const why of ['replay', 'no-handshake', 'bad-cookie'] as const)
    for (let n = 0; n < 5; n++) expect(answer(1, 'b', why, n)).toBeNull()
})

it('begins anew with a number that is for another peer', () => {
  const { answer, faults } = ears()
  expect(answer(1, 'b', 'bad-tag', 0)).not.toBeNull()
  faults.forget(1)
  expect(answer(1, 'd', 'bad-tag', 1)).toMatch(/^peer d /)
})

it('names the key of a caller that is no peer, each once an hour, one a minute, and one that has our own', () => {
  const { stranger } = ears()
  const key = Buffer.alloc(32, 7).toString('base64')
  expect(stranger(7, 0)).toBe(`a host at 198.18.0.2:4000 calls with the public key ${key}, which is no peer's here`)
  expect(stranger(8, 1)).toBeNull()
  expect(stranger(7, MINUTE)).toBeNull()
  expect(stranger(1, MINUTE)).toMatch(/our own public key/)
  expect(stranger(7, HOUR - 1)).toBeNull()
  expect(stranger(7, HOUR)).toContain(key)
})

it('remembers a bounded number of strangers', () => {
  const { stranger } = ears()
  for (let key = 2; key < 102; key++) expect(stranger(key, key * MINUTE)).not.toBeNull()
  expect(stranger(2, 103 * MINUTE)).not.toBeNull()
  expect(stranger(101, 104 * MINUTE)).toBeNull()
})
