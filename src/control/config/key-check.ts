// The keys of a configuration: read from their files, and told apart. A file that cannot be used is a fault like any other; what
// keys have to do with networks is security-check.ts's business.
import { resolve } from 'node:path'
import { base64Of, publicKeyOf } from '../key.ts'
import type { ReadKey } from '../key-file.ts'
import { Secret } from '../secret.ts'
import type { Draft, PeerDraft } from './draft.ts'
import type { Faults } from './fault.ts'
import { claim } from './network-check.ts'

export interface Keys {
  readonly privateKey: Secret | null
  /** Of the private one, canonical base64. */
  readonly publicKey: string | null
  /** Peer → its preshared key. */
  readonly preshared: ReadonlyMap<string, Secret>
}

/** Reads every key file that is named; a relative name begins at `directory`. */
export function readKeys(draft: Draft, directory: string, read: ReadKey, faults: Faults): Keys {
  const open = (path: readonly string[], file: string | null | undefined, maker: string): Secret | null => {
    if (!file) return null
    const found = read(resolve(directory, file), maker)
    if (found instanceof Secret) return found
    faults.add(path, found.what, found.mend)
    return null
  }
  const privateKey = open(['privateKeyFile'], draft.privateKeyFile, 'vtepd genkey')
  const publicKey = privateKey && publicHalf(privateKey)
  const preshared = new Map<string, Secret>()
  for (const { name, presharedKeyFile } of draft.peers?.values() ?? []) {
    const secret = open(['peers', name, 'presharedKeyFile'], presharedKeyFile, 'vtepd genpsk')
    if (secret) preshared.set(name, secret)
  }
  checkPublicKeys([...(draft.peers?.values() ?? [])], publicKey, faults)
  return { privateKey, publicKey, preshared }
}

/** When they come to nothing, since something else is faulty. */
export function zeroKeys({ privateKey, preshared }: Keys): void {
  privateKey?.zero()
  for (const secret of preshared.values()) secret.zero()
}

function publicHalf(privateKey: Secret): string {
  const bytes = privateKey.copy()
  try {
    return base64Of(publicKeyOf(bytes))
  } finally {
    bytes.fill(0)
  }
}

// A key is who a peer is: there is one peer to it, and that is not us.
function checkPublicKeys(peers: readonly PeerDraft[], own: string | null, faults: Faults): void {
  const owners = new Map<string, string>()
  for (const { name, publicKey } of peers) {
    if (!publicKey) continue
    const path = ['peers', name, 'publicKey']
    const owner = claim(owners, publicKey, name)
    if (publicKey === own) {
      faults.add(path, "it is this host's own public key", "write the other host's, which `vtepd pubkey` prints there")
    } else if (owner !== name) {
      faults.add(
        path,
        `it is peer ${owner}'s too`,
        'a key is who a peer is: remove one of the peers, or write its own key',
      )
    }
  }
}
