import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { Registry } from 'prom-client'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { ApiError } from '../../../../src/control/api/api.ts'
import { record } from '../../../../src/control/api/pcap.ts'
import { CAPTURE_WAITING_MAX, METRICS_TYPE } from '../../../../src/control/api/requests.ts'
import { ControlSocket } from '../../../../src/control/api/socket.ts'
import { ConfigError } from '../../../../src/control/config/error.ts'
import { ENTRY, FakeAgent, FOUND, INVITED, JOINED, NEIGHBOUR, ROUTE, STATUS } from '../../../support/fake-agent.ts'
import { until } from '../../../support/overlay.ts'
import { temporaryDir } from '../../../support/temporary.ts'

let agent: FakeAgent
let socketPath: string

beforeEach(async () => {
  agent = new FakeAgent()
  const socket = await ControlSocket.open(temporaryDir())
  onTestFinished(() => socket.close())
  socket.serve(agent)
  socketPath = socket.path
})

async function send(method: string, path: string, body?: string): Promise<IncomingMessage> {
  const sent = request({ socketPath, method, path, agent: false }).end(body)
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  return response
}

async function ask(
  method: string,
  path: string,
  body?: string,
): Promise<{ status: number; text: string; json: unknown }> {
  const response = await send(method, path, body)
  let text = ''
  for await (const chunk of response) text += chunk
  const isJson = response.headers['content-type'] === 'application/json'
  return { status: response.statusCode!, text, json: isJson ? JSON.parse(text) : null }
}

/** What the agent answers to these bytes, up to the end of the connection. */
async function raw(bytes: string): Promise<string> {
  const socket = connect({ path: socketPath })
  socket.write(bytes)
  let text = ''
  for await (const chunk of socket) text += chunk
  return text
}

describe('invite and join', () => {
  test('are asked as they are typed, and answered with what came of it', async () => {
    const invited = await ask('POST', '/v1/invite', '{"name":"host-b","endpoint":["a"],"address":["10.9.0.1/24"]}')
    expect(invited).toMatchObject({ status: 200, json: { schema: 1, ...INVITED } })
    const joined = await ask('POST', '/v1/join', '{"token":"vtepd1-AAAA","address":["10.42.0.7"]}')
    expect(joined).toMatchObject({ status: 200, json: { schema: 1, ...JOINED } })
    expect(agent.asked).toEqual([
      'invite {"name":"host-b","endpoint":["a"],"address":["10.9.0.1/24"]}',
      'join {"token":"vtepd1-AAAA","address":["10.42.0.7"]}',
    ])
  })

  test.each([
    ['/v1/invite', '{}', 'name: '],
    ['/v1/invite', '{"name":"b","device":"tup"}', 'device: '],
    ['/v1/invite', '{"name":"b","more":1}', 'more: '],
    ['/v1/join', '{"token":7}', 'token: '],
    ['/v1/join', '{"token":"vtepd1-SECRET","address":"vtepd1-SECRET"}', 'address: '],
  ])('%s with %s says what is wrong, and no value of it', async (path, body, fault) => {
    const { status, json, text } = await ask('POST', path, body)
    expect({ status, json }).toMatchObject({
      status: 400,
      json: { faults: expect.arrayContaining([expect.stringContaining(fault)]) },
    })
    expect(text).not.toContain('SECRET')
    expect(agent.asked).toEqual([])
  })
})

describe('answers', () => {
  test('status, networks and peers are the agent’s own numbers', async () => {
    expect(await ask('GET', '/v1/status')).toMatchObject({ status: 200, json: STATUS })
    expect((await ask('GET', '/v1/networks')).json).toEqual({ schema: 1, networks: STATUS.networks })
    expect((await ask('GET', '/v1/peers')).json).toEqual({ schema: 1, peers: STATUS.peers })
  })

  test('fdb is of all networks or of one', async () => {
    agent.entries = [ENTRY, { ...ENTRY, network: 'red' }]
    expect((await ask('GET', '/v1/fdb')).json).toEqual({ schema: 1, entries: agent.entries })
    expect((await ask('GET', '/v1/fdb?network=red')).json).toEqual({ schema: 1, entries: [agent.entries[1]] })
    expect(await ask('GET', '/v1/fdb?network=green')).toMatchObject({
      status: 404,
      json: { schema: 1, error: 'network: there is no "green"' },
    })
  })

  test('neigh is of all networks or of one', async () => {
    expect((await ask('GET', '/v1/neigh')).json).toEqual({ schema: 1, entries: [NEIGHBOUR] })
    expect((await ask('GET', '/v1/neigh?network=red')).json).toEqual({ schema: 1, entries: [] })
    expect(await ask('GET', '/v1/neigh?network=green')).toMatchObject({ status: 404 })
    expect(await ask('POST', '/v1/neigh')).toMatchObject({ status: 405 })
  })

  test('routes are of all networks or of one, and where answers about one thing', async () => {
    expect((await ask('GET', '/v1/routes')).json).toEqual({ schema: 1, routes: [ROUTE] })
    expect((await ask('GET', '/v1/routes?network=red')).json).toEqual({ schema: 1, routes: [] })
    expect((await ask('GET', '/v1/routes?network=green')).status).toBe(404)
    expect((await ask('GET', '/v1/where?what=10.42.7.9')).json).toEqual({
      schema: 1,
      what: '10.42.7.9',
      found: [FOUND],
    })
    expect((await ask('GET', '/v1/where?what=eth0')).json).toEqual({ schema: 1, what: 'eth0', found: [] })
  })

  test('changes reach the agent as they were sent', async () => {
    const body = JSON.stringify({ network: 'blue', mac: '02:00:00:00:00:01', vtep: 'host-b' })
    expect(await ask('POST', '/v1/fdb', body)).toMatchObject({ status: 200, json: { schema: 1 } })
    expect(await ask('DELETE', '/v1/fdb/b%2Flue/02:00:00:00:00:01')).toMatchObject({ status: 200 })
    expect(await ask('POST', '/v1/reload')).toMatchObject({ status: 200, json: { schema: 1 } })
    expect(agent.asked).toEqual(['add blue 02:00:00:00:00:01 host-b', 'del b/lue 02:00:00:00:00:01', 'reload'])
  })

  test('stop is answered before it begins', async () => {
    const stopped = new Promise<void>((resolve) => {
      agent.onStop = resolve
    })
    expect(await ask('POST', '/v1/stop')).toMatchObject({ status: 202, json: { schema: 1, pid: 4711 } })
    await stopped
    expect(agent.asked).toEqual(['stop'])
  })

  test('stop happens although the caller hangs up', async () => {
    const stopped = new Promise<void>((resolve) => {
      agent.onStop = resolve
    })
    const socket = connect({ path: socketPath })
    socket.write('POST /v1/stop HTTP/1.1\r\nHost: a\r\n\r\n', () => socket.destroy())
    await stopped
  })

  test('health is 200, readiness follows the agent', async () => {
    agent.isReady = false
    expect(await ask('GET', '/healthz')).toMatchObject({ status: 200, text: 'ok\n' })
    expect(await ask('GET', '/readyz')).toMatchObject({ status: 503, text: 'not ready\n' })
    agent.isReady = true
    expect(await ask('GET', '/readyz')).toMatchObject({ status: 200, text: 'ready\n' })
  })

  test('metrics have the type that Prometheus asks for', async () => {
    const response = await send('GET', '/metrics')
    response.resume()
    expect(response.headers['content-type']).toBe(METRICS_TYPE)
    expect(METRICS_TYPE).toBe(Registry.PROMETHEUS_CONTENT_TYPE)
  })

  test('HEAD answers like GET, without a body', async () => {
    const response = await send('HEAD', '/v1/status')
    expect(response.statusCode).toBe(200)
    expect(Number(response.headers['content-length'])).toBeGreaterThan(100)
    expect((await response.toArray()).length).toBe(0)
    const capture = await send('HEAD', '/v1/capture?network=blue')
    expect(capture.statusCode).toBe(200)
    expect((await capture.toArray()).length).toBe(0)
    expect(agent.sinks.size).toBe(0)
    expect((await send('HEAD', '/v1/capture?network=green')).statusCode).toBe(404)
  })
})

describe('refusals', () => {
  const cases: [method: string, path: string, body: string | undefined, status: number, error: RegExp][] = [
    ['GET', '/v1/nothing', undefined, 404, /no such path: \/v1\/nothing/],
    ['GET', '/', undefined, 404, /no such path/],
    ['GET', '/v1/fdb/blue', undefined, 404, /no such path/],
    ['POST', '/v1/status', undefined, 405, /\/v1\/status takes GET/],
    ['DELETE', '/v1/fdb', undefined, 405, /takes GET or POST/],
    ['GET', '/v1/fdb/blue/02:00:00:00:00:01', undefined, 405, /takes DELETE/],
    ['POST', '/metrics', undefined, 405, /takes GET/],
    ['POST', '/v1/stop?release=yes', undefined, 400, /release: want true or false, got "yes"/],
    ['GET', '/v1/fdb?netwrok=blue', undefined, 400, /unknown query parameter "netwrok"/],
    ['GET', '/v1/fdb?network=a&network=b', undefined, 400, /given twice/],
    ['GET', '/v1/status?x=1', undefined, 400, /unknown query parameter "x"/],
    ['DELETE', '/v1/fdb/%zz/02:00:00:00:00:01', undefined, 400, /malformed % escape/],
    ['POST', '/v1/fdb', '', 400, /not JSON/],
    ['POST', '/v1/fdb', '{', 400, /not JSON/],
    ['POST', '/v1/fdb', '[]', 400, /not a JSON object/],
    ['POST', '/v1/fdb', '{"network":1,"mac":"a","vtep":"b","x":1}', 400, /faulty/],
    ['POST', '/v1/fdb', 'x'.repeat(20_000), 413, /larger than 16384 bytes/],
    ['GET', '/v1/capture?network=green', undefined, 404, /there is no "green"/],
  ]
  test.each(cases)('%s %s', async (method, path, body, status, error) => {
    const answer = await ask(method, path, body)
    expect(answer.status).toBe(status)
    expect(answer.json).toMatchObject({ schema: 1, error: expect.stringMatching(error) })
    expect(agent.asked).toEqual([])
  })

  test('a body that lacks keys and has others names them all', async () => {
    const { json } = await ask('POST', '/v1/fdb', '{"network":1,"vtep":"b","color":1}')
    expect(json).toMatchObject({ faults: ['network: want a string', 'mac: want a string', 'color: unknown key'] })
  })

  test.each([
    ['/v1/invite', '{"port":1,"address":"10.42.0.1/24","color":1}'],
    ['/v1/join', '{"port":1,"address":"10.42.0.1/24","color":1}'],
  ])('%s names what is wrong with its body in the same words', async (path, body) => {
    const { status, json } = await ask('POST', path, body)
    const first = path === '/v1/invite' ? 'name' : 'token'
    const faults = [`${first}: want a string`, 'address: want a list', 'port: want a string', 'color: unknown key']
    expect({ status, json }).toMatchObject({ status: 400, json: { faults } })
  })

  test('405 says what is allowed', async () => {
    const response = await send('PUT', '/v1/fdb')
    response.resume()
    expect(response.headers['allow']).toBe('GET, POST')
  })

  test('faults of a configuration are 422 and listed', async () => {
    agent.refusal = new ConfigError('vtepd.yaml', ['a: x; y', 'b: x; y'])
    expect(await ask('POST', '/v1/reload')).toMatchObject({ status: 422, json: { faults: ['a: x; y', 'b: x; y'] } })
    agent.refusal = Object.assign(new Error('vtepd.yaml: no such file'), { exitCode: 2 })
    expect(await ask('POST', '/v1/reload')).toMatchObject({ status: 422, json: { error: 'vtepd.yaml: no such file' } })
  })

  test('the agent’s own refusals keep their status, anything else is 500', async () => {
    agent.refusal = new ApiError(409, 'not now')
    expect(await ask('POST', '/v1/reload')).toMatchObject({ status: 409, json: { error: 'not now' } })
    agent.refusal = new Error('disk on fire')
    expect(await ask('POST', '/v1/reload')).toMatchObject({ status: 500, json: { schema: 1, error: 'disk on fire' } })
  })

  test.each([
    ['no HTTP', 'hello\r\n\r\n', 400],
    ['bytes', '\x00\xff\x16\x03\x01\r\n\r\n', 400],
    ['a bad method', 'FROB / HTTP/1.1\r\n\r\n', 400],
    ['no path', 'GET http://[/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 400],
    ['huge headers', `GET / HTTP/1.1\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`, 431],
    ['two lengths', 'POST /v1/fdb HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx', 400],
    ['CONNECT', 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n', 405],
  ])('%s is answered and cut off, and the agent lives', async (_, bytes, status) => {
    const answer = await raw(bytes)
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    if (status !== 405) expect(answer).toMatch(/\{"schema":1,"error":"the (request|headers) [^"]+"\}/)
    expect((await ask('GET', '/v1/status')).status).toBe(200)
  })
})

describe('capture', () => {
  const packet = record(0, new Uint8Array(60).fill(0xa5))

  test('streams the bytes as they come, header first', async () => {
    const response = await send('GET', '/v1/capture?network=blue')
    const chunks = response[Symbol.asyncIterator]()
    expect((await chunks.next()).value).toHaveLength(24)
    for (const sink of agent.sinks) sink(packet)
    expect(Buffer.from((await chunks.next()).value).equals(packet)).toBe(true)
    response.destroy()
  })

  test('ends in the agent when the client goes', async () => {
    const response = await send('GET', '/v1/capture')
    expect(agent.sinks.size).toBe(1)
    response.destroy()
    await until(
      'captures',
      () => agent.sinks.size,
      (n) => n === 0,
    )
  })

  test('ends well-formed when the agent closes', async () => {
    const socket = await ControlSocket.open(temporaryDir())
    socket.serve(agent)
    socketPath = socket.path
    const response = await send('GET', '/v1/capture')
    for (const sink of agent.sinks) sink(packet)
    const [bytes] = await Promise.all([response.toArray(), socket.close()])
    expect(Buffer.concat(bytes)).toHaveLength(24 + packet.length)
    expect(response.complete).toBe(true)
    expect(response.trailers['vtepd-missed']).toBe('0')
    expect(agent.sinks.size).toBe(0)
  })

  test('drops and counts rather than grow when the reader is slow', async () => {
    const socket = await ControlSocket.open(temporaryDir())
    socket.serve(agent)
    socketPath = socket.path
    const response = await send('GET', '/v1/capture')
    const large = record(0, new Uint8Array(65_536))
    const sent = Math.ceil((4 * CAPTURE_WAITING_MAX) / large.length)
    // In one turn, so that nothing is read meanwhile.
    for (const sink of agent.sinks) for (let i = 0; i < sent; i++) sink(large)
    const [bytes] = await Promise.all([response.toArray(), socket.close()])
    const length = Buffer.concat(bytes).length - 24
    const missed = Number(response.trailers['vtepd-missed'])
    expect(length).toBeLessThan(CAPTURE_WAITING_MAX + 2 * large.length)
    expect(missed).toBeGreaterThan(sent / 2)
    expect(length).toBe((sent - missed) * large.length)
  })
})
