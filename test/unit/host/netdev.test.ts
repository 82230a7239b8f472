// What needs no privilege; test/native/netdev.test.ts has the rest.
import { describe, expect, it } from 'vitest'
import * as netdev from '../../../src/host/netdev.ts'

const TAP: netdev.DeviceSpec = {
  name: '',
  kind: 'tap',
  netns: null,
  mac: null,
  mtu: null,
  tso: 'auto',
  uso: 'auto',
  gsoMaxSize: null,
}

describe('openDevice', () => {
  const faults: [string, Partial<Record<keyof netdev.DeviceSpec, unknown>>][] = [
    ['a kind that is none', { kind: 'tan' }],
    ['a name of 16 bytes', { name: 'abcdefghijklmnop' }],
    ['a name of 16 bytes in 8 letters', { name: 'üüüüüüüü' }],
    ['a name with a space', { name: 'a b' }],
    ['a name with a slash', { name: 'a/b' }],
    ['a name with a colon', { name: 'eth0:1' }],
    ['a name that is a directory', { name: '..' }],
    ['a name with a percent sign', { name: 'vt%s' }],
    ['a name with two patterns', { name: 'vt%d%d' }],
    ['a name that is a number', { name: 42 }],
    ['a MAC that is none', { mac: '02:00' }],
    ['a group MAC', { mac: '01:00:5e:00:00:01' }],
    ['a MAC for a TUN', { kind: 'tun', mac: '02:00:00:00:00:01' }],
    ['half an MTU', { mtu: 1400.5 }],
    ['a negative MTU', { mtu: -1 }],
    ['an MTU in words', { mtu: '1400' }],
    ['a switch that is none', { tso: 'yes' }],
    ['a switch that is a boolean', { uso: true }],
    ['a negative gsoMaxSize', { gsoMaxSize: -5 }],
  ]
  it.each(faults)('%s: a TypeError', (_title, part) => {
    expect(() => netdev.openDevice({ ...TAP, ...part } as netdev.DeviceSpec)).toThrow(TypeError)
  })

  it('names a namespace that does not exist', () => {
    expect(() => netdev.openDevice({ ...TAP, netns: '/run/netns/vtepd-none' })).toThrow(
      expect.objectContaining({ code: 'ENOENT', message: expect.stringContaining('/run/netns/vtepd-none') }),
    )
  })
})

describe('link', () => {
  it('reads the loopback device', () => {
    const lo = netdev.link('lo', null)
    expect(lo).toMatchObject({ index: 1, name: 'lo', kind: '', mac: '00:00:00:00:00:00', master: 0 })
    expect(netdev.link(1, null)).toEqual(lo)
  })

  it.each(['vtepd-none', '', 'a name of more than fifteen bytes'])('there is no link %j', (name) => {
    expect(netdev.link(name, null)).toBeNull()
  })

  it('a change of a link that is not there is ENODEV', () => {
    expect(() => netdev.setUp('vtepd-none', null)).toThrow(expect.objectContaining({ code: 'ENODEV' }))
    expect(() => netdev.setMtu('', 1400, null)).toThrow(expect.objectContaining({ code: 'ENODEV' }))
    expect(netdev.addressesOf('vtepd-none')).toEqual([])
  })

  it('wrong values are TypeErrors before anything is asked', () => {
    expect(() => netdev.setMtu('lo', Number.NaN, null)).toThrow(TypeError)
    expect(() => netdev.setMac('lo', 'x', null)).toThrow(TypeError)
    expect(() => netdev.addAddress('lo', '10.42.0.1', null)).toThrow(TypeError)
    expect(() => netdev.interfaceOf('nobody')).toThrow(TypeError)
  })
})

describe('netnsPath', () => {
  it.each([
    ['blue', '/run/netns/blue'],
    ['/var/run/docker/netns/x', '/var/run/docker/netns/x'],
    ['./x', './x'],
    ['4711', '/proc/4711/ns/net'],
    ['4711a', '/run/netns/4711a'],
  ])('%s is at %s', (spec, path) => {
    expect(netdev.netnsPath(spec)).toBe(path)
  })
})

describe('Monitor', () => {
  it('opens without privilege and closes twice', () => {
    const monitor = new netdev.Monitor(null)
    monitor.close()
    monitor.close()
  })

  it('names a namespace that does not exist', () => {
    expect(() => new netdev.Monitor('/run/netns/vtepd-none')).toThrow(/vtepd-none/)
  })
})
