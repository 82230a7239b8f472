// The client against real etcd: what it promises in src/control/etcd/kv.ts, with servers that die, stop, forget and refuse.
import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { Etcd } from '../../src/control/etcd/etcd.ts'
import { type Change, type KeyEvent, NO_LEASE, type StoreError, type WatchEvents } from '../../src/control/etcd/kv.ts'
import type { Credentials, Timing } from '../../src/control/etcd/link.ts'
import { Secret } from '../../src/control/secret.ts'
import { EtcdServer } from '../../src/lab/etcd.ts'
import { certificates } from '../support/etcd.ts'
import { missing } from '../support/root.ts'
import { temporaryDir } from '../support/temporary.ts'

const NOBODY: Credentials = { ca: null, cert: null, key: null, login: null }
/** Where a server is to be found missing; elsewhere a busy machine may take its time. */
const QUICK: Timing = { keepaliveMs: 400, keepaliveTimeoutMs: 400, callMs: 1000, listMs: 3000 }
const PATIENT: Timing = { keepaliveMs: 10_000, keepaliveTimeoutMs: 10_000, callMs: 15_000, listMs: 15_000 }
const why = missing(['etcd', 'etcdctl'])

class Heard implements WatchEvents {
  readonly events: string[] = []
  readonly said: string[] = []
  changed(events: readonly KeyEvent[]): void {
    for (const { key, entry } of events) this.events.push(entry ? `${key}=${entry.value}` : `${key} gone`)
  }
  compacted(): void {
    this.said.push('compacted')
  }
  broken(error: StoreError): void {
    this.said.push(`broken ${error.message}`)
  }
  established(): void {
    this.said.push('established')
  }
}

const opened: Etcd[] = []
function open(endpoints: string[], credentials: Partial<Credentials> = {}, timing = PATIENT): Etcd {
  const store = new Etcd({ endpoints, credentials: () => ({ ...NOBODY, ...credentials }), timing, first: 0 })
  opened.push(store)
  return store
}
afterEach(() => {
  for (const store of opened.splice(0)) store.close()
})

const until = (check: () => void) => vi.waitFor(check, { timeout: 15_000, interval: 20 })
const put = (key: string, value: string, expect = 0, lease = NO_LEASE): Change => ({
  key,
  expect,
  put: { value, lease },
})

describe.skipIf(why !== null)(`one etcd${why ? ` (needs ${why})` : ''}`, () => {
  let server: EtcdServer
  beforeAll(async () => {
    server = await EtcdServer.start()
  })
  afterAll(() => server?.remove())

  test('a write is done if the key is as expected, and says what is there', async () => {
    const store = open([server.endpoint])
    const made = await store.commit(put('/cas/a', 'one'))
    expect(made).toMatchObject({ done: true, entry: { value: 'one', createRevision: made.revision } })
    expect(await store.commit(put('/cas/a', 'two'))).toMatchObject({ done: false, entry: made.entry })
    const again = await store.commit(put('/cas/a', 'two', made.revision))
    expect(again).toMatchObject({ done: true, entry: { value: 'two', createRevision: made.revision } })
    expect(await store.list('/cas/')).toEqual({ revision: again.revision, entries: [again.entry] })
    expect((await store.get('/cas/a')).entries).toEqual([again.entry])
    expect((await store.get('/cas')).entries).toEqual([])
    expect(await store.commit({ key: '/cas/a', expect: again.revision, put: null })).toMatchObject({
      done: true,
      entry: null,
    })
    expect((await store.list('/cas/')).entries).toEqual([])
  })

  test('a lease takes its keys with it', async () => {
    const store = open([server.endpoint])
    const { lease, ttlSec } = await store.grant(60)
    expect(ttlSec).toBe(60)
    await store.commit(put('/lease/a', 'one', 0, lease))
    expect((await store.get('/lease/a')).entries[0]!.lease).toBe(lease)
    expect(await store.timeToLive(lease)).toBeGreaterThan(50)
    await store.revoke(lease)
    await store.revoke(lease)
    expect(await store.timeToLive(lease)).toBeNull()
    expect((await store.get('/lease/a')).entries).toEqual([])
    await expect(store.commit(put('/lease/a', 'one', 0, lease))).rejects.toMatchObject({ kind: 'missing' })
  })

  test('a watch tells everything from its revision on, over kill -9 and restart', async () => {
    const store = open([server.endpoint])
    const { revision } = await store.commit(put('/watch/a', '1'))
    const heard = new Heard()
    store.watch({ key: '/watch/', prefix: true }, revision, heard)
    await until(() => expect(heard.events).toEqual(['/watch/a=1']))
    await server.kill()
    await until(() => expect(heard.said.at(-1)).toContain('broken'))
    await server.restart()
    await server.ctl('put', '/watch/b', '2')
    await server.ctl('del', '/watch/a')
    await server.ctl('put', '/watching', '3')
    await until(() => expect(heard.events).toEqual(['/watch/a=1', '/watch/b=2', '/watch/a gone']))
    expect(heard.said.at(-1)).toBe('established')
    expect((await store.get('/watch/b')).entries[0]!.value).toBe('2')
  })

  test('a watch from before a compaction says so and ends', async () => {
    const store = open([server.endpoint])
    const { revision } = await store.commit(put('/compact/a', '1'))
    const { revision: last } = await store.commit(put('/compact/a', '2', revision))
    await server.ctl('compact', String(last))
    const heard = new Heard()
    store.watch({ key: '/compact/', prefix: true }, revision, heard)
    await until(() => expect(heard.said.at(-1)).toBe('compacted'))
    await server.ctl('put', '/compact/b', '3')
    const { revision: now } = await store.list('/compact/')
    const next = new Heard()
    store.watch({ key: '/compact/', prefix: true }, now, next)
    await until(() => expect(next.events).toEqual(['/compact/b=3']))
    expect(heard.events).toEqual([])
  })

  test('a server that is stopped is noticed, by a call and by a watch', async () => {
    const store = open([server.endpoint], {}, QUICK)
    const heard = new Heard()
    store.watch({ key: '/stop/', prefix: true }, (await store.get('/stop')).revision + 1, heard)
    await until(() => expect(heard.said).toEqual(['established']))
    server.signal('SIGSTOP')
    try {
      await until(() => expect(heard.said.at(-1)).toContain('broken'))
      await expect(store.get('/stop')).rejects.toMatchObject({ kind: 'away' })
    } finally {
      server.signal('SIGCONT')
    }
    await server.ctl('put', '/stop/a', '1')
    await until(() => expect(heard.events).toEqual(['/stop/a=1']))
  })

  test('nobody there is said, and does not keep a store from closing', async () => {
    const store = open(['http://127.0.0.1:1'], {}, QUICK)
    const heard = new Heard()
    store.watch({ key: '/none/', prefix: true }, 1, heard)
    await until(() => expect(heard.said.length).toBeGreaterThan(2))
    expect(heard.said[0]).toBe('broken http://127.0.0.1:1: nobody listens there')
    await expect(store.list('/none/')).rejects.toThrow('nobody listens there')
    store.close()
    const count = heard.said.length
    await expect(store.list('/none/')).rejects.toThrow('closed')
    expect(heard.said.length).toBe(count)
  })

  test('users are logged in, and told what is wrong', async () => {
    const secret = (text: string) => new Secret(Buffer.from(text), Buffer.byteLength(text))
    await server.ctl('user', 'add', 'root:tops ecret')
    await server.ctl('role', 'add', 'member')
    await server.ctl('role', 'grant-permission', 'member', '--prefix=true', 'readwrite', '/net/')
    await server.ctl('user', 'add', 'host:pässword')
    await server.ctl('user', 'grant-role', 'host', 'member')
    await server.ctl('user', 'grant-role', 'root', 'root')
    await server.ctl('auth', 'enable')
    try {
      await expect(open([server.endpoint]).get('/net/a')).rejects.toMatchObject({ kind: 'refused' })
      const wrong = open([server.endpoint], { login: { username: 'host', password: secret('else') } })
      await expect(wrong.get('/net/a')).rejects.toThrow('it does not know the user, or not with this password')
      // What is written anew on disk is used as soon as the old was of no use.
      const passwords = ['else', 'pässword']
      const login = () => ({ username: 'host', password: secret(passwords.shift()!) })
      const late = new Etcd({ endpoints: [server.endpoint], credentials: () => ({ ...NOBODY, login: login() }) })
      onTestFinished(() => late.close())
      await expect(late.get('/net/a')).rejects.toMatchObject({ kind: 'refused' })
      expect((await late.get('/net/a')).entries).toEqual([])
      const store = open([server.endpoint], { login: { username: 'host', password: secret('pässword') } })
      const heard = new Heard()
      store.watch({ key: '/net/', prefix: true }, 1 + (await store.get('/net/a')).revision, heard)
      expect(await store.commit(put('/net/a', '1'))).toMatchObject({ done: true })
      await until(() => expect(heard.events).toEqual(['/net/a=1']))
      await expect(store.list('/cas/')).rejects.toThrow('it does not permit that to this user')
      // It forgets who is logged in.
      await server.restart()
      expect((await store.get('/net/a')).entries[0]!.value).toBe('1')
    } finally {
      await server.ctl('--user', 'root:tops ecret', 'auth', 'disable')
    }
    const needless = open([server.endpoint], { login: { username: 'host', password: secret('pässword') } })
    await expect(needless.get('/net/a')).rejects.toThrow('remove username and passwordFile')
  })
})

const noTls = why ?? missing(['openssl'])
test.skipIf(noTls !== null)(
  `TLS both ways, and what is said when one lacks${noTls ? ` (needs ${noTls})` : ''}`,
  async () => {
    const tls = await certificates(temporaryDir())
    const server = await EtcdServer.start(tls)
    onTestFinished(() => server.remove())
    const [authority, own, ownKey] = [tls.ca, tls.client.cert, tls.client.key].map((path) => readFileSync(path)) as [
      Buffer,
      Buffer,
      Buffer,
    ]
    const store = open([server.endpoint], { ca: authority, cert: own, key: ownKey })
    const heard = new Heard()
    store.watch({ key: '/tls/', prefix: true }, 1 + (await store.get('/tls/a')).revision, heard)
    expect(await store.commit(put('/tls/a', '1'))).toMatchObject({ done: true })
    await until(() => expect(heard.events).toEqual(['/tls/a=1']))
    const lacking = (endpoint: string, more: Partial<Credentials> = {}) => open([endpoint], more, QUICK).get('/tls/a')
    await expect(lacking(server.endpoint)).rejects.toThrow('its certificate does not do')
    await expect(lacking(server.endpoint, { ca: authority })).rejects.toMatchObject({ kind: 'away' })
    await expect(lacking(server.endpoint.replace('https', 'http'))).rejects.toMatchObject({ kind: 'away' })
  },
)

describe.skipIf(why !== null)(`three etcds${why ? ` (needs ${why})` : ''}`, () => {
  let servers: EtcdServer[] = []
  beforeAll(async () => {
    servers = await EtcdServer.cluster(3)
  })
  afterAll(() => {
    for (const server of servers) server.remove()
  })

  test('one that dies or stops is left for another; without a leader nobody answers', async () => {
    const [a, b, c] = servers as [EtcdServer, EtcdServer, EtcdServer]
    const store = open([a.endpoint, b.endpoint, c.endpoint], {}, QUICK)
    const heard = new Heard()
    store.watch({ key: '/net/', prefix: true }, 1 + (await store.get('/net/a')).revision, heard)
    await until(() => expect(heard.said).toEqual(['established']))
    await a.kill()
    // What was on its way to the leader that died is lost.
    await vi.waitFor(() => b.ctl('--command-timeout', '1s', 'put', '/net/a', '1'), { timeout: 15_000, interval: 20 })
    await until(() => expect(new Set(heard.events)).toEqual(new Set(['/net/a=1'])))
    expect(await store.commit(put('/net/b', '2'))).toMatchObject({ done: true })
    await a.restart()
    b.signal('SIGSTOP')
    try {
      await vi.waitFor(() => c.ctl('--command-timeout', '1s', 'put', '/net/c', '3'), { timeout: 15_000, interval: 20 })
      await until(() => expect([...new Set(heard.events)]).toEqual(['/net/a=1', '/net/b=2', '/net/c=3']))
      // One is stopped and one dead: the third has no majority.
      await a.kill()
      await until(() => expect(heard.said.at(-1)).toContain('broken'))
      await expect(store.get('/net/a')).rejects.toMatchObject({ kind: 'away' })
    } finally {
      b.signal('SIGCONT')
    }
    await until(() => expect(heard.said.at(-1)).toBe('established'))
    expect(await store.commit(put('/net/d', '4'))).toMatchObject({ done: true })
    await until(() => expect(heard.events.at(-1)).toBe('/net/d=4'))
    expect(heard.said).not.toContain('compacted')
  })
})
