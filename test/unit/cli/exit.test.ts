import { describe, expect, test } from 'vitest'
import { exitCodeOf, explain, Failure } from '../../../src/cli/exit.ts'
import { ConfigError } from '../../../src/control/config/error.ts'
import { Refusal } from '../../../src/control/refusal.ts'

describe('the exit code', () => {
  test.each([
    ['what failed with a code', new Failure(3, 'x'), 3],
    ["the agent's refusals", new Refusal('x', 4), 4],
    ['faults of a configuration', new ConfigError('f', ['a: x; y']), 2],
    ['what the kernel forbids', Object.assign(new Error('x'), { code: 'EPERM' }), 4],
    ['a file that may not be read', Object.assign(new Error('x'), { code: 'EACCES' }), 4],
    ['any other failed call', Object.assign(new Error('x'), { code: 'EBUSY' }), 1],
    ['our own mistakes', new TypeError('x'), 1],
    ['what is no error at all', 'x', 1],
    ['nothing', undefined, 1],
  ])('of %s', (_, error, code) => expect(exitCodeOf(error)).toBe(code))
})

describe('the explanation', () => {
  test.each([
    ['is one line', new Error('device vt42:\n  busy'), 'vtepd: device vt42: busy\n'],
    ['says vtepd once', new Failure(2, 'vtepd fdb: unknown flag'), 'vtepd fdb: unknown flag\n'],
    ['says vtepd once at the top level', new Failure(2, 'vtepd: want a command'), 'vtepd: want a command\n'],
    ['has one fault in its line', new Failure(2, 'refused', ['a: x; y']), 'vtepd: refused: a: x; y\n'],
    ['does not repeat a fault', new Failure(2, 'refused: a: x', ['a: x']), 'vtepd: refused: a: x\n'],
    ['has several below it', new Failure(2, 'refused', ['a: x', 'b: y']), 'vtepd: refused:\n  a: x\n  b: y\n'],
    [
      'of a configuration lists each fault once',
      new ConfigError('vtepd.yaml', ['a: x; y', 'b: x; y']),
      'vtepd: vtepd.yaml: 2 faults:\n  a: x; y\n  b: x; y\n',
    ],
    ['of what is no error', 'odd', 'vtepd: odd\n'],
  ])('%s', (_, error, text) => expect(explain(error)).toBe(text))
})
