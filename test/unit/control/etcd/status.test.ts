import { expect, test } from 'vitest'
import { StoreError } from '../../../../src/control/etcd/kv.ts'
import { rangeEnd } from '../../../../src/control/etcd/raw.ts'
import { storeErrorOf, TokenError } from '../../../../src/control/etcd/status.ts'

test.each([
  [
    { code: 14, details: 'No connection established. Last error: connect ECONNREFUSED 127.0.0.1:1' },
    'away',
    'nobody listens there',
  ],
  [{ code: 4, details: 'Deadline exceeded after 3.0s' }, 'away', 'no answer in time'],
  [{ code: 14, details: 'Connection dropped' }, 'away', 'connection lost'],
  [{ code: 14, details: 'etcdserver: no leader' }, 'away', 'it has no leader'],
  [{ code: 11, details: 'etcdserver: mvcc: required revision has been compacted' }, 'compacted', 'compacted'],
  [{ code: 5, details: 'etcdserver: requested lease not found' }, 'missing', 'no such lease'],
  [{ code: 7, details: 'etcdserver: permission denied' }, 'refused', 'does not permit that'],
  [{ code: 3, details: 'etcdserver: user name is empty' }, 'refused', 'give username and passwordFile'],
  [{ code: 12, details: 'unknown service etcdserverpb.KV' }, 'refused', 'unknown service'],
  [
    { code: 14, details: 'unable to verify the first certificate' },
    'away',
    'its certificate does not do (unable to verify',
  ],
  [
    { code: 14, details: 'No connection established. Last error: Error: self-signed certificate. Resolution note: ' },
    'away',
    'its certificate does not do (self-signed certificate.); see caFile',
  ],
  [{ code: 14, details: 'ssl3_read_bytes:sslv3 alert bad certificate:r' }, 'away', 'certFile and keyFile'],
  [{ code: 14, details: 'error:0A00010B:SSL routines::wrong version number' }, 'away', 'write http://'],
  [
    { code: 14, details: 'Client network socket disconnected before secure TLS connection was established' },
    'away',
    'write http:// if it speaks none',
  ],
  [{ message: 'error:05800074:x509 certificate routines::key values mismatch' }, 'away', 'not the key of certFile'],
  [
    {
      code: 14,
      details: 'No connection established. Last error: Failed to connect (2026-01-02T03:04:05.678Z). Resolution note: ',
    },
    'away',
    'no connection; does it want https://?',
  ],
  [{ code: 14, details: 'else (2026-01-02T03:04:05.678Z). Resolution note: ' }, 'away', 'else.'],
  [{ code: 13, details: 'something\n else' }, 'away', 'something else'],
])('%o is %s: %s', (error, kind, text) => {
  const found = storeErrorOf(error, 'http://a:1')
  expect(found.kind).toBe(kind)
  expect(found.message).toContain(`http://a:1: `)
  expect(found.message).toContain(text)
  expect(storeErrorOf(found, 'http://b:1')).toBe(found)
})

test('a token that is not known any more is told apart', () => {
  expect(storeErrorOf({ code: 16, details: 'etcdserver: invalid auth token' }, 'a')).toBeInstanceOf(TokenError)
  expect(storeErrorOf({ code: 16, details: 'else' }, 'a')).not.toBeInstanceOf(TokenError)
  expect(storeErrorOf(new Error('else'), 'a')).toBeInstanceOf(StoreError)
})

test.each([
  ['/a/', '/a0'],
  ['a', 'b'],
  ['', '\0'],
])('all keys that begin with %j end before %j', (prefix, end) => expect(rangeEnd(prefix).toString()).toBe(end))
