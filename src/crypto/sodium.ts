// libsodium (WebAssembly), which must have loaded before x25519.ts and aead.ts answer. Whoever gets the first key awaits `ready`
// once; nothing else in this room waits. Who has no keys does not load it: it is a third of what an agent would load to start.
// Cold: handshakes, never packets.

type Sodium = typeof import('libsodium-wrappers')['default']

/** Only after `ready`. */
export let sodium: Sodium
let loading: Promise<void> | null = null

/** Await this before the first X25519 or AEAD call of the process (of each worker that makes one). */
export function ready(): Promise<void> {
  loading ??= load()
  return loading
}

async function load(): Promise<void> {
  const { default: loaded } = await import('libsodium-wrappers')
  await loaded.ready
  sodium = loaded
}
