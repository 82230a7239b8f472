// `vtepd genkey`, `vtepd pubkey` and `vtepd genpsk`: keys from and to a pipe, as wg(8) has them, down to the exit code of a key
// that is none.
import { fstatSync } from 'node:fs'
import {
  base64Of,
  generatePresharedKey,
  generatePrivateKey,
  KEY_TEXT_LEN,
  keyFromBase64,
  publicKeyOf,
} from '../control/key.ts'
import { DONE, FAILED, Failure } from './exit.ts'
import type { Flags } from './flags.ts'
import { print, printJson } from './output.ts'

/** Bytes of stdin that are looked at: a key and some blank lines. */
const INPUT_MAX = 4096

export async function genkey(flags: Flags): Promise<number> {
  return show(flags, 'privateKey', generatePrivateKey())
}

export async function genpsk(flags: Flags): Promise<number> {
  return show(flags, 'presharedKey', generatePresharedKey())
}

/** The public key of the private one on stdin. */
export async function pubkey(flags: Flags): Promise<number> {
  const input = await stdin()
  try {
    const privateKey = keyFromBase64(input.subarray(0, KEY_TEXT_LEN))
    if (!privateKey) throw new Failure(FAILED, 'Key is not the correct length or format')
    const publicKey = base64Of(publicKeyOf(privateKey))
    privateKey.fill(0)
    if (!input.subarray(KEY_TEXT_LEN).every(isBlank)) throw new Failure(FAILED, 'Trailing characters found after key')
    if (flags.on('json')) printJson({ schema: 1, publicKey })
    else print(publicKey)
    return DONE
  } finally {
    input.fill(0)
  }
}

function show(flags: Flags, name: string, key: Uint8Array): number {
  warnOfReaders()
  const text = base64Of(key)
  key.fill(0)
  if (flags.on('json')) printJson({ schema: 1, [name]: text })
  else print(text)
  return DONE
}

// Such a file is refused when the agent is to read its key from it.
function warnOfReaders(): void {
  const stat = fstatSync(1)
  if (!stat.isFile() || (stat.mode & 0o077) === 0) return
  const who = (stat.mode & 0o007) !== 0 ? 'world' : 'group'
  process.stderr.write(`Warning: writing to ${who} accessible file.\n`)
  process.stderr.write('Consider setting the umask to 077 and trying again.\n')
}

async function stdin(): Promise<Uint8Array> {
  const input = new Uint8Array(INPUT_MAX)
  let length = 0
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    const part = chunk.subarray(0, INPUT_MAX - length)
    input.set(part, length)
    length += part.length
    chunk.fill(0)
    if (length === INPUT_MAX) break
  }
  return input.subarray(0, length)
}

// As isspace(3) has it, and NUL.
function isBlank(byte: number): boolean {
  return byte === 0 || byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)
}
