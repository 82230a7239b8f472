// Devices as streams: real devices in namespaces of the test's own, real traffic through JavaScript.
//
//   host a   vt0 ── Tap ══ pipe ══ Tap ── vt0   host b          10.42.0.1/24, fd00:42::1/64 and .2, ::2
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import * as netdev from '../../src/host/netdev.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { ping } from '../../src/lab/ping.ts'
import { Tap, Tun, type Tuntap, type TuntapOptions, tuntap } from '../../src/tuntap.ts'
import { untilReaches } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { settled } from '../support/traces.ts'
import { transferTcp, transferUdp } from '../support/transfer.ts'

const PINGS = { count: 3, interval: 10 }
const NAME = 'vt0'
// An ARP request for 10.42.0.9, padded to the smallest frame.
const FRAME = Buffer.from(
  `ffffffffffff 020000000001 0806 0001 0800 06 04 0001 020000000001 0a2a0008 000000000000 0a2a0009 ${'00'.repeat(18)}`.replaceAll(
    ' ',
    '',
  ),
  'hex',
)

let lab: Lab
let a: Host
let b: Host
const open = new Set<Tuntap>()

/** Remembers a device, so that it is released also when its test fails. */
function keep<T extends Tuntap>(device: T): T {
  open.add(device)
  device.once('close', () => open.delete(device))
  return device
}

const tap = (options: TuntapOptions = {}): Tap => keep(new Tap({ netns: a.namespace, ...options }))
const tun = (options: TuntapOptions = {}): Tun => keep(new Tun({ netns: a.namespace, ...options }))
const fds = (): number => readdirSync('/proc/self/fd').length
const release = (device: Tuntap): Promise<void> =>
  new Promise((resolve, reject) => device.release((error) => (error ? reject(error) : resolve())))
const exists = (name: string): boolean => netdev.link(name, netdev.netnsPath(a.namespace)) !== null

/** Two devices of a kind, each on its host, joined in JavaScript. */
function bridge(make: typeof Tap | typeof Tun, options: TuntapOptions = {}): [Tuntap, Tuntap] {
  const common = { name: NAME, up: true, ...options }
  const one = keep(new make({ ...common, netns: a.namespace, ipv4: '10.42.0.1/24', ipv6: 'fd00:42::1/64' }))
  const two = keep(new make({ ...common, netns: b.namespace, ipv4: '10.42.0.2/24', ipv6: 'fd00:42::2/64' }))
  one.pipe(two).pipe(one)
  return [one, two]
}

/** Sends `count` UDP datagrams of 100 bytes to 10.42.0.9 from host a, and ends. */
async function sendDatagrams(count: number): Promise<void> {
  const source = `
    const s = require('dgram').createSocket('udp4')
    let left = ${count}
    const next = () => left-- > 0 ? s.send(Buffer.alloc(100, left), 9, '10.42.0.9', next) : s.close()
    next()`
  await a.run([process.execPath, '-e', source])
}

describeRoot('tuntap', () => {
  beforeAll(async () => {
    lab = new Lab()
    a = await lab.host('a')
    b = await lab.host('b')
  })
  afterAll(async () => {
    await lab.close()
  })
  afterEach(async () => {
    for (const device of [...open]) await release(device)
  })

  it.each(['name', 'isTap', 'isTun'] as const)('%s cannot be set', (key) => {
    const device = tap()
    const before = device[key]
    expect(() => Object.assign(device, { [key]: 'other' })).toThrow(TypeError)
    expect(device[key]).toBe(before)
  })

  describe('traffic', () => {
    it.each([
      ['taps', Tap],
      ['tuns', Tun],
    ] as const)('pings cross two %s, over IPv4 and IPv6', async (_title, make) => {
      bridge(make)
      // Addresses and neighbours settle first.
      for (const address of ['10.42.0.2', 'fd00:42::2']) await untilReaches(a, address)
      expect(await ping(a, '10.42.0.2', PINGS)).toHaveLength(PINGS.count)
      expect(await ping(b, '10.42.0.1', PINGS)).toHaveLength(PINGS.count)
      expect(await ping(a, 'fd00:42::2', PINGS)).toHaveLength(PINGS.count)
    })

    it.each([
      ['plain taps', Tap, false],
      ['taps with super-packets', Tap, true],
      ['tuns with super-packets', Tun, true],
    ] as const)('bytes cross %s unchanged, one packet each', async (_title, make, vnetHdr) => {
      const [one, two] = bridge(make, { vnetHdr, mtu: 1400 })
      let longest = 0
      const measure = (packet: Buffer): void => {
        longest = Math.max(longest, packet.length)
      }
      one.on('data', measure)
      two.on('data', measure)
      for (const address of ['10.42.0.2', 'fd00:42::2']) {
        await transferTcp({ from: a, to: b, address }, 4 << 20)
        await transferUdp({ from: a, to: b, address }, 20, [4, 1000, 1372, 9000])
      }
      expect(longest).toBe(make === Tap ? 1414 : 1400)
      expect(one.dropped + two.dropped).toBe(0)
    })

    it('every data is a Buffer of its own', async () => {
      const device = tun({ up: true, ipv4: '10.42.0.1/24' })
      const packets: Buffer[] = []
      device.on('data', (packet: Buffer) => packets.push(packet))
      await sendDatagrams(50)
      const datagrams = await settled(
        () => packets.filter((p) => p[0] === 0x45 && p[9] === 17),
        (found) => found.length === 50,
      )
      // Each still has its own byte, although the slab was read into many times.
      expect(datagrams.map((p) => p[60])).toEqual(Array.from({ length: 50 }, (_, i) => 49 - i))
    })

    it('stops reading when nobody takes the packets, and goes on in order', async () => {
      const device = tun({ up: true, ipv4: '10.42.0.1/24' })
      const seen: number[] = []
      const take = (packet: Buffer): void => {
        if (packet[0] === 0x45 && packet[9] === 17) seen.push(packet[60]!)
      }
      device.on('data', take)
      device.pause()
      // What is over the high-water mark waits in the kernel, which holds 500 packets by default.
      await a.ip('link', 'set', device.name, 'txqueuelen', '4000')
      await sendDatagrams(2000)
      await settled(
        () => device.readableLength,
        (n) => n >= 256,
      )
      expect(device.readableLength).toBeLessThan(512)
      device.resume()
      await settled(
        () => seen.length,
        (n) => n === 2000,
      )
      expect(seen).toEqual(Array.from({ length: 2000 }, (_, i) => (1999 - i) & 0xff))
    })

    it('what is written together reaches the device in order', async () => {
      const device = tun({ up: true, ipv4: '10.42.0.1/24' })
      const sink = `const s = require('dgram').createSocket('udp4').bind(7000, '10.42.0.1', () => console.log('bound'))
        let said = ''
        s.on('message', (m) => { said += m[0] + ' '; if (m[0] === 199) { console.log(said); s.close() } })`
      const child = a.spawn([process.execPath, '-e', sink])
      const lines: string[] = []
      child.stdout!.setEncoding('utf8').on('data', (text: string) => lines.push(text))
      const closed = once(child, 'close')
      await once(child.stdout!, 'data')
      for (let i = 0; i < 200; i++) device.write(datagram(i))
      await closed
      expect(lines.join('')).toBe(`bound\n${Array.from({ length: 200 }, (_, i) => `${i} `).join('')}\n`)
      expect(device.dropped).toBe(0)
    })

    it('a packet that the kernel refuses is told, and the next one passes', async () => {
      const device = tap({ ipv4: '10.42.0.1/24' })
      const drops: NodeJS.ErrnoException[] = []
      device.on('drop', (error: NodeJS.ErrnoException) => drops.push(error))
      await new Promise((resolve) => device.write(FRAME, resolve))
      expect(drops).toEqual([expect.objectContaining({ code: 'EIO', errno: -5, syscall: 'write' })])
      device.isUp = true
      await new Promise((resolve) => device.write(FRAME, resolve))
      await new Promise((resolve) => device.write(Buffer.alloc(3), resolve))
      expect(drops[1]).toMatchObject({ code: 'EINVAL' })
      expect(device.dropped).toBe(2)
      expect(device.destroyed).toBe(false)
    })
  })

  describe('properties', () => {
    it('are readable and writable while the device is down', () => {
      const device = tap({
        name: NAME,
        mac: '02:00:00:00:00:0A',
        mtu: 1400,
        ipv4: '10.42.0.1/24',
        ipv6: 'fd00:42::1/64',
      })
      expect(device).toMatchObject({ name: NAME, isTap: true, isTun: false, isUp: false })
      expect(device).toMatchObject({ mac: '02:00:00:00:00:0a', mtu: 1400, ipv4: '10.42.0.1/24', ipv6: 'fd00:42::1/64' })
      device.mac = '02:00:00:00:00:0b'
      device.mtu = 1300
      device.isUp = true
      expect(device).toMatchObject({ mac: '02:00:00:00:00:0b', mtu: 1300, isUp: true })
      device.isUp = false
      expect(device.isUp).toBe(false)
    })

    it('an address that is set replaces the one that was set before, and no other', () => {
      const device = tap({ up: true })
      expect(device.ipv4).toBeNull()
      expect(device.ipv6).toMatch(/^fe80::.*\/64$/)
      netdev.addAddress(device.name, '10.42.9.9/32', netdev.netnsPath(a.namespace))
      expect(device.ipv4).toBe('10.42.9.9/32')
      device.ipv4 = '10.42.0.1/24'
      device.ipv4 = '10.42.0.2/24'
      device.ipv6 = 'fd00:42::1/64'
      device.ipv6 = 'fd00:42:0::1/64'
      expect(device.ipv4).toBe('10.42.0.2/24')
      expect(device.ipv6).toBe('fd00:42::1/64')
      expect(device.addresses.filter((x) => !x.startsWith('fe80')).sort()).toEqual(
        ['10.42.0.2/24', '10.42.9.9/32', 'fd00:42::1/64'].sort(),
      )
      device.ipv4 = null
      device.ipv6 = null
      expect(device.ipv4).toBe('10.42.9.9/32')
    })

    it('a tun has no MAC', () => {
      const device = tun()
      expect(device).toMatchObject({ isTun: true, isTap: false, mac: null })
      expect(() => {
        device.mac = '02:00:00:00:00:01'
      }).toThrow(TypeError)
    })

    it('follow a renaming', async () => {
      const device = tap({ name: NAME })
      await a.ip('link', 'set', NAME, 'name', 'other')
      device.mtu = 1350
      expect(netdev.link('other', netdev.netnsPath(a.namespace))?.mtu).toBe(1350)
      expect(device.mtu).toBe(1350)
    })

    it('the function tuntap takes an address and a mask', () => {
      const device = keep(
        tuntap({ type: 'tap', netns: a.namespace, addr: '10.42.0.1', mask: '255.255.255.0', mtu: 1400, up: true }),
      )
      expect(device).toBeInstanceOf(Tap)
      expect(device).toMatchObject({ ipv4: '10.42.0.1/24', mtu: 1400, isUp: true })
      expect(keep(tuntap({ type: 'tun', netns: a.namespace }))).toBeInstanceOf(Tun)
    })

    it('every wrong value is a TypeError and changes nothing', () => {
      const device = tap({ mtu: 1400 })
      const any = device as unknown as Record<string, unknown>
      const wrong: [string, unknown][] = [
        ['mtu', '1400'],
        ['mtu', 0],
        ['mac', 7],
        ['mac', 'ff:ff:ff:ff:ff:ff'],
        ['ipv4', 'fd00::1/64'],
        ['ipv4', '10.0.0.1'],
        ['ipv4', undefined],
        ['ipv6', 6],
        ['isUp', 1],
        ['persist', 'yes'],
      ]
      for (const [key, value] of wrong) {
        expect(() => {
          any[key] = value
        }, `${key} = ${value}`).toThrow(TypeError)
      }
      expect(device).toMatchObject({ mtu: 1400, ipv4: null, isUp: false })
      expect(() => device.write(5 as unknown as Buffer)).toThrow(TypeError)
      expect(() => device.write(null as unknown as Buffer)).toThrow(TypeError)
      expect(() => device.release(7 as unknown as () => void)).toThrow(TypeError)
      expect(() => device.setEncoding('utf8')).toThrow(/bytes/)
      expect(() => device.setDefaultEncoding('utf8')).toThrow(/bytes/)
    })

    it('setters tell what the kernel says', () => {
      const device = tap()
      expect(() => {
        device.mtu = 65535
      }).toThrow(expect.objectContaining({ code: 'EINVAL', errno: -22, syscall: 'RTM_SETLINK' }))
    })
  })

  describe('opening', () => {
    it('a name that is open is busy, and no fd is kept', () => {
      tap({ name: NAME })
      const before = fds()
      for (let i = 0; i < 20; i++)
        expect(() => new Tap({ name: NAME, netns: a.namespace })).toThrow(expect.objectContaining({ code: 'EBUSY' }))
      expect(fds()).toBe(before)
    })

    it('what fails after the device was made removes it', async () => {
      const before = fds()
      await a.run(['sysctl', '-qw', 'net.ipv6.conf.default.disable_ipv6=1'])
      try {
        expect(() => new Tap({ name: NAME, netns: a.namespace, persist: true, ipv6: 'fd00::1/64' })).toThrow(
          expect.objectContaining({ syscall: 'RTM_NEWADDR' }),
        )
      } finally {
        await a.run(['sysctl', '-qw', 'net.ipv6.conf.default.disable_ipv6=0'])
      }
      expect(exists(NAME)).toBe(false)
      expect(fds()).toBe(before)
    })

    it('a persistent device stays, until it is told not to', async () => {
      await release(tap({ name: NAME, persist: true, mac: '02:00:00:00:00:0c' }))
      expect(exists(NAME)).toBe(true)
      const again = tap({ name: NAME })
      expect(again.mac).toBe('02:00:00:00:00:0c')
      again.persist = false
      await release(again)
      expect(exists(NAME)).toBe(false)
    })

    it('several queues of one device share its packets', async () => {
      const options = { name: NAME, multiQueue: true, ipv4: '10.42.0.1/24' }
      const one = tun({ ...options, up: true })
      const two = tun({ name: NAME, multiQueue: true })
      const counts = [0, 0]
      one.on('data', () => counts[0]++)
      two.on('data', () => counts[1]++)
      one.detachQueue()
      await sendDatagrams(20)
      await settled(
        () => counts[1]!,
        (n) => n >= 20,
      )
      expect(counts[0]).toBe(0)
      one.attachQueue()
      await release(two)
      await sendDatagrams(20)
      expect(
        await settled(
          () => counts[0]!,
          (n) => n >= 20,
        ),
      ).toBeGreaterThanOrEqual(20)
    })

    it('says open and ready, once each', async () => {
      const device = tap()
      const said: string[] = []
      device.on('open', () => said.push('open'))
      device.on('ready', () => said.push('ready'))
      await turn()
      expect(said).toEqual(['open', 'ready'])
    })
  })

  describe('closing', () => {
    it('can be done twice; both callbacks come, the device is gone', async () => {
      const device = tap({ name: NAME })
      let closes = 0
      device.on('close', () => closes++)
      await Promise.all([release(device), release(device)])
      await release(device)
      expect(closes).toBe(1)
      expect(exists(NAME)).toBe(false)
      expect(device.name).toBe(NAME)
      device.ref().unref().destroy()
    })

    it('afterwards every use is refused, none crashes', async () => {
      const device = tap()
      await release(device)
      const refused = expect.objectContaining({ code: 'ERR_STREAM_DESTROYED' })
      for (const use of [
        () => device.mtu,
        () => device.ipv4,
        () => device.isUp,
        () => {
          device.isUp = true
        },
        () => {
          device.ipv4 = '10.0.0.1/8'
        },
        () => device.attachQueue(),
      ]) {
        expect(use).toThrow(refused)
      }
      const error = await new Promise((resolve) => device.write(FRAME, resolve))
      expect(error).toMatchObject({ code: 'ERR_STREAM_DESTROYED' })
      expect(device.read()).toBeNull()
    })

    it('ends a loop over the packets without an error', async () => {
      const device = tun({ up: true, ipv4: '10.42.0.1/24' })
      setTimeout(() => device.release(), 20)
      for await (const packet of device) expect(Buffer.isBuffer(packet)).toBe(true)
      expect(device.destroyed).toBe(true)
    })

    it('ends a loop that is busy when the device is released', async () => {
      const device = tun({ up: true, ipv4: '10.42.0.1/24' })
      await sendDatagrams(20)
      for await (const _packet of device) {
        device.release()
        await settled(
          () => device.destroyed,
          (destroyed) => destroyed,
        )
      }
      expect(device.errored).toBeNull()
    })

    it('closes a device that nobody reads, or that is paused with packets waiting', async () => {
      const idle = tap({ up: true })
      await release(idle)
      const paused = tun({ up: true, ipv4: '10.42.0.1/24' })
      paused.on('data', () => {})
      paused.pause()
      await sendDatagrams(20)
      await settled(
        () => paused.readableLength,
        (n) => n > 0,
      )
      await release(paused)
      expect(paused.closed).toBe(true)
    })

    it('lets out what was written before', async () => {
      const [one, two] = [tap({ up: true }), keep(new Tap({ netns: b.namespace, up: true }))]
      const seen = new Promise((resolve) => two.once('pipe', resolve))
      one.pipe(two)
      await seen
      const written: unknown[] = []
      for (let i = 0; i < 10; i++) one.write(FRAME, (error) => written.push(error ?? null))
      await release(one)
      expect(written).toEqual(new Array(10).fill(null))
    })

    it('when the device is deleted the stream fails with ENODEV, read or not', async () => {
      for (const read of [true, false]) {
        const device = tap({ name: NAME })
        if (read) device.resume()
        const failed = once(device, 'error')
        await a.ip('link', 'del', NAME)
        const [error] = await failed
        expect(error).toMatchObject({ code: 'ENODEV', errno: -19 })
        await settled(
          () => device.closed,
          (closed) => closed,
        )
        expect(device.closed).toBe(true)
      }
    })

    it('opening and closing a thousand times keeps no fd', { timeout: 120_000 }, async () => {
      await release(tap())
      const before = fds()
      // Removing a device takes the kernel some milliseconds, so ten at a time.
      for (let i = 0; i < 100; i++) {
        const devices = Array.from({ length: 10 }, () => tap({ vnetHdr: i % 2 === 0 }))
        await Promise.all(devices.map(release))
      }
      expect(fds()).toBe(before)
    })
  })
})

/** UDP from 10.42.0.2 to port 7000 of 10.42.0.1 with one byte of payload; checksum 0: none. */
function datagram(byte: number): Buffer {
  const packet = Buffer.from(
    '4500001d000040004011 0000 0a2a0002 0a2a0001 1b581b58 0009 0000 00'.replaceAll(' ', ''),
    'hex',
  )
  let sum = 0
  for (let i = 0; i < 20; i += 2) sum += packet.readUInt16BE(i)
  packet.writeUInt16BE(~((sum & 0xffff) + (sum >>> 16)) & 0xffff, 10)
  packet[28] = byte
  return packet
}
