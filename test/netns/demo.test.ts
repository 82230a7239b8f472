// `vtepd demo` as somebody runs it who has just built the project.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { built } from '../../src/lab/built.ts'
import { describeRoot } from '../support/root.ts'
import { namespacesOf, processesOf, settled } from '../support/traces.ts'

const PATIENCE = 45_000

class Demo {
  readonly child: ChildProcessByStdio<null, Readable, Readable>
  readonly ended: Promise<number | null>
  stdout = ''
  stderr = ''

  constructor() {
    // A group of its own: who is in it afterwards was left behind.
    this.child = spawn(process.execPath, [built('main.js'), 'demo'], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
    })
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    this.ended = new Promise((resolve) => {
      this.child.once('close', resolve)
    })
  }

  async expectNothingLeft(): Promise<void> {
    const pid = this.child.pid!
    expect(namespacesOf(pid)).toEqual([])
    expect(
      await settled(
        () => processesOf(pid),
        (left) => left.length === 0,
      ),
    ).toEqual([])
  }
}

describeRoot('vtepd demo', () => {
  it(
    'draws, pings, measures, prints a table and cleans up',
    async () => {
      const demo = new Demo()
      expect(await demo.ended, demo.stderr).toBe(0)
      expect(demo.stdout.indexOf('veth')).toBeLessThan(demo.stdout.indexOf('two hosts and an underlay'))
      expect(demo.stdout).toContain('100 of 100 answered')
      for (const row of [/^TCP, one stream +Gbit\/s +[\d.]+/m, /^UDP, 1400 bytes +Gbit\/s +[\d.]+/m]) {
        expect(demo.stdout).toMatch(row)
      }
      const rtt = /^RTT, median +ms +([\d.]+)/m.exec(demo.stdout)
      expect(Number(rtt?.[1])).toBeGreaterThan(0)
      for (const host of ['a', 'b'])
        expect(demo.stdout).toMatch(new RegExp(`^dropped by the agent on ${host}: \\S`, 'm'))
      await demo.expectNothingLeft()
    },
    PATIENCE,
  )

  it.each(['two hosts and an underlay', 'an agent on each', 'vtepd: TCP'])(
    'is interrupted at "%s" and leaves nothing behind',
    async (moment) => {
      const demo = new Demo()
      expect(
        await settled(
          () => demo.stdout,
          (text) => text.includes(moment),
          20_000,
        ),
      ).toContain(moment)
      demo.child.kill('SIGINT')
      expect(await demo.ended, demo.stderr).toBe(130)
      await demo.expectNothingLeft()
    },
    PATIENCE,
  )
}, ['ping'])
