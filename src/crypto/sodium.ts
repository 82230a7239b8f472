// libsodium (WebAssembly), which must have loaded before x25519.ts and aead.ts answer. Whoever starts awaits `ready` once;
// nothing else in this room waits. Cold: handshakes, never packets.
import sodium from 'libsodium-wrappers'

/** Await this once before the first X25519 or AEAD call of the process (of each worker that makes one). */
export const ready: Promise<void> = sodium.ready

export default sodium
