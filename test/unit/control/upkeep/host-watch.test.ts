import { expect, test } from 'vitest'
import { HostWatch } from '../../../../src/control/upkeep/host-watch.ts'

test('what happens while somebody looks is one more look, however much it is', async () => {
  let looks = 0
  const second = new Promise<void>((resolve) => {
    const watch = new HostWatch(async () => {
      looks++
      if (looks > 1) return resolve(watch.close())
      for (let i = 0; i < 100; i++) watch.again(0)
      await Promise.resolve()
      for (let i = 0; i < 100; i++) watch.again(10)
    })
    for (let i = 0; i < 100; i++) watch.again(0)
  })
  await second
  expect(looks).toBe(2)
})

test('an earlier moment goes before a later one', async () => {
  await new Promise<void>((resolve) => {
    const watch = new HostWatch(async () => resolve(watch.close()))
    watch.again(3_600_000)
    watch.again(0)
    watch.again(3_600_000)
  })
})
