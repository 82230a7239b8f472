// Keys and values of the store: written and read back the same, and nothing that others put there makes a reader throw what it
// should not.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import * as cidr from '../../src/control/cidr.ts'
import { GoJsonError } from '../../src/control/flannel/go-json.ts'
import { keyOf, parseKey, parseValue, valueText } from '../../src/control/flannel/lease.ts'
import { LeaseTable, leaseOf } from '../../src/control/flannel/lease-table.ts'
import { Roster } from '../../src/control/flannel/roster.ts'
import { parseStoreConfig } from '../../src/control/flannel/store-config.ts'
import { parseSubnetEnv } from '../../src/control/flannel/subnet-env.ts'
import { DUAL, flanneldValue, identity, storeConfig, VXLAN } from '../support/flannel.ts'
import { seed } from '../support/seed.ts'

const four = fc
  .tuple(fc.bigInt(0n, 0xffffffffn), fc.integer({ min: 1, max: 31 }))
  .map(([value, length]) => cidr.network({ v6: false, value, length }))
const six = fc
  .tuple(fc.bigInt(1n << 112n, (1n << 128n) - 1n), fc.integer({ min: 1, max: 127 }))
  .map(([value, length]) => cidr.network({ v6: true, value, length }))
const subnets = fc.oneof(
  fc.record({ subnet: four, subnet6: fc.option(six) }),
  fc.record({ subnet: fc.constant(null), subnet6: six }),
)

test('a key is read back as what it was made of, and made of that again', () => {
  fc.assert(
    fc.property(subnets, (lease) => {
      const key = keyOf(lease)
      expect(parseKey(key)).toEqual(lease)
      expect(keyOf(parseKey(key)!)).toBe(key)
    }),
    { seed, numRuns: 1000 },
  )
})

test('no text is a key unless it is the only one of its subnets', () => {
  const text = fc.string({ unit: fc.constantFrom(...'0123456789abcdef:.-&/ 024'), maxLength: 40 })
  const near = fc.tuple(subnets, fc.nat(60), text).map(([lease, at, more]) => {
    const key = keyOf(lease)
    return key.slice(0, at) + more.slice(0, 2) + key.slice(at)
  })
  fc.assert(
    fc.property(fc.oneof(text, near), (key) => {
      const lease = parseKey(key)
      if (lease && !key.includes('&')) expect(keyOf(lease)).toBe(key)
    }),
    { seed, numRuns: 1000 },
  )
})

const word = fc.oneof(
  fc.string(),
  fc.ipV4(),
  fc.ipV6(),
  fc.constantFrom('vxlan', 'udp', 'wireguard', '10.0.0.0/8', '::/0'),
)
const name = fc.constantFrom(
  ...['PublicIP', 'PublicIPv6', 'BackendType', 'BackendData', 'BackendV6Data', 'VtepMAC', 'PublicKey', 'Port', 'Vtepd'],
  ...['Node', 'Instance', 'Network', 'IPv6Network', 'EnableIPv6', 'SubnetLen', 'SubnetMin', 'Backend', 'Type', 'VNI'],
  ...['__proto__', 'publicip', 'BACKEND'],
)
const leaf = fc.oneof(word, fc.integer(), fc.double(), fc.boolean(), fc.constant(null))
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small' },
    leaf,
    fc.array(tie('tree'), { maxLength: 3 }),
    fc.dictionary(name, tie('tree')),
  ),
}))
const foreign = fc.oneof(
  fc.string(),
  tree.map((value) => JSON.stringify(value)),
  fc.dictionary(name, tree).map((value) => JSON.stringify(value)),
)

test('what others write is read, or refused with a reason', () => {
  fc.assert(
    fc.property(foreign, (text) => {
      for (const read of [parseValue, parseStoreConfig]) {
        try {
          read(text)
        } catch (error) {
          expect(error).toBeInstanceOf(GoJsonError)
        }
      }
      parseSubnetEnv(text)
      parseKey(text)
    }),
    { seed, numRuns: 1000 },
  )
})

test('what we write says what we are', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 254 }), fc.constantFrom(VXLAN, DUAL), fc.string(), (n, config, node) => {
      const { publicIp, vtepMac, mark } = parseValue(
        valueText(storeConfig(config), identity(n), { node, instance: 'abcd' }),
      )
      expect({ publicIp, vtepMac }).toEqual({ publicIp: identity(n).publicIp, vtepMac: identity(n).vtepMac })
      expect(mark).toEqual({ node, instance: 'abcd' })
    }),
    { seed, numRuns: 300 },
  )
})

test('a roster that is kept up to date says what a new one would', () => {
  const key = fc.constantFrom(
    ...['10.42.1.0-24', '10.42.2.0-24', '10.42.3.0-24', '10.42.2.128-25', '10.42.0.0-22', '10.9.0.0-24', 'x'],
  )
  const value = fc.constantFrom(
    ...['', flanneldValue('198.18.0.1', '02:00:00:00:00:09'), flanneldValue('0.0.0.0', '02:00:00:00:00:09')],
    ...[8, 9].map((n) => flanneldValue(`198.18.0.${n}`, `02:00:00:00:00:0${n}`)),
  )
  const event = fc.record({ key, value: fc.option(value) })
  const config = storeConfig()
  const me = identity(1)
  const ownKey = '10.42.1.0-24'
  const own = leaseOf(ownKey, parseKey(ownKey)!, parseValue(valueText(config, me, { node: 'a', instance: 'b' })), null)
  fc.assert(
    fc.property(fc.array(fc.array(event, { maxLength: 4 }), { maxLength: 12 }), (bursts) => {
      const table = new LeaseTable('')
      const kept = new Roster(config, me, own)
      let revision = 1
      for (const burst of bursts) {
        for (const { key, value } of burst) {
          const modRevision = ++revision
          const createRevision = table.get(key)?.createRevision ?? modRevision
          const entry = value === null ? null : { key, value, createRevision, modRevision, lease: '7' }
          table.change([{ key, modRevision, entry }], revision)
        }
        const after = kept.update(table, table.takeChanged())
        const fresh = new Roster(config, me, own).update(table, [])
        expect(sorted(after)).toEqual(sorted(fresh))
        expect(kept.update(table, table.rows.keys())).toBe(after)
      }
    }),
    { seed, numRuns: 300 },
  )
})

function sorted({ members, ignored }: ReturnType<Roster['update']>): object {
  return {
    members: [...members].sort(([a], [b]) => a.localeCompare(b)),
    ignored: [...ignored].sort((a, b) => a.key.localeCompare(b.key)),
  }
}
