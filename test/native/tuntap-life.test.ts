// A device at every stage of its life when its process or its worker ends: no crash, no hang, nothing left behind.
// tuntap-child.mjs has the stages.
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as netdev from '../../src/host/netdev.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { Tap } from '../../src/tuntap.ts'
import { describeRoot } from '../support/root.ts'
import { settled } from '../support/traces.ts'

const CHILD = fileURLToPath(new URL('./tuntap-child.mjs', import.meta.url))
const NAME = 'vt0'

let lab: Lab
let host: Host

const exists = (name: string): boolean => netdev.link(name, netdev.netnsPath(host.namespace)) !== null
const fds = (): number => readdirSync('/proc/self/fd').length

describeRoot('the life of a tuntap device', () => {
  beforeAll(async () => {
    lab = new Lab()
    host = await lab.host('a')
  })
  afterAll(async () => {
    await lab.close()
  })

  describe('a process', () => {
    const run = async (stage: string, ...flags: string[]): Promise<string> => {
      const { stdout } = await lab.run([process.execPath, ...flags, CHILD, stage, host.namespace, NAME])
      expect(
        await settled(
          () => exists(NAME),
          (there) => !there,
        ),
      ).toBe(false)
      return stdout
    }

    it.each([
      'opened',
      'ready',
      'reading',
      'in-data',
      'in-write',
      'in-drop',
      'in-close',
      'releasing',
      'destroying',
      'released',
      'released-at-once-twice',
      'released-while-reading',
      'piped-to-itself',
      'unreferenced',
      'failing',
    ])('that leaves when the device is %s ends with 0 and without a word', async (stage) => {
      expect(await run(stage)).toBe('')
    })

    it.each(['idle', 'referenced-again'])('stays alive while its device is %s', async (stage) => {
      expect(await run(stage)).toBe('alive\n')
    })

    it('hears of an exception in a listener as of any other', async () => {
      expect(await run('throwing')).toBe('from a listener\n')
    })

    it('collects released devices, their slabs included', async () => {
      const { left, buffers } = JSON.parse(await run('garbage', '--expose-gc'))
      // One may still be in a register or on the stack.
      expect(left).toBeLessThanOrEqual(1)
      expect(buffers).toBeLessThan(4 << 20)
    })

    it('that is killed leaves no device', async () => {
      const child = lab.keep(host.spawn([process.execPath, CHILD, 'stays', host.namespace, NAME]))
      await once(child.stdout!, 'data')
      const closed = once(child, 'close')
      child.kill('SIGKILL')
      await closed
      expect(
        await settled(
          () => exists(NAME),
          (there) => !there,
        ),
      ).toBe(false)
    })
  })

  describe('a worker', () => {
    const start = async (stage: string, name: string): Promise<Worker> => {
      const worker = new Worker(CHILD, { workerData: [stage, host.namespace, name] })
      await once(worker, 'message')
      return worker
    }
    const gone = (name: string): Promise<boolean> =>
      settled(
        () => exists(name),
        (there) => !there,
      )

    it('has devices of its own, beside those of others, and gives them back when it is ended', async () => {
      const before = fds()
      const names = ['vtw0', 'vtw1', 'vtw2']
      const workers = await Promise.all(names.map((name) => start('stays', name)))
      const mine = new Tap({ netns: host.namespace, name: NAME })
      expect(names.every(exists)).toBe(true)
      await Promise.all(workers.map((worker) => worker.terminate()))
      for (const name of names) expect(await gone(name)).toBe(false)
      expect(mine.isUp).toBe(false)
      await new Promise<void>((resolve) => mine.release(() => resolve()))
      await settled(fds, (n) => n <= before)
      expect(fds()).toBeLessThanOrEqual(before)
    })

    it('can be ended in the middle of a listener', async () => {
      const worker = await start('spins', NAME)
      await worker.terminate()
      expect(await gone(NAME)).toBe(false)
    })

    it.each(['opened', 'in-data', 'in-write', 'releasing', 'released', 'unreferenced'])(
      'that leaves when the device is %s ends with 0',
      async (stage) => {
        const worker = new Worker(CHILD, { workerData: [stage, host.namespace, NAME] })
        const [code] = await once(worker, 'exit')
        expect(code).toBe(0)
        expect(await gone(NAME)).toBe(false)
      },
    )
  })
})
