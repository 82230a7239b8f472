// Time as sessions see it: a host that has slept has let them grow old. A time namespace stands for the sleep, since there the two
// clocks differ by what was asked for.
import { expect, it } from 'vitest'
import { columnsSize } from '../../src/batch.ts'
import { finish, start } from '../../src/lab/command.ts'
import { describeRoot } from '../support/root.ts'

const SLEPT = 1_000_000
const SLOTS = 64

interface Clocks {
  addon: number
  engine: number
  monotonic: number
}

async function clocks(sleptSec: number): Promise<Clocks> {
  const child = ['test/support/clock-child.mjs', String(SLOTS), String(columnsSize(SLOTS))]
  const command = ['unshare', '--time', '--boottime', String(sleptSec), '--fork', process.execPath, ...child]
  return JSON.parse((await finish(start(command), command)).stdout) as Clocks
}

describeRoot('the clock', () => {
  it('goes on while the host sleeps, in both halves alike', async () => {
    const awake = await clocks(0)
    const { addon, engine, monotonic } = await clocks(SLEPT)
    expect(addon - engine).toBeGreaterThanOrEqual(0)
    expect(addon - engine).toBeLessThan(SLEPT)
    const slept = addon - monotonic - (awake.addon - awake.monotonic)
    // Two clocks are read one after the other.
    expect(Math.abs(slept - SLEPT * 1000)).toBeLessThan(SLEPT)
  })
}, ['unshare'])
