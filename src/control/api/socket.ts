// The agent's doors: HTTP/1.1 over the Unix socket RUNTIME/vtepd.sock, and the optional TCP listener for metrics. A name is
// taken only from a dead agent (socket-name.ts), with its mode set before anybody sees it.
import { randomBytes } from 'node:crypto'
import { chmod, unlink } from 'node:fs/promises'
import { createServer, request, type Server } from 'node:http'
import type { ListenOptions, Socket } from 'node:net'
import { join } from 'node:path'
import { makeDirectory } from '../directory.ts'
import { NameWatch } from '../name-watch.ts'
import { dropName, ignoreMissing, inodeOf, takeName } from '../socket-name.ts'
import { type AgentApi, ApiError } from './api.ts'
import { errorAnswer, handleRequest, type Scope, type Streams } from './requests.ts'

export const SOCKET_NAME = 'vtepd.sock'
/** sun_path holds 108 bytes, its terminator included; the name it is made under is longer by this. */
const PATH_MAX = 107 - 9
const CONNECTIONS_MAX = 64
/** Milliseconds for a request to come in whole, for another agent to say who it is, and for streams to end. */
const REQUEST_TIMEOUT = 10_000
const PROBE_TIMEOUT = 2000
const CLOSE_GRACE = 500

/** Milliseconds until a name that could not be had again is tried again. */
const AGAIN = 1000

/** The control socket. Open it before anything on the host is touched: it is what keeps two agents apart. */
export class ControlSocket {
  readonly path: string
  private readonly runtimeDir: string
  private door!: Door
  /** Who came before the name was removed. */
  private readonly before: Door[] = []
  private inode = 0n
  private watch: NameWatch | null = null
  private api: AgentApi | null = null
  private warn: (line: string) => void = () => {}
  private said = ''
  private timer: NodeJS.Timeout | null = null
  private work: Promise<void> = Promise.resolve()
  private isClosed = false

  private constructor(runtimeDir: string) {
    this.runtimeDir = runtimeDir
    this.path = join(runtimeDir, SOCKET_NAME)
  }

  /**
   * Takes RUNTIME/vtepd.sock; requests get 503 until `serve`. Throws an Error with `exitCode` 1 when another agent is alive
   * there, and the kernel's error with `code` and what to do when the directory cannot be used.
   */
  static async open(runtimeDir: string): Promise<ControlSocket> {
    const socket = new ControlSocket(runtimeDir)
    const { path } = socket
    if (Buffer.byteLength(path) > PATH_MAX) {
      throw new Error(`${path}: a socket's path has at most ${PATH_MAX} bytes; choose a shorter --runtime-dir`)
    }
    await socket.take()
    return socket
  }

  /** `warn` hears of a name that somebody has removed. */
  serve(api: AgentApi, warn: (line: string) => void = () => {}): void {
    this.api = api
    this.door.api = api
    this.warn = warn
  }

  /** Removes the name (unless somebody replaced it), ends every capture, and waits until the last connection is gone. */
  async close(): Promise<void> {
    this.isClosed = true
    if (this.timer) clearTimeout(this.timer)
    await this.work
    this.watch?.close()
    await dropName(this.path, this.inode)
    await Promise.all([this.door, ...this.before].map((door) => door.close()))
  }

  private async take(): Promise<void> {
    const { path, runtimeDir } = this
    const made = `${path}.${randomBytes(4).toString('hex')}`
    const door = new Door('all')
    door.api = this.api
    try {
      makeDirectory(runtimeDir)
      await door.listen({ path: made })
    } catch (error) {
      throw told(error, `cannot make the socket in ${runtimeDir}`)
    }
    try {
      await chmod(made, 0o660)
      await take(made, path)
      this.inode = await inodeOf(path)
      this.door = door
      this.watch = new NameWatch(path, this.inode, () => this.gone())
    } catch (error) {
      await door.close()
      throw error
    } finally {
      await unlink(made).catch(ignoreMissing)
    }
  }

  // An agent that cannot be asked cannot be stopped either. Those who have come in already are not sent away.
  private gone(): void {
    this.before.push(this.door)
    this.work = this.again()
  }

  private async again(): Promise<void> {
    this.timer = null
    if (this.isClosed) return
    try {
      await this.take()
      this.say(`${this.path} was removed by somebody: put back`)
      this.said = ''
    } catch (error) {
      this.say(`${this.path} was removed by somebody, and cannot be put back: ${(error as Error).message}`)
      this.timer = setTimeout(() => {
        this.work = this.again()
      }, AGAIN).unref()
    }
  }

  private say(line: string): void {
    if (line !== this.said) this.warn(line)
    this.said = line
  }
}

/** /metrics, /healthz and /readyz over TCP; nothing else. */
export class MetricsListener {
  private readonly door: Door
  readonly port: number

  private constructor(door: Door) {
    this.door = door
    this.port = door.port
  }

  /** Throws an Error with the kernel's `code` that names `metrics.listen`. */
  static async open(host: string, port: number, api: AgentApi): Promise<MetricsListener> {
    const door = new Door('metrics')
    door.api = api
    try {
      await door.listen({ host, port })
    } catch (error) {
      throw told(error, `metrics.listen: cannot listen at ${host} port ${port}`)
    }
    return new MetricsListener(door)
  }

  async close(): Promise<void> {
    await this.door.close()
  }
}

class Door {
  api: AgentApi | null = null
  private readonly server: Server
  private readonly streams: Streams = new Set()

  constructor(scope: Scope) {
    const options = { requestTimeout: REQUEST_TIMEOUT, headersTimeout: REQUEST_TIMEOUT, keepAliveTimeout: 5000 }
    this.server = createServer(options, (incoming, response) => {
      void handleRequest(this.api, scope, incoming, response, this.streams)
    })
    this.server.maxConnections = CONNECTIONS_MAX
    this.server.on('clientError', answerMalformed)
    // Without a listener an upgrade is answered like any request; CONNECT would be cut off without a word.
    this.server.on('connect', (_request, socket) =>
      socket.end('HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\n\r\n'),
    )
  }

  get port(): number {
    const address = this.server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  async listen(options: ListenOptions): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject)
      this.server.listen(options, () => {
        this.server.off('error', reject)
        this.server.on('error', () => {})
        resolve()
      })
    })
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()))
    // Streams end after `close`, which cuts off idle connections: one whose last bytes still wait would count as idle.
    for (const end of [...this.streams]) end()
    const timer = setTimeout(() => this.server.closeAllConnections(), CLOSE_GRACE)
    await closed
    clearTimeout(timer)
  }
}

function answerMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const [status, reason, message]: readonly [number, string, string] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? [431, 'Request Header Fields Too Large', 'the headers are too large']
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? [408, 'Request Timeout', 'the request did not arrive whole in time']
        : [400, 'Bad Request', 'the request is not HTTP/1.1']
  const text = `${JSON.stringify(errorAnswer(new ApiError(status, message)).value)}\n`
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\nConnection: close\r\n\r\n${text}`,
  )
}

// Gives the socket `made` the name `path`, which only a dead agent's may bear.
async function take(made: string, path: string): Promise<void> {
  let ours = false
  try {
    ours = await takeName(made, path)
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === undefined ? error : told(error, `cannot make ${path}`)
  }
  if (!ours) throw await occupied(path)
}

async function occupied(path: string): Promise<Error> {
  const pid = await pidOf(path)
  const who = pid === null ? '' : ` (pid ${pid})`
  const message = `another agent is running with this --runtime-dir${who}; stop it, or choose another directory`
  return Object.assign(new Error(message), { exitCode: 1 })
}

async function pidOf(path: string): Promise<number | null> {
  return new Promise((resolve) => {
    const asked = request(
      { socketPath: path, path: '/v1/status', agent: false, timeout: PROBE_TIMEOUT },
      (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          text += chunk
        })
        response.on('error', () => resolve(null))
        response.on('end', () => {
          const [, pid] = /"pid":\s*(\d+)/.exec(text) ?? []
          resolve(pid === undefined ? null : Number(pid))
        })
      },
    )
    asked.on('timeout', () => asked.destroy())
    asked.on('error', () => resolve(null))
    asked.on('close', () => resolve(null))
    asked.end()
  })
}

// The kernel's error in words, its code kept.
function told(error: unknown, what: string): Error {
  const { code, errno, syscall, message } = error as NodeJS.ErrnoException
  const mend =
    code === 'EACCES' || code === 'EPERM'
      ? 'not permitted; run it as root, or choose another directory or port'
      : code === 'EADDRINUSE'
        ? 'already in use; choose another port, or stop who has it'
        : code === 'EADDRNOTAVAIL'
          ? 'no such address on this host'
          : code === 'ENOTDIR' || code === 'EEXIST'
            ? 'a file is in the way'
            : code === 'EROFS'
              ? 'the file system is read-only'
              : message
  return Object.assign(new Error(`${what}: ${mend}`), { code, errno, syscall })
}
