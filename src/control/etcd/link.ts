// A connection to one etcd server, by way of the package etcd3: its protocol, TLS and log-in. What that package does by itself
// beyond it (retries, circuit breakers, watches that resume, leases that are kept) is not used: see etcd.ts. Loaded when the first
// connection is made, and not without one. Cold.
import type { ConnectionPool } from 'etcd3/lib/connection-pool.js'
import type { Secret } from '../secret.ts'
import type { StoreError } from './kv.ts'
import { storeErrorOf, TokenError } from './status.ts'

/** 10,000 leases are three megabytes, and gRPC's own limit is four. */
const MAX_ANSWER = 256 << 20

export interface Timing {
  /** How often a silent connection is asked whether it lives, and how long the answer may take; etcd refuses less than 5 s. */
  readonly keepaliveMs: number
  readonly keepaliveTimeoutMs: number
  /** How long a call may take, and one that lists everything. */
  readonly callMs: number
  readonly listMs: number
}

export const TIMING: Timing = { keepaliveMs: 10_000, keepaliveTimeoutMs: 4000, callMs: 3000, listMs: 20_000 }

export interface Credentials {
  /** PEM; null: the system's authorities. */
  readonly ca: Buffer | null
  readonly cert: Buffer | null
  readonly key: Buffer | null
  readonly login: { readonly username: string; readonly password: Secret } | null
}

/** A stream of gRPC in both directions, as far as a watch needs it. */
export interface Duplex {
  write(message: unknown): void
  cancel(): void
  on(event: 'data', heard: (message: never) => void): this
  on(event: 'error', heard: (error: Error) => void): this
  on(event: 'end', heard: () => void): this
}

type Service = 'KV' | 'Lease' | 'Watch' | 'Auth'
type Method = (
  payload: unknown,
  metadata: unknown,
  options: object,
  done: (error: unknown, answer: never) => void,
) => void
type Metadata = { set(name: string, value: string): void }

let links = 0

export class Link {
  readonly endpoint: string
  private readonly pool: Pick<ConnectionPool, 'withConnection' | 'close'>
  private readonly credentials: Credentials
  private readonly timing: Timing
  private readonly users = new Set<() => void>()
  private token: Promise<string> | null = null
  /** It did not let us in: what this link knows of us is of no use, and the files may say something else by now. */
  isShut = false

  private constructor(endpoint: string, pool: ConnectionPool, credentials: Credentials, timing: Timing) {
    this.endpoint = endpoint
    this.pool = pool
    this.credentials = credentials
    this.timing = timing
  }

  /** Nothing is sent yet. `endpoint`: http(s)://host:port. */
  static async to(endpoint: string, credentials: Credentials, timing: Timing): Promise<Link> {
    // Or gRPC writes to stderr what it thinks of a connection, past our log.
    process.env['GRPC_VERBOSITY'] ??= 'NONE'
    const { ConnectionPool } = (await import('etcd3/lib/connection-pool.js')).default
    const pool = new ConnectionPool({
      hosts: endpoint,
      ...(endpoint.startsWith('https:') ? { credentials: tlsOf(credentials) } : {}),
      grpcOptions: {
        'grpc.keepalive_time_ms': timing.keepaliveMs,
        'grpc.keepalive_timeout_ms': timing.keepaliveTimeoutMs,
        // Not when nothing is asked of it: etcd takes that for an attack, and calls have deadlines.
        'grpc.keepalive_permit_without_calls': 0,
        'grpc.max_receive_message_length': MAX_ANSWER,
        'grpc.enable_http_proxy': 0,
        // A link's services share a TCP connection, and no two links do: gRPC goes by whether all options are equal.
        'vtepd.link': ++links,
      },
    })
    return new Link(endpoint, pool, credentials, timing)
  }

  /** One call and its answer. Throws StoreError. `long`: it lists everything. */
  async call<T>(service: Service, method: string, payload: object, long = false): Promise<T> {
    try {
      return await this.send<T>(service, method, payload, long)
    } catch (error) {
      if (!(error instanceof TokenError)) throw error
      // etcd forgets who has not called for a while.
      this.token = null
      return await this.send<T>(service, method, payload, long)
    }
  }

  /** A stream that ends, too, when its server has no leader any more. `dropped`: this link is given up. */
  async stream(dropped: () => void): Promise<Duplex> {
    this.users.add(dropped)
    try {
      const token = await this.login()
      return await this.pool.withConnection('Watch', ({ client, metadata }) => {
        const own = withToken(metadata.clone(), token)
        own.set('hasleader', 'true')
        return (client as unknown as { watch(metadata: unknown, options: object): Duplex }).watch(own, {})
      })
    } catch (error) {
      this.users.delete(dropped)
      throw storeErrorOf(error, this.endpoint)
    }
  }

  leave(dropped: () => void): void {
    this.users.delete(dropped)
  }

  /** Tells everybody who has a stream here. */
  close(): void {
    const users = [...this.users]
    this.users.clear()
    for (const dropped of users) dropped()
    this.pool.close()
  }

  private async send<T>(service: Service, method: string, payload: object, long: boolean): Promise<T> {
    const token = service === 'Auth' ? null : await this.login()
    const deadline = Date.now() + (long ? this.timing.listMs : this.timing.callMs)
    try {
      return await this.pool.withConnection(service, ({ client, metadata }) => {
        const methods = client as unknown as Record<string, Method>
        return new Promise<T>((resolve, reject) => {
          methods[method]!(payload, withToken(metadata.clone(), token), { deadline }, (error, answer) => {
            if (error) reject(storeErrorOf(error, this.endpoint))
            else resolve(answer)
          })
        })
      })
    } catch (error) {
      throw storeErrorOf(error, this.endpoint)
    }
  }

  // null: without a user. The package could do this, on a connection of its own that it never closes.
  private login(): Promise<string | null> {
    const { login } = this.credentials
    if (!login) return Promise.resolve(null)
    if (this.token) return this.token
    const password = Buffer.from(login.password.copy()).toString()
    const asked = this.send<{ token: string }>('Auth', 'authenticate', { name: login.username, password }, false)
    this.token = asked.then(({ token }) => token)
    this.token.catch((error: StoreError) => {
      this.token = null
      this.isShut = error.kind === 'refused'
    })
    return this.token
  }
}

function withToken<T extends Metadata>(metadata: T, token: string | null): T {
  if (token !== null) metadata.set('token', token)
  return metadata
}

// The package wants an authority's certificate where none means the system's.
function tlsOf({ ca, cert, key }: Credentials) {
  const both = cert && key ? { privateKey: key, certChain: cert } : {}
  return { rootCertificate: ca as Buffer, ...both }
}
