// Hosts from nothing to one network by `vtepd invite` and `vtepd join`, as people type them; agents are started by the commands.
//
//   a, b, c: no configuration at all; eth0 198.18.0.1, .2, .3 ── br0 of switch
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { built } from '../../src/lab/built.ts'
import { CommandError } from '../../src/lab/command.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { untilReaches } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'

/** Sockets for wg(8) are called after interfaces: each host's agent has a place of its own for them. */
const WITH_OWN_RUN = 'd=/var/run/wireguard; mkdir -p $d 2>/dev/null && mount -t tmpfs tmpfs $d; exec "$@"'

let lab: Lab
let [a, b, c]: Host[] = []

function place(host: Host, name: string): string {
  return join(lab.dir, host.name, name)
}

async function vtepd(host: Host, ...words: string[]): Promise<string> {
  const places = ['config', 'runtime', 'state'].flatMap((name) => [`--${name}-dir`, place(host, name)])
  const program = [process.execPath, built('main.js'), ...words, ...places]
  return (await host.run(['sh', '-c', WITH_OWN_RUN, 'sh', ...program])).stdout.trim()
}

/** What it says when it fails. */
async function refused(host: Host, ...words: string[]): Promise<string> {
  const error = await vtepd(host, ...words).catch((e: unknown) => e)
  expect(error).toBeInstanceOf(CommandError)
  return (error as CommandError).message
}

describeRoot('invite and join', () => {
  let used: string

  beforeAll(async () => {
    lab = new Lab()
    ;[a, b, c] = [await lab.host('a'), await lab.host('b'), await lab.host('c')]
    await lab.connect([a, b, c].map((host, i) => ({ host, addresses: [`198.18.0.${i + 1}/24`] })))
    lab.beforeClose(async () => {
      for (const host of [a!, b!, c!]) await vtepd(host, 'stop').catch(() => {})
    })
  })
  afterAll(() => lab?.close())

  it('link two hosts that had nothing, by one line on each', async () => {
    used = await vtepd(a!, 'invite', 'host-b')
    expect(used).toMatch(/^vtepd1-[\w-]+$/)
    expect(await vtepd(b!, 'join', used)).toMatch(/^joined network overlay as host-b: vt42 10\.42\.0\.2\/24/)
    await untilReaches(b!, '10.42.0.1')
  })

  it('refuse a used token with the reason, and an altered one before anything is sent', async () => {
    expect(await refused(c!, 'join', used)).toMatch(/this invitation was used on .*vtepd invite host-b/)
    const altered = used.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))
    expect(await refused(c!, 'join', altered)).toContain('the token is damaged')
  })

  it('refuse an expired token with the reason', async () => {
    const token = await vtepd(a!, 'invite', 'late', '--expires', '1s')
    await expect
      .poll(() => refused(c!, 'join', token, '--address', '192.0.2.1'), { timeout: 20_000 })
      .toMatch(/has expired/)
  })

  it('bring in a third host after a restart in between, and every member learns of it', async () => {
    const token = await vtepd(a!, 'invite', 'host-c')
    await vtepd(a!, 'stop')
    const again = await vtepd(a!, 'invite', 'spare')
    expect(again).not.toBe(token)
    expect(await vtepd(c!, 'join', token)).toMatch(/as host-c: vt42 10\.42\.0\.3\/24.*host-b/)
    await untilReaches(c!, '10.42.0.1')
    await untilReaches(c!, '10.42.0.2')
    await untilReaches(b!, '10.42.0.3')
  })

  it('write files for nobody but their owner', () => {
    for (const host of [a!, b!, c!]) {
      const dir = place(host, 'config/conf.d')
      const names = readdirSync(dir)
      expect(names).not.toEqual([])
      for (const name of names) expect(statSync(join(dir, name)).mode & 0o777, name).toBe(0o600)
    }
  })
})
