// A worker that seals a batch large enough to be shared out, and then only waits to be ended.
import { createRequire } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'

const { Engine } = createRequire(import.meta.url)('../../build/Release/vtepd.node')
const { columns, slots, bytes, helpers } = workerData
const engine = new Engine()
const id = engine.attach(columns, slots, bytes)
engine.setHelpers(helpers)
engine.setKey(0, new Uint8Array(32), 1)
if (engine.seal(id, slots) !== 0) throw new Error('not sealed')
parentPort.postMessage('sealed')
setInterval(() => engine.seal(id, slots), 1000)
