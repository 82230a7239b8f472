// The built program against a real socket with a fake agent behind it: exit codes, stdout and stderr, signals. A command is a
// process (`vtepd`, `start`) where pipes, signals, the environment or the start matter, else it runs in ours (`typed`).
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, closeSync, openSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ApiError } from '../../src/control/api.ts'
import { jsonSchema } from '../../src/control/config.ts'
import { record } from '../../src/control/pcap.ts'
import { Secret } from '../../src/control/secret.ts'
import { ControlSocket } from '../../src/control/socket.ts'
import { encodeToken } from '../../src/control/token.ts'
import { built } from '../../src/lab/built.ts'
import { ended, plainEnv, start, typed, vtepd } from '../support/command-line.ts'
import { ENTRY, FakeAgent, FOUND, INVITED, JOINED, NEIGHBOUR, ROUTE, STATUS } from '../support/fake-agent.ts'
import { until } from '../support/overlay.ts'
import { missing } from '../support/root.ts'
import { temporaryDir } from '../support/temporary.ts'

interface Running {
  readonly agent: FakeAgent
  readonly socket: ControlSocket
  readonly dir: string
  /** The flag that names it. */
  readonly at: readonly string[]
}

/** A fake agent that stops as a real one does: its socket goes last. */
async function running(): Promise<Running> {
  const dir = temporaryDir()
  const socket = await ControlSocket.open(dir)
  const agent = new FakeAgent()
  agent.onStop = () => void socket.close()
  socket.serve(agent)
  onTestFinished(() => socket.close())
  return { agent, socket, dir, at: ['--runtime-dir', dir] }
}

function file(text: string): string {
  const path = join(temporaryDir(), 'vtepd.yaml')
  writeFileSync(path, text)
  return path
}

const secret = (): Secret => new Secret(new Uint8Array(32).fill(1))
const TOKEN = encodeToken({
  expires: 1_800_000_000,
  privateKey: secret(),
  publicKey: new Uint8Array(32).fill(2),
  presharedKey: secret(),
  network: 'blue',
  vni: 42,
  name: 'host-b',
  host: 'host-a',
  endpoints: [{ host: '198.18.0.1', port: 51820 }],
})

const ARP = record(
  1_700_000_000_123.456,
  Buffer.from('ffffffffffff0200000000010806000108000604000102000000000101020304000000000000' + '01020305', 'hex'),
)

describe('without an agent', () => {
  test('whatever asks it is exit 3', async () => {
    const dir = temporaryDir()
    const commands = ['status', 'networks', 'peers', 'leases', 'fdb', 'neigh', 'routes', 'capture', 'reload', 'stop']
    const stderr = `vtepd: no agent at ${dir}/vtepd.sock: is \`vtepd up\` running? (--runtime-dir says where)\n`
    for (const command of commands) {
      expect(await typed([command, '--runtime-dir', dir])).toEqual({ code: 3, signal: null, stdout: '', stderr })
    }
  })

  test('the directory comes from the environment, too', async () => {
    const { code, stderr } = await vtepd(['status'], { VTEPD_RUNTIME_DIR: '/nowhere', VTEPD_X: '1' })
    expect(code).toBe(3)
    expect(stderr).toMatch(/^vtepd: the variable VTEPD_X names no flag and is ignored\nvtepd: no agent at \/nowhere\//)
  })

  test('stop --cleanup removes what a killed one left, and nothing else', async () => {
    const dir = temporaryDir()
    for (const name of ['vtepd.sock', 'vtepd.sock.0a1b2c3d', 'vtepd.sock.0a1b2c3d~', 'subnet.env'])
      writeFileSync(join(dir, name), '')
    expect(await typed(['stop', '--cleanup', '--runtime-dir', dir])).toMatchObject({ code: 0, stderr: '' })
    expect(readdirSync(dir)).toEqual(['subnet.env'])
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
        1,
        'vtepd: cannot change live: node: restart it\n',
      ],
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

describe('invite and join', () => {
  test('the token is all that stdout gets', async () => {
    const { agent, at } = await running()
    const { code, stdout, stderr } = await typed(['invite', 'host-b', '--network', 'blue', '--expires', '10m', ...at])
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'vtepd1-AAAA\n' })
    expect(stderr).toContain('on host-b, which calls this host at 198.18.0.1:51820, type: vtepd join TOKEN')
    expect(agent.asked).toEqual(['invite {"name":"host-b","network":"blue","expires":"10m"}'])
  })

  test('every flag reaches the agent', async () => {
    const { agent, at } = await running()
    const flags = ['--endpoint', 'a:1', '--endpoint', 'b', '--address', '10.9.0.1/24', '--device', 'tun', '--port', '9']
    await typed(['invite', 'host-b', ...flags, ...at])
    expect(JSON.parse(agent.asked[0]!.replace('invite ', ''))).toEqual({
      name: 'host-b',
      device: 'tun',
      port: '9',
      endpoint: ['a:1', 'b'],
      address: ['10.9.0.1/24'],
    })
  })

  test('as JSON they are one object each', async () => {
    const { at } = await running()
    const invited = await typed(['invite', 'host-b', '--json', ...at])
    expect(JSON.parse(invited.stdout)).toEqual({ schema: 1, ...INVITED, started: null })
    const joined = await typed(['join', TOKEN, '--json', ...at])
    expect(JSON.parse(joined.stdout)).toEqual({ schema: 1, ...JOINED, started: null })
  })

  test.each(['argument', 'stdin'])('a token comes as %s', async (how) => {
    const { agent, at } = await running()
    const child = start(['join', ...(how === 'argument' ? [TOKEN] : []), '--address', '10.42.0.7', ...at])
    child.stdin.end(how === 'stdin' ? `${TOKEN.slice(0, 50)}\n${TOKEN.slice(50)}\n` : '')
    const { code, stdout, stderr } = await ended(child)
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: 'joined network blue as host-b: vt42 10.42.0.2/24, with host-a\n',
    })
    expect(stderr).toBe('vtepd: wrote /etc/vtepd/conf.d/host-b.yaml\n')
    const asked = JSON.parse(agent.asked[0]!.replace('join ', '')) as { token: string; address: string[] }
    expect(asked.token.replace('\n', '').trim()).toBe(TOKEN)
    expect(asked.address).toEqual(['10.42.0.7'])
  })

  test.each([
    ['vtepd1-AAAA', 'vtepd: the token is damaged: its checksum is wrong; copy it again, whole\n'],
    [
      'hello',
      'vtepd: this is no token; want the line that `vtepd invite` printed on the first host, from vtepd1- on\n',
    ],
  ])('%s is exit 2, and nobody is asked', async (token, stderr) => {
    const { agent, at } = await running()
    expect(await typed(['join', token, ...at])).toMatchObject({ code: 2, stdout: '', stderr })
    expect(agent.asked).toEqual([])
  })

  test.each([
    [400, 2],
    [403, 4],
    [409, 1],
    [504, 1],
  ])('status %i is exit %i', async (status, code) => {
    const { agent, at } = await running()
    agent.refusal = new ApiError(status, 'no')
    expect(await typed(['join', TOKEN, ...at])).toMatchObject({ code, stdout: '', stderr: 'vtepd: no\n' })
    expect(await typed(['invite', 'host-b', ...at])).toMatchObject({ code, stdout: '', stderr: 'vtepd: no\n' })
  })

  test('a file of one’s own is no place to write to, and that is exit 2', async () => {
    const { at } = await running()
    for (const words of [
      ['invite', 'host-b'],
      ['join', TOKEN],
    ]) {
      const { code, stderr } = await typed([...words, '-c', 'x.yaml', ...at])
      expect(code).toBe(2)
      expect(stderr).toContain('keep the file as DIR/vtepd.yaml and give --config-dir DIR')
    }
  })
})

describe('capture', () => {
  test('into a pipe is pcap, up to the count', async () => {
    const { agent, at } = await running()
    const child = start(['capture', '-n', '2', ...at])
    await until(
      'the capture',
      () => agent.sinks.size,
      (n) => n === 1,
    )
    for (const sink of agent.sinks) for (let i = 0; i < 5; i++) sink(ARP)
    const { code, stdout, stderr } = await ended(child)
    expect([code, stderr]).toEqual([0, ''])
    expect(Buffer.from(stdout, 'latin1').subarray(24)).toEqual(Buffer.concat([ARP, ARP]))
    await until(
      'captures',
      () => agent.sinks.size,
      (n) => n === 0,
    )
  })

  test('into a file is whole after Ctrl-C, and for its owner alone', async () => {
    const { agent, at, dir } = await running()
    const path = join(dir, 'blue.pcap')
    const child = start(['capture', '--network', 'blue', '-w', path, ...at])
    await until(
      'the capture',
      () => agent.sinks.size,
      (n) => n === 1,
    )
    for (const sink of agent.sinks) sink(ARP)
    await until(
      'the file',
      () => statSync(path, { throwIfNoEntry: false })?.size ?? 0,
      (n) => n === 24 + ARP.length,
    )
    child.kill('SIGINT')
    expect(await ended(child)).toMatchObject({ code: 130, stdout: '', stderr: '' })
    expect(readFileSync(path)).toHaveLength(24 + ARP.length)
  })

  test('ends with 0 when the agent stops', async () => {
    const { agent, at } = await running()
    const child = start(['capture', ...at])
    const end = ended(child)
    await until(
      'the capture',
      () => agent.sinks.size,
      (n) => n === 1,
    )
    await typed(['stop', ...at])
    expect(await end).toMatchObject({ code: 0, stderr: '' })
  })

  test('of an unknown network, into a directory, and of no packets is refused', async () => {
    const { at, dir } = await running()
    expect(await typed(['capture', '--network', 'green', ...at])).toMatchObject({ code: 2, stdout: '' })
    expect(await typed(['capture', '-w', dir, ...at])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('cannot write the capture'),
    })
    expect(await typed(['capture', '-n', '0', ...at])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--count'),
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

// RFC 7748 §6.1, Alice
const PRIVATE = Buffer.from('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a', 'hex').toString(
  'base64',
)
const PUBLIC = Buffer.from('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a', 'hex').toString('base64')

/** RFC 7748 §6.1, Bob's public key. */
const OTHER = Buffer.from('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f', 'hex').toString('base64')

describe('keys', () => {
  async function pubkey(input: string, ...words: string[]): Promise<Awaited<ReturnType<typeof ended>>> {
    const child = start(['pubkey', ...words])
    child.stdin.end(input)
    return ended(child)
  }

  test.each(['genkey', 'genpsk'])('%s prints a key on a line, another one each time', async (command) => {
    const [one, other] = await Promise.all([vtepd([command]), vtepd([command])])
    expect(one).toMatchObject({ code: 0, stderr: '' })
    expect(one.stdout).toMatch(/^[A-Za-z0-9+/]{43}=\n$/)
    expect(other.stdout).not.toBe(one.stdout)
    const bytes = Buffer.from(one.stdout, 'base64')
    if (command === 'genkey') expect([bytes[0]! & 7, bytes[31]! & 0xc0]).toEqual([0, 0x40])
  })

  test.each(['', '\n', ' \r\n\n\0'])(
    'pubkey prints the public half of what comes in with %j behind it',
    async (tail) => {
      expect(await pubkey(PRIVATE + tail)).toEqual({ code: 0, signal: null, stdout: `${PUBLIC}\n`, stderr: '' })
    },
  )

  test.each([
    ['', 'Key is not the correct length or format'],
    [PRIVATE.slice(1), 'Key is not the correct length or format'],
    [` ${PRIVATE}`, 'Key is not the correct length or format'],
    [PRIVATE.replace('=', 'A'), 'Key is not the correct length or format'],
    [`${PRIVATE}x`, 'Trailing characters found after key'],
    [`${PRIVATE}\n${PRIVATE}`, 'Trailing characters found after key'],
  ])('pubkey of no key is exit 1: %j', async (input, said) => {
    expect(await pubkey(input)).toMatchObject({ code: 1, stdout: '', stderr: `vtepd: ${said}\n` })
  })

  test.each([
    [0o644, 'world'],
    [0o640, 'group'],
    [0o600, null],
  ])('a file of mode %o that others may read is warned about', async (mode, who) => {
    const path = join(temporaryDir(), 'key')
    writeFileSync(path, '')
    chmodSync(path, mode)
    const fd = openSync(path, 'w')
    const child = spawn(process.execPath, [built('main.js'), 'genkey'], {
      env: plainEnv(),
      stdio: ['ignore', fd, 'pipe'],
    })
    closeSync(fd)
    const [stderr] = await Promise.all([text(child.stderr!), once(child, 'close')])
    const warning = `Warning: writing to ${who} accessible file.\nConsider setting the umask to 077 and trying again.\n`
    expect(stderr).toBe(who ? warning : '')
    expect(readFileSync(path, 'latin1')).toHaveLength(45)
  })

  test('have JSON', async () => {
    const [key, psk, half] = await Promise.all([
      vtepd(['genkey', '-j']),
      vtepd(['genpsk', '-j']),
      pubkey(PRIVATE, '--json'),
    ])
    expect(Object.keys(JSON.parse(key.stdout))).toEqual(['schema', 'privateKey'])
    expect(Object.keys(JSON.parse(psk.stdout))).toEqual(['schema', 'presharedKey'])
    expect(JSON.parse(half.stdout)).toEqual({ schema: 1, publicKey: PUBLIC })
  })

  test('that do not fit on the disk are exit 1', async () => {
    const full = openSync('/dev/full', 'w')
    const words = [built('main.js'), 'genkey']
    const child = spawn(process.execPath, words, { env: plainEnv(), stdio: ['ignore', full, 'pipe'] })
    closeSync(full)
    const [stderr, [code]] = await Promise.all([text(child.stderr!), once(child, 'close')])
    expect([code, stderr]).toEqual([1, expect.stringContaining('cannot write to stdout: ENOSPC')])
  })
})

describe('config', () => {
  const GOOD =
    'node: host-a\nnetworks: { blue: { vni: 42, security: plain } }\npeers: { host-b: { endpoint: 198.18.0.2 } }\n'

  test('check says that it is good, or every fault', async () => {
    expect(await typed(['config', 'check', file(GOOD)])).toEqual({
      code: 0,
      signal: null,
      stdout: 'good: node host-a, 1 network, 1 peer\n',
      stderr: '',
    })
    const path = file('networks: { blue: { vni: -1, security: plain, color: red } }\n')
    const { code, stdout, stderr } = await typed(['config', 'check', path])
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(
      /^vtepd: .*vtepd\.yaml: 2 faults:\n {2}networks\.blue\.vni: .*\n {2}networks\.blue\.color: .*\n$/,
    )
  })

  test('check takes -c as well, and has JSON', async () => {
    const { stdout } = await typed(['config', 'check', '-c', file(GOOD), '--json'])
    expect(JSON.parse(stdout)).toEqual({ schema: 1, node: 'host-a', networks: ['blue'], peers: ['host-b'] })
  })

  test('check reads key files, and finds them from the directory of the file', async () => {
    const path = file(`privateKeyFile: key\nnetworks: { blue: { vni: 42 } }\npeers: { b: { publicKey: ${OTHER} } }\n`)
    const key = join(dirname(path), 'key')
    expect(await typed(['config', 'check', path])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`privateKeyFile: there is no file ${key}; make a key: (umask 077 &&`),
    })
    writeFileSync(key, `${PRIVATE}\n`, { mode: 0o600 })
    expect(await typed(['config', 'check', path])).toMatchObject({ code: 0, stderr: '' })
  })

  test('check takes every example, once there is a key', async () => {
    const dir = temporaryDir()
    const key = join(dir, 'key')
    writeFileSync(key, PRIVATE, { mode: 0o600 })
    const names = readdirSync('config/examples')
    for (const name of names) {
      const text = readFileSync(join('config/examples', name), 'utf8')
      writeFileSync(join(dir, name), text.replace(/^privateKeyFile: \S+/m, `privateKeyFile: ${key}`))
      expect(await typed(['config', 'check', join(dir, name)]), name).toMatchObject({ code: 0, stderr: '' })
    }
  })

  describe('import wg-quick', () => {
    const CONF = `[Interface]
PrivateKey = ${PRIVATE}
Address = 10.10.0.2/24
DNS = 10.10.0.1
[Peer]
PublicKey = ${OTHER}
PresharedKey = ${PRIVATE}
Endpoint = 198.18.0.2:51820
AllowedIPs = 10.10.0.0/24
`
    function conf(content: string, name = 'wg0.conf'): { dir: string; path: string; key: string } {
      const dir = temporaryDir()
      writeFileSync(join(dir, name), content)
      return { dir, path: join(dir, name), key: join(dir, 'wg0.key') }
    }

    test('prints a configuration that check takes, and puts the keys into files', async () => {
      const { dir, path, key } = conf(CONF)
      const { code, stdout, stderr } = await typed(['config', 'import', 'wg-quick', path, '--key-out', key])
      expect(code).toBe(0)
      expect(stderr).toBe(
        `vtepd: ${path}: not carried over: DNS (line 4): the agent leaves name resolution alone: ` +
          '`resolvectl dns wg0 10.10.0.1` once it is up\n' +
          `vtepd: wrote ${key}\nvtepd: wrote ${join(dir, 'wg0-peer-1.psk')}\n`,
      )
      for (const name of ['wg0.key', 'wg0-peer-1.psk']) {
        expect(readFileSync(join(dir, name), 'latin1')).toBe(`${PRIVATE}\n`)
        expect(statSync(join(dir, name)).mode & 0o777).toBe(0o600)
      }
      expect(stdout + stderr).not.toContain(PRIVATE)
      writeFileSync(join(dir, 'vtepd.yaml'), `node: host-a\n${stdout}`)
      expect(await typed(['config', 'check', join(dir, 'vtepd.yaml')])).toMatchObject({
        code: 0,
        stdout: 'good: node host-a, 1 network, 1 peer\n',
      })
    })

    test('has JSON', async () => {
      const { path, key } = conf(CONF)
      const { stdout } = await typed(['config', 'import', 'wg-quick', path, '--key-out', key, '--vni', '7', '-j'])
      expect(JSON.parse(stdout)).toMatchObject({
        schema: 1,
        config: { privateKeyFile: key, networks: { wg0: { vni: 7, device: 'tun' } } },
        notCarriedOver: [{ line: 4, key: 'DNS' }],
      })
    })

    test('refuses to print keys, and to write over a file', async () => {
      const { dir, path, key } = conf(CONF)
      expect(await typed(['config', 'import', 'wg-quick', path])).toMatchObject({
        code: 2,
        stdout: '',
        stderr: `vtepd: ${path} holds 2 keys, which are not printed: name a file for the private one with --key-out FILE; preshared ones go beside it\n`,
      })
      writeFileSync(join(dir, 'wg0-peer-1.psk'), 'mine')
      expect(await typed(['config', 'import', 'wg-quick', path, '--key-out', key])).toMatchObject({
        code: 1,
        stdout: '',
        stderr: `vtepd: ${join(dir, 'wg0-peer-1.psk')} is there already; remove it, or name another with --key-out\n`,
      })
      // Nothing is left of what was begun.
      expect(readdirSync(dir).sort()).toEqual(['wg0-peer-1.psk', 'wg0.conf'])
      expect(readFileSync(join(dir, 'wg0-peer-1.psk'), 'latin1')).toBe('mine')
    })

    test('writes nothing for what the agent would not take', async () => {
      const { dir, path, key } = conf(CONF.replace(OTHER, PUBLIC))
      const { code, stderr, stdout } = await typed(['config', 'import', 'wg-quick', path, '--key-out', key])
      expect([code, stdout]).toEqual([2, ''])
      expect(stderr).toMatch(/peers\.peer-1\.publicKey: it is this host's own public key/)
      expect(readdirSync(dir)).toEqual(['wg0.conf'])
    })

    test.each([
      ['/nowhere/wg0.conf', [], 2, 'no such file; name the .conf of wg-quick'],
      [null, ['--vni', '16777216'], 2, '--vni: want 0..16777215, got "16777216"'],
      [null, ['--key-out', '/nowhere/key'], 1, '/nowhere/key: no such directory; make it: mkdir -p -m 0755 /nowhere'],
    ])('fails in words: %s %j', async (name, words, code, said) => {
      const path = name ?? conf(CONF).path
      const result = await typed(['config', 'import', 'wg-quick', path, ...words])
      expect(result).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(said) })
    })

    test('lists every fault of the file by its line', async () => {
      const { path } = conf('[Interface]\nMTU = x\nKey = 1\n')
      expect(await typed(['config', 'import', 'wg-quick', path])).toMatchObject({
        code: 2,
        stderr: `vtepd: ${path}: 2 faults:\n  line 2: MTU: want 0..65535, got "x"; mend it there\n  line 3: Key: no key of [Interface]; mend it there\n`,
      })
    })

    test('takes a file without a key when it is told where one is', async () => {
      const bare = CONF.replace(/^P.*Key = .*\n/m, '').replace(/^PresharedKey.*\n/m, '')
      const { dir, path, key } = conf(bare)
      expect(await typed(['config', 'import', 'wg-quick', path])).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('has no PrivateKey'),
      })
      const { code, stdout } = await typed(['config', 'import', 'wg-quick', path, '--key-out', key])
      expect([code, stdout]).toEqual([0, expect.stringContaining(`privateKeyFile: ${key}\n`)])
      expect(readdirSync(dir)).toEqual(['wg0.conf'])
    })
  })

  test('schema is the JSON Schema', async () => {
    const { stdout } = await typed(['config', 'schema'])
    expect(JSON.parse(stdout)).toEqual(jsonSchema())
  })
})

describe('up', () => {
  const QUICK = ['up', '--plain', '--vni', '42', '--local', '127.0.0.1', '--peer', '198.18.0.2']

  test('refuses a file and quick flags together', async () => {
    const { code, stderr } = await vtepd([...QUICK, '-c', 'x.yaml'])
    expect(code).toBe(2)
    expect(stderr).toMatch(
      /^vtepd: --vni, --local, --peer, --plain: describe a network without a file, and --config names/,
    )
  })

  test('takes what is typed before what the environment says', async () => {
    const { stderr } = await vtepd(['up', '-c', '/nowhere/x.yaml'], { VTEPD_VNI: '42' })
    expect(stderr).toMatch(/\/nowhere\/x\.yaml: no such file/)
    const { stderr: other } = await vtepd(['up', '--vni', 'x'], { VTEPD_CONFIG: '/nowhere/x.yaml' })
    expect(other).toMatch(/^vtepd: flags: /)
  })

  test('without a key wants to hear that clear text is meant, and says both ways', async () => {
    const { code, stderr } = await vtepd(QUICK.filter((word) => word !== '--plain'))
    expect(code).toBe(2)
    expect(stderr).toMatch(/^vtepd: flags: one fault: --key: missing, .*give --key FILE, .*, or add --plain if clear/)
  })

  test('refuses a key that others may read, and says what to type', async () => {
    const key = file('AAAA')
    chmodSync(key, 0o644)
    const { code, stderr } = await vtepd(['up', '--vni', '42', '--key', key, '--peer', `${PUBLIC}@198.18.0.2`])
    expect(code).toBe(2)
    expect(stderr).toBe(
      `vtepd: flags: one fault: --key: others than its owner may use ${key} (mode 0644); type: chmod 600 ${key}\n`,
    )
  })

  test('lists every fault of its flags', async () => {
    const { code, stderr } = await vtepd(['up', '--vni', 'x', '--key', '/nowhere/k'])
    expect(code).toBe(2)
    expect(stderr).toMatch(/--key: there is no file \/nowhere\/k/)
    expect(stderr).toMatch(/--vni: /)
    expect(stderr).toMatch(/--peer: missing/)
  })

  test('beside a running agent ends before it touches a device', async () => {
    const { at, agent } = await running()
    const { code, stderr, stdout } = await vtepd([...QUICK, ...at])
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/another agent is running with this --runtime-dir \(pid 4711\)/)
    expect(agent.asked).toEqual([])
  })
})
