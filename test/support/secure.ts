// Members of secure networks on the hosts of a lab: key pairs made by node:crypto, their files, configurations that name them.
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PeerStatus } from '../../src/control/api/api.ts'
import type { LabAgent } from '../../src/lab/agent.ts'
import type { Host, Lab } from '../../src/lab/lab.ts'
import { type Keys, status, until } from './overlay.ts'

export const WIREGUARD_PORT = 51820

/** Both in base64. */
export interface Pair {
  readonly private: string
  readonly public: string
}

export function pair(): Pair {
  const { privateKey } = generateKeyPairSync('x25519')
  const { d, x } = privateKey.export({ format: 'jwk' }) as { d: string; x: string }
  return { private: base64(d), public: base64(x) }
}

export function presharedKey(): string {
  return randomBytes(32).toString('base64')
}

function base64(url: string): string {
  return Buffer.from(url, 'base64url').toString('base64')
}

/** Writes a key where only its owner may read it, and answers with the path. Removed with the lab. */
export function keyFile(lab: Lab, name: string, key: string): string {
  const dir = join(lab.dir, 'keys')
  mkdirSync(dir, { recursive: true })
  const path = join(dir, name)
  writeFileSync(path, `${key}\n`, { mode: 0o600 })
  return path
}

export interface Parts {
  readonly networks: Record<string, Keys>
  readonly peers: Record<string, Keys>
  readonly [key: string]: unknown
}

/** A file of the agent on this host; networks are secure unless they say otherwise. */
export function secureConfiguration(host: Host, keys: Pair, { networks, peers, ...more }: Parts): Keys {
  return {
    privateKeyFile: keyFile(host.lab, host.name, keys.private),
    underlay: { interface: 'eth0' },
    networks,
    peers,
    ...more,
  }
}

/** Writes the agent's file anew; `vtepd reload` takes it. */
export function rewrite(agent: LabAgent, config: Keys): void {
  writeFileSync(join(agent.runtimeDir, 'vtepd.yaml'), JSON.stringify({ node: agent.host.name, ...config }))
}

export async function peerOf(agent: LabAgent, name: string): Promise<PeerStatus> {
  const found = (await status(agent)).peers.find((p) => p.name === name)
  if (!found) throw new Error(`no peer ${name} on ${agent.host.name}`)
  return found
}

/** Waits until a peer's row of `status` satisfies. */
export function untilPeer(agent: LabAgent, name: string, enough: (p: PeerStatus) => boolean): Promise<PeerStatus> {
  return until(`peer ${name} of ${agent.host.name}`, () => peerOf(agent, name), enough)
}
