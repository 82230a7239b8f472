// Sealing and opening by the native Engine over a real socket, compared with node:crypto byte for byte.
import { createCipheriv, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Batch, KEEPALIVE, TCP4 } from '../../src/batch.ts'
import { aeadEngine, aeadEngines, aeadUse, Engine } from '../../src/host/addon.ts'
import { Loopback, openPlainly } from '../support/loopback.ts'

const EBADMSG = -74
const ENOKEY = -126
const REMOTE = 0xfedcba98
const TCP_HEADERS = 40

const packet = (length: number): Uint8Array => new Uint8Array(randomBytes(length))

describe.each(aeadEngines())('%s', (name) => {
  let loop: Loopback
  let key: Uint8Array

  beforeEach(() => {
    aeadUse(name)
    loop = new Loopback()
    key = packet(32)
    loop.engine.setKey(7, key, REMOTE)
  })
  afterEach(() => {
    loop.close()
    aeadUse(null)
  })

  it('seals what node:crypto seals, of every length', () => {
    const packets = [0, 1, 15, 16, 17, 63, 64, 65, 255, 256, 1023, 1024, 1420, 4000].map((n) => packet(n))
    for (const [i, p] of packets.entries()) {
      loop.clear()
      const slot = loop.put(p, 7, 1000 + i)
      if (p.length === 0) loop.out.kind[slot] = KEEPALIVE
      expect(loop.send()).toBe(0)
      expect(loop.receive(1)).toEqual([seal(p, key, REMOTE, 1000 + i)])
    }
  })

  it('opens what node:crypto sealed', () => {
    const packets = [0, 1, 15, 16, 17, 63, 64, 65, 1420, 3000].map((n) => packet(n))
    for (const [i, p] of packets.entries()) loop.put(seal(p, key, REMOTE, i * 2 ** 40), -1, 0)
    expect(loop.send()).toBe(0)
    for (let seen = 0; seen < packets.length; ) {
      expect(loop.fill()).toBe(true)
      const got = loop.datagrams()
      loop.cutOut(got, 7)
      expect(loop.engine.open(loop.cut.id, got.length)).toBe(0)
      for (let i = 0; i < got.length; i++) expect(loop.opened(i)).toEqual(packets[seen++])
    }
  })

  it('seals a train as its segments, under one counter each, in one message', () => {
    const payload = packet(20_000)
    put(loop, payload, 1000, 7, 500)
    expect(loop.send()).toBe(0)
    const got = loop.receive(20)
    expect(got.map((m) => openPlainly(m, key)!.subarray(TCP_HEADERS))).toEqual(
      Array.from({ length: 20 }, (_, i) => payload.subarray(i * 1000, i * 1000 + 1000)),
    )
    expect(got.map((m) => Number(new DataView(m.buffer).getBigUint64(8, true)))).toEqual(
      Array.from({ length: 20 }, (_, i) => 500 + i),
    )
  })

  it('opens messages of a received train where they lie, whoever helps', () => {
    const payload = packet(60_000)
    for (const helpers of [0, 3]) {
      loop.engine.setHelpers(helpers)
      loop.clear()
      put(loop, payload, 1000, 7, 0)
      expect(loop.send()).toBe(0)
      for (let seen = 0; seen < 60; ) {
        expect(loop.fill()).toBe(true)
        const got = loop.datagrams()
        got[3]![20]! ^= 1
        loop.cutOut(got, 7)
        expect(loop.engine.open(loop.cut.id, got.length)).toBe(1)
        for (let i = 0; i < got.length; i++, seen++) {
          expect(loop.cut.err[i]).toBe(i === 3 ? EBADMSG : 0)
          const want = payload.subarray(seen * 1000, seen * 1000 + 1000)
          if (i !== 3) expect(loop.opened(i).subarray(TCP_HEADERS)).toEqual(want)
        }
      }
    }
  })

  it('pads to a multiple of 16, at most to the limit', () => {
    loop.setPad(1420)
    for (const [length, padded] of [
      [20, 32],
      [1409, 1420],
      [1420, 1420],
    ] as const) {
      loop.clear()
      const p = packet(length)
      loop.put(p, 7, length)
      expect(loop.send()).toBe(0)
      const plain = new Uint8Array(padded)
      plain.set(p)
      expect(loop.receive(1)).toEqual([seal(plain, key, REMOTE, length)])
    }
  })

  it('fails what has no key any more', () => {
    const p = packet(100)
    loop.put(p, 7, 1)
    loop.put(p, 8, 1)
    loop.engine.clearKey(7)
    expect(loop.send()).toBe(2)
    expect([...loop.out.err.subarray(0, 2)]).toEqual([ENOKEY, ENOKEY])
    loop.cutOut([loop.messages.bytes.subarray(128, 228)], 7)
    expect(loop.engine.open(loop.cut.id, 1)).toBe(1)
    expect(loop.cut.err[0]).toBe(ENOKEY)
  })
})

describe('keys and ciphers', () => {
  it('the best cipher that passed its test is used unless another is chosen', () => {
    expect(aeadEngines().length).toBeGreaterThan(0)
    expect(aeadEngine()).toBe(aeadEngines()[0])
    const last = aeadEngines().at(-1)!
    aeadUse(last)
    expect(aeadEngine()).toBe(last)
    aeadUse(null)
    expect(aeadEngine()).toBe(aeadEngines()[0])
  })

  it('arguments that make no sense are refused', () => {
    const engine = new Engine()
    const key = packet(32)
    const bad: (() => void)[] = [
      () => engine.setKey(-1, key, 0),
      () => engine.setKey(65536, key, 0),
      () => engine.setKey(0.5, key, 0),
      () => engine.setKey(0, key.subarray(1), 0),
      () => engine.setKey(0, new Float64Array(4) as unknown as Uint8Array, 0),
      () => engine.setKey(0, 'a'.repeat(32) as unknown as Uint8Array, 0),
      () => engine.setKey(0, key, -1),
      () => engine.setKey(0, key, 2 ** 32),
      () => engine.clearKey(65536),
      () => engine.setEndpoint(0, new Uint8Array(32), new Uint8Array(16), 0, 65536),
      () => engine.setHelpers(4),
      () => engine.setHelpers(-1),
      () => engine.open(0, 1),
      () => engine.seal(0, 1),
      () => aeadUse('rot13'),
      () => aeadUse(13 as unknown as string),
    ]
    for (const call of bad) expect(call, String(call)).toThrow(TypeError)
    engine.setKey(65535, key, 2 ** 32 - 1)
    engine.clearKey(65535)
    engine.clearKey(1)
  })

  it('keys lie in memory that is locked and not dumped', (context) => {
    const limit = /^Max locked memory\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    if (Number(limit) < 65536) context.skip('RLIMIT_MEMLOCK is too low')
    const engine = new Engine()
    const before = guardedRegions()
    engine.setKey(0, packet(32), 1)
    expect(guardedRegions()).toBe(before + 1)
    engine.clearKey(0)
  })

  it('the threads that help are gone with the worker that had them', async () => {
    const batch = new Batch(512, new Uint8Array(512 * 2048))
    for (let i = 0; i < batch.slots; i++) {
      batch.off[i] = i * 2048 + 128
      batch.len[i] = 1452
      batch.key[i] = 0
    }
    const { columns, slots, bytes } = batch
    const worker = new Worker(new URL('../support/aead-worker.mjs', import.meta.url), {
      workerData: { columns, slots, bytes, helpers: 2 },
    })
    await once(worker, 'message')
    expect(threads().filter((name) => name === 'vtepd-seal')).toHaveLength(2)
    await worker.terminate()
    expect(threads()).not.toContain('vtepd-seal')
  })
})

/** A TCP train over IPv4 with that payload in the next slot; what the kernel fills in does not matter here. */
function put(loop: Loopback, payload: Uint8Array, segment: number, key: number, counter: number): void {
  const train = new Uint8Array(TCP_HEADERS + payload.length)
  train.set([0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2])
  train.set([0, 80, 0, 81, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x10], 20)
  train.set(payload, TCP_HEADERS)
  const i = loop.put(train, key, counter)
  loop.out.segment[i] = segment
  loop.out.header[i] = TCP_HEADERS
  loop.out.kind[i] = TCP4
  loop.out.sum[i] = (20 << 16) | 16
}

function seal(text: Uint8Array, key: Uint8Array, remote: number, counter: number): Uint8Array {
  const message = new Uint8Array(text.length + 32)
  const view = new DataView(message.buffer)
  view.setUint32(0, 4, true)
  view.setUint32(4, remote, true)
  view.setBigUint64(8, BigInt(counter), true)
  const nonce = new Uint8Array(12)
  nonce.set(message.subarray(8, 16), 4)
  const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 })
  message.set(cipher.update(text), 16)
  cipher.final()
  message.set(cipher.getAuthTag(), 16 + text.length)
  return message
}

/** Memory of this process that is locked (lo) and left out of core dumps (dd); proc_pid_smaps(5). */
function guardedRegions(): number {
  const flags = readFileSync('/proc/self/smaps', 'utf8').match(/^VmFlags:.*$/gm) ?? []
  return flags.filter((line) => / lo\b/.test(line) && / dd\b/.test(line)).length
}

/** Names of this process's threads. */
function threads(): string[] {
  return readdirSync('/proc/self/task').map((id) => readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim())
}
