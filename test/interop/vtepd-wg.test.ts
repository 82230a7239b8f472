// vtepd-wg as a program: when it is there, what it makes, what ends it; and wg-quick(8) that has chosen it.
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { built } from '../../src/lab/built.ts'
import { CommandError } from '../../src/lab/command.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { ping } from '../../src/lab/ping.ts'
import { until } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { pair } from '../support/secure.ts'
import { hasEnded } from '../support/traces.ts'
import { command, freshName, socketOf, WgLab } from '../support/wg-lab.ts'

let lab: Lab
let host: Host

beforeEach(async () => {
  lab = new Lab()
  host = await lab.host('a')
})

afterEach(async () => {
  await lab.close()
})

async function refused(args: string[]): Promise<{ exitCode: number | null; stderr: string }> {
  try {
    await host.run([...command('vtepd-wg'), ...args])
  } catch (error) {
    if (error instanceof CommandError) return { exitCode: error.exitCode, stderr: error.stderr }
    throw error
  }
  throw new Error(`vtepd-wg ${args.join(' ')} was not refused`)
}

/** Of the process in the background that has this interface. */
function pidOf(name: string): number {
  const found = readdirSync('/proc').filter((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
      return words.includes(built('vtepd-wg.js')) && words.includes(name)
    } catch {
      return false
    }
  })
  if (found.length !== 1) throw new Error(`${found.length} processes have ${name}`)
  return Number(found[0])
}

async function ends(device: WgLab, pid: number): Promise<void> {
  await until(
    `the end of ${device.name}`,
    () => device.isThere(),
    (there) => !there,
  )
  await until(`the end of process ${pid}`, () => hasEnded(pid), Boolean)
}

describeRoot('vtepd-wg', () => {
  it('ends with 0 as soon as wg(8) is answered, and leaves the interface down, without addresses, at 1420', async () => {
    const device = await WgLab.start(host, 'vtepd-wg')
    expect((await host.run(['wg', 'show', device.name, 'dump'])).stdout).toMatch(/^\(none\)\t\(none\)\t\d+\toff\n$/)
    const link = await host.ip('address', 'show', 'dev', device.name)
    expect(link).toMatch(/mtu 1420 .*state DOWN/)
    expect(link).not.toMatch(/inet/)
    // No terminal, no directory, no open file of the caller's holds it.
    const pid = pidOf(device.name)
    expect(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')[3]).toBe(String(pid))
    expect((await host.run(['readlink', `/proc/${pid}/cwd`, `/proc/${pid}/fd/0`, `/proc/${pid}/fd/1`])).stdout).toBe(
      '/\n/dev/null\n/dev/null\n',
    )
  })

  it('hears on every address, IPv4 and IPv6, at the same port', async () => {
    const device = await WgLab.start(host, 'vtepd-wg')
    const ports = async () => (await host.run(['ss', '-Huln'])).stdout.match(/(0\.0\.0\.0|\[::\]):\d+/g)!.sort()
    const [, , port] = (await host.run(['wg', 'show', device.name, 'dump'])).stdout.split('\t')
    expect(await ports()).toEqual([`0.0.0.0:${port}`, `[::]:${port}`])
    await device.set('listen-port', '7777')
    expect(await ports()).toEqual(['0.0.0.0:7777', '[::]:7777'])
    await device.set('listen-port', '0')
    expect((await ports())[0]).not.toBe('0.0.0.0:7777')
  })

  it('says of a port that is taken so, and stays at the one it has', async () => {
    const [one, two] = [await WgLab.start(host, 'vtepd-wg'), await WgLab.start(host, 'vtepd-wg')]
    await one.set('listen-port', '7777')
    await two.set('listen-port', '7778')
    const key = pair().public
    await expect(two.set('listen-port', '7777', 'peer', key)).rejects.toThrow(/Address already in use/)
    expect((await host.run(['wg', 'show', two.name, 'listen-port'])).stdout).toBe('7778\n')
    expect(await two.show('endpoints')).toEqual({})
    await two.set('peer', key)
    expect(await two.show('endpoints')).toEqual({ [key]: '(none)' })
  })

  it('marks what it sends, from sockets to come as well', async () => {
    const device = await WgLab.start(host, 'vtepd-wg')
    const marks = async () => (await host.run(['ss', '-Hulne'])).stdout.match(/fwmark:0x[0-9a-f]+/g)
    await device.set('fwmark', '0xca6c')
    expect(await marks()).toEqual(['fwmark:0xca6c', 'fwmark:0xca6c'])
    await device.set('listen-port', '7777')
    expect(await marks()).toEqual(['fwmark:0xca6c', 'fwmark:0xca6c'])
    await device.set('fwmark', 'off')
    expect(await marks()).toBeNull()
  })

  it('ends with its interface in another namespace, too', async () => {
    const device = await WgLab.start(host, 'vtepd-wg')
    const pid = pidOf(device.name)
    const other = await lab.host('b')
    await device.moveTo(other)
    await device.set('fwmark', '1')
    await other.ip('link', 'del', device.name)
    await ends(device, pid)
  })

  it.each<[string, (device: WgLab, pid: number) => unknown]>([
    ['the interface is removed', ({ name }) => host.ip('link', 'del', name)],
    ['the socket is removed', ({ name }) => rmSync(socketOf(name))],
    ['SIGTERM comes', (_, pid) => process.kill(pid, 'SIGTERM')],
    ['SIGINT comes', (_, pid) => process.kill(pid, 'SIGINT')],
  ])('ends when %s, and nothing is left', async (_what, end) => {
    const device = await WgLab.start(host, 'vtepd-wg')
    const pid = pidOf(device.name)
    await end(device, pid)
    await ends(device, pid)
  })

  it('refuses a second one, which disturbs nothing', async () => {
    const device = await WgLab.start(host, 'vtepd-wg')
    const pid = pidOf(device.name)
    const { exitCode, stderr } = await refused([device.name])
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/^vtepd-wg: .*is served by another process that is alive/)
    expect(pidOf(device.name)).toBe(pid)
    expect(await device.show('endpoints')).toEqual({})
  })

  it('takes over from one that was killed', async () => {
    const device = await WgLab.start(host, 'vtepd-wg')
    const pid = pidOf(device.name)
    process.kill(pid, 'SIGKILL')
    await until('its end', () => hasEnded(pid), Boolean)
    expect(existsSync(socketOf(device.name))).toBe(true)
    await host.run([...command('vtepd-wg'), device.name])
    expect(await device.show('endpoints')).toEqual({})
  })

  it('refuses the interface of somebody else, leaves it alone, and leaves no socket', async () => {
    const name = freshName()
    await host.ip('link', 'add', name, 'type', 'bridge')
    const { exitCode, stderr } = await refused([name])
    expect(exitCode).toBe(1)
    expect(stderr).toContain(`device ${name}: busy`)
    expect(existsSync(socketOf(name))).toBe(false)
    await host.ip('link', 'show', name)
  })

  it.each([['a/b'], ['..'], ['sixteen-letters-'], ['']])('refuses the name %j', async (name) => {
    const { exitCode, stderr } = await refused([name])
    expect(exitCode).toBe(2)
    expect(stderr).toMatch(/^vtepd-wg: "/)
  })

  it('stays in the foreground when told, writes what LOG_LEVEL asks for, and ends with 0', async () => {
    const name = freshName()
    const env = { ...process.env, WG_PROCESS_FOREGROUND: '1', LOG_LEVEL: 'verbose' }
    const child = host.spawn([...command('vtepd-wg'), name], { env })
    let log = ''
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      log += text
    })
    await until(
      'its log',
      () => log,
      (text) => text.includes(`device ${name} is there`),
    )
    expect((await host.run(['wg', 'show', 'interfaces'])).stdout).toContain(name)
    expect(child.exitCode).toBeNull()
    const exit = once(child, 'exit')
    await host.ip('link', 'del', name)
    expect(await exit).toEqual([0, null])
    expect(log).toContain(`device ${name} ends: the interface was removed`)
    expect(existsSync(socketOf(name))).toBe(false)
  })

  it('says nothing with LOG_LEVEL=silent, and writes from the background with LOG_LEVEL=verbose', async () => {
    for (const [level, expected] of [
      ['silent', /^$/],
      ['verbose', /is there, and hears on UDP/],
    ] as const) {
      const name = freshName()
      const out = join(lab.dir, level)
      const shell = `LOG_LEVEL=${level} exec "$@" >"$0" 2>&1`
      await host.run(['sh', '-c', shell, out, ...command('vtepd-wg'), name])
      expect(readFileSync(out, 'utf8')).toMatch(expected)
      await host.ip('link', 'del', name)
      await until(
        `the end of ${name}`,
        () => existsSync(socketOf(name)),
        (there) => !there,
      )
    }
  })
}, ['wg', 'ss'])

describeRoot('wg-quick(8) with vtepd-wg', () => {
  it('makes tunnels of its files and takes them down, with a default route through one of them', async () => {
    const other = await lab.host('b')
    await lab.connect([
      { host, addresses: ['198.18.0.1/24'] },
      { host: other, addresses: ['198.18.0.2/24'] },
    ])
    const [a, b] = [
      { on: host, name: freshName(), keys: pair(), at: '198.18.0.1', n: 1 },
      { on: other, name: freshName(), keys: pair(), at: '198.18.0.2', n: 2 },
    ] as const
    const file = (me: typeof a | typeof b, peer: typeof a | typeof b, allowed: string): string => {
      const path = join(lab.dir, `${me.name}.conf`)
      const text = `[Interface]
PrivateKey = ${me.keys.private}
ListenPort = 51820
Address = 10.9.0.${me.n}/24, fd09::${me.n}/64
[Peer]
PublicKey = ${peer.keys.public}
Endpoint = ${peer.at}:51820
AllowedIPs = ${allowed}
`
      writeFileSync(path, text, { mode: 0o600 })
      return path
    }
    const quick = async (verb: 'up' | 'down', on: Host, path: string): Promise<string> => {
      const env = `WG_QUICK_USERSPACE_IMPLEMENTATION=${built('vtepd-wg.js')}`
      return (await on.run(['env', env, 'wg-quick', verb, path])).stderr
    }
    const files = [file(a, b, '0.0.0.0/0'), file(b, a, '10.9.0.1/32, fd09::1/128')] as const
    expect(await quick('up', host, files[0])).toContain(`vtepd-wg.js ${a.name}`)
    await quick('up', other, files[1])
    await ping(host, '10.9.0.2', { count: 3, interval: 10 })
    await ping(other, 'fd09::1', { count: 3, interval: 10 }).then(
      () => expect.fail('IPv6 is not what a may send'),
      () => {},
    )
    // What goes to nowhere in particular goes through the tunnel, and what the tunnel sends does not.
    await other.ip('address', 'add', '203.0.113.1/32', 'dev', 'lo')
    await ping(host, '203.0.113.1', { count: 3, interval: 10 })
    expect((await host.run(['wg', 'show', a.name, 'fwmark'])).stdout).toBe('0xca6c\n')
    expect(await host.ip('route', 'get', '203.0.113.1')).toContain(`dev ${a.name}`)
    await quick('down', host, files[0])
    await quick('down', other, files[1])
    for (const { on, name } of [a, b]) {
      await until(
        `the end of ${name}`,
        () => existsSync(socketOf(name)),
        (there) => !there,
      )
      await expect(on.ip('link', 'show', name)).rejects.toThrow(/does not exist/)
    }
  })
}, ['wg', 'wg-quick', 'nft'])
