// This host as invitations and joins see it: its configuration, the directories that are vtepd's to write in, where others may call
// it. A running agent is one, and so is a command while no agent runs. Cold.
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { isLinkLocal6, parseAddress } from './cidr.ts'
import { generatePrivateKey } from './key.ts'
import { readKeyFile } from './key-file.ts'
import type { Config } from './model.ts'
import { Secret } from './secret.ts'

export interface Home {
  /** Of the default file; conf.d is below. */
  readonly configDir: string
  readonly stateDir: string
  /** The configuration in force; null: this host has none. */
  config(): Config | null
  /** What the files say now; nothing comes of it. Rejects with their faults. */
  read(): Promise<Config>
  /** Files have changed: they are in force when it resolves; when it rejects, what was before is. */
  reload(): Promise<void>
  /** Where others may call us, best first. */
  addresses(): readonly string[]
  said(line: string): void
}

/** Addresses of the host's interfaces that others may call: not those of our own devices. With their lengths in the host. */
export function addressesOfHost(config: Config | null): { readonly address: string; readonly cidr: string }[] {
  const own = new Set(config?.networks.map((n) => n.interface))
  return Object.entries(networkInterfaces())
    .filter(([name]) => !own.has(name))
    .flatMap(([, list]) => list ?? [])
    .filter(({ internal, address }) => !internal && isCallable(address))
    .map(({ address, cidr }) => ({ address, cidr: cidr ?? address }))
}

/** Where others may call this host: its addresses on the underlay, or all of them where none is chosen. */
export function callableAt(underlay: readonly { readonly address: string }[], config: Config | null): string[] {
  return (underlay.length > 0 ? underlay : addressesOfHost(config)).map((a) => a.address)
}

function isCallable(text: string): boolean {
  const address = parseAddress(text)
  return address !== null && !isLinkLocal6(address)
}

/** Where a host keeps what it remembers; agents of several names share a directory. */
export function statePath(stateDir: string, node: string, name: string): string {
  return join(stateDir, node, name)
}

export interface OwnKey {
  readonly key: Secret
  readonly path: string
  /** It is to be written there. */
  readonly isNew: boolean
}

/** The private key for a host whose configuration names none: the one that is there, or a new one. Throws the fault of its file. */
export function keyFor(configDir: string): OwnKey {
  const path = join(configDir, 'key')
  const found = readKeyFile(path, 'vtepd genkey')
  if (found instanceof Secret) return { key: found, path, isNew: false }
  if (!found.isMissing) throw Object.assign(new Error(`${found.what}; ${found.mend}`), { status: 422 })
  const bytes = generatePrivateKey()
  const key = new Secret(bytes)
  bytes.fill(0)
  return { key, path, isNew: true }
}
