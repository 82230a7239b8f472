// A watch that a server answers with a revision below what is known of the store.
import { EventEmitter } from 'node:events'
import { beforeEach, expect, test } from 'vitest'
import { StoreError } from '../../../../src/control/etcd/kv.ts'
import type { Link } from '../../../../src/control/etcd/link.ts'
import { Watch } from '../../../../src/control/etcd/watch.ts'

const KNOWN = 10

let said: string[]
let streams: EventEmitter[]
let read: () => Promise<object>

/** Watches from KNOWN on; the server's own revision is `revision`. */
async function watch(revision: number): Promise<Watch> {
  const link = {
    endpoint: 'http://etcd',
    stream: async () => {
      const stream = Object.assign(new EventEmitter(), { write: () => {}, cancel: () => {} })
      streams.push(stream)
      return stream
    },
    leave: () => {},
    call: () => read(),
  } as unknown as Link
  const made = new Watch(
    { callMs: 10_000, connect: async () => link, drop: () => said.push('dropped') },
    { key: '/net/', prefix: true },
    KNOWN + 1,
    {
      established: () => said.push('established'),
      changed: () => said.push('changed'),
      broken: () => said.push('broken'),
      compacted: () => said.push('compacted'),
    },
  )
  await turn()
  streams.at(-1)!.emit('data', { ...HEADER, header: { revision: String(revision) } })
  await turn()
  return made
}

const HEADER = { created: true, canceled: false, compact_revision: '0', events: [] }
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

beforeEach(() => {
  said = []
  streams = []
  read = () => Promise.reject(new Error('nobody should ask'))
})

test('is there at once where the server knows as much', async () => {
  const made = await watch(KNOWN)
  expect(said).toEqual(['established'])
  made.close()
})

test('is there where only that server is behind: all of them know as much', async () => {
  read = async () => ({ header: { revision: String(KNOWN) } })
  const made = await watch(KNOWN - 5)
  expect(said).toEqual(['established'])
  made.close()
})

test('has an end where all of them know less: the store was put back', async () => {
  read = async () => ({ header: { revision: String(KNOWN - 5) } })
  await watch(KNOWN - 5)
  expect(said).toEqual(['compacted'])
})

test('is tried again where they cannot be asked', async () => {
  read = () => Promise.reject(new StoreError('away', 'no leader'))
  const made = await watch(KNOWN - 5)
  expect(said).toEqual(['dropped', 'broken'])
  made.close()
})
