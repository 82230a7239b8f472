// What etcd and gRPC say when a call fails, as a StoreError with a sentence for the operator. Cold.
import { StoreError, type StoreErrorKind } from './kv.ts'

/** A token of a user that etcd does not know any more: log in again. */
export class TokenError extends StoreError {}

/** gRPC's numbers. */
const NOT_FOUND = 5
const OUT_OF_RANGE = 11
const REFUSALS = [3, 7, 9, 12, 16]

const TEXTS: readonly [RegExp, StoreErrorKind, string][] = [
  [/required revision has been compacted/, 'compacted', 'what was asked for has been compacted'],
  [/requested lease not found/, 'missing', 'there is no such lease any more'],
  [/authentication failed/, 'refused', 'it does not know the user, or not with this password'],
  [/authentication is not enabled/, 'refused', 'it has no users: remove username and passwordFile'],
  [/user name is empty/, 'refused', 'it has users: give username and passwordFile'],
  [/permission denied/, 'refused', 'it does not permit that to this user'],
  [/database space exceeded/, 'refused', 'it has no space left and takes no writes (see `etcdctl alarm list`)'],
  [/no leader/, 'away', 'it has no leader'],
  [/[Dd]eadline exceeded/, 'away', 'no answer in time'],
  [/Connection dropped/, 'away', 'connection lost'],
  [/ECONNREFUSED/, 'away', 'nobody listens there'],
  [/wrong version number/, 'away', 'it does not speak TLS: write http://'],
  [/disconnected before secure TLS/, 'away', 'it broke TLS off; write http:// if it speaks none'],
  [/key values mismatch/, 'away', 'keyFile is not the key of certFile'],
  [
    /alert (bad certificate|certificate required|unknown ca|handshake failure)/,
    'away',
    'it wants a certificate of ours that it knows: certFile and keyFile',
  ],
  [/self.signed|unable to (verify|get)|certificate|Hostname\/IP|TLS|SSL/i, 'away', 'its certificate does not do'],
  [/Failed to connect/, 'away', 'no connection; does it want https://?'],
]

/** What a call to this endpoint failed with. */
export function storeErrorOf(error: unknown, endpoint: string): StoreError {
  if (error instanceof StoreError) return error
  const { code, details, message } = error as { code?: number; details?: string; message?: string }
  const text = details || message || String(error)
  if (/invalid auth token|auth revision in the header is old/.test(text))
    return new TokenError('away', `${endpoint}: logged out`)
  const known = TEXTS.find(([pattern]) => pattern.test(text))
  if (known)
    return new StoreError(
      known[1],
      `${endpoint}: ${known[2]}${isCertificate(known) ? ` (${brief(text)}); see caFile` : ''}`,
    )
  return new StoreError(kindOf(code), `${endpoint}: ${brief(text)}`)
}

function kindOf(code: number | undefined): StoreErrorKind {
  if (code === OUT_OF_RANGE) return 'compacted'
  if (code === NOT_FOUND) return 'missing'
  return code !== undefined && REFUSALS.includes(code) ? 'refused' : 'away'
}

function isCertificate([, , text]: readonly [RegExp, StoreErrorKind, string]): boolean {
  return text.startsWith('its certificate')
}

function brief(text: string): string {
  // With the moment in it, each would be a new one.
  const line = text
    .replace(/\s+/g, ' ')
    .replace(/^\d+ [A-Z_]+: /, '')
    .replace(/^No connection established\. Last error: (Error: )?/, '')
    .replace(/ ?Resolution note: $| \(\d{4}-\d\d-\d\dT[\d:.]+Z\)/g, '')
  return line.length > 160 ? `${line.slice(0, 157)}...` : line
}
