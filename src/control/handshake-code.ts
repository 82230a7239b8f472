// What became of a handshake message, as the reason that it is counted under. Cold.
import * as drop from '../drop.ts'
import type { Why } from '../wireguard/handshakes.ts'

export const CODES: Record<Why, number> = {
  'not-wireguard': drop.NOT_WIREGUARD,
  'no-key': drop.UNKNOWN_PEER,
  'bad-mac': drop.BAD_MAC,
  'rate-limited': drop.HANDSHAKE_LIMITED,
  'unknown-peer': drop.UNKNOWN_PEER,
  'bad-tag': drop.BAD_TAG,
  replay: drop.REPLAY,
  flood: drop.HANDSHAKE_LIMITED,
  'no-handshake': drop.UNKNOWN_PEER,
  'bad-cookie': drop.BAD_TAG,
}
