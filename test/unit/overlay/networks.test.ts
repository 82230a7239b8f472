import { expect, test } from 'vitest'
import { Fdb } from '../../../src/overlay/fdb.ts'
import { ANY, CIDRS, Network, Networks, PEERS } from '../../../src/overlay/networks.ts'
import { Routes } from '../../../src/overlay/routes.ts'

const network = (id: number, vni: number) => new Network(id, vni, true, 4789, new Fdb(16, 0, 1), new Routes(1))
const MAPPED = 96

test('VX8 a network is found by any VNI of 24 bits', () => {
  const networks = new Networks()
  const vnis = [0, 1, 0xff, 0x100, 0xffff, 0x10000, 0x800000, 0xffffff]
  vnis.forEach((vni, id) => {
    networks.add(network(id, vni))
  })
  for (const [id, vni] of vnis.entries()) {
    expect(networks.byVni(vni)).toBe(networks.at(id))
    expect(networks.at(id)!.vni).toBe(vni)
  }
  expect(networks.byVni(2)).toBeUndefined()
  expect(networks.all()).toHaveLength(vnis.length)
})

test('a removed network is gone, by VNI and by device; one that is not there is not missed', () => {
  const networks = new Networks()
  networks.add(network(0, 42))
  networks.remove(0)
  networks.remove(0)
  networks.remove(7)
  expect(networks.byVni(42)).toBeUndefined()
  expect(networks.at(0)).toBeUndefined()
})

test('two networks may change places: removing the old owner of a VNI leaves the new one', () => {
  const networks = new Networks()
  networks.add(network(0, 42))
  networks.add(network(1, 42))
  networks.remove(0)
  expect(networks.byVni(42)).toBe(networks.at(1))
})

test('VX29 who may speak: peers alone, ranges, or anybody', () => {
  const n = network(0, 42)
  const speaks = (a: number, b: number, c: number, d: number) => n.admits(a | 0, b | 0, c | 0, d | 0)
  n.ranges = [
    { words: [0, 0, 0xffff, 0xc6120000 | 0], length: MAPPED + 15 },
    { words: [0xfd000042 | 0, 0, 0, 0], length: 48 },
  ]
  expect(n.accept).toBe(PEERS)
  expect(speaks(0, 0, 0xffff, 0xc6120001)).toBe(false)
  n.accept = CIDRS
  expect(speaks(0, 0, 0xffff, 0xc6120001)).toBe(true)
  expect(speaks(0, 0, 0xffff, 0xc613ffff)).toBe(true)
  expect(speaks(0, 0, 0xffff, 0xc6140000)).toBe(false)
  // The same bits, but not an IPv4 address.
  expect(speaks(0, 0, 0, 0xc6120001)).toBe(false)
  expect(speaks(0xfd000042, 0x0000ffff, 5, 5)).toBe(true)
  expect(speaks(0xfd000042, 0x00010000, 5, 5)).toBe(false)
  n.accept = ANY
  expect(speaks(1, 2, 3, 4)).toBe(true)
})

test('a range of /0 admits all, one of /128 a single address', () => {
  const n = network(0, 42)
  n.accept = CIDRS
  n.ranges = [{ words: [1, 2, 3, 4], length: 128 }]
  expect([n.admits(1, 2, 3, 4), n.admits(1, 2, 3, 5), n.admits(0, 2, 3, 4)]).toEqual([true, false, false])
  n.ranges = [{ words: [0, 0, 0, 0], length: 0 }]
  expect(n.admits(-1, -1, -1, -1)).toBe(true)
})
