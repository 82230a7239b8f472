// `vtepd invite` and `vtepd join` as people run it, against a fake agent; see main.test.ts.
import { PassThrough } from 'node:stream'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { ApiError } from '../../../src/control/api/api.ts'
import { encodeToken } from '../../../src/control/join/token.ts'
import { Secret } from '../../../src/control/secret.ts'
import { ended, start, typed } from '../../support/command-line.ts'
import { INVITED, JOINED } from '../../support/fake-agent.ts'
import { running } from '../../support/fake-socket.ts'
import { until } from '../../support/overlay.ts'

const secret = (): Secret => new Secret(new Uint8Array(32).fill(1))
const TOKEN = encodeToken({
  expires: 1_800_000_000,
  privateKey: secret(),
  publicKey: new Uint8Array(32).fill(2),
  presharedKey: secret(),
  network: 'blue',
  vni: 42,
  name: 'host-b',
  host: 'host-a',
  endpoints: [{ host: '198.18.0.1', port: 51820 }],
})

describe('invite and join', () => {
  test('the token is all that stdout gets', async () => {
    const { agent, at } = await running()
    const { code, stdout, stderr } = await typed(['invite', 'host-b', '--network', 'blue', '--expires', '10m', ...at])
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'vtepd1-AAAA\n' })
    expect(stderr).toContain('on host-b, which calls this host at 198.18.0.1:51820, type: vtepd join TOKEN')
    expect(agent.asked).toEqual(['invite {"name":"host-b","network":"blue","expires":"10m"}'])
  })

  test('every flag reaches the agent', async () => {
    const { agent, at } = await running()
    const flags = ['--endpoint', 'a:1', '--endpoint', 'b', '--address', '10.9.0.1/24', '--device', 'tun', '--port', '9']
    await typed(['invite', 'host-b', ...flags, ...at])
    expect(JSON.parse(agent.asked[0]!.replace('invite ', ''))).toEqual({
      name: 'host-b',
      device: 'tun',
      port: '9',
      endpoint: ['a:1', 'b'],
      address: ['10.9.0.1/24'],
    })
  })

  test('as JSON they are one object each', async () => {
    const { at } = await running()
    const invited = await typed(['invite', 'host-b', '--json', ...at])
    expect(JSON.parse(invited.stdout)).toEqual({ schema: 1, ...INVITED, started: null })
    const joined = await typed(['join', TOKEN, '--json', ...at])
    expect(JSON.parse(joined.stdout)).toEqual({ schema: 1, ...JOINED, started: null })
  })

  test.each(['argument', 'stdin'])('a token comes as %s', async (how) => {
    const { agent, at } = await running()
    const child = start(['join', ...(how === 'argument' ? [TOKEN] : []), '--address', '10.42.0.7', ...at])
    child.stdin.end(how === 'stdin' ? `${TOKEN.slice(0, 50)}\n${TOKEN.slice(50)}\n` : '')
    const { code, stdout, stderr } = await ended(child)
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: 'joined network blue as host-b: vt42 10.42.0.2/24, with host-a\n',
    })
    expect(stderr).toBe('vtepd: wrote /etc/vtepd/conf.d/host-b.yaml\n')
    const asked = JSON.parse(agent.asked[0]!.replace('join ', '')) as { token: string; address: string[] }
    expect(asked.token.replace('\n', '').trim()).toBe(TOKEN)
    expect(asked.address).toEqual(['10.42.0.7'])
  })

  test.each([
    ['vtepd1-AAAA', 'vtepd: the token is damaged: its checksum is wrong; copy it again, whole\n'],
    [
      'hello',
      'vtepd: this is no token; want the line that `vtepd invite` printed on the first host, from vtepd1- on\n',
    ],
  ])('%s is exit 2, and nobody is asked', async (token, stderr) => {
    const { agent, at } = await running()
    expect(await typed(['join', token, ...at])).toMatchObject({ code: 2, stdout: '', stderr })
    expect(agent.asked).toEqual([])
  })

  test.each([
    [400, 2],
    [403, 4],
    [409, 1],
    [504, 1],
  ])('status %i is exit %i', async (status, code) => {
    const { agent, at } = await running()
    agent.refusal = new ApiError(status, 'no')
    expect(await typed(['join', TOKEN, ...at])).toMatchObject({ code, stdout: '', stderr: 'vtepd: no\n' })
    expect(await typed(['invite', 'host-b', ...at])).toMatchObject({ code, stdout: '', stderr: 'vtepd: no\n' })
  })

  test('Ctrl-C while the token is waited for is exit 130', async () => {
    const before = process.listeners('SIGINT')
    const stdin = vi.spyOn(process, 'stdin', 'get').mockReturnValue(new PassThrough() as never)
    onTestFinished(() => stdin.mockRestore())
    const waiting = typed(['join'])
    const listener = await until(
      'who hears it',
      () => process.listeners('SIGINT').find((one) => !before.includes(one)),
      (one) => one !== undefined,
    )
    listener!('SIGINT')
    expect(await waiting).toMatchObject({ code: 130, stdout: '', stderr: 'vtepd: interrupted\n' })
  })

  test('a file of one’s own is no place to write to, and that is exit 2', async () => {
    const { at } = await running()
    for (const words of [
      ['invite', 'host-b'],
      ['join', TOKEN],
    ]) {
      const { code, stderr } = await typed([...words, '-c', 'x.yaml', ...at])
      expect(code).toBe(2)
      expect(stderr).toContain('keep the file as DIR/vtepd.yaml and give --config-dir DIR')
    }
  })
})
