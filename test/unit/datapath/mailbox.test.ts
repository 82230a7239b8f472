// Control's end of the mailbox; the other end of the port stands for the data thread.
import { once } from 'node:events'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Letter, Mailbox, type News } from '../../../src/datapath/mailbox.ts'

const ORDER = { kind: 'forget-sources' } as const

let far: MessagePort
let mailbox: Mailbox
let woken: number
let news: News[]

beforeEach(() => {
  const { port1, port2 } = new MessageChannel()
  far = port2
  woken = 0
  news = []
  mailbox = new Mailbox(
    port1,
    () => woken++,
    (n) => news.push(n),
  )
})

afterEach(() => {
  mailbox.close(new Error('the test is over'))
  far.close()
})

async function letter(): Promise<Letter> {
  const [got] = (await once(far, 'message')) as [Letter]
  return got
}

/** Rejections that nobody takes, while `doing`. */
async function unheard(doing: () => Promise<void>): Promise<unknown[]> {
  const found: unknown[] = []
  const before = process.rawListeners('unhandledRejection') as NodeJS.UnhandledRejectionListener[]
  process.removeAllListeners('unhandledRejection')
  process.on('unhandledRejection', (reason) => found.push(reason))
  try {
    await doing()
    await new Promise((resolve) => setImmediate(resolve))
  } finally {
    process.removeAllListeners('unhandledRejection')
    for (const listener of before) process.on('unhandledRejection', listener)
  }
  return found
}

test('an order is answered, whatever news come in between', async () => {
  const answer = mailbox.ask<number>(ORDER)
  const { request, order } = await letter()
  expect(order).toEqual(ORDER)
  far.postMessage({ kind: 'retired', index: 7 } satisfies News)
  far.postMessage({ kind: 'reply', request, value: 42 })
  expect(await answer).toBe(42)
  expect(news).toEqual([{ kind: 'retired', index: 7 }])
  expect(woken).toBe(1)
})

test('what is told and cannot be done is heard of', async () => {
  const found = await unheard(async () => {
    mailbox.tell(ORDER)
    const { request } = await letter()
    far.postMessage({ kind: 'refused', request, error: new Error('no such thing') })
    await new Promise((resolve) => setImmediate(resolve))
  })
  expect(found).toEqual([new Error('no such thing')])
})

test('what is told to a thread that ends is nobody’s fault, and wakes nobody', async () => {
  const found = await unheard(async () => {
    mailbox.tell(ORDER)
    const stopped = mailbox.ask({ kind: 'stop' })
    stopped.catch(() => {})
    expect(woken).toBe(2)
    mailbox.tell(ORDER)
    await expect(mailbox.ask(ORDER)).rejects.toThrow('the data thread ends')
    expect(woken).toBe(2)
    mailbox.close(new Error('the data thread has ended'))
    mailbox.tell(ORDER)
    await expect(stopped).rejects.toThrow('has ended')
  })
  expect(found).toEqual([])
  expect(woken).toBe(2)
})
