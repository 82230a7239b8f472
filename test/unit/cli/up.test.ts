// `vtepd up` as people run it as far as it gets without a device; see main.test.ts.
import { chmodSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { vtepd } from '../../support/command-line.ts'
import { running } from '../../support/fake-socket.ts'
import { PUBLIC } from '../../support/rfc7748.ts'
import { temporaryFile } from '../../support/temporary.ts'

describe('up', () => {
  const QUICK = ['up', '--plain', '--vni', '42', '--local', '127.0.0.1', '--peer', '198.18.0.2']

  test('refuses a file and quick flags together', async () => {
    const { code, stderr } = await vtepd([...QUICK, '-c', 'x.yaml'])
    expect(code).toBe(2)
    expect(stderr).toMatch(
      /^vtepd: --vni, --local, --peer, --plain: describe a network without a file, and --config names/,
    )
  })

  test('takes what is typed before what the environment says', async () => {
    const { stderr } = await vtepd(['up', '-c', '/nowhere/x.yaml'], { VTEPD_VNI: '42' })
    expect(stderr).toMatch(/\/nowhere\/x\.yaml: no such file/)
    const { stderr: other } = await vtepd(['up', '--vni', 'x'], { VTEPD_CONFIG: '/nowhere/x.yaml' })
    expect(other).toMatch(/^vtepd: flags: /)
  })

  test('without a key wants to hear that clear text is meant, and says both ways', async () => {
    const { code, stderr } = await vtepd(QUICK.filter((word) => word !== '--plain'))
    expect(code).toBe(2)
    expect(stderr).toMatch(/^vtepd: flags: one fault: --key: missing, .*give --key FILE, .*, or add --plain if clear/)
  })

  test('refuses a key that others may read, and says what to type', async () => {
    const key = temporaryFile('AAAA')
    chmodSync(key, 0o644)
    const { code, stderr } = await vtepd(['up', '--vni', '42', '--key', key, '--peer', `${PUBLIC}@198.18.0.2`])
    expect(code).toBe(2)
    expect(stderr).toBe(
      `vtepd: flags: one fault: --key: others than its owner may use ${key} (mode 0644); type: chmod 600 ${key}\n`,
    )
  })

  test('lists every fault of its flags', async () => {
    const { code, stderr } = await vtepd(['up', '--vni', 'x', '--key', '/nowhere/k'])
    expect(code).toBe(2)
    expect(stderr).toMatch(/--key: there is no file \/nowhere\/k/)
    expect(stderr).toMatch(/--vni: /)
    expect(stderr).toMatch(/--peer: missing/)
  })

  test('beside a running agent ends before it touches a device', async () => {
    const { at, agent } = await running()
    const { code, stderr, stdout } = await vtepd([...QUICK, ...at])
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/another agent is running with this --runtime-dir \(pid 4711\)/)
    expect(agent.asked).toEqual([])
  })
})
