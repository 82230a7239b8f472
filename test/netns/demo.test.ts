// `vtepd demo` as somebody runs it who has just built the project.
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { built } from '../../src/lab/built.ts'
import { describeRoot } from '../support/root.ts'
import { namespacesOf, processesOf, settled } from '../support/traces.ts'

const PATIENCE = 60_000

class Demo {
  readonly child: ChildProcessByStdio<null, Readable, Readable>
  readonly ended: Promise<number | null>
  stdout = ''
  stderr = ''

  constructor(...flags: string[]) {
    // A group of its own: who is in it afterwards was left behind.
    this.child = spawn(process.execPath, [built('main.js'), 'demo', ...flags], {
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
    'draws, pings, measures, prints a table and cleans up; with --json all that goes to stderr, and one object to stdout',
    async () => {
      const demos = [new Demo(), new Demo('--json')] as const
      const [text, json] = demos
      for (const demo of demos) expect(await demo.ended, demo.stderr).toBe(0)
      for (const shown of [text.stdout, json.stderr]) {
        expect(shown.indexOf('veth')).toBeLessThan(shown.indexOf('two hosts and an underlay'))
        const pinged = [...shown.matchAll(/^(.+): pings both ways\n {2}100 of 100 answered$/gm)].map(
          (match) => match[1],
        )
        expect(pinged.slice(0, 2)).toEqual(['vtepd secure', 'vtepd plain'])
        expect(shown).toMatch(/^ +kernel VXLAN +vtepd plain +ratio +vtepd secure +ratio$/m)
        for (const row of ['TCP, one stream +Gbit/s', 'UDP, 1300 bytes +Gbit/s', 'RTT, median +ms']) {
          const figures = new RegExp(`^${row} +(\\S+) +(\\S+) +\\S+ +(\\S+) +\\S+$`, 'm').exec(shown)
          expect(Number(figures?.[2]), row).toBeGreaterThan(0)
          expect(Number(figures?.[3]), row).toBeGreaterThan(0)
        }
        expect(shown).toMatch(/^sealed by .* chacha20-\w+/m)
        for (const host of ['a', 'b']) expect(shown).toMatch(new RegExp(`^dropped by the agent on ${host}: \\S`, 'm'))
      }
      const figures = {
        tcpBitsPerSecond: expect.any(Number),
        udpBitsPerSecond: expect.any(Number),
        rttSeconds: expect.any(Number),
        pings: { sent: 100, answered: 100 },
      }
      const outcome = JSON.parse(json.stdout)
      expect(outcome).toMatchObject({ schema: 1, secure: figures, plain: figures, drops: { a: {}, b: {} } })
      expect(outcome.kernel === null).toBe(outcome.lacking !== null)
      expect(json.stderr).toMatch(new RegExp(`^sealed by .* ${outcome.aead}`, 'm'))
      for (const demo of demos) await demo.expectNothingLeft()
    },
    PATIENCE,
  )

  it.each(['two hosts and an underlay', 'an agent on each', 'vtepd secure: TCP'])(
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
