// The agent's sockets for wg(8): real ones in a directory of the test's, in front of an agent that only keeps its configuration.
import { expect, onTestFinished, test } from 'vitest'
import type { Config } from '../../../../src/control/config/model.ts'
import { WgSockets } from '../../../../src/control/wg/sockets.ts'
import { parse } from '../../../support/config.ts'
import { temporaryDir } from '../../../support/temporary.ts'
import { UapiClient } from '../../../support/uapi.ts'

const FILE = `
privateKeyFile: /keys/own
networks: { one: { vni: 1 }, two: { vni: 2, device: tun } }
`

async function served(): Promise<{
  sockets: WgSockets
  config: Config
  marks: number[]
  to(name: string): Promise<UapiClient>
}> {
  const directory = temporaryDir()
  const marks: number[] = []
  let config = parse(FILE)
  const host = {
    config: () => config,
    adopt: async (change: (config: Config) => Config) => {
      config = change(config)
    },
    seen: () => null,
    recall: async () => {},
    setMark: async (mark: number) => {
      if (mark === 0xbad) throw Object.assign(new Error('setsockopt'), { errno: -1 })
      marks.push(mark)
    },
    warn: () => {},
  }
  const sockets = new WgSockets(host, directory)
  await sockets.sync(config)
  onTestFinished(() => sockets.close())
  const to = async (name: string): Promise<UapiClient> => {
    const client = await UapiClient.connect(`${directory}/${name}.sock`)
    onTestFinished(() => void client.socket.destroy())
    return client
  }
  return { sockets, config, marks, to }
}

test("a mark that one network is given is shown by all, and is the agent's", async () => {
  const { marks, to } = await served()
  const [one, two] = [await to('vt1'), await to('vt2')]
  expect(await two.ask('set=1\nfwmark=119\n\n')).toBe('errno=0')
  expect(await one.ask('get=1\n\n')).toContain('\nfwmark=119\n')
  expect(await two.ask('get=1\n\n')).toContain('\nfwmark=119\n')
  expect(await one.ask('set=1\nfwmark=0\n\n')).toBe('errno=0')
  expect(await two.ask('get=1\n\n')).not.toContain('fwmark')
  expect(marks).toEqual([119, 0])
})

test("a mark that the kernel refuses is nobody's", async () => {
  const { to } = await served()
  const [one, two] = [await to('vt1'), await to('vt2')]
  expect(await one.ask('set=1\nfwmark=2989\n\n')).toBe('errno=-1')
  for (const client of [one, two]) expect(await client.ask('get=1\n\n')).not.toContain('fwmark')
})

test('a mark lasts until the file counts again', async () => {
  const { sockets, config, marks, to } = await served()
  const one = await to('vt1')
  await one.ask('set=1\nfwmark=119\n\n')
  await sockets.sync(config)
  expect(await one.ask('get=1\n\n')).not.toContain('fwmark')
  expect(marks).toEqual([119, 0])
})

test('a link-local endpoint is kept with the index of its zone, and one of no interface is refused alone', async () => {
  const { to } = await served()
  const two = await to('vt2')
  const peer = `public_key=${'07'.repeat(32)}`
  expect(await two.ask(`set=1\n${peer}\nendpoint=[fe80::1%nowhere]:4000\n\n`)).toBe('errno=-19')
  expect(await two.ask('get=1\n\n')).not.toContain('endpoint')
  expect(await two.ask(`set=1\n${peer}\nendpoint=[fe80::1%lo]:4000\n\n`)).toBe('errno=0')
  expect(await two.ask('get=1\n\n')).toContain('\nendpoint=[fe80::1%1]:4000\n')
})
