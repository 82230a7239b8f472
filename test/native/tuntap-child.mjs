// A process that leaves at one stage of a device's life, or a worker that does; run by tuntap-life.test.ts. Plain JavaScript over
// dist/, because workers load no TypeScript on every supported Node.
//   tuntap-child.mjs STAGE NETNS NAME
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { Tap, Tun } from '../../dist/tuntap.js'

const [stage, netns, name] = workerData ?? process.argv.slice(2)
const FRAME = Buffer.concat([Buffer.from('ffffffffffff02000000000108060001', 'hex'), Buffer.alloc(44)])

const open = (more = {}) => new Tap({ netns, name, up: true, ...more })
const say = (text) => (parentPort ? parentPort.postMessage(text) : process.stdout.write(`${text}\n`))

const stages = {
  // Leaves by process.exit with the device …
  opened: () => {
    open()
    process.exit(0)
  },
  ready: async () => {
    await once(open(), 'ready')
    process.exit(0)
  },
  reading: async () => {
    open({ vnetHdr: true }).on('data', () => {})
    await turn()
    process.exit(0)
  },
  // The device comes up with packets of its own (IPv6).
  'in-data': () => open().on('data', () => process.exit(0)),
  'in-write': () => open().write(FRAME, () => process.exit(0)),
  'in-drop': () => {
    const tap = open({ up: false })
    tap.on('drop', () => process.exit(0))
    tap.write(FRAME)
  },
  'in-close': () => open().release(() => process.exit(0)),
  releasing: () => {
    open().release()
    process.exit(0)
  },
  destroying: () => {
    open().destroy()
    process.exit(0)
  },
  // … or by having nothing left to do.
  released: () => open().release(),
  'released-at-once-twice': () => {
    const tap = open()
    tap.release()
    tap.release()
    tap.destroy()
  },
  'released-while-reading': () => {
    const tap = open()
    tap.on('data', () => tap.release())
  },
  'piped-to-itself': async () => {
    const tap = open()
    tap.pipe(tap)
    tap.write(FRAME)
    await turn()
    tap.release()
  },
  unreferenced: () => {
    open()
      .unref()
      .on('data', () => {})
  },
  'referenced-again': () => {
    const tap = open().unref().ref()
    setTimeout(() => {
      say('alive')
      tap.release()
    }, 100).unref()
  },
  idle: () => {
    const tap = open()
    setTimeout(() => {
      say('alive')
      tap.release()
    }, 100).unref()
  },
  throwing: () => {
    process.once('uncaughtException', (error) => {
      say(error.message)
      process.exit(0)
    })
    open().on('data', () => {
      throw new Error('from a listener')
    })
  },
  failing: () => {
    for (const options of [{ name: '' }, { name: 'lo' }, { netns: '/nowhere' }, { mtu: 65535 }, { nonsense: 1 }]) {
      try {
        new Tap({ netns, name, ...options }).release()
      } catch {}
    }
  },
  // Needs --expose-gc: released devices leave nothing on the heap, dropped ones nothing that crashes.
  garbage: async () => {
    const released = []
    for (let i = 0; i < 64; i++) {
      const tap = new Tap({ netns, vnetHdr: true })
      tap.on('data', () => {})
      released.push(new WeakRef(tap))
      await new Promise((resolve) => tap.release(resolve))
    }
    for (let i = 0; i < 3; i++) {
      await turn()
      globalThis.gc()
    }
    const left = released.filter((ref) => ref.deref()).length
    say(JSON.stringify({ left, buffers: process.memoryUsage().arrayBuffers }))
  },
  // For workers: says when it reads, then stays until it is ended from outside.
  stays: async () => {
    const taps = [open(), new Tun({ netns, up: true })]
    for (const tap of taps) tap.on('data', () => {})
    await once(taps[0], 'ready')
    say('reading')
  },
  spins: async () => {
    open().on('data', () => {
      say('reading')
      for (;;);
    })
  },
}

await stages[stage]()
