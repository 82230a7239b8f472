import { describe, expect, test } from 'vitest'
import { defaultMtu, overhead } from '../../../../src/control/upkeep/device.ts'

/** Bytes on the wire: outer IP, UDP, WireGuard's header and tag, VXLAN, Ethernet. */
const IP = { v4: 20, v6: 40 }
const UDP = 8
const WIREGUARD = 16 + 16
const VXLAN = 8
const ETHERNET = 14

describe('what a packet costs beside itself', () => {
  test.each([
    ['plain', 'tap', UDP + VXLAN + ETHERNET],
    ['plain', 'tun', UDP + VXLAN + ETHERNET],
    ['secure', 'tap', UDP + WIREGUARD + VXLAN + ETHERNET],
    ['secure', 'tun', UDP + WIREGUARD],
  ] as const)('in a %s %s network', (security, device, bytes) => {
    expect(overhead({ security, device }, false)).toBe(IP.v4 + bytes)
    expect(overhead({ security, device }, true)).toBe(IP.v6 + bytes)
  })

  test('leaves the rest of the underlay to the device', () => {
    expect(defaultMtu(1500, overhead({ security: 'secure', device: 'tap' }, false))).toBe(1418)
    expect(defaultMtu(1500, overhead({ security: 'secure', device: 'tun' }, true))).toBe(1420)
    expect(defaultMtu(65536, 0)).toBe(65521)
  })
})
