// What is said of handshakes that come to nothing, and how often.
import { expect, it } from 'vitest'
import { HandshakeFaults } from '../../../src/control/handshake-faults.ts'

const MINUTE = 60_000

it('says of an answer that does not open that the preshared keys may differ, once a minute for each peer', () => {
  const faults = new HandshakeFaults()
  expect(faults.hear(1, 'b', 'answer', 'bad-tag', 0)).toMatch(/^peer b answers .*preshared key/)
  for (const now of [1, 5000, MINUTE - 1]) expect(faults.hear(1, 'b', 'answer', 'bad-tag', now)).toBeNull()
  expect(faults.hear(2, 'c', 'answer', 'bad-tag', 5)).toMatch(/^peer c /)
  expect(faults.hear(1, 'b', 'answer', 'bad-tag', MINUTE)).toMatch(/^peer b /)
})

it('says of the third handshake in a row that is older than one before that the clock was set back, once a minute', () => {
  const faults = new HandshakeFaults()
  const said = [0, 1, 2, 3, MINUTE + 1, MINUTE + 2].map((now) => faults.hear(1, 'b', 'initiation', 'replay', now))
  expect(said.map((line) => line !== null)).toEqual([false, false, true, false, false, true])
  expect(said[2]).toMatch(/^peer b: .*clock/)
})

it('says nothing of one that a network has doubled, between those that succeed', () => {
  const faults = new HandshakeFaults()
  for (let now = 0; now < 100; now++) {
    expect(faults.hear(1, 'b', 'initiation', 'replay', now)).toBeNull()
    faults.succeeded(1)
  }
})

it('says nothing of what anybody can send', () => {
  const faults = new HandshakeFaults()
  for (const why of ['bad-tag', 'bad-mac', 'flood', 'unknown-peer'] as const)
    for (let n = 0; n < 5; n++) expect(faults.hear(1, 'b', 'initiation', why, n)).toBeNull()
  for (const why of ['replay', 'no-handshake', 'bad-cookie'] as const)
    for (let n = 0; n < 5; n++) expect(faults.hear(1, 'b', 'answer', why, n)).toBeNull()
})

it('begins anew with a number that is for another peer', () => {
  const faults = new HandshakeFaults()
  expect(faults.hear(1, 'b', 'answer', 'bad-tag', 0)).not.toBeNull()
  faults.forget(1)
  expect(faults.hear(1, 'd', 'answer', 'bad-tag', 1)).toMatch(/^peer d /)
})
