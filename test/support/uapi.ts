// Both ends of a UAPI socket for tests: a target that keeps a device and nothing else, and a client.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type Seen, WgState } from '../../src/control/wg/state.ts'
import type { DeviceChange, UapiDevice } from '../../src/control/wg/uapi.ts'
import type { UapiTarget } from '../../src/control/wg/uapi-socket.ts'

/** A device without packets. */
export class FakeDevice implements UapiTarget {
  readonly state = new WgState()
  readonly seen = new Map<string, Seen>()
  /** What `set` and `finish` were called with, in order. */
  readonly calls: string[] = []
  /** Thrown by the next call of that kind. */
  refuse: { get?: unknown; set?: unknown; finish?: unknown } = {}

  get(): UapiDevice {
    this.throwIf('get')
    return this.state.device((name) => this.seen.get(name) ?? null)
  }

  async set(change: DeviceChange): Promise<void> {
    this.calls.push(change.peer ? `peer ${change.peer.publicKey[0]}` : 'device')
    this.throwIf('set')
    this.state.apply(change)
  }

  async finish(): Promise<void> {
    this.calls.push('finish')
    this.throwIf('finish')
  }

  private throwIf(kind: 'get' | 'set' | 'finish'): void {
    const error = this.refuse[kind]
    delete this.refuse[kind]
    if (error !== undefined) throw error
  }
}

/** A client that says what it is told and reads answer by answer. */
export class UapiClient {
  readonly socket: Socket
  private text = ''
  private ended = false

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => {
      this.text += chunk
      socket.emit('heard')
    })
    socket.on('close', () => {
      this.ended = true
      socket.emit('heard')
    })
    socket.on('error', () => {})
  }

  static async connect(path: string): Promise<UapiClient> {
    const socket = connect(path)
    await once(socket, 'connect')
    return new UapiClient(socket)
  }

  say(text: string): void {
    this.socket.write(text, 'latin1')
  }

  /** The next answer, without its empty line; null when the connection ended first. */
  async hear(): Promise<string | null> {
    for (;;) {
      const end = this.text.indexOf('\n\n')
      if (end >= 0) {
        const answer = this.text.slice(0, end)
        this.text = this.text.slice(end + 2)
        return answer
      }
      if (this.ended) return null
      await once(this.socket, 'heard')
    }
  }

  async ask(text: string): Promise<string | null> {
    this.say(text)
    return this.hear()
  }
}
