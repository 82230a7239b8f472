// The machine that finds out what a path carries, on a virtual clock and a virtual path: stories, with what was found and when,
// and what it cost.
import { describe, expect, test } from 'vitest'
import { BASE, CHECK, MUTE, NEVER, PathProbe } from '../../../src/datapath/path-probe.ts'
import { generator, seed } from '../../support/seed.ts'

interface Path {
  /** What arrives, bytes. */
  mtu: number
  /** Milliseconds there and back. */
  rtt: number
  /** Share of probes that are lost whatever their size. */
  loss: number
  /** Whether the far end answers at all. */
  answers: boolean
  /** Whether what is sent leaves. */
  leaves: boolean
}

interface Probe {
  at: number
  size: number
  nonce: number
}

class World {
  readonly path: Path
  readonly probe: PathProbe
  readonly sent: Probe[] = []
  /** [when, what]: 0 is the kernel's word. */
  readonly found: [number, number][] = []
  now = 1000
  private readonly answers: Probe[] = []
  private readonly chance = generator(seed)
  private kernel: number

  constructor(kernel: number, path: Partial<Path> = {}, v6 = false) {
    this.kernel = kernel
    this.path = { mtu: kernel, rtt: 10, loss: 0, answers: true, leaves: true, ...path }
    this.probe = new PathProbe(7, {
      probe: (_tunnel, sizes, nonce) => this.ask(sizes, nonce),
      found: (_tunnel, mtu) => this.found.push([this.now, mtu]),
    })
    this.probe.setCeiling({ mtu: kernel, v6, moved: true }, this.now)
  }

  /** What the path is taken to carry. */
  get mtu(): number {
    return this.found.at(-1)?.[1] || this.kernel
  }

  setKernel(mtu: number, moved = false): void {
    if (moved || mtu > this.kernel) this.found.push([this.now, 0])
    this.kernel = mtu
    this.probe.setCeiling({ mtu, v6: false, moved }, this.now)
  }

  /** Lets time pass; a large packet every `every` milliseconds if given. */
  run(ms: number, every = 0, large = true): void {
    const end = this.now + ms
    let next = every > 0 ? this.now : NEVER
    for (;;) {
      const answer = Math.min(...this.answers.map((a) => a.at))
      const at = Math.min(answer, this.probe.deadline, next)
      if (at > end) break
      this.now = Math.max(this.now, at)
      if (at === next) {
        next += every
        this.probe.sent(large, this.now)
      } else if (at === answer) {
        const k = this.answers.findIndex((a) => a.at === at)
        const [a] = this.answers.splice(k, 1)
        this.probe.answered(a!.nonce, a!.size, this.now)
      } else {
        this.probe.expire(this.now)
      }
    }
    this.now = end
  }

  private ask(sizes: readonly number[], nonce: number): void {
    const { path } = this
    for (const size of sizes) {
      this.sent.push({ at: this.now, size, nonce })
      if (!path.leaves) this.probe.unsent(nonce, size)
      else if (path.answers && size <= path.mtu && this.chance() / 2 ** 32 >= path.loss) {
        this.answers.push({ at: this.now + path.rtt, size, nonce })
      }
    }
  }
}

/** The sizes that were asked for in each round. */
function rounds(w: World): number[][] {
  const nonces = [...new Set(w.sent.map((p) => p.nonce))]
  return nonces.map((nonce) => w.sent.filter((p) => p.nonce === nonce).map((p) => p.size))
}

describe('the first data', () => {
  test('asks for the full size at once, and that is all when it arrives', () => {
    const w = new World(1500)
    w.probe.sent(false, w.now)
    expect(rounds(w)).toEqual([[128, BASE, 1500]])
    w.run(60_000)
    expect(w.sent).toHaveLength(3)
    expect(w.found).toEqual([])
    expect(w.probe.deadline).toBe(NEVER)
  })

  // [kernel, path, IPv6, what is found, milliseconds until it is no more than the path carries]
  test.each([
    ['a path of 1280', 1500, 1280, false, 1280, 100],
    ['one of 1280 under IPv6', 1500, 1280, true, 1280, 100],
    ['PPPoE', 1500, 1492, false, 1492, 100],
    ['one of 1400', 1500, 1400, false, 1400, 100],
    ['one of 1419', 1500, 1419, false, 1415, 100],
    ['one of 1499', 1500, 1499, false, 1492, 100],
    ['one of 1500 behind a jumbo link', 9000, 1500, false, 1500, 100],
    ['one of 4000 behind a jumbo link', 9000, 4000, false, 3996, 100],
    ['one of 1300', 1500, 1300, false, 1300, 100],
    ['one of 1200', 1500, 1200, false, 1197, 2500],
    ['one of 576', 1500, 576, false, 576, 2500],
    ['one of 300, which no path is', 1500, 300, false, 576, 2500],
    ['one of 1000 under IPv6, which no path is', 1500, 1000, true, 1280, 2500],
    ['one of 1200 where the kernel knows of 1280', 1280, 1200, false, 1197, 2500],
  ])('finds %s', (_title, kernel, mtu, v6, found, within) => {
    const w = new World(kernel, { mtu }, v6)
    w.probe.sent(false, w.now)
    w.run(10_000)
    expect(w.mtu).toBe(found)
    expect(w.found[0]![0] - 1000).toBeLessThan(within)
    for (const [, what] of w.found) expect(what).toBeLessThanOrEqual(Math.max(mtu, v6 ? 1280 : 576))
    expect(w.probe.deadline).toBe(NEVER)
  })

  test.each([1, 10, 50, 150, 300, 600])('takes about three round trips of %i ms', (rtt) => {
    const w = new World(1500, { mtu: 1400, rtt })
    w.probe.sent(true, w.now)
    w.run(20_000)
    expect(w.found[0]![1]).toBe(1400)
    expect(w.found[0]![0] - 1000).toBeLessThan(5 * rtt + 400)
  })

  test('the sizes of the second round answer what holds then', () => {
    const w = new World(1500, { mtu: 1400 })
    w.probe.sent(true, w.now)
    w.run(10_000)
    expect(rounds(w).slice(0, 4)).toEqual([
      [128, 1280, 1500],
      [128, 1280, 1320, 1360, 1400, 1420, 1440, 1460, 1480, 1492, 1500],
      [128, 1280, 1320, 1360, 1400, 1420, 1440, 1460, 1480, 1492, 1500],
      [1400, 1410],
    ])
  })

  test('a path that the kernel knows to be narrow needs no probe under IPv6', () => {
    const w = new World(1280, {}, true)
    w.run(5000, 100)
    expect(w.sent).toEqual([])
  })

  test.each([0.05, 0.2])('a share of %d lost changes next to nothing', (loss) => {
    for (let k = 0; k < 50; k++) {
      const w = new World(1500, { loss })
      w.probe.sent(true, w.now)
      w.run(20_000)
      expect(w.mtu).toBeGreaterThanOrEqual(1460)
    }
  })
})

describe('nobody answers', () => {
  test('what the kernel says holds, and the probes end soon', () => {
    const w = new World(1500, { answers: false })
    w.run(30_000, 10)
    expect(w.found).toEqual([])
    expect(rounds(w)).toHaveLength(5)
    expect(w.sent.at(-1)!.at - 1000).toBe(1500)
    expect(w.probe.deadline).toBe(NEVER)
  })

  test('it is asked again after two minutes, and with a new session', () => {
    const w = new World(1500, { answers: false })
    w.run(30_000, 10)
    w.probe.begun()
    w.run(10_000, 10, false)
    expect(rounds(w)).toHaveLength(10)
    w.run(MUTE - 10_000, 10)
    expect(rounds(w)).toHaveLength(10)
    w.run(10_000, 10)
    expect(rounds(w)).toHaveLength(15)
  })

  test('what was known holds, when a far end stops answering', () => {
    const w = new World(1500, { mtu: 1400 })
    w.run(5000, 10)
    expect(w.mtu).toBe(1400)
    w.path.answers = false
    w.run(20_000, 10)
    expect(w.mtu).toBe(1400)
  })

  test('probes that cannot leave prove nothing', () => {
    const w = new World(1500, { leaves: false })
    w.run(30_000, 10)
    expect(w.found).toEqual([])
    w.path.leaves = true
    w.path.mtu = 1280
    w.probe.begun()
    w.run(1000, 10)
    expect(w.mtu).toBe(1280)
  })
})

describe('data goes on', () => {
  test('large packets ask for the size in use once a second, small ones do not', () => {
    const w = new World(1500)
    w.run(1000, 10, false)
    const before = w.sent.length
    w.run(60_000, 10, false)
    expect(w.sent).toHaveLength(before)
    w.run(10 * CHECK, 10)
    expect(w.sent.length - before).toBeLessThanOrEqual(11)
    expect(new Set(w.sent.slice(before).map((p) => p.size))).toEqual(new Set([1500]))
  })

  test('an idle tunnel sends nothing', () => {
    const w = new World(1500, { mtu: 1400 })
    w.run(10_000, 10)
    const before = w.sent.length
    w.run(86_400_000)
    expect(w.sent).toHaveLength(before)
    expect(w.probe.deadline).toBe(NEVER)
  })

  // [from, to, milliseconds]
  test.each([
    [1500, 1280, 1500],
    [1500, 1400, 1500],
    [1500, 1000, 4000],
    [1400, 1280, 1500],
    [1280, 700, 4000],
    [9000, 1500, 1500],
  ])('a hop that narrows from %i to %i is found', (from, to, within) => {
    const w = new World(Math.max(1500, from), { mtu: from })
    w.run(20_000, 10)
    expect(w.mtu).toBe(from)
    w.path.mtu = to
    const began = w.now
    w.run(within, 10)
    expect(w.mtu).toBeLessThanOrEqual(to)
    w.run(8000, 10)
    expect(w.mtu).toBeGreaterThan(to - 9)
    expect(w.found.find(([at]) => at > began)![0] - began).toBeLessThan(within)
  })

  test('after a pause the first large packet asks at once', () => {
    const w = new World(1500)
    w.run(2000, 10)
    w.run(60_000)
    w.path.mtu = 1400
    const began = w.now
    w.run(1000, 300)
    expect(w.mtu).toBe(1400)
    expect(w.found.at(-1)![0] - began).toBeLessThan(300)
  })

  test('a path that widens is found after ten seconds, a minute, ten minutes', () => {
    for (const [narrow, wide] of [
      [5_000, 15_000],
      [40_000, 80_000],
      [300_000, 960_000],
    ] as const) {
      const w = new World(1500, { mtu: 1280 })
      w.run(narrow, 10)
      expect(w.mtu).toBe(1280)
      w.path.mtu = 1500
      w.run(wide, 10, false)
      expect(w.mtu).toBe(1500)
    }
  })

  test('a path that widens half way is used so far', () => {
    const w = new World(1500, { mtu: 1280 })
    w.run(5000, 10)
    w.path.mtu = 1450
    w.run(10_000, 10)
    expect(w.mtu).toBe(1450)
  })

  test('a narrow path is asked for the full size ever less often', () => {
    const w = new World(1500, { mtu: 1280 })
    w.run(3_600_000, 500)
    const raises = w.found.length
    const full = w.sent.filter((p) => p.size === 1500)
    expect(raises).toBe(1)
    // Three rounds at first, four each of the next.
    expect(full.length).toBeLessThan(45)
  })

  test('a share of 0.01 lost is no narrow path', () => {
    const w = new World(1500, { loss: 0.01 })
    w.run(3_600_000, 50)
    expect(w.found).toEqual([])
  })

  test('when queues let only some through, a wrong guess costs little and is mended', () => {
    const w = new World(1500, { loss: 0.3 })
    w.run(1_200_000, 50)
    for (const [, what] of w.found) expect(what === 0 || what >= 1400).toBe(true)
    w.path.loss = 0
    w.run(601_000, 50)
    expect(w.mtu).toBe(1500)
  })

  test('a round trip that grows to half a second is no loss', () => {
    const w = new World(1500, { rtt: 1 })
    w.run(5000, 10)
    w.path.rtt = 500
    w.run(30_000, 10)
    expect(w.found).toEqual([])
  })
})

describe('the kernel', () => {
  test('knows of a narrower path: the question goes on with its word', () => {
    const w = new World(1500, { mtu: 1400 })
    w.probe.sent(true, w.now)
    w.setKernel(1400)
    w.run(5000, 10)
    expect(w.mtu).toBe(1400)
    expect(w.found).toEqual([])
  })

  test('says less than was found', () => {
    const w = new World(1500, { mtu: 1400 })
    w.run(5000, 10)
    w.setKernel(1380)
    w.run(5000, 10)
    expect(w.sent.at(-1)!.size).toBe(1380)
  })

  test('says more: what was found is void, and the new size is asked for', () => {
    const w = new World(1500)
    w.run(5000, 10)
    w.setKernel(9000)
    w.path.mtu = 1500
    expect(w.mtu).toBe(9000)
    w.run(1000, 10)
    expect(w.mtu).toBe(1500)
  })

  test('has no route: nothing is asked', () => {
    const w = new World(1500)
    w.probe.setCeiling({ mtu: 0, v6: false, moved: true }, w.now)
    w.run(5000, 10)
    expect(w.sent).toEqual([])
  })

  test('a far end that has moved is asked anew; answers from before count for nothing', () => {
    const w = new World(1500, { mtu: 1280, rtt: 50 })
    w.run(5000, 10)
    expect(w.mtu).toBe(1280)
    w.setKernel(1500, true)
    w.path.mtu = 1500
    expect(w.mtu).toBe(1500)
    const before = w.sent.length
    w.run(10)
    expect(w.sent).toHaveLength(before)
    w.run(500, 10)
    expect(rounds(w).at(-1)).toEqual([128, 1280, 1500])
    expect(w.mtu).toBe(1500)
  })
})

test('an answer that nobody asked for changes nothing', () => {
  const w = new World(1500)
  w.probe.answered(0, 1500, w.now)
  w.probe.answered(1, 9000, w.now)
  w.probe.sent(true, w.now)
  w.probe.answered(99, 1500, w.now)
  w.probe.answered(1, 9000, w.now)
  expect(w.probe.deadline).not.toBe(NEVER)
  expect(w.found).toEqual([])
})
