import { expect, test } from 'vitest'
import { claim } from '../../../src/host/claim.ts'

test('one has it at a time, and another once it is given back', async () => {
  const name = `vtepd-test-${process.pid}`
  const first = await claim(name)
  expect(first).not.toBeNull()
  expect(await claim(name)).toBeNull()
  await first!.release()
  const second = await claim(name)
  expect(second).not.toBeNull()
  await second!.release()
})
