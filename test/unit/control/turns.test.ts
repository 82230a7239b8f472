import { expect, test } from 'vitest'
import { turns } from '../../../src/control/turns.ts'

test('each begins when the one before it has ended, also badly, and answers for itself', async () => {
  const inTurn = turns()
  const said: string[] = []
  let end: (text: string) => void = () => {}
  const first = inTurn(() => {
    said.push('first')
    return new Promise<string>((resolve) => {
      end = resolve
    })
  })
  const second = inTurn(async () => {
    said.push('second')
    throw new Error('no')
  })
  const third = inTurn(async () => said.push('third'))
  await new Promise((resolve) => setImmediate(resolve))
  expect(said).toEqual(['first'])
  end('done')
  expect(await first).toBe('done')
  await expect(second).rejects.toThrow('no')
  expect(await third).toBe(3)
})
