// What ChaCha20-Poly1305 costs per packet with each cipher that this process has: sealing and opening in place, on one thread,
// and what helping threads make of a large batch.
import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { Batch, HEADROOM, TAILROOM } from '../src/batch.ts'
import { aeadEngines, aeadUse, Engine } from '../src/host/addon.ts'
import { median } from '../src/lab/median.ts'
import { line, type Timing, time } from './timing.ts'

/** Messages of a call. */
const FEW = 32
const MANY = 256
const SIZES = [64, 256, 1420]
const OVERHEAD = 32
const CALLS = 2000
/** Crew::kMost. */
const HELPERS = 3

export function aead(): void {
  for (const name of aeadEngines()) {
    aeadUse(name)
    for (const size of SIZES) alone(name, size)
  }
  aeadUse(null)
  shared(0)
  const spare = Math.min(availableParallelism() - 1, HELPERS)
  if (spare > 0) shared(spare)
}

class Bench {
  private readonly engine = new Engine()
  private readonly batch: Batch

  constructor(slots: number, size: number, helpers: number) {
    const stride = (HEADROOM + size + OVERHEAD + TAILROOM + 63) & ~63
    const batch = new Batch(slots, new Uint8Array(slots * stride))
    batch.id = this.engine.attach(batch.columns, batch.slots, batch.bytes)
    batch.key.fill(0)
    batch.len.fill(size + OVERHEAD)
    for (let i = 0; i < slots; i++) {
      batch.off[i] = i * stride + HEADROOM
      batch.ctr[i] = i
    }
    this.batch = batch
    this.engine.setHelpers(helpers)
    this.engine.setKey(0, randomBytes(32), 1)
  }

  seal(): number {
    return this.engine.seal(this.batch.id, this.batch.slots)
  }

  open(): number {
    return this.engine.open(this.batch.id, this.batch.slots)
  }
}

function alone(name: string, size: number): void {
  const bench = new Bench(FEW, size, 0)
  const seal = time((n) => {
    let failed = 0
    for (let k = 0; k < n; k += FEW) failed += bench.seal()
    return failed
  })
  // Opening leaves nothing to open again, so it is timed together with sealing.
  const both = time((n) => {
    let failed = 0
    for (let k = 0; k < n; k += FEW) failed += bench.seal() + bench.open()
    return failed
  })
  line(`${name}, seal ${size} bytes`, seal, rate(seal.ns, size))
  line(`${name}, open ${size} bytes`, { ns: both.ns - seal.ns, spread: both.spread })
}

// By the clock on the wall: the helpers' CPU time is what one pays with.
function shared(helpers: number): void {
  const size = SIZES[SIZES.length - 1]!
  const bench = new Bench(MANY, size, helpers)
  const all: number[] = []
  for (let i = 0; i < CALLS; i++) {
    const start = performance.now()
    bench.seal()
    all.push(((performance.now() - start) * 1e6) / MANY)
  }
  const sorted = all.toSorted((a, b) => a - b)
  const timing: Timing = {
    ns: median(all),
    spread: sorted[Math.floor(CALLS * 0.9)]! / sorted[Math.floor(CALLS * 0.1)]! - 1,
  }
  line(`shared, seal ${MANY} × ${size} bytes, ${helpers} helping`, timing, rate(timing.ns, size))
}

function rate(ns: number, size: number): string {
  return `${((size * 8) / ns).toFixed(1)} Gbit/s`
}
