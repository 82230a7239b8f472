// Devices, addresses and routes in a namespace of the test's own, checked with ip(8) and ethtool(8) as independent readers.
import { once } from 'node:events'
import { closeSync, readdirSync, readlinkSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Device, DeviceSpec } from '../../src/host/netdev.ts'
import * as netdev from '../../src/host/netdev.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { bundled } from '../support/bundled.ts'
import { describeRoot, missing } from '../support/root.ts'

const MAC = '02:11:22:33:44:55'
const OWN_NETNS = readlinkSync('/proc/thread-self/ns/net')

let lab: Lab
let host: Host
let netns = ''
let counter = 0
let name = ''

function spec(part: Partial<DeviceSpec> = {}): DeviceSpec {
  return { name, kind: 'tap', netns, mac: null, mtu: null, tso: 'auto', uso: 'auto', gsoMaxSize: null, ...part }
}

/** Opens a device for the length of `body`. */
function withDevice(part: Partial<DeviceSpec>, body: (d: Device) => void): void {
  const d = netdev.openDevice(spec(part))
  try {
    body(d)
  } finally {
    closeSync(d.fd)
  }
}

async function show(of = name): Promise<string> {
  return host.ip('-d', 'addr', 'show', of)
}

const fds = (): number => readdirSync('/proc/self/fd').length

describeRoot('netdev', () => {
  beforeAll(async () => {
    lab = new Lab()
    host = await lab.host('a')
    netns = netdev.netnsPath(host.namespace)
  })
  afterAll(async () => {
    await lab.close()
  })
  beforeEach(() => {
    counter++
    name = `vt${counter}`
  })

  describe('a device', () => {
    it('has its MAC, MTU and gso_max_size when it is made, and is down', async () => {
      const d = netdev.openDevice(spec({ mac: MAC, mtu: 1400, gsoMaxSize: 60000 }))
      expect(d).toMatchObject({ name, mac: MAC })
      const text = await show()
      closeSync(d.fd)
      expect(text).toContain(`link/ether ${MAC}`)
      expect(text).toMatch(/mtu 1400 .*state DOWN/)
      expect(text).toContain('gso_max_size 60000')
      expect(text).toMatch(/tun type tap pi off vnet_hdr on persist off/)
    })

    it('is made in the named namespace, and the thread comes back', () => {
      withDevice({}, (d) => {
        expect(netdev.link(name, netns)?.index).toBe(d.index)
        expect(netdev.link(name, null)).toBeNull()
        expect(readlinkSync('/proc/thread-self/ns/net')).toBe(OWN_NETNS)
      })
    })

    it('of layer 3 has no MAC', () => {
      withDevice({ kind: 'tun' }, (d) => {
        expect(d.mac).toBeNull()
        expect(netdev.link(name, netns)).toMatchObject({ kind: 'tun', mac: null })
      })
    })

    it('gets a name from the kernel, from a pattern or without', () => {
      withDevice({ name: 'vtx%d' }, (d) => expect(d.name).toBe('vtx0'))
      withDevice({ name: '' }, (d) => expect(d.name).toBe('tap0'))
      withDevice({ name: '', kind: 'tun' }, (d) => expect(d.name).toBe('tun0'))
    })

    it('is gone when its fd is closed', () => {
      withDevice({}, () => {})
      expect(netdev.link(name, netns)).toBeNull()
    })

    it('can be deleted under its owner', () => {
      withDevice({}, () => {
        netdev.deleteLink(name, netns)
        expect(netdev.link(name, netns)).toBeNull()
      })
    })
  })

  describe('offloads', () => {
    const features = async (): Promise<string> => (await host.run(['ethtool', '-k', name])).stdout
    const needs = missing(['ethtool'])

    it.skipIf(needs)(`are each off when switched off${needs ? ` (needs ${needs})` : ''}`, async () => {
      const d = netdev.openDevice(spec({ tso: 'off', uso: 'off' }))
      const text = await features()
      closeSync(d.fd)
      expect(d).toMatchObject({ tcp: false, udp: false, tso: 'off', uso: 'off' })
      expect(text).toMatch(/tcp-segmentation-offload: off/)
      expect(text).toMatch(/tx-udp-segmentation: off/)
    })

    it.skipIf(needs)(`are told as the kernel took them${needs ? ` (needs ${needs})` : ''}`, async () => {
      const d = netdev.openDevice(spec())
      const text = await features()
      closeSync(d.fd)
      expect(d.tso).toBe('on')
      expect(d.tcp).toBe(true)
      expect(text).toMatch(/tx-tcp-segmentation: on/)
      expect(text).toMatch(/tx-tcp6-segmentation: on/)
      // USO is of Linux 6.2.
      expect(d.udp).toBe(/tx-udp-segmentation: on/.test(text))
      expect(d.uso).toMatch(d.udp ? /^on$/ : /^off: /)
    })

    it.skipIf(needs)(`are independent of each other${needs ? ` (needs ${needs})` : ''}`, async () => {
      const d = netdev.openDevice(spec({ uso: 'off', tso: 'on' }))
      const text = await features()
      closeSync(d.fd)
      expect(d).toMatchObject({ tcp: true, udp: false })
      expect(text).toMatch(/tx-udp-segmentation: off/)
      withDevice({ tso: 'off' }, (other) => expect(other).toMatchObject({ tcp: false, tso: 'off' }))
    })

    it('there are none without a virtio-net header', () => {
      withDevice({ vnetHdr: false }, (d) => {
        expect(d).toMatchObject({ tcp: false, udp: false, tso: 'off: without a virtio-net header' })
      })
    })
  })

  describe('a name that is taken', () => {
    const busy = (part: Partial<DeviceSpec>, says: RegExp): void => {
      const before = fds()
      expect(() => netdev.openDevice(spec(part))).toThrow(
        expect.objectContaining({
          code: 'EBUSY',
          errno: -16,
          syscall: 'TUNSETIFF',
          message: expect.stringMatching(says),
        }),
      )
      expect(fds()).toBe(before)
    }

    it('by an open device: busy', () => {
      withDevice({}, () => busy({}, new RegExp(`^${name}: another process holds`)))
    })

    it('by a device of another kind: busy, with its kind, and left alone', async () => {
      await host.ip('link', 'add', name, 'type', 'bridge')
      busy({}, /kind bridge/)
      await host.ip('link', 'del', name)
      busy({ name: 'lo' }, /another kind/)
    })

    it('by a TUN where a TAP is asked for: busy', () => {
      withDevice({ kind: 'tun', persist: true }, () => {})
      busy({}, /kind tun/)
      netdev.deleteLink(name, netns)
    })

    it('by a device with another number of queues: busy, and says how to open it', () => {
      withDevice({ persist: true, multiQueue: true }, () => {})
      busy({}, /open it with multiQueue/)
      netdev.deleteLink(name, netns)
      withDevice({ persist: true }, () => {})
      busy({ multiQueue: true }, /open it without multiQueue/)
      netdev.deleteLink(name, netns)
    })
  })

  describe('a persistent device', () => {
    it('outlives its fd, and is taken again by name', () => {
      let index = 0
      withDevice({ persist: true, mac: MAC }, (d) => {
        index = d.index
      })
      withDevice({}, (d) => {
        expect(d.index).toBe(index)
        expect(d.mac).toBe(MAC)
      })
      expect(netdev.link(name, netns)?.index).toBe(index)
      netdev.deleteLink(name, netns)
    })

    it('is given back as it was when opening fails half-way', () => {
      withDevice({ persist: true, mac: MAC, mtu: 1300 }, () => {})
      expect(() => netdev.openDevice(spec({ mac: '02:00:00:00:00:99', mtu: 10 }))).toThrow(
        expect.objectContaining({ code: 'EINVAL' }),
      )
      expect(netdev.link(name, netns)).toMatchObject({ mac: MAC, mtu: 1300 })
      netdev.deleteLink(name, netns)
    })

    it('has several queues when asked for', () => {
      withDevice({ multiQueue: true }, (one) => {
        withDevice({ multiQueue: true }, (two) => expect(two.index).toBe(one.index))
      })
    })
  })

  describe('what fails', () => {
    it('leaves neither device nor fd, also a hundred times', () => {
      const before = fds()
      for (let i = 0; i < 100; i++) {
        expect(() => netdev.openDevice(spec({ persist: true, mtu: 10 }))).toThrow(/mtu less than device minimum/)
      }
      expect(fds()).toBe(before)
      expect(netdev.link(name, netns)).toBeNull()
    })

    it('opening and closing two hundred times keeps no fd', () => {
      const before = fds()
      for (let i = 0; i < 200; i++) withDevice({}, () => {})
      expect(fds()).toBe(before)
    })

    const needs = missing(['setpriv'])
    it.skipIf(needs)(`without CAP_NET_ADMIN says what is needed${needs ? ` (needs ${needs})` : ''}`, async () => {
      const open = `import { openDevice } from ${JSON.stringify(bundled('src/host/netdev.ts'))}
        try {
          openDevice({ name: '', kind: 'tap', netns: null, mac: null, mtu: null, tso: 'auto', uso: 'auto', gsoMaxSize: null })
        } catch (e) { console.log(e.code, e.message) }`
      const drop = ['setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin']
      const { stdout } = await lab.run([...drop, process.execPath, '--input-type=module', '-e', open])
      expect(stdout).toMatch(/^EPERM a new tap device: TUNSETIFF is not permitted; run as root or with CAP_NET_ADMIN/)
    })
  })

  describe('links', () => {
    it('take MTU, MAC, up and down, by name and by index', async () => {
      const d = netdev.openDevice(spec())
      netdev.setMtu(name, 1280, netns)
      netdev.setMac(d.index, MAC, netns)
      netdev.setUp(d.index, netns)
      expect(netdev.link(d.index, netns)).toMatchObject({ mtu: 1280, mac: MAC, up: true })
      expect(await show()).toMatch(/<.*UP.*> mtu 1280/)
      netdev.setDown(name, netns)
      expect(netdev.link(name, netns)?.up).toBe(false)
      closeSync(d.fd)
    })

    it('are found by index after a renaming', async () => {
      const d = netdev.openDevice(spec())
      await host.ip('link', 'set', name, 'name', `${name}new`)
      expect(netdev.link(name, netns)).toBeNull()
      expect(netdev.link(d.index, netns)?.name).toBe(`${name}new`)
      closeSync(d.fd)
    })

    it('become ports of a bridge and stop being so', async () => {
      await host.ip('link', 'add', `${name}br`, 'type', 'bridge')
      const bridge = netdev.link(`${name}br`, netns)!
      withDevice({}, () => {
        netdev.setMaster(name, bridge.index, netns)
        expect(netdev.link(name, netns)?.master).toBe(bridge.index)
        netdev.setMaster(name, 0, netns)
        expect(netdev.link(name, netns)?.master).toBe(0)
      })
      netdev.deleteLink(`${name}br`, netns)
    })

    it('say nothing of their own over IPv6 with addrgenmode none', async () => {
      const d = netdev.openDevice(spec({ kind: 'tun' }))
      netdev.setAddrGenModeNone(name, netns)
      netdev.setUp(name, netns)
      expect(netdev.addressesOf(name, netns)).toEqual([])
      expect(await host.ip('-d', 'link', 'show', name)).toContain('addrgenmode none')
      closeSync(d.fd)
    })

    it('refuse what the kernel refuses, in its words', () => {
      withDevice({}, () => {
        expect(() => netdev.setMtu(name, 70000, netns)).toThrow(
          expect.objectContaining({
            code: 'EINVAL',
            syscall: 'RTM_SETLINK',
            message: `${name}: cannot set MTU 70000: RTM_SETLINK: mtu greater than device maximum`,
          }),
        )
      })
    })
  })

  describe('addresses and routes', () => {
    it('of both families come, may be there already, and go', async () => {
      const d = netdev.openDevice(spec({ kind: 'tun' }))
      netdev.setAddrGenModeNone(name, netns)
      netdev.setUp(name, netns)
      for (const cidr of ['10.42.7.1/24', 'fd00:7::1/64', '10.42.7.2/24', '10.42.8.1/32']) {
        netdev.addAddress(name, cidr, netns)
        netdev.addAddress(name, cidr, netns)
      }
      const all = ['10.42.7.1/24', '10.42.8.1/32', '10.42.7.2/24', 'fd00:7::1/64']
      expect(netdev.link(name, netns)?.addresses.sort()).toEqual(all.sort())
      const text = await show()
      expect(text).toContain('inet 10.42.7.1/24 brd 10.42.7.255 scope global')
      // Usable at once: no duplicate address detection.
      expect(text).toMatch(/inet6 fd00:7::1\/64 scope global nodad/)
      expect(netdev.interfaceOf('10.42.7.2', netns)).toEqual({ name, index: d.index, mtu: 1500 })
      expect(netdev.interfaceOf('fd00:7:0::1', netns)?.name).toBe(name)
      expect(netdev.interfaceOf('10.42.7.3', netns)).toBeNull()
      netdev.delAddress(name, '10.42.8.1/32', netns)
      expect(netdev.addressesOf(name, netns)).not.toContain('10.42.8.1/32')
      expect(() => netdev.delAddress(name, '10.42.8.1/32', netns)).toThrow(
        expect.objectContaining({ code: 'EADDRNOTAVAIL' }),
      )
      closeSync(d.fd)
    })

    it('the default route of the lowest metric counts', async () => {
      expect(netdev.defaultRouteInterface(4, netns)).toBeNull()
      const one = netdev.openDevice(spec({ kind: 'tun' }))
      const two = netdev.openDevice(spec({ kind: 'tun', name: `${name}b` }))
      netdev.setUp(one.index, netns)
      netdev.setUp(two.index, netns)
      await host.ip('route', 'add', 'default', 'dev', one.name, 'metric', '20')
      await host.ip('route', 'add', 'default', 'dev', two.name, 'metric', '10')
      await host.ip('-6', 'route', 'add', 'default', 'dev', one.name)
      // Neither another table nor a route of another type is the way out.
      await host.ip('route', 'add', 'default', 'dev', one.name, 'table', '77')
      await host.ip('route', 'add', 'unreachable', 'default', 'metric', '1')
      expect(netdev.defaultRouteInterface(4, netns)).toBe(two.name)
      expect(netdev.defaultRouteInterface(6, netns)).toBe(one.name)
      closeSync(one.fd)
      closeSync(two.fd)
    })

    it('the smallest MTU that a route into a device names counts, of any table and family', async () => {
      const one = netdev.openDevice(spec({ kind: 'tun' }))
      const two = netdev.openDevice(spec({ kind: 'tun', name: `${name}b` }))
      netdev.setUp(one.index, netns)
      netdev.setUp(two.index, netns)
      await host.ip('route', 'add', '10.47.0.0/16', 'dev', one.name)
      expect(netdev.routeMtu(one.name, netns)).toBe(0)
      await host.ip('route', 'add', '10.48.0.1', 'dev', one.name, 'mtu', '1400')
      await host.ip('route', 'add', '10.48.0.2', 'dev', two.name, 'mtu', '1200')
      expect(netdev.routeMtu(one.name, netns)).toBe(1400)
      await host.ip('-6', 'route', 'add', 'fd00:48::/64', 'dev', one.name, 'mtu', '1390', 'table', '77')
      expect(netdev.routeMtu(one.index, netns)).toBe(1390)
      await host.ip('route', 'add', '10.48.0.3', 'dev', one.name, 'mtu', '1300', 'advmss', '1000')
      expect(netdev.routeMtu(one.name, netns)).toBe(1300)
      expect(netdev.routeMtu('nowhere', netns)).toBe(0)
      closeSync(one.fd)
      closeSync(two.fd)
    })
  })

  describe('a monitor', () => {
    it('hears of links, addresses and routes of its namespace, many at once as one', async () => {
      const monitor = new netdev.Monitor(netns)
      let heard = 0
      monitor.on('change', () => {
        heard++
      })
      const d = netdev.openDevice(spec({ kind: 'tun' }))
      await once(monitor, 'change')
      netdev.setUp(name, netns)
      for (let i = 1; i <= 50; i++) netdev.addAddress(name, `10.45.0.${i}/24`, netns)
      await once(monitor, 'change')
      expect(heard).toBe(2)
      await host.ip('route', 'add', '10.46.0.0/16', 'dev', name)
      await once(monitor, 'change')
      closeSync(d.fd)
      await once(monitor, 'change')
      monitor.close()
    })

    it('survives more than its socket holds', async () => {
      const monitor = new netdev.Monitor(netns)
      const d = netdev.openDevice(spec({ kind: 'tun' }))
      // Each flip is several messages; together more than SO_RCVBUF's default of 208 KiB.
      for (let i = 0; i < 400; i++) {
        netdev.setUp(name, netns)
        netdev.setDown(name, netns)
      }
      await once(monitor, 'change')
      netdev.setUp(name, netns)
      await once(monitor, 'change')
      closeSync(d.fd)
      monitor.close()
    })

    it('is silent once closed', async () => {
      const closed = new netdev.Monitor(netns)
      const open = new netdev.Monitor(netns)
      closed.on('change', () => expect.unreachable('a closed monitor spoke'))
      const d = netdev.openDevice(spec())
      closed.close()
      await once(open, 'change')
      closeSync(d.fd)
      await once(open, 'change')
      open.close()
    })
  })
})
