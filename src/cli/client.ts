// HTTP over the agent's Unix socket, for the commands that ask it something. An agent that does not answer is exit code 3.
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { FAILED, Failure, NOT_PERMITTED, NOT_RUNNING, USAGE } from './exit.ts'
import type { Flags } from './flags.ts'

/** Milliseconds that an answer may take; a reload waits for devices to come up. */
const TIMEOUT = 30_000

type Method = 'GET' | 'POST' | 'DELETE'

export class Client {
  readonly runtimeDir: string
  private readonly socketPath: string

  constructor(flags: Flags) {
    this.runtimeDir = flags.runtimeDir
    this.socketPath = join(flags.runtimeDir, 'vtepd.sock')
  }

  /** The answer's JSON object. Throws Failure. */
  async ask<T>(method: Method, path: string, body?: object, patience = TIMEOUT): Promise<T> {
    const response = await this.send(method, path, body, patience)
    const value = await json(response)
    if (response.statusCode! >= 300) throw refusal(response.statusCode!, value)
    return value as T
  }

  /** A stream of bytes that lasts until either side ends it. */
  async stream(path: string): Promise<IncomingMessage> {
    const response = await this.send('GET', path)
    if (response.statusCode! >= 300) throw refusal(response.statusCode!, await json(response))
    response.socket.setTimeout(0)
    return response
  }

  /** Whether anybody still listens at the socket. */
  alive(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect({ path: this.socketPath })
      socket.once('connect', () => {
        socket.destroy()
        resolve(true)
      })
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EAGAIN'))
    })
  }

  private send(method: Method, path: string, body?: object, timeout = TIMEOUT): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const text = body === undefined ? '' : JSON.stringify(body)
      const headers =
        body === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) }
      const options = { socketPath: this.socketPath, method, path, headers, agent: false, timeout }
      const sent: ClientRequest = request(options, resolve)
      sent.on('timeout', () => {
        sent.destroy(new Failure(FAILED, `the agent at ${this.socketPath} did not answer within ${timeout / 1000} s`))
      })
      sent.on('error', (error: NodeJS.ErrnoException) => reject(this.told(error)))
      sent.end(text)
    })
  }

  private told(error: NodeJS.ErrnoException): Error {
    if (error instanceof Failure) return error
    const { code, message } = error
    if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTDIR') {
      return new Failure(
        NOT_RUNNING,
        `no agent at ${this.socketPath}: is \`vtepd up\` running? (--runtime-dir says where)`,
      )
    }
    if (code === 'EACCES' || code === 'EPERM') {
      return new Failure(NOT_PERMITTED, `not permitted to open ${this.socketPath}; run it as root`)
    }
    if (code === 'ECONNRESET' || code === 'EPIPE') {
      return new Failure(NOT_RUNNING, `the agent at ${this.socketPath} ended before it answered`)
    }
    return new Failure(FAILED, `cannot ask the agent at ${this.socketPath}: ${message}`)
  }
}

async function json(response: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk)
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    throw new Failure(FAILED, 'what answers at the socket is not vtepd, or ended in the middle of its answer')
  }
}

/** The same for what would have been answered by an agent: an error with HTTP's status. Any other stays as it is. */
export function withoutAgent(error: unknown): unknown {
  const { status, message, faults } = error as { status?: unknown; message?: unknown; faults?: unknown }
  return typeof status === 'number' ? refusal(status, { error: message, faults }) : error
}

// What the caller got wrong, or a file that has faults, is usage (2), what is forbidden 4, the rest failed (1).
function refusal(status: number, value: unknown): Failure {
  const { error, faults } = (value ?? {}) as { error?: unknown; faults?: readonly string[] }
  const lines = Array.isArray(faults) ? faults.map(String) : []
  const isUsage = [400, 404, 413, 422].includes(status) || lines.length > 0
  const message = typeof error === 'string' ? error : `the agent answered with status ${status}`
  return new Failure(status === 403 ? NOT_PERMITTED : isUsage ? USAGE : FAILED, message, lines)
}
