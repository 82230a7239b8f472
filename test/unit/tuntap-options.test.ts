import { describe, expect, it } from 'vitest'
import { checkOptions, splitFunctionOptions, type TuntapFunctionOptions } from '../../src/tuntap-options.ts'

describe('checkOptions', () => {
  it('takes every option, and undefined for each', () => {
    const all = {
      name: 'vt%d',
      mac: '02:00:00:00:00:01',
      mtu: 1400,
      ipv4: '10.42.0.1/24',
      ipv6: 'fd00::1/64',
      up: true,
      multiQueue: true,
      vnetHdr: true,
      persist: false,
      netns: 'blue',
    }
    checkOptions('tap', all)
    checkOptions('tap', Object.fromEntries(Object.keys(all).map((key) => [key, undefined])))
  })

  const faults: [string, unknown][] = [
    ['no object', 7],
    ['null', null],
    ['an array', []],
    ['an unknown key', { nmae: 'x' }],
    ['up that is a text', { up: 'yes' }],
    ['persist that is a number', { persist: 1 }],
    ['netns that is a number', { netns: 7 }],
    ['an empty netns', { netns: '' }],
    ['a MAC that is none', { mac: 'x' }],
    ['an MTU of 67', { mtu: 67 }],
    ['an MTU of 65536', { mtu: 65536 }],
    ['an MTU in words', { mtu: '1500' }],
    ['an address without length', { ipv4: '10.42.0.1' }],
    ['IPv6 for IPv4', { ipv4: 'fd00::1/64' }],
    ['IPv4 for IPv6', { ipv6: '10.42.0.1/24' }],
    ['an address that is a number', { ipv4: 10 }],
  ]
  it.each(faults)('%s: a TypeError', (_title, options) => {
    expect(() => checkOptions('tap', options as object)).toThrow(TypeError)
  })

  it('a TUN has no MAC', () => {
    expect(() => checkOptions('tun', { mac: '02:00:00:00:00:01' })).toThrow(/no MAC/)
  })
})

describe('splitFunctionOptions', () => {
  it.each([
    ['255.255.255.0', '10.42.0.1/24'],
    ['255.255.255.255', '10.42.0.1/32'],
    ['255.255.254.0', '10.42.0.1/23'],
    ['0.0.0.0', '10.42.0.1/0'],
    [undefined, '10.42.0.1/32'],
  ])('addr with mask %s is %s', (mask, ipv4) => {
    const { type, rest } = splitFunctionOptions({ type: 'tun', addr: '10.42.0.1', mask, mtu: 1400 })
    expect({ type, rest }).toEqual({ type: 'tun', rest: { mtu: 1400, ipv4 } })
  })

  const faults: [string, unknown][] = [
    ['nothing', undefined],
    ['no type', {}],
    ['a type that is none', { type: 'tan' }],
    ['a mask with a hole', { type: 'tap', addr: '10.0.0.1', mask: '255.0.255.0' }],
    ['a mask of IPv6', { type: 'tap', addr: '10.0.0.1', mask: 'ffff::' }],
    ['a mask alone', { type: 'tap', mask: '255.0.0.0' }],
    ['two addresses', { type: 'tap', addr: '10.0.0.1', ipv4: '10.0.0.2/8' }],
  ]
  it.each(faults)('%s: a TypeError', (_title, options) => {
    expect(() => splitFunctionOptions(options as TuntapFunctionOptions)).toThrow(TypeError)
  })
})
