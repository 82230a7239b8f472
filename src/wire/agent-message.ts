// What agents say to each other inside a tunnel, beside frames and packets: docs/data-path.md.        | 0x76 | kind | body …
// The first byte is neither VXLAN's (0x08) nor IP's (nibble 4 or 6), so that a stock WireGuard peer drops it, and nobody else
// can say it: it is sealed. Bodies are their readers' business. Temperature: warm.
import * as drop from '../drop.ts'

export const LEN = 2
const FIRST = 0x76

/** "Does a message of this length arrive?" and "it has": datapath/path-probe.ts. */
export const PROBE = 1
export const PROBE_ANSWER = 2
/** For the other agent's control thread. */
export const CONTROL = 3

/** The kind of the message in [off, end), or drop.UNKNOWN_PAYLOAD. */
export function check(buf: Uint8Array, off: number, end: number): number {
  if (end - off < LEN || buf[off] !== FIRST) return drop.UNKNOWN_PAYLOAD
  const kind = buf[off + 1]!
  return kind >= PROBE && kind <= CONTROL ? kind : drop.UNKNOWN_PAYLOAD
}

export function write(buf: Uint8Array, off: number, kind: number): void {
  buf[off] = FIRST
  buf[off + 1] = kind
}
