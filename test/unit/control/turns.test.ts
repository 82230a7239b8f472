import { expect, test } from 'vitest'
import { Turns } from '../../../src/control/turns.ts'

test('each begins when the one before it has ended, also badly, and answers for itself', async () => {
  const turns = new Turns()
  const said: string[] = []
  let end: (text: string) => void = () => {}
  const first = turns.take(() => {
    said.push('first')
    return new Promise<string>((resolve) => {
      end = resolve
    })
  })
  const second = turns.take(async () => {
    said.push('second')
    throw new Error('no')
  })
  const third = turns.take(async () => said.push('third'))
  await new Promise((resolve) => setImmediate(resolve))
  expect(said).toEqual(['first'])
  end('done')
  expect(await first).toBe('done')
  await expect(second).rejects.toThrow('no')
  expect(await third).toBe(3)
})
