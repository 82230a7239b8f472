import { beforeAll, describe, expect, it } from 'vitest'
import { ready } from '../../../src/crypto/sodium.ts'
import { generate } from '../../../src/crypto/x25519.ts'
import { COOKIE_LATENCY, COOKIE_REFRESH } from '../../../src/wireguard/constants.ts'
import { CookieChecker, CookieJar } from '../../../src/wireguard/cookie.ts'
import { text } from '../../support/bytes.ts'
import { chance, sockaddr } from '../../support/keys.ts'
import { seed } from '../../support/seed.ts'

beforeAll(() => ready())

const random = chance(seed)
const FROM = sockaddr([192, 168, 13, 37], 1024)
const NOW = 1e6

function pair() {
  const { public: key } = generate(random)
  return { jar: new CookieJar(key), checker: new CookieChecker(key, random) }
}

/** A message of random bytes; both MACs are its last 32. */
function draw(length: number): Uint8Array {
  const message = new Uint8Array(length)
  random(message)
  return message
}

/** A jar that has a cookie from the checker, sent to FROM at NOW. */
function acquainted() {
  const { jar, checker } = pair()
  const message = draw(148)
  jar.sign(message, NOW)
  expect(jar.take(checker.reply(message, 1377, FROM, NOW), NOW)).toBe(true)
  return { jar, checker }
}

describe('mac1', () => {
  it.each([148, 92])('over a message of %d bytes is right for its receiver only', (length) => {
    const { jar, checker } = pair()
    const message = draw(length)
    jar.sign(message, NOW)
    expect(checker.hasMac1(message)).toBe(true)
    expect(pair().checker.hasMac1(message)).toBe(false)
  })

  it('covers every byte before it, and itself', () => {
    const { jar, checker } = pair()
    const message = draw(92)
    jar.sign(message, NOW)
    for (let i = 0; i < 76; i++) {
      message[i]! ^= 0x20
      expect(checker.hasMac1(message), `byte ${i}`).toBe(false)
      message[i]! ^= 0x20
    }
  })
})

describe('mac2', () => {
  it('is zero without a cookie, and then it is not right', () => {
    const { jar, checker } = pair()
    const message = draw(148)
    jar.sign(message, NOW)
    expect(text(message.subarray(132))).toBe('00'.repeat(16))
    expect(checker.hasMac2(message, FROM, NOW)).toBe(false)
  })

  it('is right with the cookie that was sent to this address and port', () => {
    const { jar, checker } = acquainted()
    for (const length of [148, 92]) {
      const message = draw(length)
      jar.sign(message, NOW)
      expect(checker.hasMac1(message)).toBe(true)
      expect(checker.hasMac2(message, FROM, NOW)).toBe(true)
      message[5]! ^= 0x20
      expect(checker.hasMac2(message, FROM, NOW)).toBe(false)
    }
  })

  it.each([
    ['another port', sockaddr([192, 168, 13, 37], 1025)],
    ['another address', sockaddr([192, 168, 13, 38], 1024)],
    ['an IPv6 address with the same bytes', sockaddr([192, 168, 13, 37, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 1024)],
  ])('is not right from %s', (_name, from) => {
    const { jar, checker } = acquainted()
    const message = draw(148)
    jar.sign(message, NOW)
    expect(checker.hasMac2(message, from, NOW)).toBe(false)
  })

  it('does not depend on what is in a sockaddr beside address and port', () => {
    const from = sockaddr([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9], 1024)
    const { jar, checker } = pair()
    const message = draw(148)
    jar.sign(message, NOW)
    jar.take(checker.reply(message, 1, from, NOW), NOW)
    jar.sign(message, NOW)
    const labelled = from.slice()
    labelled.set([1, 2, 3, 4], 4)
    labelled.set([7], 24)
    expect(checker.hasMac2(message, labelled, NOW)).toBe(true)
  })
})

describe('a cookie', () => {
  it('is used until just before it ends', () => {
    const { jar } = acquainted()
    const has = (age: number) => {
      const message = draw(148)
      jar.sign(message, NOW + age)
      return text(message.subarray(132)) !== '00'.repeat(16)
    }
    expect(has(COOKIE_REFRESH - COOKIE_LATENCY - 1)).toBe(true)
    expect(has(COOKIE_REFRESH - COOKIE_LATENCY)).toBe(false)
  })

  it('is not good any more when the secret it was made of is replaced', () => {
    const { jar, checker } = acquainted()
    const message = draw(148)
    jar.sign(message, NOW + 1000)
    expect(checker.hasMac2(message, FROM, NOW + COOKIE_REFRESH - 1)).toBe(true)
    expect(checker.hasMac2(message, FROM, NOW + COOKIE_REFRESH)).toBe(false)
    checker.reply(message, 1, FROM, NOW + COOKIE_REFRESH)
    expect(checker.hasMac2(message, FROM, NOW + COOKIE_REFRESH)).toBe(false)
  })

  it('is gone after wiping', () => {
    const { jar, checker } = acquainted()
    jar.wipe()
    const message = draw(148)
    jar.sign(message, NOW)
    expect(text(message.subarray(132))).toBe('00'.repeat(16))
    expect(checker.hasMac2(message, FROM, NOW)).toBe(false)
  })
})

describe('a cookie reply', () => {
  it('is smaller than what it answers, and names its index', () => {
    const { jar, checker } = pair()
    const message = draw(92)
    jar.sign(message, NOW)
    const reply = checker.reply(message, 0x01020304, FROM, NOW)
    expect(reply.length).toBe(64)
    expect(text(reply.subarray(0, 8))).toBe('0300000004030201')
  })

  it('is taken once, and only for the last message', () => {
    const { jar, checker } = pair()
    const [first, second] = [draw(148), draw(148)]
    jar.sign(first, NOW)
    const stale = checker.reply(first, 1, FROM, NOW)
    jar.sign(second, NOW)
    const reply = checker.reply(second, 1, FROM, NOW)
    expect(jar.take(stale, NOW)).toBe(false)
    expect(jar.take(reply, NOW)).toBe(true)
    expect(jar.take(reply, NOW)).toBe(false)
  })

  it('is refused when forged, and the true one is still taken', () => {
    const { jar, checker } = pair()
    const message = draw(148)
    jar.sign(message, NOW)
    const reply = checker.reply(message, 1, FROM, NOW)
    for (const at of [8, 31, 32, 63]) {
      const forged = reply.slice()
      forged[at]! ^= 1
      expect(jar.take(forged, NOW)).toBe(false)
    }
    expect(jar.take(pair().checker.reply(message, 1, FROM, NOW), NOW)).toBe(false)
    expect(jar.take(reply, NOW)).toBe(true)
  })

  it('is never taken by who has sent nothing', () => {
    const { jar, checker } = pair()
    const message = draw(148)
    expect(jar.take(checker.reply(message, 1, FROM, NOW), NOW)).toBe(false)
  })
})
