// `vtepd capture` as people run it, against a fake agent; see main.test.ts.
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ended, start, typed } from '../../support/command-line.ts'
import { ARP, running } from '../../support/fake-socket.ts'
import { until } from '../../support/overlay.ts'

describe('capture', () => {
  test('into a pipe is pcap, up to the count', async () => {
    const { agent, at } = await running()
    const child = start(['capture', '-n', '2', ...at])
    await until(
      'the capture',
      () => agent.sinks.size,
      (n) => n === 1,
    )
    for (const sink of agent.sinks) for (let i = 0; i < 5; i++) sink(ARP)
    const { code, stdout, stderr } = await ended(child)
    expect([code, stderr]).toEqual([0, ''])
    expect(Buffer.from(stdout, 'latin1').subarray(24)).toEqual(Buffer.concat([ARP, ARP]))
    await until(
      'captures',
      () => agent.sinks.size,
      (n) => n === 0,
    )
  })

  test('into a file is whole after Ctrl-C, and for its owner alone', async () => {
    const { agent, at, dir } = await running()
    const path = join(dir, 'blue.pcap')
    const child = start(['capture', '--network', 'blue', '-w', path, ...at])
    await until(
      'the capture',
      () => agent.sinks.size,
      (n) => n === 1,
    )
    for (const sink of agent.sinks) sink(ARP)
    await until(
      'the file',
      () => statSync(path, { throwIfNoEntry: false })?.size ?? 0,
      (n) => n === 24 + ARP.length,
    )
    child.kill('SIGINT')
    expect(await ended(child)).toMatchObject({ code: 130, stdout: '', stderr: '' })
    expect(readFileSync(path)).toHaveLength(24 + ARP.length)
  })

  test('ends with 0 when the agent stops', async () => {
    const { agent, at } = await running()
    const child = start(['capture', ...at])
    const end = ended(child)
    await until(
      'the capture',
      () => agent.sinks.size,
      (n) => n === 1,
    )
    await typed(['stop', ...at])
    expect(await end).toMatchObject({ code: 0, stderr: '' })
  })

  test('of an unknown network, into a directory, and of no packets is refused', async () => {
    const { at, dir } = await running()
    expect(await typed(['capture', '--network', 'green', ...at])).toMatchObject({ code: 2, stdout: '' })
    expect(await typed(['capture', '-w', dir, ...at])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('cannot write the capture'),
    })
    expect(await typed(['capture', '-n', '0', ...at])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--count'),
    })
  })
})
