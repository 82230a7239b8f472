// The lab itself: hosts that reach each other, and nothing left behind however it ends.
//
//   a eth0 198.18.0.1/30 ──── 198.18.0.2/30 eth0 b          a, b, c on one bridge, 198.18.0.1 to .3/24, fd00::1 to ::3/64
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { afterEach, expect, it } from 'vitest'
import { Iperf } from '../../src/lab/iperf.ts'
import { addKernelVxlan } from '../../src/lab/kernel-vxlan.ts'
import { Lab } from '../../src/lab/lab.ts'
import { Loadgen } from '../../src/lab/loadgen.ts'
import { ping } from '../../src/lab/ping.ts'
import { bundled } from '../support/bundled.ts'
import { describeRoot, missing } from '../support/root.ts'
import { namespacesOf, processesOf, settled } from '../support/traces.ts'

const PINGS = { count: 3, interval: 10 }
const MEASURE = { seconds: 1, warmup: 0 }

let lab: Lab | null = null

afterEach(async () => {
  await lab?.close()
  lab = null
})

async function twoHosts() {
  lab = new Lab()
  const a = await lab.host('a')
  const b = await lab.host('b')
  await lab.connect([
    { host: a, addresses: ['198.18.0.1/30'] },
    { host: b, addresses: ['198.18.0.2/30'] },
  ])
  return { lab, a, b }
}

describeRoot('a lab', () => {
  it('joins two hosts by a veth pair', async () => {
    const { a, b } = await twoHosts()
    const there = await ping(a, '198.18.0.2', PINGS)
    expect(there).toHaveLength(PINGS.count)
    expect(there.every((ms) => ms > 0 && ms < 1000)).toBe(true)
    expect(await ping(b, '198.18.0.1', PINGS)).toHaveLength(PINGS.count)
  })

  it('joins three hosts by a bridge, over IPv4 and IPv6', async () => {
    lab = new Lab()
    const hosts = [await lab.host('a'), await lab.host('b'), await lab.host('c')]
    await lab.connect(
      hosts.map((host, i) => ({ host, addresses: [`198.18.0.${i + 1}/24`, `fd00::${i + 1}/64`] })),
      1400,
    )
    for (const address of ['198.18.0.2', '198.18.0.3', 'fd00::2', 'fd00::3']) {
      expect(await ping(hosts[0]!, address, PINGS)).toHaveLength(PINGS.count)
    }
    expect(await hosts[2]!.ip('link', 'show', 'eth0')).toContain('mtu 1400')
  })

  it('says what a failed command said', async () => {
    const { a } = await twoHosts()
    await expect(a.ip('link', 'set', 'nowhere', 'up')).rejects.toThrow(/nowhere.* ended with 1: .*Cannot find device/)
  })

  it('says who does not answer pings', async () => {
    const { a, b } = await twoHosts()
    await b.ip('addr', 'del', '198.18.0.2/30', 'dev', 'eth0')
    const asked = ping(a, '198.18.0.2', { count: 1, interval: 10 })
    await expect(asked).rejects.toThrow("198.18.0.2 does not answer a's 1 pings")
  })

  it('gives a reason when the kernel refuses a VXLAN device', async () => {
    const { a } = await twoHosts()
    const ends = { local: '198.18.0.1', remote: '198.18.0.2', address: '10.42.0.1/24' }
    expect(await addKernelVxlan(a, { name: 'eth0', vni: 42, port: 4789, ...ends })).toContain('File exists')
  })

  it('counts what its own generator delivers', async () => {
    const { a, b } = await twoHosts()
    const load = { from: a, to: b, address: '198.18.0.2', ...MEASURE }
    const tcp = await new Loadgen().tcp(load, 2)
    expect(tcp.bitsPerSecond).toBeGreaterThan(1e7)
    expect(tcp.totalBytes * 8).toBeGreaterThan(tcp.bitsPerSecond / 2)
    expect((await new Loadgen().udp(load, 1000)).bitsPerSecond).toBeGreaterThan(1e6)
  })

  it('counts what iperf3 delivers', async (context) => {
    const absent = missing(['iperf3'])
    if (absent) context.skip(`needs ${absent}`)
    const { a, b } = await twoHosts()
    const load = { from: a, to: b, address: '198.18.0.2', ...MEASURE }
    expect((await new Iperf().tcp(load, 2)).bitsPerSecond).toBeGreaterThan(1e7)
    expect((await new Iperf().udp(load, 1000)).bitsPerSecond).toBeGreaterThan(1e6)
  })

  it('takes namespaces, processes and files with it when it closes, once and again', async () => {
    const { lab, a } = await twoHosts()
    const sleeper = a.spawn(['sleep', '60'])
    expect(namespacesOf(process.pid)).toHaveLength(2)
    await lab.close()
    await lab.close()
    expect(namespacesOf(process.pid)).toEqual([])
    expect(existsSync(lab.dir)).toBe(false)
    expect(await settled(() => sleeper.signalCode, Boolean)).toBe('SIGKILL')
  })

  it.each([
    ['an exception', "setTimeout(() => { throw new Error('broken') })", 1, null],
    ['process.exit', 'process.exit(7)', 7, null],
    ['SIGTERM', "process.kill(process.pid, 'SIGTERM')", 143, null],
    ['SIGINT in the middle of making a host', "lab.host('b'); process.kill(process.pid, 'SIGINT')", 130, null],
  ])('leaves nothing behind after %s', async (_title, end, exitCode, signal) => {
    const script = `
        import { Lab } from ${JSON.stringify(bundled('src/lab/lab.ts'))}
        const lab = new Lab()
        const a = await lab.host('a')
        a.spawn(['sleep', '60'])
        console.log(lab.dir)
        ${end}
        setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      detached: true,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    let dir = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      dir += text
    })
    const ended = await new Promise((resolve) => child.once('close', (...how) => resolve(how)))
    expect(ended).toEqual([exitCode, signal])
    expect(dir).toContain('vtepd-lab-')
    expect(existsSync(dir.trim())).toBe(false)
    expect(namespacesOf(child.pid!)).toEqual([])
    expect(
      await settled(
        () => processesOf(child.pid!),
        (left) => left.length === 0,
      ),
    ).toEqual([])
  })
}, ['ping'])
