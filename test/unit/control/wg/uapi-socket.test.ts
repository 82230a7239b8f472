import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { EADDRINUSE, UapiError } from '../../../../src/control/wg/uapi.ts'
import { UapiSocket, UapiTaken } from '../../../../src/control/wg/uapi-socket.ts'
import { temporaryDir } from '../../../support/temporary.ts'
import { FakeDevice, UapiClient } from '../../../support/uapi.ts'

const A = 'a1'.repeat(32)
const B = 'b2'.repeat(32)

interface Served {
  readonly socket: UapiSocket
  readonly device: FakeDevice
  readonly directory: string
  /** Resolves when the socket says that its file is gone. */
  readonly gone: Promise<void>
  readonly failures: unknown[]
}

async function serve(directory = temporaryDir()): Promise<Served> {
  const device = new FakeDevice()
  const failures: unknown[] = []
  let tell!: () => void
  const gone = new Promise<void>((resolve) => {
    tell = resolve
  })
  const failed = (error: unknown) => failures.push(error)
  const socket = await UapiSocket.open('wg0', device, { directory, gone: tell, failed })
  onTestFinished(() => socket.close())
  return { socket, device, directory, gone, failures }
}

async function client(path: string): Promise<UapiClient> {
  const one = await UapiClient.connect(path)
  onTestFinished(() => void one.socket.destroy())
  return one
}

async function served(): Promise<Served & { wg: UapiClient }> {
  const all = await serve()
  return { ...all, wg: await client(all.socket.path) }
}

describe('the file', () => {
  test('is IFACE.sock for its owner alone, in a directory with mode 0755 that is made, whatever the umask', async () => {
    for (const mask of [0, 0o077, 0o277]) {
      const directory = join(temporaryDir(), 'run', 'wireguard')
      mkdirSync(join(directory, '..'))
      const umask = process.umask(mask)
      try {
        const { socket } = await serve(directory)
        expect(socket.path).toBe(join(directory, 'wg0.sock'))
        expect(lstatSync(socket.path).isSocket()).toBe(true)
        expect(statSync(socket.path).mode & 0o777).toBe(0o700)
        expect(statSync(directory).mode & 0o777).toBe(0o755)
        expect(readdirSync(directory)).toEqual(['wg0.sock'])
        expect(process.umask()).toBe(mask)
      } finally {
        process.umask(umask)
      }
    }
  })

  test('goes when the socket is closed, and its clients are sent away', async () => {
    const { socket, directory, wg } = await served()
    await socket.close()
    expect(readdirSync(directory)).toEqual([])
    expect(await wg.hear()).toBeNull()
  })

  test('that a dead process left is taken over', async () => {
    const directory = temporaryDir()
    const script = 'require("node:net").createServer().listen(process.argv[1], () => console.log("up"))'
    const child = spawn(process.execPath, ['-e', script, join(directory, 'wg0.sock')])
    await once(child.stdout, 'data')
    child.kill('SIGKILL')
    await once(child, 'exit')
    const { socket } = await serve(directory)
    expect(readdirSync(directory)).toEqual(['wg0.sock'])
    expect(await (await client(socket.path)).ask('get=1\n\n')).toBe('errno=0')
  })

  test('of a process that is alive is left to it', async () => {
    const first = await serve()
    const second = serve(first.directory)
    await expect(second).rejects.toThrow(UapiTaken)
    await expect(second).rejects.toThrow(/wg0\.sock is served by another process/)
    expect(readdirSync(first.directory)).toEqual(['wg0.sock'])
    expect(await (await client(first.socket.path)).ask('get=1\n\n')).toBe('errno=0')
  })

  test('that is no socket is left alone', async () => {
    const directory = temporaryDir()
    writeFileSync(join(directory, 'wg0.sock'), 'mine')
    await expect(serve(directory)).rejects.toThrow(/is in the way and is no socket/)
    expect(readdirSync(directory)).toEqual(['wg0.sock'])
  })

  test('that somebody else put there meanwhile is not removed', async () => {
    const { socket, gone } = await serve()
    unlinkSync(socket.path)
    const other = createServer().listen(socket.path)
    await once(other, 'listening')
    onTestFinished(() => void other.close())
    await gone
    await socket.close()
    expect(existsSync(socket.path)).toBe(true)
  })

  test.each<[string, (served: Served) => void]>([
    ['is removed', ({ socket }) => unlinkSync(socket.path)],
    ['is moved away', ({ socket }) => renameSync(socket.path, `${socket.path}.old`)],
    [
      'is covered by another',
      ({ socket, directory }) => {
        writeFileSync(join(directory, 'other'), '')
        renameSync(join(directory, 'other'), socket.path)
      },
    ],
    ['goes with its directory', ({ directory }) => rmSync(directory, { recursive: true })],
  ])('is missed when it %s', async (_how, take) => {
    const all = await serve()
    take(all)
    await all.gone
  })

  test('is not missed when other files come and go, or when we close it', async () => {
    const { socket, directory, gone } = await serve()
    writeFileSync(join(directory, 'x'), '')
    rmSync(join(directory, 'x'))
    await (await client(socket.path)).ask('get=1\n\n')
    await socket.close()
    expect(
      await Promise.race([gone.then(() => 'gone'), new Promise((resolve) => setImmediate(resolve, 'there'))]),
    ).toBe('there')
  })

  test('cannot have a longer name than a socket takes', async () => {
    await expect(serve(join('/tmp', 'x'.repeat(100)))).rejects.toThrow(/at most 98 bytes/)
    expect(existsSync(join('/tmp', 'x'.repeat(100)))).toBe(false)
  })
})

describe('a client', () => {
  test('gets and sets, as often as it likes on one connection', async () => {
    const { wg } = await served()
    expect(await wg.ask('get=1\n\n')).toBe('errno=0')
    expect(await wg.ask('set=1\nlisten_port=7\n\n')).toBe('errno=0')
    expect(await wg.ask('get=1\n\n')).toBe('listen_port=7\nerrno=0')
  })

  test('may write everything at once: what follows a set is not lost', async () => {
    const { wg } = await served()
    wg.say('set=1\nlisten_port=7\n\nset=1\nfwmark=x\n\nget=1\n\nset=1\nfwmark=5\n\nget=1\n\n')
    expect(await wg.hear()).toBe('errno=0')
    expect(await wg.hear()).toBe('errno=-22')
    expect(await wg.hear()).toBe('listen_port=7\nerrno=0')
    expect(await wg.hear()).toBe('errno=0')
    expect(await wg.hear()).toBe('listen_port=7\nfwmark=5\nerrno=0')
  })

  test('is answered after it has shut its half', async () => {
    const { wg } = await served()
    wg.socket.end('set=1\nlisten_port=7\n\nget=1\n\n')
    expect(await wg.hear()).toBe('errno=0')
    expect(await wg.hear()).toBe('listen_port=7\nerrno=0')
    expect(await wg.hear()).toBeNull()
  })

  test('is sent away when it asks for what is no operation', async () => {
    const { wg } = await served()
    wg.say('get=1\n\nhello\nget=1\n\n')
    expect(await wg.hear()).toBe('errno=0')
    expect(await wg.hear()).toBeNull()
  })

  test('that stops in the middle of a word holds up nobody', async () => {
    const { wg, socket } = await served()
    const slow = await Promise.all(Array.from({ length: 20 }, () => client(socket.path)))
    for (const one of slow) one.say(`set=1\nlisten_port=9\npublic_ke`)
    expect(await wg.ask('set=1\nlisten_port=7\n\n')).toBe('errno=0')
    expect(await wg.ask('get=1\n\n')).toMatch(/^listen_port=7\n/)
    expect(await slow[0]!.ask(`y=${A}\nallowed_ip=10.0.0.0/8\n\n`)).toBe('errno=0')
    expect(await wg.ask('get=1\n\n')).toMatch(new RegExp(`public_key=${A}\n[^]*allowed_ip=10.0.0.0/8\n`))
  })

  test('that does not read its answers holds up nobody', async () => {
    const { wg, socket, device } = await served()
    const lines = Array.from({ length: 20_000 }, (_, i) => `allowed_ip=10.${i >> 8}.${i & 255}.0/24\n`)
    expect(await wg.ask(`set=1\npublic_key=${A}\n${lines.join('')}\n`)).toBe('errno=0')
    const deaf = await client(socket.path)
    deaf.socket.pause()
    deaf.say('get=1\n\n'.repeat(50))
    expect((await wg.ask('get=1\n\n'))!.length).toBeGreaterThan(300_000)
    deaf.socket.destroy()
    expect(await wg.ask('set=1\nreplace_peers=true\n\n')).toBe('errno=0')
    expect(device.state.peers.size).toBe(0)
  })

  test('that leaves in the middle has done what it said whole, and nothing of the rest', async () => {
    const { wg, device, socket } = await served()
    wg.say(`set=1\nlisten_port=7\npublic_key=${A}\npublic_key=${B}\nallowed_ip=10.0.0.0/8\n`)
    wg.socket.end()
    expect(await wg.hear()).toBeNull()
    expect(await (await client(socket.path)).ask('get=1\n\n')).toMatch(/^listen_port=7\n/)
    expect(device.calls).toEqual(['device', 'peer 161', 'finish'])
  })

  test('that is killed while it is answered does no harm', async () => {
    const { wg, socket } = await served()
    for (let i = 0; i < 20; i++) {
      const one = await client(socket.path)
      one.say('get=1\n\n'.repeat(i))
      one.socket.destroy()
    }
    expect(await wg.ask('get=1\n\n')).toBe('errno=0')
  })

  test('may set 130,050 prefixes, as the self-test of WireGuard does', async () => {
    const { wg, device } = await served()
    const lines = Array.from(
      { length: 130_050 },
      (_, i) => `allowed_ip=${1 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.0/24\n`,
    )
    expect(await wg.ask(`set=1\npublic_key=${A}\n${lines.join('')}\n`)).toBe('errno=0')
    expect(device.calls.filter((call) => call === 'finish')).toHaveLength(1)
    const answer = await wg.ask('get=1\n\n')
    expect(answer!.match(/^allowed_ip=/gm)).toHaveLength(130_050)
  })
})

describe('a fault of the target', () => {
  test.each<[string, unknown, string]>([
    ['a UapiError', new UapiError(EADDRINUSE, 'port 7 is taken'), '98'],
    ["the kernel's error", Object.assign(new Error('EPERM'), { errno: -1 }), '1'],
    ['an error without a number', new Error('?'), '55'],
    ['no error at all', null, '55'],
  ])('is answered by its number, minus after a set: %s', async (_what, error, errno) => {
    const { wg, device, failures } = await served()
    device.refuse.set = error
    expect(await wg.ask('set=1\nlisten_port=7\n\n')).toBe(`errno=-${errno}`)
    device.refuse.finish = error
    expect(await wg.ask('set=1\nlisten_port=7\n\n')).toBe(`errno=-${errno}`)
    device.refuse.get = error
    expect(await wg.ask('get=1\n\n')).toBe(`errno=${errno}`)
    expect(failures).toEqual([error, error, error])
  })

  test('ends the set: later sections are not begun, what went before is finished', async () => {
    const { wg, device } = await served()
    wg.say(`set=1\nlisten_port=7\npublic_key=${A}\n`)
    device.refuse.set = undefined
    await wg.ask('\n')
    device.calls.length = 0
    device.refuse.set = new UapiError(EADDRINUSE, '')
    expect(await wg.ask(`set=1\nlisten_port=8\npublic_key=${A}\npublic_key=${B}\nx\n\n`)).toBe('errno=-98')
    expect(device.calls).toEqual(['device', 'finish'])
    expect(await wg.ask('set=1\nfwmark=1\n\n')).toBe('errno=0')
  })

  test('is not made of a set that says nothing', async () => {
    const { wg, device } = await served()
    expect(await wg.ask('set=1\n\n')).toBe('errno=0')
    expect(await wg.ask('set=1\nx\n\n')).toBe('errno=-71')
    expect(device.calls).toEqual([])
  })
})
