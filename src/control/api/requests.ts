// HTTP requests to calls of AgentApi and back. docs/command-line.md lists paths and answers; every JSON answer is one object
// with "schema": 1. Knows nothing of sockets: socket.ts feeds it.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type * as z from 'zod'
import { inviteShape } from '../join/invite.ts'
import { joinShape } from '../join/join.ts'
import { type AgentApi, ApiError } from './api.ts'

/** Bytes of a request's body: the largest is a token. */
const BODY_MAX = 16 * 1024
/** Bytes of pcap that may wait for a slow reader; what comes while they wait is dropped and counted. */
export const CAPTURE_WAITING_MAX = 4 * 1024 * 1024

/** Prometheus text; prom-client's own constant is not worth loading it for. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

const CAPTURE_TYPE = 'application/vnd.tcpdump.pcap'

/** What a request may reach: everything over the Unix socket, or metrics and health over TCP. */
export type Scope = 'all' | 'metrics'

/** Streams that are open, so that closing can end them. */
export type Streams = Set<() => void>

interface Call {
  readonly api: AgentApi
  readonly url: URL
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly streams: Streams
  /** The parts of the path behind the route. */
  readonly rest: readonly string[]
}

interface Route {
  readonly path: string
  readonly methods: Readonly<Record<string, (call: Call) => Promise<void> | void>>
  readonly query?: readonly string[]
  /** Parts of the path that follow. */
  readonly parts?: number
  readonly open?: boolean
}

const ROUTES: readonly Route[] = [
  { path: '/v1/status', methods: { GET: ({ api, response }) => answer(response, 200, { ...api.status() }) } },
  {
    path: '/v1/networks',
    methods: { GET: ({ api, response }) => answer(response, 200, { schema: 1, networks: api.status().networks }) },
  },
  {
    path: '/v1/peers',
    methods: { GET: ({ api, response }) => answer(response, 200, { schema: 1, peers: api.status().peers }) },
  },
  { path: '/v1/fdb', query: ['network'], methods: { GET: listFdb, POST: addFdb } },
  {
    path: '/v1/neigh',
    query: ['network'],
    methods: {
      GET: async ({ api, url, response }) =>
        answer(response, 200, { schema: 1, entries: await api.neighbours(networkOf(url)) }),
    },
  },
  { path: '/v1/fdb', parts: 2, methods: { DELETE: delFdb } },
  {
    path: '/v1/leases',
    query: ['network'],
    methods: {
      GET: async ({ api, url, response }) => {
        answer(response, 200, { schema: 1, leases: await api.leases(networkOf(url)) })
      },
    },
  },
  {
    path: '/v1/routes',
    query: ['network'],
    methods: {
      GET: ({ api, url, response }) => answer(response, 200, { schema: 1, routes: api.routes(networkOf(url)) }),
    },
  },
  { path: '/v1/where', query: ['what'], methods: { GET: where } },
  {
    path: '/v1/profile',
    methods: { GET: ({ api, response }) => answer(response, 200, { schema: 1, ...api.profile() }) },
  },
  { path: '/v1/reload', methods: { POST: reload } },
  {
    path: '/v1/invite',
    methods: {
      POST: async ({ api, request, response }) => {
        answer(response, 200, { schema: 1, ...(await api.invite(await shaped(request, inviteShape))) })
      },
    },
  },
  {
    path: '/v1/join',
    methods: {
      POST: async ({ api, request, response }) => {
        answer(response, 200, { schema: 1, ...(await api.join(await shaped(request, joinShape))) })
      },
    },
  },
  { path: '/v1/stop', query: ['release'], methods: { POST: stop } },
  { path: '/v1/capture', query: ['network'], methods: { GET: capture } },
  { path: '/metrics', open: true, methods: { GET: metrics } },
  { path: '/healthz', open: true, methods: { GET: ({ response }) => words(response, 200, 'ok') } },
  {
    path: '/readyz',
    open: true,
    methods: {
      GET: ({ api, response }) => words(response, api.ready() ? 200 : 503, api.ready() ? 'ready' : 'not ready'),
    },
  },
]

/** Answers one request; never rejects. `api` null: the agent is starting. */
export async function handleRequest(
  api: AgentApi | null,
  scope: Scope,
  request: IncomingMessage,
  response: ServerResponse,
  streams: Streams,
): Promise<void> {
  try {
    const url = urlOf(request)
    const method = request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET')
    const { route, rest } = routeOf(url, method, scope, response)
    checkQuery(url, route)
    if (api === null) return starting(url, response)
    await route.methods[method]!({ api, url, request, response, streams, rest })
  } catch (error) {
    refuse(response, error)
  }
}

function urlOf(request: IncomingMessage): URL {
  const target = request.url ?? '/'
  if (!target.startsWith('/')) throw new ApiError(400, 'the request target must be a path')
  try {
    return new URL(`http://agent${target}`)
  } catch {
    throw new ApiError(400, 'the request target is malformed')
  }
}

function routeOf(
  url: URL,
  method: string,
  scope: Scope,
  response: ServerResponse,
): { route: Route; rest: readonly string[] } {
  const path = url.pathname.length > 1 ? url.pathname.replace(/\/$/, '') : '/'
  const allowed: string[] = []
  for (const route of ROUTES) {
    if (scope === 'metrics' && !route.open) continue
    const rest = restOf(path, route)
    if (rest === null) continue
    if (Object.hasOwn(route.methods, method)) return { route, rest }
    allowed.push(...Object.keys(route.methods))
  }
  if (allowed.length === 0) throw new ApiError(404, `no such path: ${path}`)
  response.setHeader('Allow', allowed.join(', '))
  throw new ApiError(405, `${path} takes ${allowed.join(' or ')}`)
}

function restOf(path: string, route: Route): string[] | null {
  const parts = route.parts ?? 0
  if (parts === 0) return path === route.path ? [] : null
  if (!path.startsWith(`${route.path}/`)) return null
  const rest = path.slice(route.path.length + 1).split('/')
  if (rest.length !== parts) return null
  try {
    return rest.map(decodeURIComponent)
  } catch {
    throw new ApiError(400, 'the path has a malformed % escape')
  }
}

function checkQuery(url: URL, route: Route): void {
  for (const name of url.searchParams.keys()) {
    if (!route.query?.includes(name)) throw new ApiError(400, `unknown query parameter ${JSON.stringify(name)}`)
    if (url.searchParams.getAll(name).length > 1) throw new ApiError(400, `query parameter ${name} is given twice`)
  }
}

function starting(url: URL, response: ServerResponse): void {
  if (url.pathname === '/healthz') words(response, 200, 'ok')
  else if (url.pathname === '/readyz') words(response, 503, 'not ready')
  else throw new ApiError(503, 'the agent is starting; ask again in a moment')
}

async function listFdb({ api, url, response }: Call): Promise<void> {
  answer(response, 200, { schema: 1, entries: await api.fdb(networkOf(url)) })
}

async function where({ api, url, response }: Call): Promise<void> {
  const what = url.searchParams.get('what') ?? ''
  answer(response, 200, { schema: 1, what, found: await api.where(what) })
}

async function addFdb({ api, request, response }: Call): Promise<void> {
  const { network, mac, vtep } = await fields(request, ['network', 'mac', 'vtep'])
  await api.fdbAdd(network!, mac!, vtep!)
  answer(response, 200, { schema: 1 })
}

async function delFdb({ api, response, rest }: Call): Promise<void> {
  await api.fdbDel(rest[0]!, rest[1]!)
  answer(response, 200, { schema: 1 })
}

async function reload({ api, response }: Call): Promise<void> {
  await api.reload()
  answer(response, 200, { schema: 1 })
}

function stop({ api, url, response }: Call): void {
  const release = url.searchParams.get('release') ?? 'false'
  if (!/^(true|false)$/.test(release))
    throw new ApiError(400, `release: want true or false, got ${JSON.stringify(release)}`)
  const { pid } = api.status()
  // Answered first: the end closes this socket. 'close' comes also when the caller has gone.
  response.once('close', () => api.stop(release === 'true'))
  response.setHeader('Connection', 'close')
  answer(response, 202, { schema: 1, pid })
}

async function metrics({ api, response }: Call): Promise<void> {
  const text = await api.metrics()
  response.writeHead(200, { 'Content-Type': METRICS_TYPE, 'Content-Length': Buffer.byteLength(text) }).end(text)
}

// Chunks are whole pcap records (the first also the file header), so that a dropped one leaves the stream well-formed.
function capture({ api, url, request, response, streams }: Call): void {
  if (request.method === 'HEAD') {
    api.capture(networkOf(url), () => {})()
    response.writeHead(200, { 'Content-Type': CAPTURE_TYPE }).end()
    return
  }
  let missed = 0
  let begun = false
  const begin = (): void => {
    if (begun) return
    begun = true
    response.writeHead(200, { 'Content-Type': CAPTURE_TYPE, Trailer: 'Vtepd-Missed' })
    response.flushHeaders()
  }
  const sink = (chunk: Uint8Array): void => {
    begin()
    if (response.writableLength > CAPTURE_WAITING_MAX) missed++
    else response.write(chunk)
  }
  const stopCapture = api.capture(networkOf(url), sink)
  begin()
  const end = (): void => {
    if (!streams.delete(end)) return
    stopCapture()
    response.addTrailers({ 'Vtepd-Missed': String(missed) })
    response.end()
  }
  streams.add(end)
  response.once('close', end)
}

function networkOf(url: URL): string | undefined {
  return url.searchParams.get('network') ?? undefined
}

// A JSON object with exactly these keys, each a string.
async function fields(request: IncomingMessage, names: readonly string[]): Promise<Record<string, string>> {
  const record = await object(request)
  const faults = [
    ...names.filter((name) => typeof record[name] !== 'string').map((name) => `${name}: want a string`),
    ...Object.keys(record)
      .filter((key) => !names.includes(key))
      .map(unknownKey),
  ]
  if (faults.length > 0) throw new ApiError(400, 'the body is faulty', faults)
  return record as Record<string, string>
}

// A JSON object of this shape. What is wrong with it is said by its paths alone: a token may be in it.
async function shaped<T>(request: IncomingMessage, shape: z.ZodType<T>): Promise<T> {
  const read = shape.safeParse(await object(request))
  if (read.success) return read.data
  throw new ApiError(400, 'the body is faulty', read.error.issues.flatMap(faultsOf).filter(isFirst))
}

// What is no list is too long as well, says the library.
function isFirst(fault: string, at: number, all: readonly string[]): boolean {
  const key = (text: string): string => text.slice(0, text.indexOf(':'))
  return all.findIndex((other) => key(other) === key(fault)) === at
}

function faultsOf(issue: z.core.$ZodIssue): string[] {
  if (issue.code === 'unrecognized_keys') return issue.keys.map(unknownKey)
  const want =
    issue.code === 'invalid_type' ? `want a ${issue.expected === 'array' ? 'list' : issue.expected}` : issue.message
  return [`${issue.path.join('.')}: ${want}`]
}

function unknownKey(key: string): string {
  return `${key.slice(0, 60)}: unknown key`
}

async function object(request: IncomingMessage): Promise<Record<string, unknown>> {
  const text = await body(request)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new ApiError(400, 'the body is not JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ApiError(400, 'the body is not a JSON object')
  }
  return value as Record<string, unknown>
}

async function body(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > BODY_MAX) throw new ApiError(413, `the body is larger than ${BODY_MAX} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** The status and body of an answer to `error`. */
export function errorAnswer(error: unknown): { status: number; value: Record<string, unknown> } {
  const message = error instanceof Error ? error.message : String(error)
  const { status, faults, exitCode } = error as { status?: unknown; faults?: readonly string[]; exitCode?: unknown }
  const list = Array.isArray(faults) && faults.length > 0 ? { faults } : {}
  // A fault list without a status is a configuration's; a file that is not there has an exit code, that of wrong usage.
  const code = typeof status === 'number' ? status : Array.isArray(faults) || exitCode === 2 ? 422 : 500
  return { status: code, value: { schema: 1, error: message, ...list } }
}

function refuse(response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  const { status, value } = errorAnswer(error)
  // The rest of a body that is too large is not read.
  if (status === 413) response.setHeader('Connection', 'close')
  answer(response, status, value)
}

function answer(response: ServerResponse, status: number, value: object): void {
  const text = `${JSON.stringify(value)}\n`
  response
    .writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) })
    .end(text)
}

function words(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain', 'Content-Length': text.length + 1 }).end(`${text}\n`)
}
