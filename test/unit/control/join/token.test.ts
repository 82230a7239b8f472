import { createHash } from 'node:crypto'
import { describe, expect, it, test } from 'vitest'
import { decodeToken, encodeToken, type Token, TokenError } from '../../../../src/control/join/token.ts'
import { Secret } from '../../../../src/control/secret.ts'

const key = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)

const TOKEN: Token = {
  expires: 1_795_613_670,
  privateKey: new Secret(key(0x11)),
  publicKey: key(0x22),
  presharedKey: new Secret(key(0x33)),
  network: 'blue',
  vni: 0x0a0b0c,
  name: 'host-b',
  host: 'host-a',
  endpoints: [
    { host: '198.18.0.1', port: 51820 },
    { host: 'fd00:18::1', port: 443 },
    { host: 'host-a.example.net', port: 51821 },
  ],
}

/** A token of these bytes with the right checksum. */
function sealed(body: Uint8Array): string {
  const sum = createHash('sha256').update('vtepd1-').update(body).digest().subarray(0, 6)
  return `vtepd1-${Buffer.concat([body, sum]).toString('base64url')}`
}

function bodyOf(token: string): Buffer {
  return Buffer.from(token.slice('vtepd1-'.length), 'base64url').subarray(0, -6)
}

const text = encodeToken(TOKEN)

describe('a token', () => {
  it('holds what was put in', () => {
    const read = decodeToken(text)
    const { privateKey, presharedKey, publicKey, ...rest } = read
    const { privateKey: a, presharedKey: b, publicKey: c, ...given } = TOKEN
    expect(rest).toEqual(given)
    expect([...privateKey.copy(), ...presharedKey.copy(), ...publicKey]).toEqual([...a.copy(), ...b.copy(), ...c])
  })

  it('is one word that a shell, a URL and a chat leave alone', () => {
    expect(text).toMatch(/^vtepd1-[A-Za-z0-9_-]+$/)
    expect(text.length).toBeLessThan(300)
  })

  it('is none when any one of its characters is another', () => {
    for (let at = 0; at < text.length; at++) {
      for (const other of 'AQgz09-_ '.replace(text[at]!, '')) {
        // A blank is no change of the characters but one fewer.
        const altered = text.slice(0, at) + other + text.slice(at + 1)
        expect(() => decodeToken(altered), `${at} ${other}`).toThrow(TokenError)
      }
    }
  })

  it('is none when a part of it is missing, doubled or swapped', () => {
    for (let at = 0; at < text.length; at++) {
      expect(() => decodeToken(text.slice(0, at))).toThrow(TokenError)
      expect(() => decodeToken(text.slice(0, at) + text.slice(at + 1))).toThrow(TokenError)
      if (text[at] === text[at + 1] || at + 1 === text.length) continue
      const swapped = text.slice(0, at) + text[at + 1]! + text[at]! + text.slice(at + 2)
      expect(() => decodeToken(swapped), `${at}`).toThrow(TokenError)
    }
    expect(() => decodeToken(text + text.at(-1))).toThrow(TokenError)
    expect(() => decodeToken(text + text)).toThrow(TokenError)
  })

  it('may have been broken into lines', () => {
    expect(decodeToken(`  ${text.slice(0, 80)}\r\n${text.slice(80)}\n`).name).toBe('host-b')
  })
})

test.each([
  ['', 'there is no token'],
  ['hello', 'this is no token'],
  ['vtepd2-AAAA', 'made by another version'],
  [`${text.slice(0, -3)}AAA`, 'damaged: its checksum is wrong'],
  ['a'.repeat(100_000), 'this is no token'],
])('%#: what is no token is told from what is a damaged one', (given, what) => {
  expect(() => decodeToken(given)).toThrow(what)
})

describe('bytes with a right checksum that nobody of ours wrote', () => {
  const body = bodyOf(text)
  const NETWORK_AT = 6 + 96 + 3

  it('are taken when nothing was changed', () => expect(sealed(body)).toBe(text))

  test.each<[string, (b: Buffer) => Uint8Array]>([
    ['a name with a path in it', (b) => b.fill('../..', NETWORK_AT + 1, NETWORK_AT + 5)],
    ['a name that is longer than the rest', (b) => b.fill(255, NETWORK_AT, NETWORK_AT + 1)],
    ['a key of zeros', (b) => b.fill(0, 6, 38)],
    ['no endpoint', (b) => Buffer.concat([b.subarray(0, b.length - 1 - 7 - 19 - 22), Buffer.from([0])])],
    ['something behind the end', (b) => Buffer.concat([b, Buffer.from([0])])],
    ['port 0', (b) => b.fill(0, b.length - 2)],
    ['a kind of endpoint that there is not', (b) => b.fill(5, b.length - 22, b.length - 21)],
    ['nothing at all', () => new Uint8Array(0)],
  ])('are refused with %s', (_, change) => {
    expect(() => decodeToken(sealed(change(Buffer.from(body))))).toThrow(TokenError)
  })

  test('are cut anywhere and refused', () => {
    for (let end = 0; end < body.length; end++) {
      expect(() => decodeToken(sealed(body.subarray(0, end))), `${end}`).toThrow(TokenError)
    }
  })
})
