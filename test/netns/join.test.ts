// Hosts that are linked by `vtepd invite` on one and `vtepd join` on the others, from nothing:
//
//   a eth0 ─┐
//   b eth0 ─┼─ br0 of switch     underlay 198.18.0.x/24, no default route, no files, no agents
//   c eth0 ─┘
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import { decodeToken } from '../../src/control/join/token.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { ping } from '../../src/lab/ping.ts'
import { cannotReach, reaches, until, untilReaches } from '../support/overlay.ts'
import { describeRoot, missing } from '../support/root.ts'
import { keyFile } from '../support/secure.ts'
import { Site } from '../support/site.ts'
import { WgLab } from '../support/wg-lab.ts'

let lab: Lab | null = null

afterEach(async () => {
  await lab?.close()
  lab = null
})

async function sites(...names: string[]): Promise<Site[]> {
  const made = new Lab()
  lab = made
  const all: Host[] = []
  for (const name of names) all.push(await made.host(name))
  await made.connect(all.map((host, k) => ({ host, addresses: [`198.18.0.${k + 1}/24`] })))
  return all.map((host) => new Site(host))
}

async function invite(site: Site, name: string, ...more: string[]): Promise<string> {
  return (await site.vtepd('invite', name, ...more)).trim()
}

const ADDRESS = (n: number): string => `10.42.0.${n}`

describeRoot('from nothing', () => {
  it.each(['tap', 'tun'])('two lines link two hosts, and two more a third, with a %s network', async (device) => {
    const [a, b, c] = (await sites('a', 'b', 'c')) as [Site, Site, Site]
    const tokenB = await invite(a, 'b', '--network', 'blue', '--device', device)
    const tokenC = await invite(a, 'c')
    expect(tokenB).toMatch(/^vtepd1-[\w-]+$/)
    const { pid } = await a.status()

    const joined = await b.type('join', tokenB)
    expect(joined).toMatchObject({ code: 0 })
    expect(joined.stdout).toMatch(/^joined network blue as b: vt42 10\.42\.0\.2\/24, with \S+\n$/)
    await reaches(a.host, ADDRESS(2))
    await reaches(b.host, ADDRESS(1))

    const before = (await b.status()).pid
    expect(await c.type('join', tokenC)).toMatchObject({ code: 0 })
    await untilReaches(c.host, ADDRESS(2))
    for (const [site, others] of [
      [a, [2, 3]],
      [b, [1, 3]],
      [c, [1, 2]],
    ] as const) {
      await reaches(site.host, ...others.map(ADDRESS))
    }

    // Nobody was restarted.
    expect([(await a.status()).pid, (await b.status()).pid]).toEqual([pid, before])
    expect((await b.status()).peers.map((p) => [p.name, p.state])).toEqual(expect.arrayContaining([['c', 'up']]))
    expect(a.files('etc')).toEqual([
      'conf.d/b.psk 600',
      'conf.d/b.yaml 600',
      'conf.d/c.psk 600',
      'conf.d/c.yaml 600',
      'conf.d/network-blue.yaml 600',
      'key 600',
    ])
    expect(b.files('etc')).toEqual(['conf.d/b.psk 600', 'conf.d/b.yaml 600', 'conf.d/c.yaml 600', 'key 600'])
    expect(c.files('etc')).toEqual(['conf.d/b.yaml 600', 'conf.d/c.psk 600', 'conf.d/c.yaml 600', 'key 600'])
    const checks = await Promise.all([a, b, c].map((site) => site.type('config', 'check')))
    expect(checks.map((check) => check.code)).toEqual([0, 0, 0])
    for (const site of [a, b, c]) {
      expect((await site.status()).drops).toMatchObject({ 'unknown-peer': 0, 'not-in-network': 0, 'bad-tag': 0 })
    }

    // Who came by invitation leaves further ones to who invited it.
    expect(await b.type('invite', 'd')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('brought this host into network blue'),
    })
  })

  it('the token may come from a pipe, and the agents are still linked after restarts of all', async () => {
    const [a, b] = (await sites('a', 'b')) as [Site, Site]
    const token = await invite(a, 'b')
    const child = b.host.spawn(b.command('join'), { stdio: ['pipe', 'ignore', 'inherit'] })
    child.stdin!.end(`${token}\n`)
    expect(await once(child, 'exit')).toEqual([0, null])
    await reaches(b.host, ADDRESS(1))
    const restarted = async (site: Site): Promise<void> => {
      await site.vtepd('stop')
      await site.up()
    }
    await Promise.all([a, b].map(restarted))
    await untilReaches(a.host, ADDRESS(2))
  })

  it('nobody says a private half', async () => {
    const [a, b] = (await sites('a', 'b')) as [Site, Site]
    const token = await invite(a, 'b', '-v')
    const { stdout, stderr } = await b.type('join', token, '-v')
    const { privateKey, presharedKey } = decodeToken(token)
    const texts = [stdout, stderr, JSON.stringify([await a.status(), await b.status()])]
    for (const site of [a, b]) texts.push(site.read('run/vtepd.log'))
    texts.push(
      a
        .read(
          'lib/' +
            a
              .files('lib')
              .find((f) => f.includes('invitations'))!
              .split(' ')[0],
        )
        .replaceAll(base64(presharedKey.copy()), ''),
    )
    for (const secret of [privateKey.copy(), presharedKey.copy()]) {
      for (const form of ['base64', 'base64url', 'hex'] as const) {
        for (const text of texts) expect(text).not.toContain(Buffer.from(secret).toString(form).slice(0, 40))
      }
    }
    for (const text of texts) expect(text).not.toContain(token.slice(0, 60))
  })
})

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}

describeRoot('a token', () => {
  it('that is altered ends it before anything is sent', async () => {
    const [a, b] = (await sites('a', 'b')) as [Site, Site]
    const token = await invite(a, 'b')
    // Datagrams of UDP; the kernel itself says this and that on a new link.
    const sent = async (): Promise<string[]> => {
      const { stdout } = await b.host.run(['cat', '/proc/net/snmp', '/proc/net/snmp6'])
      return stdout.split('\n').filter((line) => /^(Udp:|Udp6OutDatagrams)/.test(line))
    }
    const before = await sent()
    const at = token.length - 20
    const altered = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
    const { code, stderr } = await b.type('join', altered)
    expect(code).toBe(2)
    expect(stderr).toContain('its checksum is wrong')
    expect(await sent()).toEqual(before)
    expect([...b.files('etc'), ...b.files('lib')]).toEqual([])
    // The right one is as good as before.
    expect(await b.type('join', token)).toMatchObject({ code: 0 })
  })

  it('that was used, or has expired, or was replaced, says so, and leaves nothing behind', async () => {
    const [a, b, c] = (await sites('a', 'b', 'c')) as [Site, Site, Site]
    const used = await invite(a, 'b')
    const expired = await invite(a, 'x', '--expires', '1s')
    const replaced = await invite(a, 'c')
    const good = await invite(a, 'c')
    await b.vtepd('join', used)
    const { expires } = decodeToken(expired)
    await until(
      'its end',
      () => Date.now() / 1000,
      (now) => now > expires,
    )
    for (const [token, what] of [
      [used, 'this invitation was used on 20'],
      [expired, 'this invitation has expired, on 20'],
      [replaced, 'another invitation for c replaced this one on 20'],
    ] as const) {
      const { code, stderr } = await c.type('join', token)
      expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(what) })
      expect([...c.files('etc'), ...c.files('lib')]).toEqual([])
      expect(await c.runs()).toBe(false)
    }
    // Twice on one host is no other matter.
    expect((await b.type('join', used)).stderr).toContain('this invitation was used on 20')
    await c.vtepd('join', good)
    await untilReaches(c.host, ADDRESS(2))
  })

  it('is good after restarts, and in whatever order', async () => {
    const [a, b, c] = (await sites('a', 'b', 'c')) as [Site, Site, Site]
    const [tokenB, tokenC] = [await invite(a, 'b'), await invite(a, 'c')]
    await a.vtepd('stop')
    await a.up()
    await c.vtepd('join', tokenC)
    await a.vtepd('stop')
    await a.up()
    expect((await b.type('join', tokenC)).stderr).toContain('was used')
    await b.vtepd('join', tokenB)
    for (const [site, n] of [
      [c, 1],
      [c, 3],
      [b, 2],
    ] as const) {
      await untilReaches(site.host, ADDRESS(n))
    }
  })

  it('leads to the first place that answers', async () => {
    const [a, b] = (await sites('a', 'b')) as [Site, Site]
    const places = ['198.18.0.99', '[fd00::1]:51820', '198.18.0.1:51821', '198.18.0.1'].flatMap((p) => [
      '--endpoint',
      p,
    ])
    await b.vtepd('join', await invite(a, 'b', ...places))
    expect(b.read('etc/conf.d/b.yaml')).toContain('endpoint: 198.18.0.1:51820')
    await untilReaches(b.host, ADDRESS(1))
  })

  it('gives the address that is asked for, unless it is taken', async () => {
    const [a, b, c] = (await sites('a', 'b', 'c')) as [Site, Site, Site]
    const [tokenB, tokenC] = [await invite(a, 'b'), await invite(a, 'c')]
    await b.vtepd('join', tokenB, '--address', ADDRESS(9))
    for (const [address, what] of [
      [ADDRESS(9), `address: ${ADDRESS(9)} is taken`],
      [ADDRESS(1), `address: ${ADDRESS(1)} is taken`],
      ['10.43.0.1', 'address: 10.43.0.1 is not in network overlay'],
    ] as const) {
      const { code, stderr } = await c.type('join', tokenC, '--address', address)
      expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(what) })
      expect([...c.files('etc'), ...c.files('lib')]).toEqual([])
    }
    await c.vtepd('join', tokenC, '--address', `${ADDRESS(8)}/24`)
    await untilReaches(c.host, ADDRESS(9))
  })
})

describeRoot('beside what is there', () => {
  it('a join does not disturb an agent’s other network', async () => {
    const [a, b, c] = (await sites('a', 'b', 'c')) as [Site, Site, Site]
    const red = (k: number, other: number) => ({
      underlay: { address: `198.18.0.${k}` },
      networks: { red: { vni: 7, security: 'plain', address: `10.7.0.${k}/24` } },
      peers: { other: { endpoint: `198.18.0.${other}` } },
    })
    await a.up(red(1, 2))
    await b.up(red(2, 1))
    await reaches(a.host, '10.7.0.2')
    const [pids, mac] = [[(await a.status()).pid, (await b.status()).pid], (await b.status()).networks[0]!.mac]
    const files = [a.read('etc/vtepd.yaml'), b.read('etc/vtepd.yaml')]
    const pings = ping(a.host, '10.7.0.2', { count: 400, interval: 20 })
    await b.vtepd('join', await invite(a, 'b'))
    await untilReaches(a.host, ADDRESS(2))
    // The third is told to both; its token was made by an agent with two networks.
    await c.vtepd('join', await invite(a, 'c', '--network', 'overlay'))
    await untilReaches(c.host, ADDRESS(2))
    expect(await pings).toHaveLength(400)
    expect([(await a.status()).pid, (await b.status()).pid]).toEqual(pids)
    expect((await b.status()).networks.map((n) => [n.name, n.security])).toEqual([
      ['red', 'plain'],
      ['overlay', 'secure'],
    ])
    expect((await b.status()).networks[0]!.mac).toBe(mac)
    expect([a.read('etc/vtepd.yaml'), b.read('etc/vtepd.yaml')]).toEqual(files)
  })

  it('a join that comes to nothing closes what it opened, and the agent goes on', async () => {
    const [a, b] = (await sites('a', 'b')) as [Site, Site]
    const token = await invite(a, 'b')
    await b.up({ underlay: { address: '198.18.0.2' }, networks: { overlay: { vni: 7, security: 'plain' } } })
    const sockets = async (): Promise<string> => (await b.host.run(['ss', '-Hulpn'])).stdout
    const before = await sockets()
    const { code, stderr } = await b.type('join', token)
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('has a network overlay already') })
    expect(await sockets()).toBe(before)
    expect(b.files('etc')).toEqual(['vtepd.yaml 600'])
    expect((await a.status()).peers).toEqual([])
  })

  it('an agent with a file of its own has no conf.d to write to', async () => {
    const [a] = (await sites('a', 'b')) as [Site, Site]
    const file = a.write(
      'mine.yaml',
      JSON.stringify({ networks: { red: { vni: 7, security: 'plain' } }, underlay: { address: '198.18.0.1' } }),
    )
    a.host.spawn([...a.command('up').slice(0, 3), '-c', file, '--runtime-dir', a.path('run')], { stdio: 'ignore' })
    await until('the agent', () => a.runs(), Boolean)
    const { code, stderr } = await a.type('invite', 'b')
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('started with -c or flags') })
    const [node, main] = a.command() as [string, string]
    const typed = await a.host.run([node, main, 'invite', 'b', '-c', file]).catch((e: Error) => e)
    expect(String(typed)).toContain('--config names a file to be read alone')
  })

  it('an invitation that cannot be answered leaves nothing', async () => {
    const [a] = (await sites('a', 'b')) as [Site, Site]
    const taken = a.host.spawn([process.execPath, '-e', "require('dgram').createSocket('udp4').bind(51820)"], {
      stdio: 'ignore',
    })
    await until(
      'the port',
      async () => (await a.host.run(['ss', '-Huln'])).stdout,
      (s) => s.includes(':51820'),
    )
    const { code, stderr } = await a.type('invite', 'b')
    expect(code).toBe(1)
    expect(stderr).toContain('the agent does not start')
    expect(a.files('etc')).toEqual([])
    expect(await a.runs()).toBe(false)
    taken.kill()
    await a.vtepd('invite', 'b', '--port', '4242')
    expect((await a.host.run(['ss', '-Huln'])).stdout).toContain(':4242')
  })

  it('a join that is interrupted leaves nothing', async () => {
    const [a, b] = (await sites('a', 'b')) as [Site, Site]
    const token = await invite(a, 'b')
    await a.vtepd('stop')
    // Not by `ip netns exec` of a shell: the signal is to reach the command itself.
    const [node, ...words] = b.command('join', token) as [string, ...string[]]
    const child = spawn('ip', ['netns', 'exec', b.host.namespace, node, ...words], { stdio: 'ignore' })
    b.host.lab.keep(child)
    await until(
      'its socket',
      async () => (await b.host.run(['ss', '-Huln'])).stdout,
      (s) => s.includes(':51820'),
    )
    child.kill('SIGINT')
    expect(await once(child, 'exit')).toEqual([130, null])
    expect([...b.files('etc'), ...b.files('lib')]).toEqual([])
    expect(await b.runs()).toBe(false)
  })
})

describe.skipIf(missing(['nft']) !== null)('behind a translator of addresses', () => {
  describeRoot('(nft)', () => {
    it('the joining host calls, and all reach it', async () => {
      //  a 198.18.0.1 ─┐
      //  c 198.18.0.3 ─┼─ switch ─ 198.18.0.2 gate 192.168.7.1 ── 192.168.7.2 b
      const [a, gate, c] = (await sites('a', 'gate', 'c')) as [Site, Site, Site]
      const inner = await lab!.host('b')
      await lab!.run([
        'ip',
        'link',
        'add',
        'in0',
        'netns',
        gate.host.namespace,
        'type',
        'veth',
        'peer',
        'name',
        'eth0',
        'netns',
        inner.namespace,
      ])
      await gate.host.ip('addr', 'add', '192.168.7.1/24', 'dev', 'in0')
      await gate.host.ip('link', 'set', 'in0', 'up')
      await inner.ip('addr', 'add', '192.168.7.2/24', 'dev', 'eth0')
      await inner.ip('link', 'set', 'eth0', 'up')
      await inner.ip('route', 'add', 'default', 'via', '192.168.7.1')
      await gate.host.run(['sysctl', '-qw', 'net.ipv4.ip_forward=1'])
      await gate.host.run([
        'nft',
        'add table ip nat; add chain ip nat post { type nat hook postrouting priority 100; }',
      ])
      await gate.host.run(['nft', 'add rule ip nat post oifname eth0 masquerade random'])
      const b = new Site(inner)
      await b.vtepd('join', await invite(a, 'b'))
      await untilReaches(a.host, ADDRESS(2))
      await c.vtepd('join', await invite(a, 'c'))
      await untilReaches(c.host, ADDRESS(2))
      expect(b.read('etc/conf.d/b.yaml')).toContain('keepalive: 25s')
      expect(a.read('etc/conf.d/b.yaml')).not.toContain('endpoint')
    })
  })
})

describe.skipIf(missing(['wireguard-go', 'wg']) !== null)('whoever holds a token', () => {
  describeRoot('(wireguard-go)', () => {
    it('is in no network with it: what its tunnel carries is dropped', async () => {
      const [a, b] = (await sites('a', 'b')) as [Site, Site]
      const token = decodeToken(await invite(a, 'b'))
      const device = await WgLab.start(b.host, 'wireguard-go')
      const own = base64(token.privateKey.copy())
      const host = Buffer.from(token.publicKey).toString('base64')
      const psk = keyFile(lab!, 'psk', base64(token.presharedKey.copy()))
      await device.set('private-key', keyFile(lab!, 'own', own), 'peer', host, 'preshared-key', psk)
      await device.set('peer', host, 'endpoint', '198.18.0.1:51820', 'allowed-ips', '10.42.0.0/24')
      await device.up('10.42.0.2/24')
      await cannotReach(b.host, ADDRESS(1))
      expect(Number((await device.show('latest-handshakes'))[host])).toBeGreaterThan(0)
      expect((await a.status()).drops['not-in-network']).toBeGreaterThan(0)
      expect((await a.status()).peers).toEqual([])
    })
  })
})
