// Questions to another agent whose messages may get lost, come twice, and late: each is repeated until its answer comes or
// patience ends. Several may be open at once. Sans-IO: what is to be sent goes out through `send`, `now` (ms, monotonic) comes in
// with every call. Cold.
import { randomInt } from 'node:crypto'
import { type Answer, type Question, type Reply, type Request, writeMessage } from './join-message.ts'

/** Milliseconds before the repetitions of a question; the last holds for all further ones. */
const REPEATS = [200, 400, 1000]
/** Answers that are kept for each peer. */
const KEPT = 4

/** No answer came in time. */
export class NoAnswer extends Error {}

interface Open {
  readonly body: Uint8Array
  /** Given up then. */
  readonly end: number
  /** Sent again then. */
  due: number
  repeats: number
  resolve(reply: Reply): void
  reject(error: Error): void
}

export class Asker {
  private readonly send: (body: Uint8Array) => void
  private readonly open = new Map<number, Open>()
  private next = randomInt(0xffffffff)
  private heard = false

  constructor(send: (body: Uint8Array) => void) {
    this.send = send
  }

  /** Whether there ever was an answer. */
  get answered(): boolean {
    return this.heard
  }

  /** Asks, for `patience` ms at most. Rejects with NoAnswer, or with the error of `close`. */
  ask(question: Question, now: number, patience: number): Promise<Reply> {
    const id = this.next
    this.next = (this.next + 1) % 0xffffffff
    const body = writeMessage({ ...question, id } as Request)
    return new Promise((resolve, reject) => {
      this.open.set(id, { body, end: now + patience, due: now + REPEATS[0]!, repeats: 0, resolve, reject })
      this.send(body)
    })
  }

  /** An answer came: perhaps to nothing that is open. */
  handle(answer: Answer): void {
    const { id, ...reply } = answer
    const open = this.open.get(id)
    if (!open) return
    this.heard = true
    this.open.delete(id)
    open.resolve(reply)
  }

  /** Nothing is due before; Infinity: nothing at all. */
  nextDeadline(): number {
    let next = Number.POSITIVE_INFINITY
    for (const { due, end } of this.open.values()) next = Math.min(next, due, end)
    return next
  }

  /** Does what is due. */
  expire(now: number): void {
    for (const [id, open] of this.open) {
      if (open.end <= now) {
        this.open.delete(id)
        open.reject(new NoAnswer('no answer'))
      } else if (open.due <= now) {
        open.repeats++
        open.due = now + REPEATS[Math.min(open.repeats, REPEATS.length - 1)]!
        this.send(open.body)
      }
    }
  }

  /** Nothing more is asked. */
  close(error: Error): void {
    for (const { reject } of this.open.values()) reject(error)
    this.open.clear()
  }
}

/**
 * The other side: one answer to each question, however often it comes. A question that is being answered is not begun again, and
 * the latest answers are kept for those who missed them.
 */
export class Answers {
  private readonly answer: (request: Request) => Promise<Reply>
  private readonly given = new Map<number, Uint8Array | null>()

  /** `answer` does not reject. */
  constructor(answer: (request: Request) => Promise<Reply>) {
    this.answer = answer
  }

  /** What to send, or null: nothing now. */
  async handle(request: Request): Promise<Uint8Array | null> {
    const had = this.given.get(request.id)
    if (had !== undefined) return had
    this.given.set(request.id, null)
    for (const id of this.given.keys()) {
      if (this.given.size <= KEPT) break
      this.given.delete(id)
    }
    const reply = await this.answer(request)
    const body = writeMessage({ ...reply, id: request.id } as Answer)
    if (this.given.has(request.id)) this.given.set(request.id, body)
    return body
  }
}
