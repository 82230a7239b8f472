import { format, inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { Secret } from '../../../src/control/secret.ts'

const BYTES = Uint8Array.from({ length: 32 }, (_, i) => 0xa0 + i)
const FORMS = [
  ['base64', Buffer.from(BYTES).toString('base64')],
  ['hexadecimal', Buffer.from(BYTES).toString('hex')],
  ['numbers', BYTES.slice(0, 4).join()],
  ['an array', '160, 161'],
] as const

const secret = new Secret(BYTES)
const SHOWN: readonly (readonly [string, string])[] = [
  ['String', String(secret)],
  ['a template', `${secret}`],
  ['JSON', JSON.stringify({ secret, list: [secret] })],
  ['inspect', inspect({ secret }, { depth: 9, showHidden: true })],
  ['inspect without custom forms', inspect(secret, { customInspect: false, showHidden: true, depth: 9 })],
  ['format', format('%s %o %O %j', secret, secret, secret, secret)],
  ['its keys', JSON.stringify([Object.entries(secret), Reflect.ownKeys(secret), { ...secret }])],
  ['a clone', inspect(structuredClone({ ...secret }))],
  ['an error', String(new Error('no', { cause: secret }).cause)],
]

describe('a secret', () => {
  test.each(SHOWN)('is not shown by %s', (_, text) => {
    for (const [form, bytes] of FORMS) expect(text.toLowerCase(), form).not.toContain(bytes.toLowerCase())
  })

  test('is said to be there', () => {
    expect(JSON.stringify({ secret })).toBe('{"secret":"(secret)"}')
    expect(inspect([secret])).toBe('[ (secret) ]')
  })

  test('is a copy of what it was made of, and gives out copies', () => {
    const bytes = BYTES.slice()
    const one = new Secret(bytes)
    bytes.fill(0)
    expect(one.copy()).toEqual(BYTES)
    one.copy().fill(0)
    expect(one.copy()).toEqual(BYTES)
  })

  test('equals another of the same bytes alone', () => {
    const other = BYTES.slice()
    other[31]! ^= 1
    expect(secret.equals(new Secret(BYTES))).toBe(true)
    expect(secret.equals(new Secret(other))).toBe(false)
    expect(secret.equals(null)).toBe(false)
  })

  test('is zeros once it is of no use, frozen or not', () => {
    const one = Object.freeze(new Secret(BYTES))
    one.zero()
    expect(one.copy()).toEqual(new Uint8Array(32))
  })

  test('has 32 bytes', () => expect(() => new Secret(new Uint8Array(31))).toThrow('want 32 bytes, got 31'))
})
