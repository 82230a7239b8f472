import { describe, expect, test } from 'vitest'
import { type Entry, NO_LEASE } from '../../../../src/control/etcd/kv.ts'
import { parseKey } from '../../../../src/control/flannel/lease.ts'
import { LeaseTable } from '../../../../src/control/flannel/lease-table.ts'
import { flanneldValue, storeConfig } from '../../../support/flannel.ts'

const DIRECTORY = '/net/subnets/'
const A = '10.42.1.0-24'
const B = '10.42.2.0-24'
const VALUE = flanneldValue('198.18.0.9', '02:00:00:00:00:09')

const entry = (key: string, modRevision: number, value = VALUE, lease = '7'): Entry => ({
  key: DIRECTORY + key,
  value,
  createRevision: modRevision,
  modRevision,
  lease,
})
const put = (key: string, modRevision: number, value = VALUE) => ({
  key: DIRECTORY + key,
  modRevision,
  entry: entry(key, modRevision, value),
})
const gone = (key: string, modRevision: number) => ({ key: DIRECTORY + key, modRevision, entry: null })

function table(...entries: Entry[]): LeaseTable {
  const made = new LeaseTable(DIRECTORY)
  made.replace({ revision: 10, entries })
  return made
}

describe('a table of leases', () => {
  test('has what the store has', () => {
    const one = table(entry(A, 3), entry(B, 4, VALUE, NO_LEASE))
    expect(one.revision).toBe(10)
    expect(one.get(A)!.lease).toEqual({
      key: A,
      subnet: '10.42.1.0/24',
      subnet6: null,
      publicIp: '198.18.0.9',
      publicIpv6: null,
      backendType: 'vxlan',
      vtepMac: '02:00:00:00:00:09',
      vtepMac6: null,
      publicKey: null,
      wireguardPort: null,
      own: false,
      expires: undefined,
    })
    expect(one.get(B)!.lease!.expires).toBeNull()
    one.change([gone(A, 11), put('10.42.3.0-24', 12)], 12)
    expect([...one.rows.keys()]).toEqual([B, '10.42.3.0-24'])
    expect(one.revision).toBe(12)
  })

  test('keeps what cannot be read apart, with the reason, and its subnet taken', () => {
    const one = table(entry('x', 3), entry(A, 4, 'scribble'), entry(B, 5))
    expect([...one.rows.values()].map(({ fault }) => fault)).toEqual([
      'the key is not that of a subnet',
      'it is no JSON',
      null,
    ])
    expect(one.taken(storeConfig()).overlap(one.get(A)!.subnets!.subnet!)?.owner.key).toBe(A)
  })

  test('by a lease that has the whole network, nothing is taken', () => {
    const one = table(entry('0.0.0.0-0', 3), entry('10.42.0.0-16', 4), entry(A, 5))
    const index = one.taken(storeConfig())
    expect(index.overlap(parseKey(B)!.subnet!)).toBeUndefined()
    expect(index.overlap(parseKey(A)!.subnet!)?.owner.key).toBe(A)
  })

  test('keeps a lease that says the same as before, as an object', () => {
    const one = table(entry(A, 3))
    const { lease } = one.get(A)!
    one.change([put(A, 11)], 11)
    expect(one.get(A)!.lease).toBe(lease)
    expect(one.get(A)!.modRevision).toBe(11)
    one.replace({ revision: 12, entries: [entry(A, 11)] })
    expect(one.get(A)!.lease).toBe(lease)
    one.change([put(A, 13, flanneldValue('198.18.0.9', '02:00:00:00:00:10'))], 13)
    expect(one.get(A)!.lease).not.toBe(lease)
  })

  test('believes a store that was put back to an earlier day, and keeps those it has lost until they are back', () => {
    const at = (n: number): string => flanneldValue(`198.18.0.${n}`, `02:00:00:00:00:0${n}`)
    const C = '10.42.3.0-24'
    const one = table(
      entry(A, 3, at(1)),
      entry(B, 9, at(2)),
      entry('10.42.4.0-24', 9, 'scribble'),
      entry('own', 9, at(5)),
    )
    one.put(entry(C, 15, at(3)))
    const before = one.get(B)!.lease
    expect(one.replace({ revision: 5, entries: [entry(A, 3, at(1))] }, 'own')).toBe(2)
    const left = () => [...one.rows.values()].map((row) => [row.key, row.isOrphan])
    expect(left()).toEqual([
      [A, false],
      [B, true],
      [C, true],
    ])
    expect(one.revision).toBe(5)
    // A list that is read again has not lost them anew.
    expect(one.replace({ revision: 5, entries: [entry(A, 3, at(1))] }, 'own')).toBe(0)
    one.takeChanged()
    one.change([put(B, 6, at(2))], 6)
    expect(one.get(B)).toMatchObject({ modRevision: 6, isOrphan: false })
    expect(one.get(B)!.lease).toBe(before)
    // A host has another subnet now.
    one.change([put('10.42.33.0-24', 7, at(3))], 7)
    expect(one.get(C)).toBeUndefined()
    expect([...one.takeChanged()].sort()).toEqual([B, C, '10.42.33.0-24'].sort())
    expect(one.replace({ revision: 4, entries: [] }, null)).toBe(3)
    one.forgetOrphans()
    expect(one.rows.size).toBe(0)
  })

  test('passes over what comes late: neither a write nor a list undoes what we wrote', () => {
    const one = table(entry(A, 3))
    one.put(entry(B, 15))
    one.replace({ revision: 12, entries: [entry(A, 3)] })
    expect(one.get(B)!.modRevision).toBe(15)
    one.change([put(B, 14)], 14)
    expect(one.get(B)!.modRevision).toBe(15)
    one.remove(A, 16)
    one.change([put(A, 15)], 15)
    expect(one.get(A)).toBeUndefined()
    one.change([gone(A, 16), put(A, 17)], 17)
    expect(one.get(A)!.modRevision).toBe(17)
    one.change([gone(B, 14)], 17)
    expect(one.get(B)).toBeDefined()
  })
})
