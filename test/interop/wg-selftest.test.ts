// The steps of WireGuard's self-test (linux tools/testing/selftests/wireguard/netns.sh) that a device in user space can show,
// between two of ours. With wireguard-go: wireguard-go.test.ts.
//
//   one  wgA 10.42.241.1 fd00::1        wires  lo: UDP sockets of both        two  wgB 10.42.241.2 fd00::2
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { ping } from '../../src/lab/ping.ts'
import { lowOrder } from '../support/keys.ts'
import { until, untilReaches } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { pair, presharedKey } from '../support/secure.ts'
import { transferTcp, transferUdp } from '../support/transfer.ts'
import { type Program, WgLab } from '../support/wg-lab.ts'

const A4 = '10.42.241.1'
const B4 = '10.42.241.2'
const A6 = 'fd00::1'
const B6 = 'fd00::2'
/** Bytes of UDP payload: a handshake's two messages, a keepalive, and a sealed ping of 84 or 104 bytes, padded to 16. */
const INITIATION = 148
const RESPONSE = 92
const KEEPALIVE = 32
const PING4 = 96 + 32
/** Of a device over IPv4's loopback, whose MTU leaves no more for a datagram. */
const BIG_MTU = 34_736

let lab: Lab

beforeEach(() => {
  lab = new Lab()
})

afterEach(async () => {
  await lab.close()
})

// One answer is enough: what else runs on this machine may cost a packet, and no more than that.
async function reaches(host: Host, address: string): Promise<void> {
  await ping(host, address, { count: 3, interval: 10 })
}

async function isCutOff(host: Host, address: string): Promise<void> {
  await expect(host.run(['ping', '-n', '-c', '1', '-W', '1', address])).rejects.toThrow(/100% packet loss/)
}

/** Two devices whose sockets are on one host's loopback, interfaces on two others; not yet told where the other is. */
async function twoOnLoopback(first: Program, second: Program): Promise<{ wires: Host; a: WgLab; b: WgLab }> {
  const [wires, one, two] = [await lab.host('wires'), await lab.host('one'), await lab.host('two')]
  const [a, b] = await Promise.all([WgLab.start(wires, first), WgLab.start(wires, second)])
  await a.moveTo(one)
  await b.moveTo(two)
  await acquaint(a, b)
  return { wires, a, b }
}

async function acquaint(a: WgLab, b: WgLab): Promise<void> {
  const psk = presharedKey()
  await a.meet(10000, b, psk, `${B4}/32,${B6}/128`)
  await b.meet(20000, a, psk, `${A4}/32,${A6}/128`)
  await a.up(`${A4}/24`, `${A6}/112`)
  await b.up(`${B4}/24`, `${B6}/112`)
}

async function tellWhere(a: WgLab, endpointOfB: string, b: WgLab, endpointOfA: string): Promise<void> {
  await a.set('peer', b.keys.public, 'endpoint', endpointOfB)
  await b.set('peer', a.keys.public, 'endpoint', endpointOfA)
}

async function transfers(a: WgLab, b: WgLab): Promise<void> {
  const size = 8 << 20
  for (const [from, to, address] of [
    [b, a, A4],
    [a, b, B6],
  ] as const) {
    await reaches(from.host, address)
    await transferTcp({ from: from.host, to: to.host, address }, size)
    await transferUdp({ from: from.host, to: to.host, address }, 20, [16, 1300, 4000])
  }
}

const PAIRS: [Program, Program][] = [['vtepd-wg', 'vtepd-wg']]

describeRoot("WireGuard's self-test", () => {
  describe.each(PAIRS)('%s and %s', (first, second) => {
    it('counts what is sent and received', async () => {
      const { a, b } = await twoOnLoopback(first, second)
      await tellWhere(a, '127.0.0.1:20000', b, '127.0.0.1:10000')
      await b.host.run(['ping', '-n', '-c', '10', '-i', '0.02', '-W', '1', A4])
      const transfer = async (of: WgLab, from: WgLab) => (await of.show('transfer'))[from.keys.public]
      const [sent, back] = [INITIATION + 10 * PING4, RESPONSE + 10 * PING4]
      expect(await transfer(a, b)).toBe(`${sent}\t${back}`)
      expect(await transfer(b, a)).toBe(`${back}\t${sent}`)
      expect((await a.show('latest-handshakes'))[b.keys.public]).toMatch(/^[1-9]\d+$/)
      // Whoever began answers with nothing where it has nothing to say.
      await a.set('peer', b.keys.public, 'persistent-keepalive', '65535')
      const expected = [`${sent}\t${back + KEEPALIVE}`]
      await until(
        'a keepalive',
        () => transfer(a, b),
        (now) => expected.includes(now!),
      )
    })

    it('carries TCP and UDP over IPv4 and IPv6, with its own MTU and the largest', async () => {
      const { a, b } = await twoOnLoopback(first, second)
      for (const [toB, toA] of [
        ['127.0.0.1:20000', '127.0.0.1:10000'],
        ['[::1]:20000', '[::1]:10000'],
      ] as const) {
        await tellWhere(a, toB, b, toA)
        for (const mtu of [1420, BIG_MTU]) {
          for (const device of [a, b]) await device.host.ip('link', 'set', device.name, 'mtu', String(mtu))
          await transfers(a, b)
        }
      }
    })

    it('follows a peer that roams', async () => {
      const { wires, a, b } = await twoOnLoopback(first, second)
      await tellWhere(a, '127.0.0.1:20000', b, '127.0.0.1:10000')
      await reaches(a.host, B4)
      await wires.ip('addr', 'del', '127.0.0.1/8', 'dev', 'lo')
      await wires.ip('addr', 'add', '127.212.121.99/8', 'dev', 'lo')
      await a.set('listen-port', '9999')
      await a.set('peer', b.keys.public, 'endpoint', '127.0.0.1:20000')
      await untilReaches(a.host, B6)
      expect(await b.endpointOf(a)).toBe('127.212.121.99:9999')
      await a.set('listen-port', '9998')
      await a.set('peer', b.keys.public, 'endpoint', '[::1]:20000')
      await untilReaches(a.host, B4)
      expect(await b.endpointOf(a)).toBe('[::1]:9998')
      await reaches(b.host, A4)
    })

    it('lets in only what may come from a peer, and follows one that says what it may not', async () => {
      const { a, b } = await twoOnLoopback(first, second)
      await tellWhere(a, '127.0.0.1:20000', b, '127.0.0.1:10000')
      await a.set('peer', b.keys.public, 'allowed-ips', '10.42.241.0/24')
      await reaches(b.host, A4)
      const stranger = pair().public
      await a.set('peer', stranger, 'allowed-ips', `${B4}/32`)
      const before = await a.received()
      await b.set('listen-port', '9997')
      await isCutOff(b.host, A4)
      expect(await a.received()).toBe(before)
      expect(await a.endpointOf(b)).toBe('127.0.0.1:9997')
      await a.set('peer', stranger, 'remove')
      await reaches(b.host, A4)
    })

    it('shakes hands anew when a private key changes', async () => {
      const { a, b } = await twoOnLoopback(first, second)
      await tellWhere(a, '127.0.0.1:20000', b, '127.0.0.1:10000')
      await reaches(a.host, B4)
      const next = pair()
      const file = join(lab.dir, 'next')
      writeFileSync(file, next.private, { mode: 0o600 })
      await a.set('private-key', file)
      const psk = join(lab.dir, 'keys', `${b.name}-psk`)
      const more = ['preshared-key', psk, 'allowed-ips', `${A4}/32,${A6}/128`, 'endpoint', '127.0.0.1:10000']
      await b.set('peer', a.keys.public, 'remove', 'peer', next.public, ...more)
      await reaches(a.host, B4)
      await reaches(b.host, A6)
    })

    it('keeps a way through NAT open by keepalives', async () => {
      const [one, router, two] = [await lab.host('one'), await lab.host('router'), await lab.host('two')]
      const [a, b] = await Promise.all([WgLab.start(one, first), WgLab.start(two, second)])
      await acquaint(a, b)
      for (const [host, end, own, address] of [
        [one, 'left', '198.18.3.1/24', '198.18.3.100/24'],
        [two, 'right', '198.18.2.1/24', '198.18.2.100/24'],
      ] as const) {
        await router.ip('link', 'add', end, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', host.namespace)
        await router.ip('addr', 'add', own, 'dev', end)
        await router.ip('link', 'set', end, 'up')
        await host.ip('addr', 'add', address, 'dev', 'eth0')
        await host.ip('link', 'set', 'eth0', 'up')
      }
      await one.ip('route', 'add', 'default', 'via', '198.18.3.1')
      await nat(router)
      await a.set('peer', b.keys.public, 'endpoint', '198.18.2.100:20000', 'persistent-keepalive', '1')
      await reaches(one, B4)
      expect(await b.endpointOf(a)).toBe('198.18.2.1:10000')
      // Longer than the router remembers: what keeps it open is what is counted meanwhile.
      const { transfer } = { transfer: async () => Number((await b.show('transfer'))[a.keys.public]!.split('\t')[0]) }
      const then = await transfer()
      await until('three keepalives', transfer, (now) => now >= then + 4 * KEEPALIVE)
      await reaches(two, A4)
    })
  })

  describe('vtepd-wg', () => {
    const program = 'vtepd-wg'

    it('answers from the address that was reached, and leaves one that is gone', async () => {
      const [one, two] = [await lab.host('one'), await lab.host('two')]
      await lab.connect([
        { host: one, addresses: ['198.18.2.1/24', 'fd00:aa::1/96'] },
        { host: two, addresses: ['198.18.2.2/24', 'fd00:aa::2/96'] },
      ])
      const [a, b] = await Promise.all([WgLab.start(one, program), WgLab.start(two, program)])
      await acquaint(a, b)
      for (const [endpoint, added, gone] of [
        ['198.18.2.2:20000', '198.18.2.10/24', '198.18.2.1/24'],
        ['[fd00:aa::2]:20000', 'fd00:aa::10/96', 'fd00:aa::1/96'],
      ] as const) {
        await a.set('peer', b.keys.public, 'endpoint', endpoint)
        await reaches(one, B4)
        await one.run(['sysctl', '-qw', 'net.ipv4.conf.eth0.promote_secondaries=1'])
        await one.ip('addr', 'add', added, 'dev', 'eth0', ...(added.includes(':') ? ['nodad'] : []))
        await one.ip('addr', 'del', gone, 'dev', 'eth0')
        await reaches(one, B4)
      }
      const more = ['198.18.2.11', 'fd00:aa::11']
      await one.ip('addr', 'add', `${more[0]}/24`, 'dev', 'eth0')
      await one.ip('addr', 'add', `${more[1]}/96`, 'dev', 'eth0', 'nodad')
      for (const endpoint of ['198.18.2.10:10000', '[fd00:aa::10]:10000', '198.18.2.11:10000', '[fd00:aa::11]:10000']) {
        await b.set('peer', a.keys.public, 'endpoint', endpoint)
        await reaches(two, A4)
        expect(await b.endpointOf(a)).toBe(endpoint)
      }
    })

    it('takes the volumes of configuration that are split in transit', async () => {
      const wires = await lab.host('wires')
      const device = await WgLab.start(wires, program)
      const wide: string[] = []
      for (let i = 1; i < 256; i++) for (let k = 0; k < 256; k++) wide.push(`${i}.${k}.0.0/16`, `${i}::${k}/128`)
      const key = pair().public
      await setconf(device, [[key, wide]])
      expect((await device.show('allowed-ips'))[key]!.split(' ')).toHaveLength(255 * 256 * 2)
      const many = Array.from({ length: 40 }, (_, i) => {
        return [pair().public, Array.from({ length: 52 }, (_, k) => `${i + 1}.${k}.0.0/16`)] as const
      })
      await setconf(device, many)
      const shown = await device.show('allowed-ips')
      expect(Object.values(shown).map((ips) => ips.split(' ').length)).toEqual(new Array(40).fill(52))
      await setconf(
        device,
        Array.from({ length: 30 }, () => [pair().public, []] as const),
      )
      expect(Object.values(await device.show('allowed-ips'))).toEqual(new Array(30).fill('(none)'))
    })

    it('sends nothing to a key of low order', async () => {
      const wires = await lab.host('wires')
      const device = await WgLab.start(wires, program)
      await device.set('private-key', join(lab.dir, 'x'), 'listen-port', '10000').catch(() => {})
      for (const key of lowOrder) {
        await device.set(
          'peer',
          key,
          'endpoint',
          '127.0.0.1:1',
          'persistent-keepalive',
          '1',
          'allowed-ips',
          '0.0.0.0/0',
        )
      }
      expect(Object.values(await device.show('transfer'))).toEqual(lowOrder.map(() => '0\t0'))
    })
  })
}, ['wg', 'wireguard-go'])

async function nat(router: Host): Promise<void> {
  await router.run(['sysctl', '-qw', 'net.ipv4.ip_forward=1'])
  const rules = `table ip nat {
  chain post {
    type nat hook postrouting priority 100;
    ip saddr 198.18.3.0/24 ip daddr 198.18.2.0/24 snat to 198.18.2.1
  }
}
`
  const file = join(lab.dir, 'nat')
  writeFileSync(file, rules)
  await router.run(['nft', '-f', file])
  for (const what of ['timeout', 'timeout_stream'])
    await router.run(['sysctl', '-qw', `net.netfilter.nf_conntrack_udp_${what}=2`])
}

async function setconf(device: WgLab, peers: (readonly [string, readonly string[]])[]): Promise<void> {
  const file = join(lab.dir, 'conf')
  const text = peers.map(
    ([key, ips]) => `[Peer]\nPublicKey = ${key}\n${ips.map((ip) => `AllowedIPs = ${ip}\n`).join('')}`,
  )
  writeFileSync(file, `[Interface]\nPrivateKey = ${device.keys.private}\n${text.join('')}`)
  await device.home.run(['wg', 'setconf', device.name, file])
}
