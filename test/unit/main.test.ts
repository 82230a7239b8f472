// The built program against a real socket with a fake agent behind it: exit codes, stdout and stderr, signals. A command is a
// process (`vtepd`, `start`) where pipes, signals, the environment or the start matter, else it runs in ours (`typed`).
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ApiError } from '../../src/control/api/api.ts'
import { built } from '../../src/lab/built.ts'
import { ended, plainEnv, start, typed, vtepd } from '../support/command-line.ts'
import { ENTRY, FOUND, NEIGHBOUR, ROUTE, STATUS } from '../support/fake-agent.ts'
import { ARP, running } from '../support/fake-socket.ts'
import { until } from '../support/overlay.ts'
import { missing } from '../support/root.ts'
import { temporaryDir } from '../support/temporary.ts'

describe('without an agent', () => {
  test('whatever asks it is exit 3', async () => {
    const dir = temporaryDir()
    const commands = ['status', 'networks', 'peers', 'leases', 'fdb', 'neigh', 'routes', 'capture', 'reload', 'stop']
    const stderr = `vtepd: no agent at ${dir}/vtepd.sock: is \`vtepd up\` running? (--runtime-dir says where)\n`
    for (const command of commands) {
      expect(await typed([command, '--runtime-dir', dir])).toEqual({ code: 3, signal: null, stdout: '', stderr })
    }
  })

  test('a word that no agent could take is wrong usage first', async () => {
    const at = ['--network', 'blue', '--runtime-dir', temporaryDir()]
    expect(await typed(['fdb', 'add', '02:00', 'host-b', ...at])).toMatchObject({
      code: 2,
      stderr: 'vtepd: mac: want six pairs of hexadecimal digits, got "02:00"\n',
    })
    expect(await typed(['fdb', 'del', 'ff:ff:ff:ff:ff:ff', ...at])).toMatchObject({ code: 2 })
    expect(await typed(['fdb', 'del', '02:00:00:00:00:01', ...at])).toMatchObject({ code: 3 })
  })

  test('the directory comes from the environment, too', async () => {
    const { code, stderr } = await vtepd(['status'], { VTEPD_RUNTIME_DIR: '/nowhere', VTEPD_X: '1' })
    expect(code).toBe(3)
    expect(stderr).toMatch(/^vtepd: the variable VTEPD_X names no flag and is ignored\nvtepd: no agent at \/nowhere\//)
  })

  test('stop --cleanup removes what a killed one left, and nothing else', async () => {
    const dir = temporaryDir()
    for (const name of ['vtepd.sock', 'vtepd.sock.0a1b2c3d', 'vtepd.sock.0a1b2c3d~', 'subnet.env', 'mine'])
      writeFileSync(join(dir, name), '')
    expect(await typed(['stop', '--cleanup', '--runtime-dir', dir])).toMatchObject({ code: 0, stderr: '' })
    expect(readdirSync(dir)).toEqual(['mine'])
    expect(await typed(['stop', '--cleanup', '--runtime-dir', join(dir, 'none')])).toMatchObject({ code: 0 })
  })

  test('something else at the socket is exit 1', async () => {
    const dir = temporaryDir()
    const server = createServer((client) => client.end('220 mail ready\r\n')).listen(join(dir, 'vtepd.sock'))
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const { code, stderr } = await typed(['status', '--runtime-dir', dir])
    expect(code).toBe(1)
    expect(stderr).toMatch(/^vtepd: cannot ask the agent at .*\n$/)
  })
})

describe('with an agent', () => {
  test('every --json answer is one object with schema 1 on one line', async () => {
    const { at } = await running()
    const expected: [string[], object][] = [
      [['status'], STATUS],
      [['networks'], { schema: 1, networks: STATUS.networks }],
      [['peers'], { schema: 1, peers: STATUS.peers }],
      [['fdb'], { schema: 1, entries: [ENTRY] }],
      [['neigh'], { schema: 1, entries: [NEIGHBOUR] }],
      [['routes'], { schema: 1, routes: [ROUTE] }],
      [['where', '10.42.7.9'], { schema: 1, what: '10.42.7.9', found: [FOUND] }],
      [['fdb', 'add', '02:00:00:00:00:01', 'host-b', '--network', 'blue'], { schema: 1 }],
      [['fdb', 'del', '02:00:00:00:00:01', '--network', 'blue'], { schema: 1 }],
      [['reload'], { schema: 1 }],
    ]
    for (const [words, answer] of expected) {
      const { code, stdout, stderr } = await typed([...words, '--json', ...at])
      expect([code, stderr], words.join(' ')).toEqual([0, ''])
      expect(stdout.trimEnd().split('\n')).toHaveLength(1)
      expect(JSON.parse(stdout)).toEqual(answer)
    }
  })

  test('tables are for people, without colour into a pipe', async () => {
    const { at } = await running()
    expect((await vtepd(['fdb', ...at])).stdout).toBe(
      'NETWORK  VNI  MAC                VTEP        PEER    ORIGIN      AGE\n' +
        'blue      42  02:00:00:00:00:09  198.18.0.2  host-b  learned  1m 15s\n',
    )
    expect((await typed(['neigh', '--network', 'blue', ...at])).stdout).toBe(
      'NETWORK  IP         MAC                ORIGIN      AGE\n' +
        'blue     10.42.0.9  02:00:00:00:00:09  learned  1m 15s\n',
    )
    for (const command of ['status', 'networks', 'peers']) {
      const { code, stdout } = await typed([command, ...at])
      expect(code).toBe(0)
      expect(stdout).toMatch(command === 'peers' ? /^host-b /m : /^blue /m)
      expect(stdout).not.toContain('\x1b')
    }
  })

  test('routes and where are tables of what applies; nothing found is exit 1', async () => {
    const { at } = await running()
    expect((await typed(['routes', ...at])).stdout).toBe(
      'NETWORK  PREFIX        PEER    VIA         INTERFACE  ORIGIN  ON HOST\n' +
        'blue     10.42.7.0/24  host-b  198.18.0.2  vt42       static  yes\n',
    )
    expect((await typed(['where', '10.42.7.9', ...at])).stdout).toBe(
      'KIND   NETWORK  VNI  IP         PREFIX        VTEP        PEER    VIA         DEVICE  ORIGIN\n' +
        'route  blue      42  10.42.7.9  10.42.7.0/24  198.18.0.2  host-b  198.18.0.2  vt42    static\n',
    )
    const stderr = 'vtepd: nothing is known here of eth0\n'
    expect(await typed(['where', 'eth0', ...at])).toMatchObject({ code: 1, stdout: '', stderr })
    const json = await typed(['where', 'eth0', '--json', ...at])
    expect([json.code, JSON.parse(json.stdout)]).toEqual([1, { schema: 1, what: 'eth0', found: [] }])
  })

  test('fdb add and del reach it, and need a network', async () => {
    const { agent, at } = await running()
    await typed(['fdb', 'add', '02:00:00:00:00:01', 'host-b', '--network', 'blue', ...at])
    await typed(['fdb', 'del', '02:00:00:00:00:01', ...at], { VTEPD_NETWORK: 'a/b' })
    expect(agent.asked).toEqual(['add blue 02:00:00:00:00:01 host-b', 'del a/b 02:00:00:00:00:01'])
    const { code, stderr } = await typed(['fdb', 'del', '02:00:00:00:00:01', ...at])
    expect([code, stderr]).toEqual([2, 'vtepd: --network is missing: stations are kept per network; say which one\n'])
  })

  test("the agent's refusals have their exit codes", async () => {
    const { agent, at } = await running()
    expect(await typed(['fdb', '--network', 'green', ...at])).toMatchObject({
      code: 2,
      stderr: 'vtepd: network: there is no "green"\n',
    })
    const cases: [Error, number, string][] = [
      [
        new ApiError(422, 'vtepd.yaml: 2 faults', ['a: x; y', 'b: x; y']),
        2,
        'vtepd: vtepd.yaml: 2 faults:\n  a: x; y\n  b: x; y\n',
      ],
      [
        new ApiError(409, 'cannot change live', ['node: restart it']),
        2,
        'vtepd: cannot change live: node: restart it\n',
      ],
      [new ApiError(409, 'not now'), 1, 'vtepd: not now\n'],
      [new ApiError(403, 'not for you'), 4, 'vtepd: not for you\n'],
      [new Error('disk on fire'), 1, 'vtepd: disk on fire\n'],
    ]
    for (const [refusal, code, stderr] of cases) {
      agent.refusal = refusal
      expect(await typed(['reload', ...at])).toMatchObject({ code, stderr, stdout: '' })
    }
  })

  test('stop waits until the agent has cleaned up', async () => {
    const { agent, at, socket } = await running()
    let cleaned = false
    agent.onStop = () => {
      setTimeout(() => {
        cleaned = true
        void socket.close()
      }, 300)
    }
    const { code, stdout } = await typed(['stop', '--json', ...at])
    expect([code, cleaned]).toEqual([0, true])
    expect(JSON.parse(stdout)).toEqual({ schema: 1, pid: 4711 })
  })

  test('a reader that goes early is no failure', async () => {
    const { agent, at } = await running()
    agent.entries = Array.from({ length: 50_000 }, () => ENTRY)
    const child = start(['fdb', ...at])
    child.stdout.once('data', () => child.stdout.destroy())
    const { code, stderr } = await ended(child)
    expect([code, stderr]).toEqual([0, ''])
  })

  test('a whole table goes into a pipe', async () => {
    const { agent, at } = await running()
    agent.entries = Array.from({ length: 50_000 }, () => ENTRY)
    expect((await vtepd(['fdb', ...at])).stdout.split('\n')).toHaveLength(50_002)
  })

  test('status --watch goes on, is ended by Ctrl-C with 130, and by the end of the agent with 3', async () => {
    const { at } = await running()
    const child = start(['status', '--watch', '--json', ...at])
    const [first] = (await once(child.stdout, 'data')) as [Buffer]
    expect(JSON.parse(first.toString())).toEqual(STATUS)
    await once(child.stdout, 'data')
    child.kill('SIGINT')
    expect(await ended(child)).toMatchObject({ code: 130, signal: null, stderr: '' })

    const other = start(['status', '--watch', ...at])
    const end = ended(other)
    await once(other.stdout, 'data')
    await typed(['stop', ...at])
    expect(await end).toMatchObject({ code: 3, stderr: expect.stringContaining('no agent at') })
  })

  test.skipIf(process.geteuid?.() !== 0)('a socket that one may not open is exit 4', async () => {
    const { dir, socket } = await running()
    chmodSync(dir, 0o755)
    chmodSync(socket.path, 0o660)
    const script = 'process.setgid(65534); process.setuid(65534); process.argv.splice(1, 1); import(process.argv[1])'
    const words = ['-e', script, '-', built('main.js'), 'status', '--runtime-dir', dir]
    const child = spawn(process.execPath, words, { env: plainEnv() })
    expect(await ended(child)).toMatchObject({
      code: 4,
      stderr: `vtepd: not permitted to open ${socket.path}; run it as root\n`,
    })
  })
})

describe('on a terminal', () => {
  const lacking = missing(['script'])
  const title = (text: string): string => `${text}${lacking ? ` (needs ${lacking})` : ''}`

  /** What a terminal of its own shows; script(1) hands on the exit code. */
  function shown(words: readonly string[], env: NodeJS.ProcessEnv = {}): ReturnType<typeof start> {
    const line = [process.execPath, built('main.js'), ...words].join(' ')
    const child = spawn('script', ['-qfec', line, '/dev/null'], { env: { ...plainEnv(), TERM: 'xterm', ...env } })
    onTestFinished(() => void child.kill('SIGKILL'))
    return child
  }

  test.skipIf(lacking)(title('capture is one line a packet'), async () => {
    const { agent, at } = await running()
    const end = ended(shown(['capture', '-n', '1', ...at]))
    await until(
      'the capture',
      () => agent.sinks.size,
      (n) => n === 1,
    )
    for (const sink of agent.sinks) sink(ARP)
    const { code, stdout } = await end
    expect(stdout).toMatch(/^22:13:20\.123 .*ARP.*1\.2\.3\.5.*\r\n$/i)
    expect(code).toBe(0)
  })

  test.skipIf(lacking)(title('pcap is not written to it'), async () => {
    const { at } = await running()
    const { code, stdout } = await ended(shown(['capture', '-w', '-', ...at]))
    expect([code, stdout]).toEqual([2, expect.stringMatching(/^vtepd: --write -: stdout is a terminal/)])
  })

  test.skipIf(lacking)(title('tables have colour, unless NO_COLOR says no'), async () => {
    const { at } = await running()
    const [colour, none] = await Promise.all([
      ended(shown(['peers', ...at])),
      ended(shown(['peers', ...at], { NO_COLOR: '1' })),
    ])
    expect(colour.stdout.startsWith('\x1b[1mPEER ')).toBe(true)
    expect(none.stdout).toMatch(/^PEER /)
  })

  test.skipIf(lacking)(title('status --watch draws over itself'), async () => {
    const { at } = await running()
    const child = shown(['status', '--watch', ...at])
    let text = ''
    child.stdout.setEncoding('latin1').on('data', (more: string) => {
      text += more
    })
    await until(
      'the second page',
      () => text.split('\x1b[H').length,
      (n) => n > 2,
    )
    expect(text.startsWith('\x1b[2J\x1b[H')).toBe(true)
    expect(text).toMatch(/all .*0 pps/)
  })
})
