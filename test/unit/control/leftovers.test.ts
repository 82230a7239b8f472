import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { removeFromHost, removeSockets } from '../../../src/control/leftovers.ts'
import { Traces } from '../../../src/control/traces.ts'
import { temporaryDir } from '../../support/temporary.ts'

function traces(dir: string, said: string[] = []): Traces {
  const one = new Traces(dir, (line) => said.push(line))
  one.load()
  return one
}

test('traces are there for the next agent, and the file is not when there are none', () => {
  const dir = temporaryDir()
  const first = traces(dir)
  first.note('/red', { scope: ['10.42.0.0/16'] })
  first.note('/red', { file: { path: '/run/red.env', text: 'FLANNEL_MTU=1450\n' } })
  first.setSockets(['/run/wireguard/vt1.sock'])
  const second = traces(dir)
  expect(second.sockets).toEqual(['/run/wireguard/vt1.sock'])
  expect(second.of('/red')).toEqual({
    file: { path: '/run/red.env', text: 'FLANNEL_MTU=1450\n' },
    scope: ['10.42.0.0/16'],
    lease: null,
  })
  second.note('/red', { scope: [], file: null })
  second.setSockets([])
  expect(existsSync(join(dir, 'traces.json'))).toBe(false)
})

test('routes in another network namespace are named, and stay written down', () => {
  const dir = temporaryDir()
  const path = join(dir, 'traces.json')
  traces(dir).note('/red', { scope: ['10.42.0.0/16'] })
  writeFileSync(path, readFileSync(path, 'utf8').replace(/net:\[\d+\]/, 'net:[1]'))
  const one = traces(dir)
  const left = ['routes in 10.42.0.0/16: in another network namespace, where vtepd stop --cleanup removes them']
  expect(removeFromHost(one, () => true)).toEqual(left)
  expect(removeFromHost(traces(dir), () => true)).toEqual(left)
  one.settle()
  expect(one.isElsewhere).toBe(false)
})

test('a file that is not as vtepd writes it is named and passed over', () => {
  const dir = temporaryDir()
  const said: string[] = []
  writeFileSync(join(dir, 'traces.json'), '{"schema":2}')
  expect(traces(dir, said).sockets).toEqual([])
  expect(said).toEqual([`${join(dir, 'traces.json')}: not as vtepd writes it: passed over`])
})

test('a directory that cannot be written is named once', () => {
  const dir = temporaryDir()
  const said: string[] = []
  const one = traces(join(dir, 'gone'), said)
  one.setSockets(['/a'])
  one.setSockets(['/b'])
  expect(said).toHaveLength(1)
  mkdirSync(join(dir, 'gone'))
  one.setSockets(['/c'])
  expect(traces(join(dir, 'gone')).sockets).toEqual(['/c'])
})

test('subnet.env goes with the networks that are gone, unless it is somebody else’s by now', () => {
  const dir = temporaryDir()
  const one = traces(dir)
  const path = (name: string): string => join(dir, `${name}.env`)
  for (const name of ['gone', 'kept', 'others']) {
    writeFileSync(path(name), name)
    one.note(`/${name}`, { file: { path: path(name), text: name } })
  }
  writeFileSync(path('others'), 'FLANNEL_MTU=1450\n')
  expect(removeFromHost(one, (prefix) => prefix !== '/kept')).toEqual([])
  expect(existsSync(path('gone'))).toBe(false)
  expect(readFileSync(path('kept'), 'utf8')).toBe('kept')
  expect(readFileSync(path('others'), 'utf8')).toBe('FLANNEL_MTU=1450\n')
  expect(one.networks.map(([prefix]) => prefix)).toEqual(['/kept'])
})

test('a socket goes when nobody listens there', async () => {
  const dir = temporaryDir()
  const [live, dead, file] = ['live', 'dead', 'file'].map((name) => join(dir, name))
  const listen = async (path: string) => {
    const server = createServer()
    server.listen(path)
    await once(server, 'listening')
    return server
  }
  const server = await listen(live!)
  onTestFinished(() => void server.close())
  const other = await listen(`${dead}~`)
  // Closing removes the name that it was made under.
  renameSync(`${dead}~`, dead!)
  await new Promise((resolve) => other.close(resolve))
  writeFileSync(file!, '')
  const one = traces(dir)
  one.setSockets([live!, dead!, file!, join(dir, 'gone')])
  expect(await removeSockets(one)).toEqual([])
  expect([live, dead, file].map((path) => existsSync(path!))).toEqual([true, false, true])
  expect(one.sockets).toEqual([])
})
