import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
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
import { get } from 'node:http'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { ControlSocket, MetricsListener } from '../../../../src/control/api/socket.ts'
import { FakeAgent } from '../../../support/fake-agent.ts'
import { temporaryDir } from '../../../support/temporary.ts'

async function open(dir: string): Promise<ControlSocket> {
  const socket = await ControlSocket.open(dir)
  onTestFinished(() => socket.close())
  return socket
}

function statusOf(socketPath: string, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    get({ socketPath, path, agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode!)
    }).on('error', reject)
  })
}

/** A socket's name that nobody listens at any more, as kill -9 leaves it. */
async function leaveStale(path: string): Promise<void> {
  const script = 'require("node:net").createServer().listen(process.argv[1], () => console.log("up"))'
  const child = spawn(process.execPath, ['-e', script, path])
  await once(child.stdout, 'data')
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(lstatSync(path).isSocket()).toBe(true)
}

describe('the control socket', () => {
  test('is vtepd.sock with mode 0660 in a directory that it makes, and nothing beside it', async () => {
    const dir = join(temporaryDir(), 'run', 'vtepd')
    const umask = process.umask(0)
    try {
      const { path } = await open(dir)
      expect(path).toBe(join(dir, 'vtepd.sock'))
      expect(lstatSync(path).isSocket()).toBe(true)
      expect(statSync(path).mode & 0o777).toBe(0o660)
      expect(statSync(dir).mode & 0o777).toBe(0o755)
      expect(readdirSync(dir)).toEqual(['vtepd.sock'])
    } finally {
      process.umask(umask)
    }
  })

  test('leaves nothing when it is closed', async () => {
    const dir = temporaryDir()
    const socket = await ControlSocket.open(dir)
    await socket.close()
    expect(readdirSync(dir)).toEqual([])
  })

  test('leaves the mode of a directory that is there alone', async () => {
    const dir = temporaryDir()
    chmodSync(dir, 0o700)
    await open(dir)
    expect(statSync(dir).mode & 0o777).toBe(0o700)
  })

  test('answers 503 until there is an agent behind it', async () => {
    const socket = await open(temporaryDir())
    expect(await statusOf(socket.path, '/v1/status')).toBe(503)
    expect(await statusOf(socket.path, '/readyz')).toBe(503)
    expect(await statusOf(socket.path, '/healthz')).toBe(200)
    socket.serve(new FakeAgent())
    expect(await statusOf(socket.path, '/v1/status')).toBe(200)
    expect(await statusOf(socket.path, '/readyz')).toBe(200)
  })

  test('is put back when somebody removes it, or its directory, and whoever is in stays in', async () => {
    const dir = join(temporaryDir(), 'run')
    const socket = await open(dir)
    const said: string[] = []
    socket.serve(new FakeAgent(), (line) => said.push(line))
    const client = connect({ path: socket.path })
    await once(client, 'connect')
    for (const gone of [socket.path, dir]) {
      const before = said.length
      rmSync(gone, { recursive: true })
      await vi.waitFor(() => expect(said.length).toBeGreaterThan(before), { timeout: 10_000 })
      expect(await statusOf(socket.path, '/v1/status')).toBe(200)
      expect(statSync(socket.path).mode & 0o777).toBe(0o660)
    }
    expect(said).toEqual(Array(2).fill(`${socket.path} was removed by somebody: put back`))
    client.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(String((await once(client, 'data'))[0])).toMatch(/^HTTP\/1.1 200 /)
    client.destroy()
    await socket.close()
    expect(readdirSync(dir)).toEqual([])
  })

  test('that another agent has by now is left to it', async () => {
    const dir = temporaryDir()
    const first = await open(dir)
    const said: string[] = []
    first.serve(new FakeAgent(), (line) => said.push(line))
    const other = createServer((client) => client.destroy())
    onTestFinished(() => void other.close())
    other.listen(join(dir, 'other.sock'))
    await once(other, 'listening')
    renameSync(join(dir, 'other.sock'), first.path)
    await vi.waitFor(() => expect(said).toHaveLength(1), { timeout: 10_000 })
    expect(said[0]).toMatch(/cannot be put back: another agent is running with this --runtime-dir/)
    await first.close()
    expect(existsSync(first.path)).toBe(true)
  })

  test('takes the place of a dead agent', async () => {
    const dir = temporaryDir()
    await leaveStale(join(dir, 'vtepd.sock'))
    const socket = await open(dir)
    socket.serve(new FakeAgent())
    expect(await statusOf(socket.path, '/v1/status')).toBe(200)
    expect(readdirSync(dir)).toEqual(['vtepd.sock'])
  })

  test('refuses where another agent is alive, names its pid and does it no harm', async () => {
    const dir = temporaryDir()
    const first = await open(dir)
    first.serve(new FakeAgent())
    await expect(ControlSocket.open(dir)).rejects.toMatchObject({
      message: expect.stringMatching(/another agent is running with this --runtime-dir \(pid 4711\); stop it/),
      exitCode: 1,
    })
    expect(await statusOf(first.path, '/v1/status')).toBe(200)
    expect(readdirSync(dir)).toEqual(['vtepd.sock'])
  })

  test('refuses also while the other agent is starting, without a pid', async () => {
    const dir = temporaryDir()
    await open(dir)
    await expect(ControlSocket.open(dir)).rejects.toThrow('another agent is running with this --runtime-dir; stop it')
  })

  test.each(['', ', over a dead one too'])('lets one of many agents that start together win%s', async (dead) => {
    const dir = temporaryDir()
    if (dead) await leaveStale(join(dir, 'vtepd.sock'))
    const opened = await Promise.allSettled(Array.from({ length: 8 }, () => open(dir)))
    expect(opened.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await statusOf(join(dir, 'vtepd.sock'), '/healthz')).toBe(200)
    expect(readdirSync(dir)).toEqual(['vtepd.sock'])
  })

  test('does not remove a name that somebody else has taken', async () => {
    const dir = temporaryDir()
    const first = await ControlSocket.open(dir)
    unlinkSync(first.path)
    const second = await open(dir)
    await first.close()
    expect(existsSync(second.path)).toBe(true)
    expect(await statusOf(second.path, '/healthz')).toBe(200)
  })

  test('does not remove a file that is no socket', async () => {
    const dir = temporaryDir()
    writeFileSync(join(dir, 'vtepd.sock'), 'mine')
    await expect(ControlSocket.open(dir)).rejects.toThrow(/vtepd\.sock is in the way and is no socket; remove it/)
    expect(readdirSync(dir)).toEqual(['vtepd.sock'])
  })

  test('says what to do when the directory cannot be one', async () => {
    const dir = temporaryDir()
    writeFileSync(join(dir, 'file'), '')
    await expect(ControlSocket.open(join(dir, 'file'))).rejects.toThrow(
      /cannot make the socket in .*file: a file is in the way/,
    )
    mkdirSync(join(dir, 'x'.repeat(90)))
    await expect(ControlSocket.open(join(dir, 'x'.repeat(90)))).rejects.toThrow(/choose a shorter --runtime-dir/)
  })

  test('closes although a client keeps its connection open', async () => {
    const socket = await ControlSocket.open(temporaryDir())
    const client = connect({ path: socket.path })
    await once(client, 'connect')
    client.write('GET /v1/status HTTP/1.1\r\nHost: a\r\n')
    const gone = once(client, 'close')
    await socket.close()
    await gone
  })
})

describe('the metrics listener', () => {
  async function listen(agent = new FakeAgent()): Promise<number> {
    const listener = await MetricsListener.open('127.0.0.1', 0, agent)
    onTestFinished(() => listener.close())
    return listener.port
  }

  test('serves metrics and health, and nothing else', async () => {
    const url = `http://127.0.0.1:${await listen()}`
    const answers = await Promise.all(
      ['/metrics', '/healthz', '/readyz', '/v1/status', '/v1/stop', '/v1/capture', '/'].map((path) =>
        fetch(url + path),
      ),
    )
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 404, 404, 404, 404])
    expect(await answers[0]!.text()).toContain('vtepd_build_info{version="0.1.0",node="host-a"} 1')
    for (const answer of answers.slice(1)) await answer.arrayBuffer()
  })

  test('cannot stop the agent', async () => {
    const agent = new FakeAgent()
    const answer = await fetch(`http://127.0.0.1:${await listen(agent)}/v1/stop`, { method: 'POST' })
    expect(answer.status).toBe(404)
    await answer.arrayBuffer()
    expect(agent.asked).toEqual([])
  })

  test('says which key is at fault when its port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    onTestFinished(() => void other.close())
    const { port } = other.address() as { port: number }
    await expect(MetricsListener.open('127.0.0.1', port, new FakeAgent())).rejects.toThrow(
      `metrics.listen: cannot listen at 127.0.0.1 port ${port}: already in use`,
    )
    await expect(MetricsListener.open('198.18.7.7', 9478, new FakeAgent())).rejects.toThrow(
      'no such address on this host',
    )
  })
})
