// What leases.ts and lease-agent.ts have in common: hosts that are nothing but leases, as flanneld writes them, and a wire that counts
// what etcd says.
import { once } from 'node:events'
import { connect, createServer, type Server } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { Etcd } from '../src/control/etcd/etcd.ts'
import { EtcdServer } from '../src/lab/etcd.ts'

export const PREFIX = '/bench'
const CONFIG = '{"Network":"10.0.0.0/8","Backend":{"Type":"vxlan"}}'
const AT_ONCE = 100
const TTL_SEC = 3600
const SHORT_TTL_SEC = 2

/** An etcd of its own, behind a wire, and the hosts that are in it. */
export class Store {
  readonly wire: Wire
  readonly crowd: Crowd
  private readonly server: EtcdServer
  private readonly client: Etcd

  private constructor(server: EtcdServer, wire: Wire, count: number) {
    this.server = server
    this.wire = wire
    this.client = new Etcd({
      endpoints: [server.endpoint],
      credentials: () => ({ ca: null, cert: null, key: null, login: null }),
    })
    this.crowd = new Crowd(this.client, count)
  }

  static async open(count: number): Promise<Store> {
    const server = await EtcdServer.start()
    return new Store(server, await Wire.to(server.endpoint), count)
  }

  close(): void {
    this.client.close()
    this.wire.close()
    this.server.remove()
  }
}

/** Hosts as their leases. */
export class Crowd {
  readonly count: number
  private readonly store: Etcd
  private readonly revisions = new Map<number, number>()
  private lease = '0'

  constructor(store: Etcd, count: number) {
    this.store = store
    this.count = count
  }

  async fill(): Promise<void> {
    await this.store.commit({ key: `${PREFIX}/config`, expect: 0, put: { value: CONFIG, lease: '0' } })
    this.lease = (await this.store.grant(TTL_SEC)).lease
    for (let i = 0; i < this.count; i += AT_ONCE) {
      await Promise.all(Array.from({ length: AT_ONCE }, (_, j) => this.put(i + j, 0, this.lease)))
    }
  }

  // One more host gets another MAC.
  private async change(turn: number): Promise<void> {
    await this.put((turn * 7) % this.count, 1 + Math.floor((turn * 7) / this.count), this.lease)
  }

  /** One host in a hundred changes each second, for so many. Answers how many a second they were, and seconds. */
  async churn(seconds: number): Promise<{ perSecond: number; took: number }> {
    const begin = performance.now()
    const perSecond = Math.ceil(this.count / 100)
    let changed = 0
    for (let tenth = 1; tenth <= seconds * 10; tenth++) {
      for (const due = tenth * (perSecond / 10); changed < due; changed++) await this.change(changed)
      await pause(Math.max(0, begin + tenth * 100 - performance.now()))
    }
    const took = (performance.now() - begin) / 1000
    return { perSecond: changed / took, took }
  }

  /** The subnet of `visit`'s host. */
  get visitor(): string {
    return subnet(this.count)
  }

  /** A host that comes and is never heard of again. Resolves to when its lease ends. */
  async visit(): Promise<number> {
    const { lease, ttlSec } = await this.store.grant(SHORT_TTL_SEC)
    const end = performance.now() + ttlSec * 1000
    await this.put(this.count, 0, lease)
    return end
  }

  private async put(host: number, turn: number, lease: string): Promise<void> {
    const [high, low] = [host >> 8, host & 0xff]
    const mac = [turn & 0xff, high, low].map((byte) => byte.toString(16).padStart(2, '0')).join(':')
    const data = `{"VNI":1,"VtepMAC":"02:00:00:${mac}"}`
    const value = `{"PublicIP":"198.18.${high}.${low}","PublicIPv6":null,"BackendType":"vxlan","BackendData":${data}}`
    const key = `${PREFIX}/subnets/${subnet(host).replace('/', '-')}`
    const { done, revision } = await this.store.commit({
      key,
      expect: this.revisions.get(host) ?? 0,
      put: { value, lease },
    })
    if (!done) throw new Error(`${key} is not as it was left`)
    this.revisions.set(host, revision)
  }
}

/** Between the member and etcd: counts what comes from there. */
export class Wire {
  readonly endpoint: string
  private readonly server: Server
  bytes = 0

  private constructor(server: Server) {
    this.server = server
    this.endpoint = `http://127.0.0.1:${(server.address() as { port: number }).port}`
  }

  static async to(endpoint: string): Promise<Wire> {
    const { hostname: host, port } = new URL(endpoint)
    const server = createServer()
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const wire = new Wire(server)
    server.on('connection', (near) => {
      const far = connect({ host, port: Number(port) })
      far.on('data', (chunk) => {
        wire.bytes += chunk.length
      })
      near.pipe(far).pipe(near)
      for (const end of [near, far]) end.on('error', () => end.destroy())
    })
    return wire
  }

  close(): void {
    this.server.close()
  }
}

function subnet(host: number): string {
  return `10.${100 + (host >> 8)}.${host & 0xff}.0/24`
}
