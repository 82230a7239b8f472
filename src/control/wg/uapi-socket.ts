// The socket at which wg(8) finds a device, DIRECTORY/IFACE.sock: clients come, speak WireGuard's configuration protocol (uapi.ts)
// and are answered from a target. Each client has its own turn: who stops in the middle of a word holds up nobody. Cold.
import { randomBytes } from 'node:crypto'
import { unlink } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { makeDirectory } from '../directory.ts'
import { NameWatch } from '../name-watch.ts'
import { dropName, ignoreMissing, inodeOf, takeName } from '../socket-name.ts'
import {
  type DeviceChange,
  formatDevice,
  formatErrno,
  type UapiDevice,
  UapiError,
  UapiParser,
  UNKNOWN,
} from './uapi.ts'

/** Where wg(8) looks. */
export const UAPI_DIRECTORY = '/var/run/wireguard'
/** sun_path holds 108 bytes, its terminator included; the name it is made under is longer by this. */
const PATH_MAX = 107 - 9
const CONNECTIONS_MAX = 256

/** What answers the clients. Calls of several clients may interleave, those of one come one after the other. */
export interface UapiTarget {
  get(): UapiDevice | Promise<UapiDevice>
  /** One section of a set; the keys in it are the target's. Throws UapiError, or an Error with the kernel's `errno`. */
  set(change: DeviceChange): Promise<void>
  /** After the last section of a set that came, well or not: what was only noted is to be done now. Throws like `set`. */
  finish(): Promise<void>
}

export interface UapiOptions {
  readonly directory?: string
  /** Called once when the socket's file is gone or another's, but not after `close`. */
  readonly gone: () => void
  /** Hears why a request was answered with a fault of the target. */
  readonly failed?: (error: unknown) => void
}

/** Somebody alive serves this device already. */
export class UapiTaken extends Error {
  readonly path: string
  readonly exitCode = 1

  constructor(path: string) {
    super(`${path} is served by another process that is alive; stop it, or choose another interface name`)
    this.path = path
  }
}

export class UapiSocket {
  readonly path: string
  private readonly server: Server
  private readonly clients = new Set<Socket>()
  private inode = 0n
  private watch: NameWatch | null = null

  private constructor(path: string, target: UapiTarget, options: UapiOptions) {
    this.path = path
    const failed = options.failed ?? (() => {})
    this.server = createServer({ allowHalfOpen: true }, (client) => {
      this.clients.add(client)
      // Seen by whoever reads or writes at the moment.
      client.on('error', () => {})
      client.on('close', () => this.clients.delete(client))
      void converse(client, target, failed)
    })
    this.server.maxConnections = CONNECTIONS_MAX
  }

  /**
   * Serves `name` (of an interface) from now on. Throws UapiTaken when somebody alive has the name, and the kernel's error with
   * its `code` when the directory cannot be used.
   */
  static async open(name: string, target: UapiTarget, options: UapiOptions): Promise<UapiSocket> {
    const directory = options.directory ?? UAPI_DIRECTORY
    const path = join(directory, `${name}.sock`)
    if (Buffer.byteLength(path) > PATH_MAX) throw new Error(`${path}: a socket's path has at most ${PATH_MAX} bytes`)
    // Anybody may see which devices there are, and nobody but us may make one.
    makeDirectory(directory)
    const socket = new UapiSocket(path, target, options)
    const made = `${path}.${randomBytes(4).toString('hex')}`
    await listen(socket.server, made)
    try {
      if (!(await takeName(made, path))) throw new UapiTaken(path)
      socket.inode = await inodeOf(made)
    } catch (error) {
      socket.server.close()
      throw error
    } finally {
      await unlink(made).catch(ignoreMissing)
    }
    socket.watch = new NameWatch(path, socket.inode, options.gone)
    return socket
  }

  /** Removes the file unless it is another's by now, and sends every client away. */
  async close(): Promise<void> {
    this.watch?.close()
    await dropName(this.path, this.inode)
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()))
    for (const client of this.clients) client.destroy()
    await closed
  }
}

// The mode is set before anybody can connect: the umask holds while bind(2) is called, which is at once.
async function listen(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    const umask = process.umask(0o077)
    try {
      server.listen(path, () => {
        server.off('error', reject)
        server.on('error', () => {})
        resolve()
      })
    } finally {
      process.umask(umask)
    }
  })
}

// One client, from first to last. Its next request is read when the one before is answered and the answer is taken.
async function converse(client: Socket, target: UapiTarget, failed: (error: unknown) => void): Promise<void> {
  const parser = new UapiParser()
  const set = new OpenSet(target, failed)
  try {
    for await (const chunk of client as AsyncIterable<Buffer>) {
      const events = parser.push(chunk)
      chunk.fill(0)
      for (const event of events) {
        if (event.kind === 'hang-up') return
        if (event.kind === 'set') await set.add(event.change)
        else if (event.kind === 'get') await send(client, await answerGet(target, failed))
        else await send(client, formatErrno(await set.end(event.errno)))
      }
    }
    client.end()
  } catch {
    // The client went away in the middle: what it said whole is done.
    client.destroy()
  } finally {
    parser.close()
    await set.end(0)
  }
}

/** The set that a client is at. */
class OpenSet {
  private readonly target: UapiTarget
  private readonly failed: (error: unknown) => void
  private isBegun = false
  private errno = 0

  constructor(target: UapiTarget, failed: (error: unknown) => void) {
    this.target = target
    this.failed = failed
  }

  async add(change: DeviceChange): Promise<void> {
    if (this.errno !== 0) {
      wipe(change)
      return
    }
    this.isBegun = true
    await this.attempt(() => this.target.set(change))
  }

  /** What the set is answered with; `errno`: of the request itself. */
  async end(errno: number): Promise<number> {
    if (this.isBegun) await this.attempt(() => this.target.finish())
    const first = this.errno === 0 ? errno : this.errno
    this.isBegun = false
    this.errno = 0
    return first
  }

  private async attempt(call: () => Promise<void>): Promise<void> {
    try {
      await call()
    } catch (error) {
      this.failed(error)
      if (this.errno === 0) this.errno = -errnoOf(error)
    }
  }
}

async function answerGet(target: UapiTarget, failed: (error: unknown) => void): Promise<Uint8Array> {
  try {
    const device = await target.get()
    const text = formatDevice(device)
    device.privateKey?.fill(0)
    for (const { presharedKey } of device.peers) presharedKey?.fill(0)
    return text
  } catch (error) {
    failed(error)
    return formatErrno(errnoOf(error))
  }
}

// Resolves when the kernel has all of it; rejects when the client is gone. Then nothing is left of it here.
async function send(client: Socket, bytes: Uint8Array): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      client.write(bytes, (error) => (error ? reject(error) : resolve()))
    })
  } finally {
    bytes.fill(0)
  }
}

function errnoOf(error: unknown): number {
  if (error instanceof UapiError) return error.errno
  const { errno } = (error ?? {}) as { errno?: unknown }
  return typeof errno === 'number' && errno !== 0 ? Math.abs(errno) : UNKNOWN
}

function wipe({ privateKey, peer }: DeviceChange): void {
  privateKey?.fill(0)
  peer?.presharedKey?.fill(0)
}
