// A network followed in real etcd, with the leases that flanneld would write beside ours.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { Etcd } from '../../src/control/etcd/etcd.ts'
import type { Timing } from '../../src/control/etcd/link.ts'
import { StoreFollower } from '../../src/control/flannel/follower.ts'
import { parseKey } from '../../src/control/flannel/lease.ts'
import type { Identity, Membership } from '../../src/control/flannel/model.ts'
import { EtcdServer } from '../../src/lab/etcd.ts'
import type { Log } from '../../src/log.ts'
import { flanneldValue, identity } from '../support/flannel.ts'
import { missing } from '../support/root.ts'

const QUICK: Timing = { keepaliveMs: 400, keepaliveTimeoutMs: 400, callMs: 1000, listMs: 3000 }
const NOBODY = { ca: null, cert: null, key: null, login: null }
const why = missing(['etcd', 'etcdctl'])
const until = (check: () => void | Promise<void>) => vi.waitFor(check, { timeout: 20_000, interval: 20 })

/** Nobody takes one of the subnets below SubnetMin by chance: they are the test's. */
const CONFIG = '{"Network":"10.42.0.0/16","SubnetMin":"10.42.100.0","Backend":{"Type":"vxlan"}}'

class Host {
  readonly changes: Membership[] = []
  readonly claims: string[] = []
  readonly said: string[] = []
  readonly follower: StoreFollower
  private readonly store: Etcd

  constructor(endpoint: string, prefix: string, who: Identity, more: { ttlSec?: number; previous?: string } = {}) {
    this.store = new Etcd({ endpoints: [endpoint], credentials: () => NOBODY, timing: QUICK })
    const say = (text: string): void => void this.said.push(text)
    const log: Log = { error: say, warn: say, info: say, debug: () => {} }
    this.follower = new StoreFollower({
      store: this.store,
      prefix,
      identity: who,
      leaseTtlSec: more.ttlSec ?? 60,
      renewMarginSec: (more.ttlSec ?? 60) - 2,
      instance: Math.random().toString(16).slice(2),
      previous: more.previous ? parseKey(more.previous) : null,
      log,
    })
    this.follower.on('change', (membership) => this.changes.push(membership))
    this.follower.on('claim', (key) => this.claims.push(key))
    this.follower.on('trouble', (text) => this.said.push(`trouble: ${text}`))
    this.follower.on('well', () => this.said.push('well'))
    this.follower.start()
  }

  get own(): string | undefined {
    return this.follower.current?.own.key
  }

  get members(): string[] {
    return [...(this.follower.current?.members.keys() ?? [])].sort()
  }

  get reasons(): Record<string, string> {
    return Object.fromEntries((this.follower.current?.ignored ?? []).map(({ key, reason }) => [key, reason]))
  }

  async stop(release = true): Promise<void> {
    await this.follower.stop(release)
    this.store.close()
  }
}

describe.skipIf(why !== null)(`a network in etcd${why ? ` (needs ${why})` : ''}`, () => {
  let server: EtcdServer
  let prefix = ''
  let count = 0
  const hosts: Host[] = []
  beforeAll(async () => {
    server = await EtcdServer.start()
  })
  afterAll(() => server?.remove())
  beforeEach(async () => {
    prefix = `/test/${++count}`
    await server.ctl('put', `${prefix}/config`, CONFIG)
  })
  afterEach(async () => {
    await Promise.all(hosts.splice(0).map((host) => host.stop()))
  })

  const host = (n: number, more: Partial<Identity> = {}, options: { ttlSec?: number; previous?: string } = {}) => {
    const made = new Host(server.endpoint, prefix, identity(n, more), options)
    hosts.push(made)
    return made
  }
  const keys = async () =>
    (await server.ctl('get', '--prefix', '--keys-only', `${prefix}/subnets/`)).split(/\s+/).filter(Boolean)
  const value = async (key: string) => server.ctl('get', '--print-value-only', `${prefix}/subnets/${key}`)
  const put = (key: string, text: string, ...more: string[]) =>
    server.ctl('put', `${prefix}/subnets/${key}`, text, ...more)
  const version = async (key: string): Promise<number> => {
    const answer = JSON.parse(await server.ctl('get', '-w', 'json', `${prefix}/subnets/${key}`))
    return answer.kvs?.[0].version ?? 0
  }

  test('is joined with a lease of its own, and shows who else is there, and who leaves', async () => {
    await put('10.42.9.0-24', flanneldValue('198.18.0.9', '02:00:00:00:00:09'))
    const a = host(1)
    await until(() => expect(a.members).toEqual(['10.42.9.0-24']))
    expect(a.claims).toEqual([`${prefix}/subnets/${a.own}`])
    const text = await value(a.own!)
    expect(text).toMatch(
      /^\{"PublicIP":"198.18.0.1","PublicIPv6":null,"BackendType":"vxlan","BackendData":\{"VNI":1,"VtepMAC":"02:00:00:00:00:01"\},/,
    )
    const b = host(2)
    await until(() => expect(a.members).toEqual([b.own, '10.42.9.0-24'].sort()))
    expect(b.members).toEqual([a.own, '10.42.9.0-24'].sort())
    const before = a.follower.current!.members.get('10.42.9.0-24')
    await b.stop()
    await until(() => expect(a.members).toEqual(['10.42.9.0-24']))
    expect(a.follower.current!.members.get('10.42.9.0-24')).toBe(before)
    await put('10.42.9.0-24', flanneldValue('198.18.0.9', '02:00:00:00:00:99'))
    await until(() => expect(a.follower.current!.members.get('10.42.9.0-24')!.vtepMac).toBe('02:00:00:00:00:99'))
    expect(a.said.filter((line) => line.startsWith('trouble'))).toEqual([])
  })

  test('is not harmed by keys of others, which are shown with their reasons', async () => {
    await put('10.42.9.0-24', flanneldValue('198.18.0.9', '02:00:00:00:00:09'))
    const a = host(1)
    await until(() => expect(a.members).toEqual(['10.42.9.0-24']))
    await server.ctl('put', `${prefix}/subnets-of-mine`, 'x')
    const good = flanneldValue('198.18.0.8', '02:00:00:00:00:08')
    const odd: [string, string, string][] = [
      ['x', 'y', 'the key is not that of a subnet'],
      ['10.42.20.0-24', 'nonsense', 'it is no JSON'],
      ['198.18.0.254-31', good, 'outside the network 10.42.0.0/16'],
      ['10.42.9.128-25', good, 'it overlaps 10.42.9.0-24'],
      ['10.42.21.0-24', flanneldValue('0.0.0.0', '02:00:00:00:00:08'), 'no PublicIP, or 0.0.0.0'],
      ['10.42.22.0-24', flanneldValue('198.18.0.8', '02:00:00:00:00:08:01:02'), 'no usable VtepMAC'],
      [
        '10.42.23.0-24',
        '{"PublicIP":"198.18.0.8","BackendType":"host-gw"}',
        "BackendType host-gw, and the network's is vxlan",
      ],
    ]
    for (const [key, text] of odd) await put(key, text)
    await put('10.42.24.0-24', good)
    await until(() => expect(a.members).toEqual(['10.42.24.0-24', '10.42.9.0-24']))
    expect(a.reasons).toEqual(Object.fromEntries(odd.map(([key, , reason]) => [key, reason])))
    await server.ctl('del', `${prefix}/subnets/10.42.9.0-24`)
    await until(() => expect(a.members).toEqual(['10.42.24.0-24', '10.42.9.128-25']))
    expect(Math.min(...a.changes.map((change) => change.members.size))).toBe(1)
  })

  test('is raced for by many at once, and each has its own', async () => {
    await server.ctl('put', `${prefix}/config`, '{"Network":"10.42.0.0/24","SubnetLen":28,"Backend":{"Type":"vxlan"}}')
    const all = Array.from({ length: 15 }, (_, i) => host(i + 1))
    await until(() => expect(new Set(all.map((one) => one.own)).size).toBe(15))
    for (const one of all) await until(() => expect(one.members).toHaveLength(14))
    const late = host(16)
    await until(() => expect(late.said).toContain('trouble: no subnet of 10.42.0.0/24 is free'))
    const gone = all[3]!.own
    await all[3]!.stop()
    hosts.splice(hosts.indexOf(all[3]!), 1)
    await until(() => expect(late.own).toBe(gone))
  })

  test('renews its lease in time, and keeps what somebody else has made of the key', async () => {
    const a = host(1, {}, { ttlSec: 4 })
    await until(() => expect(a.own).toBeDefined())
    const key = a.own!
    await until(async () => expect(await version(key)).toBeGreaterThan(2))
    // As it was, with a lease that is about to end: renewed at once.
    const text = await value(key)
    const lease = /lease ([0-9a-f]+) granted/.exec(await server.ctl('lease', 'grant', '2'))![1]!
    await put(key, text, `--lease=${lease}`)
    await until(async () => expect(await server.ctl('lease', 'timetolive', lease, '--keys')).not.toContain(key))
    // A reservation: it stays one.
    await put(key, text)
    await until(() => expect(a.follower.current!.own.expires).toBeNull())
    a.follower.setIdentity(identity(1, { publicIp: '198.18.0.101' }))
    await until(async () => expect(await value(key)).toContain('198.18.0.101'))
    expect(JSON.parse(await server.ctl('get', '-w', 'json', `${prefix}/subnets/${key}`)).kvs[0].lease ?? 0).toBe(0)
    expect(a.own).toBe(key)
    expect(a.changes.every((change) => change.own.key === key)).toBe(true)
  })

  test('gets the same subnet again when its key is deleted, and another when it is taken', async () => {
    const a = host(1)
    await until(() => expect(a.own).toBeDefined())
    const key = a.own!
    for (let i = 0; i < 3; i++) {
      await server.ctl('del', `${prefix}/subnets/${key}`)
      await until(async () => expect(await keys()).toEqual([`${prefix}/subnets/${key}`]))
    }
    await put(key, flanneldValue('198.18.0.66', '02:00:00:00:00:66'))
    await until(() => expect(a.own).not.toBe(key))
    expect(a.members).toEqual([key])
    expect(await value(key)).toContain('198.18.0.66')
    await put(a.own!, 'scribble')
    await until(async () => expect(await value(a.own!)).toContain('198.18.0.1'))
  })

  test('takes over what has its address, and not what another agent has there', async () => {
    await put('10.42.177.0-24', flanneldValue('198.18.0.1', '02:00:00:00:00:77'))
    const a = host(1)
    await until(() => expect(a.own).toBe('10.42.177.0-24'))
    const b = host(1, { node: 'twin', vtepMac: '02:00:00:00:00:02' })
    await until(() => expect(b.own).toBeDefined())
    expect(b.own).not.toBe(a.own)
    expect(b.said.join()).toContain("10.42.177.0-24 has our address, and is node host-1's")
    expect(b.reasons).toEqual({ '10.42.177.0-24': 'PublicIP 198.18.0.1 is our own' })
  })

  test('is shared with a clone of itself without a storm of writes', async () => {
    const a = host(1)
    await until(() => expect(a.own).toBeDefined())
    const b = host(1)
    await until(() => expect(b.own).toBe(a.own))
    await until(() => expect(a.said.join()).toContain('another agent calls itself node host-1'))
    const written = await version(a.own!)
    await server.ctl('del', `${prefix}/subnets/${a.own}`)
    await until(async () => expect(await version(a.own!)).toBeGreaterThan(0))
    await put('10.42.9.0-24', flanneldValue('198.18.0.9', '02:00:00:00:00:09'))
    await until(() => expect([...a.members, ...b.members]).toEqual(['10.42.9.0-24', '10.42.9.0-24']))
    expect(written).toBe(2)
    expect(await version(a.own!)).toBeLessThan(4)
    expect(a.said.filter((line) => line.includes('another agent')).length).toBe(1)
  })

  test('keeps its subnet over restarts and moves', async () => {
    const a = host(1)
    await until(() => expect(a.own).toBeDefined())
    const key = a.own!
    await a.stop(false)
    const b = host(1, { publicIp: '198.18.0.111' }, { previous: key })
    await until(() => expect(b.own).toBe(key))
    expect(await keys()).toHaveLength(1)
    expect(await value(key)).toContain('198.18.0.111')
    await b.stop(true)
    expect(await keys()).toEqual([])
    const c = host(1, {}, { previous: key })
    await until(() => expect(c.own).toBe(key))
  })

  test('goes on with what is known while etcd is stopped, killed and compacted', async () => {
    await put('10.42.9.0-24', flanneldValue('198.18.0.9', '02:00:00:00:00:09'))
    await put('10.42.10.0-24', flanneldValue('198.18.0.10', '02:00:00:00:00:10'))
    const a = host(1)
    await until(() => expect(a.members).toEqual(['10.42.10.0-24', '10.42.9.0-24']))
    server.signal('SIGSTOP')
    try {
      await until(() => expect(a.said.some((line) => line.startsWith('trouble'))).toBe(true))
    } finally {
      server.signal('SIGCONT')
    }
    await until(() => expect(a.said.at(-1)).toBe('well'))
    const b = host(2)
    await until(() => expect(b.own).toBeDefined())
    await server.kill()
    await until(() => expect(a.said.at(-1)).toMatch(/^trouble/))
    // Nor does it keep anybody from ending.
    await b.stop()
    expect(b.said.at(-1)).toContain('could not be given back')
    await server.restart()
    await put('10.42.8.0-24', flanneldValue('198.18.0.8', '02:00:00:00:00:08'))
    // Nobody hears of this one as a change.
    await put('10.42.10.0-24', flanneldValue('198.18.0.110', '02:00:00:00:01:10'))
    await server.ctl('del', `${prefix}/subnets/10.42.9.0-24`)
    await server.ctl('del', `${prefix}/subnets/${b.own}`)
    const revision = JSON.parse(await server.ctl('get', '-w', 'json', 'x')).header.revision
    await server.ctl('compact', String(revision))
    await until(() => expect(a.members).toEqual(['10.42.10.0-24', '10.42.8.0-24']))
    expect(a.follower.current!.members.get('10.42.10.0-24')).toMatchObject({
      publicIp: '198.18.0.110',
      vtepMac: '02:00:00:00:01:10',
    })
    await until(() => expect(a.said.at(-1)).toBe('well'))
    expect(Math.min(...a.changes.slice(1).map((change) => change.members.size))).toBe(2)
  })

  test('is built up again when etcd has lost everything', async () => {
    const [a, b] = [host(1), host(2)]
    await until(() => expect([...a.members, ...b.members].sort()).toEqual([a.own, b.own].sort()))
    const [keyA, keyB] = [a.own!, b.own!]
    // Those that do not hear of it, as flanneld does not, are reached all the while.
    await put('10.42.30.0-24', flanneldValue('198.18.0.9', '02:00:00:00:00:09'))
    await until(() => expect(a.members).toEqual([keyB, '10.42.30.0-24'].sort()))
    const changes = a.changes.length
    await server.wipe()
    await until(() => expect(a.said.join()).toContain('config is gone from the store: going on with what it was'))
    await until(async () => expect(await keys()).toEqual([keyA, keyB].sort().map((key) => `${prefix}/subnets/${key}`)))
    await server.ctl('put', `${prefix}/config`, CONFIG)
    await until(() => expect(a.said.at(-1)).toBe('well'))
    expect(a.said.join()).toMatch(/the store has lost .*: reached as before until it is there again, 60 s at most/)
    expect(a.members).toEqual([keyB, '10.42.30.0-24'].sort())
    expect(Math.min(...a.changes.slice(changes).map((change) => change.members.size))).toBe(2)
    expect((await a.follower.expiries(['10.42.30.0-24'])).size).toBe(1)
    await put('10.42.31.0-24', flanneldValue('198.18.0.9', '02:00:00:00:00:09'))
    await until(() => expect(a.members).toEqual([keyB, '10.42.31.0-24'].sort()))
  })

  test('follows its configuration, and lets nothing faulty in', async () => {
    await server.ctl('del', `${prefix}/config`)
    const a = host(1)
    await until(() => expect(a.said.at(-1)).toBe(`trouble: ${prefix}/config is not in the store yet`))
    await server.ctl('put', `${prefix}/config`, CONFIG)
    await until(() => expect(a.own).toBeDefined())
    const key = a.own!
    await server.ctl('put', `${prefix}/config`, '{"Network":"10.42.0.0/16","Backend":{"Type":"vxlan","VNI":9}}')
    await until(() => expect(a.follower.current!.config.backend).toMatchObject({ vni: 9 }))
    await until(async () => expect(await value(key)).toContain('"VNI":9'))
    await server.ctl('put', `${prefix}/config`, '{"Network":"10.42.0.0/16","Backend":{}}')
    await until(() => expect(a.said.at(-1)).toContain('Backend.Type: missing'))
    expect(a.own).toBe(key)
    await server.ctl('put', `${prefix}/config`, '{"Network":"10.43.0.0/16","Backend":{"Type":"vxlan"}}')
    await until(() => expect(a.own).toMatch(/^10\.43\./))
    expect(await keys()).toEqual([`${prefix}/subnets/${a.own}`])
    const { expires } = a.follower.current!.own
    expect((await a.follower.expiries([a.own!, 'none'])).size).toBe(1)
    expect(expires! - Date.now()).toBeGreaterThan(30_000)
  })
})
