// A gate: packets make no garbage. 10^5 of them through each walk, in a process of its own whose young generation is so small
// that one object a packet would fill it.
import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { bundled } from '../../support/bundled.ts'

const CHILD = bundled('test/support/alloc-child.mjs')

interface Cost {
  sent: number
  collections: number
  bytesPerPacket: number
}

function measure(...words: string[]): Record<string, Cost> {
  const flags = ['--expose-gc', '--max-semi-space-size=1', '--no-concurrent-recompilation']
  return JSON.parse(execFileSync(process.execPath, [...flags, CHILD, ...words], { encoding: 'utf8' }))
}

test('10^5 packets through each walk cause no collection and leave nothing on the heap', () => {
  const report = measure()
  expect(Object.keys(report)).toHaveLength(10)
  for (const [name, { sent, collections, bytesPerPacket }] of Object.entries(report)) {
    // A walk that refuses everything makes no garbage either.
    expect(sent, `${name}: packets sent`).toBeGreaterThan(40_000)
    expect(collections, `${name}: collections`).toBe(0)
    expect(bytesPerPacket, `${name}: bytes per packet`).toBeLessThan(1)
  }
})

test('an object a packet would be seen', () => {
  const { wasteful } = measure('wasteful')
  expect(wasteful!.collections).toBeGreaterThan(0)
})
