// What an agent has on the host that does not go with its process, beside its firewall rules: noted in RUNTIME/traces.json, so
// that after `kill -9` the next agent of that directory, or `vtepd stop --cleanup`, knows what to remove (leftovers.ts). Cold.
import { readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'

const FILE = 'traces.json'

const nullableText = z.string().nullable()
const storeSchema = z.object({
  endpoints: z.array(z.string()).min(1),
  caFile: nullableText,
  certFile: nullableText,
  keyFile: nullableText,
  username: nullableText,
  passwordFile: nullableText,
})
const networkSchema = z.object({
  file: z.object({ path: z.string(), text: z.string() }).nullable(),
  scope: z.array(z.string()),
  lease: z.object({ store: storeSchema, key: z.string(), instance: z.string() }).nullable(),
})
const schema = z.object({
  schema: z.literal(1),
  /** The network namespace that the routes are in, as the kernel names it. */
  netns: z.string(),
  sockets: z.array(z.string()),
  networks: z.record(z.string(), networkSchema),
})

/** Of a flannel network. `file`: subnet.env and what it says. `scope`: prefixes with routes of ours by gateways. */
export type NetworkTraces = z.infer<typeof networkSchema>
/** A lease of ours, its whole key, and which run of an agent has written it. */
export type LeaseTrace = NonNullable<NetworkTraces['lease']>

const NOTHING: NetworkTraces = { file: null, scope: [], lease: null }

export class Traces {
  private readonly path: string
  private readonly warn: (line: string) => void
  private known: z.infer<typeof schema> = { schema: 1, netns: ownNetns(), sockets: [], networks: {} }
  private saved = ''
  private failing = false

  constructor(runtimeDir: string, warn: (line: string) => void) {
    this.path = join(runtimeDir, FILE)
    this.warn = warn
  }

  /** Takes over those of the agent before, where there are any. Call it once the directory is ours. */
  load(): void {
    try {
      this.saved = readFileSync(this.path, 'utf8')
      this.known = schema.parse(JSON.parse(this.saved))
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code !== 'ENOENT') this.warn(`${this.path}: ${code ? message : 'not as vtepd writes it'}: passed over`)
    }
  }

  /** Whether the routes are in another network namespace than ours. */
  get isElsewhere(): boolean {
    return this.known.netns !== ownNetns()
  }

  /** From now on they are in ours. */
  settle(): void {
    this.known = { ...this.known, netns: ownNetns() }
  }

  /** Paths of sockets beside the control socket. */
  get sockets(): readonly string[] {
    return this.known.sockets
  }

  /** Of flannel networks, by their place in the store. */
  get networks(): readonly (readonly [prefix: string, traces: NetworkTraces])[] {
    return Object.entries(this.known.networks)
  }

  of(prefix: string): NetworkTraces {
    return this.known.networks[prefix] ?? NOTHING
  }

  setSockets(paths: readonly string[]): void {
    this.known = { ...this.known, sockets: [...paths] }
    this.save()
  }

  /** What is not given stays as it is. */
  note(prefix: string, part: Partial<NetworkTraces>): void {
    const next = { ...this.of(prefix), ...part }
    const { [prefix]: _, ...others } = this.known.networks
    const isNothing = next.file === null && next.scope.length === 0 && next.lease === null
    this.known = { ...this.known, networks: isNothing ? others : { ...others, [prefix]: next } }
    this.save()
  }

  // Without the file an agent runs all the same.
  private save(): void {
    const { sockets, networks } = this.known
    const text = sockets.length === 0 && Object.keys(networks).length === 0 ? '' : `${JSON.stringify(this.known)}\n`
    if (text === this.saved) return
    try {
      if (text === '') rmSync(this.path, { force: true })
      else {
        writeFileSync(`${this.path}~`, text, { mode: 0o600 })
        renameSync(`${this.path}~`, this.path)
      }
      this.saved = text
      this.failing = false
    } catch (error) {
      if (!this.failing) this.warn(`${(error as Error).message}: a cleanup after kill -9 would leave something`)
      this.failing = true
    }
  }
}

function ownNetns(): string {
  return readlinkSync('/proc/self/ns/net')
}
