// This host as invitations and joins see it: its configuration, the directories that are vtepd's to write in, where others may call
// it. A running agent is one, and so is a command while no agent runs. Cold.
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import * as netdev from '../../host/netdev.ts'
import { isLinkLocal6, parseAddress } from '../cidr.ts'
import type { Config } from '../config/model.ts'
import { generatePrivateKey } from '../key.ts'
import { readKeyFile } from '../key-file.ts'
import { Secret } from '../secret.ts'

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
  readonly host: HostView
  said(line: string): void
}

export interface HostAddress {
  readonly interface: string
  readonly address: string
  /** With its length. */
  readonly cidr: string
}

/** What is on the host besides. */
export interface HostView {
  /** Those that others might call. */
  addresses(): readonly HostAddress[]
  hasDevice(name: string): boolean
}

export const hostView: HostView = {
  addresses: () =>
    Object.entries(networkInterfaces()).flatMap(([name, list]) =>
      (list ?? [])
        .filter(({ internal, address }) => !internal && isCallable(address))
        .map(({ address, cidr }) => ({ interface: name, address, cidr: cidr ?? address })),
    ),
  hasDevice: (name) => netdev.link(name, null) !== null,
}

/** Addresses of the host but those of our own devices. */
export function addressesOfHost(host: HostView, config: Config | null): readonly HostAddress[] {
  const own = new Set(config?.networks.map((n) => n.interface))
  return host.addresses().filter((a) => !own.has(a.interface))
}

/** Where others may call this host: its addresses on the underlay, or all of them where none is chosen. */
export function callableAt(underlay: readonly { readonly address: string }[], config: Config | null): string[] {
  return (underlay.length > 0 ? underlay : addressesOfHost(hostView, config)).map((a) => a.address)
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
