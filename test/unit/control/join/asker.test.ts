import { describe, expect, it } from 'vitest'
import { Answers, NoAnswer } from '../../../../src/control/join/asker.ts'
import { type Reply, type Request, readMessage } from '../../../../src/control/join/join-message.ts'
import { JoinWire, type WireOptions } from '../../../support/join-wire.ts'

const GOOD: WireOptions = { seed: 1, loss: 0, doubled: 0, delay: [10, 10] }

function wire(options: Partial<WireOptions> = {}): JoinWire {
  return new JoinWire({ ...GOOD, ...options }, async () => ({ done: true }))
}

describe('a question', () => {
  it('that is answered at once is asked once', async () => {
    const w = wire()
    expect(await w.drive(w.asker.ask({ ask: 'done' }, 0, 20_000))).toEqual({ done: true })
    expect(w.sent).toEqual({ up: 1, down: 1 })
    expect(w.asker.answered).toBe(true)
    expect(w.asker.nextDeadline()).toBe(Number.POSITIVE_INFINITY)
  })

  it('is repeated after 0.2, 0.6 and 1.6 s and then every second, and given up when patience ends', async () => {
    const w = wire()
    w.deaf = true
    await expect(w.drive(w.asker.ask({ ask: 'done' }, 0, 20_000))).rejects.toThrow(NoAnswer)
    expect(w.now).toBe(20_000)
    expect(w.sent.up).toBe(1 + 3 + 18)
    expect(w.asker.answered).toBe(false)
  })

  it('that was given up is not answered any more, however late the answer comes', async () => {
    const w = wire({ delay: [3000, 3000] })
    await expect(w.drive(w.asker.ask({ ask: 'done' }, 0, 5000))).rejects.toThrow(NoAnswer)
    expect(await w.drive(w.asker.ask({ ask: 'undo' }, w.now, 20_000))).toEqual({ done: true })
  })

  it('takes the answer to itself, not to another that is open', async () => {
    const replies: Record<string, Reply> = { done: { done: true }, offer: { no: { why: 'gone', at: null, text: '' } } }
    const w = new JoinWire(GOOD, async (r) => replies[r.ask]!)
    const both = Promise.all([w.asker.ask({ ask: 'offer' }, 0, 20_000), w.asker.ask({ ask: 'done' }, 0, 20_000)])
    w.inject({ id: 123_456, done: true })
    expect(await w.drive(both)).toEqual([replies['offer'], replies['done']])
  })

  it('ends with the error of `close`', async () => {
    const w = wire()
    const asked = w.asker.ask({ ask: 'done' }, 0, 20_000)
    w.asker.close(new Error('the agent stops'))
    await expect(asked).rejects.toThrow('the agent stops')
  })
})

describe('an answer', () => {
  it('is made once for a question that comes often, and is given again', async () => {
    let made = 0
    const answers = new Answers(async () => {
      made++
      return { done: true }
    })
    const question: Request = { id: 5, ask: 'done' }
    const first = await answers.handle(question)
    expect(await answers.handle(question)).toEqual(first)
    expect(readMessage(first!)).toEqual({ id: 5, done: true })
    expect(made).toBe(1)
  })

  it('is not begun again while it is being made', async () => {
    let finish = (_: Reply): void => {}
    let made = 0
    const answers = new Answers(() => {
      made++
      return new Promise((resolve) => {
        finish = resolve
      })
    })
    const first = answers.handle({ id: 5, ask: 'done' })
    expect(await answers.handle({ id: 5, ask: 'done' })).toBeNull()
    finish({ done: true })
    expect(readMessage((await first)!)).toEqual({ id: 5, done: true })
    expect(made).toBe(1)
  })
})
