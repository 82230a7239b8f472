// Two agents' control threads with a bad wire between them, in virtual time: messages get lost, come twice, overtake each other. One
// side asks (Asker), the other answers (Answers).
import { Answers, Asker } from '../../src/control/join/asker.ts'
import {
  type Answer,
  type JoinMessage,
  type Reply,
  type Request,
  readMessage,
} from '../../src/control/join/join-message.ts'
import { generator } from './seed.ts'

export interface WireOptions {
  readonly seed: number
  /** Of 100 messages. */
  readonly loss: number
  readonly doubled: number
  /** Milliseconds, at least and at most. */
  readonly delay: readonly [number, number]
}

interface Message {
  readonly at: number
  readonly up: boolean
  readonly body: Uint8Array
}

export class JoinWire {
  readonly asker: Asker
  now = 0
  /** Messages that left, each way. */
  readonly sent = { up: 0, down: 0 }
  /** Lets the answering side fall silent. */
  deaf = false
  private readonly options: WireOptions
  private readonly random: () => number
  private readonly answers: Answers
  private flying: Message[] = []

  constructor(options: WireOptions, answer: (request: Request) => Promise<Reply>) {
    this.options = options
    this.random = generator(options.seed)
    this.asker = new Asker((body) => this.send(true, body))
    this.answers = new Answers(answer)
  }

  /** Lets time pass until the promise settles. */
  async drive<T>(promise: Promise<T>): Promise<T> {
    let settled = false
    const mark = (): void => {
      settled = true
    }
    promise.then(mark, mark)
    for (let turn = 0; turn < 100_000; turn++) {
      await new Promise((resolve) => setImmediate(resolve))
      if (settled) return promise
      const arrival = Math.min(...this.flying.map((m) => m.at), Number.POSITIVE_INFINITY)
      const next = Math.min(arrival, this.asker.nextDeadline())
      if (next === Number.POSITIVE_INFINITY) throw new Error('nothing will ever happen')
      this.now = Math.max(this.now, next)
      await this.arrive()
      this.asker.expire(this.now)
    }
    throw new Error('it goes on for ever')
  }

  /** A message that the answering side never meant. */
  inject(message: JoinMessage): void {
    if ('id' in message && !('ask' in message)) this.asker.handle(message as Answer)
  }

  private send(up: boolean, body: Uint8Array): void {
    this.sent[up ? 'up' : 'down']++
    const copies = this.chance(this.options.doubled) ? 2 : 1
    const [least, most] = this.options.delay
    for (let n = 0; n < copies; n++) {
      if (this.chance(this.options.loss)) continue
      this.flying.push({ at: this.now + least + (this.random() % (most - least + 1)), up, body })
    }
  }

  private async arrive(): Promise<void> {
    const due = this.flying.filter((m) => m.at <= this.now).sort((a, b) => a.at - b.at)
    this.flying = this.flying.filter((m) => m.at > this.now)
    for (const { up, body } of due) {
      const message = readMessage(body)
      if (!message) throw new Error(`not a message: ${Buffer.from(body)}`)
      if (!up) this.asker.handle(message as Answer)
      else if (!this.deaf) {
        void this.answers.handle(message as Request).then((reply) => {
          if (reply) this.send(false, reply)
        })
      }
    }
  }

  private chance(percent: number): boolean {
    return this.random() % 100 < percent
  }
}
