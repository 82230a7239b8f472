// What clocks say to this process: the addon's, the engine's that has just waited, both since boot, and the monotonic one; ms.
// argv: a batch's slots, and the size of its columns.
import { createRequire } from 'node:module'

const { Engine, sinceBoot } = createRequire(import.meta.url)('../../build/Release/vtepd.node')
const engine = new Engine()
const stats = new Float64Array(64)
engine.attachStats(stats)
const columns = new ArrayBuffer(Number(process.argv[3]))
const id = engine.attach(columns, Number(process.argv[2]), new Uint8Array(1 << 20))
engine.wait(0, id, id)
const monotonic = Number(process.hrtime.bigint() / 1_000_000n)
console.log(JSON.stringify({ addon: sinceBoot(), engine: stats[0], monotonic }))
