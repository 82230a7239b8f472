// `vtepd config import wg-quick FILE`: a configuration of another program as one of ours, on stdout. What is not carried over is
// named on stderr. Keys go into files of mode 0600 and are never printed; nothing is written before all of it is known to be good.
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { stringify } from 'yaml'
import { parseConfig } from '../control/config/config.ts'
import { ConfigError } from '../control/config/error.ts'
import { readWgQuick, valuesOf, type WgQuick, WgQuickError } from '../control/config/wg-quick.ts'
import { base64Of } from '../control/key.ts'
import { Secret } from '../control/secret.ts'
import { unreadable } from './config-source.ts'
import { DONE, FAILED, Failure, NOT_PERMITTED, USAGE } from './exit.ts'
import type { Flags } from './flags.ts'
import { print, printJson } from './output.ts'

/** wg-quick(8): what its interfaces may be called. */
const WG_INTERFACE = /^[a-zA-Z0-9_=+.-]{1,15}$/
const VNI_COMMENT = 'any that is free: it is not on the wire of a secure tun network'

export async function wgQuick(flags: Flags): Promise<number> {
  const path = flags.text('file')!
  const name = basename(path).replace(/\.conf$/, '')
  const isInterface = WG_INTERFACE.test(name)
  const found = read(path, await textOf(path), isInterface ? name : `vt${vniOf(flags)}`)
  const network = { name: networkName(name), vni: vniOf(flags), interface: isInterface ? name : null }
  const files = keyFiles(path, found, flags.text('key-out'))
  const keys = {
    privateKeyFile: files.privateKeyFile,
    preshared: new Map(files.preshared.map((f) => [f.peer, f.path])),
  }
  const values = valuesOf(found, network, keys)
  check(path, values, found)
  write(files.all)
  for (const { secret } of files.all) secret.zero()
  const notes = found.notes.map(({ line, key, text }) => ({ line: line > 0 ? line : null, key, text }))
  for (const { line, key, text } of notes) {
    const where = line === null ? key : `${key} (line ${line})`
    process.stderr.write(`vtepd: ${path}: not carried over: ${where}: ${text}\n`)
  }
  for (const file of files.all) process.stderr.write(`vtepd: wrote ${file.path}\n`)
  if (flags.on('json')) printJson({ schema: 1, config: values, notCarriedOver: notes })
  else print(yamlOf(values, basename(path)))
  return DONE
}

function read(path: string, text: string, name: string): WgQuick {
  try {
    return readWgQuick(text, name)
  } catch (error) {
    if (error instanceof WgQuickError) throw new Failure(USAGE, `${path}: ${error.message}`, error.faults)
    throw error
  }
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw unreadable(path, error, 'name the .conf of wg-quick')
  }
}

function vniOf(flags: Flags): number {
  const text = flags.text('vni') ?? '1'
  const vni = Number(text)
  if (/^\d+$/.test(text) && vni <= 16777215) return vni
  throw new Failure(USAGE, `--vni: want 0..16777215, got ${JSON.stringify(text)}`)
}

function networkName(name: string): string {
  const fit = name.replace(/[^A-Za-z0-9._-]/g, '-').replace(/^[._-]+/, '')
  return fit === '' ? 'wg' : fit.slice(0, 63)
}

interface KeyFile {
  readonly path: string
  readonly secret: Secret
}

interface KeyFiles {
  readonly privateKeyFile: string
  readonly preshared: readonly (KeyFile & { readonly peer: string })[]
  /** What is to be written. */
  readonly all: readonly KeyFile[]
}

// /etc/vtepd/wg0.key, and /etc/vtepd/wg0-peer-1.psk beside it.
function keyFiles(path: string, found: WgQuick, out: string | undefined): KeyFiles {
  const { privateKey, peers } = found
  const own = out === undefined ? found.privateKeyFile : resolve(out)
  const secrets = (privateKey ? 1 : 0) + peers.filter((peer) => peer.presharedKey).length
  if (out === undefined && secrets > 0) {
    const what = secrets === 1 ? 'holds a key, which is' : `holds ${secrets} keys, which are`
    const mend = 'name a file for the private one with --key-out FILE; preshared ones go beside it'
    throw new Failure(USAGE, `${path} ${what} not printed: ${mend}`)
  }
  if (own === null) {
    const what = 'has no PrivateKey, without which nothing is secure here'
    throw new Failure(USAGE, `${path} ${what}: name the file that has it with --key-out FILE, which is left as it is`)
  }
  const stem = (out === undefined ? own : resolve(out)).replace(/\.key$/, '')
  const preshared = peers.flatMap(({ name, presharedKey }) => {
    if (!presharedKey) return []
    return { peer: name, path: join(dirname(stem), `${basename(stem)}-${name}.psk`), secret: presharedKey }
  })
  return {
    privateKeyFile: own,
    preshared,
    all: [...(privateKey ? [{ path: own, secret: privateKey }] : []), ...preshared],
  }
}

// What a running agent would say to it, said before anything is written.
function check(path: string, values: object, found: WgQuick): void {
  const some = new Secret(new Uint8Array(32).fill(1))
  const own = found.privateKey ?? some
  const file = (values as { privateKeyFile: string }).privateKeyFile
  try {
    const readKey = (name: string): Secret => (name === file ? own : some)
    parseConfig(JSON.stringify(values), { path, hostname: 'host', readKey })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const faults = error.faults.map((fault) => fault.replace(/ \(line \d+\)$/, ''))
    throw new Failure(USAGE, `${path}: the agent would not take what it says`, faults)
  }
}

// All or none; a file that is there is somebody's.
function write(files: readonly KeyFile[]): void {
  const made: string[] = []
  try {
    for (const { path, secret } of files) {
      const fd = openSync(path, 'wx', 0o600)
      made.push(path)
      const bytes = secret.copy()
      try {
        writeSync(fd, `${base64Of(bytes)}\n`)
      } finally {
        bytes.fill(0)
        closeSync(fd)
      }
    }
  } catch (error) {
    for (const path of made) unlinkSync(path)
    const { code, path = 'key file', message } = error as NodeJS.ErrnoException
    if (code === 'EEXIST')
      throw new Failure(FAILED, `${path} is there already; remove it, or name another with --key-out`)
    if (code === 'ENOENT')
      throw new Failure(FAILED, `${path}: no such directory; make it: mkdir -p -m 0755 ${dirname(path)}`)
    throw new Failure(code === 'EACCES' || code === 'EPERM' ? NOT_PERMITTED : FAILED, message)
  }
}

function yamlOf(values: object, file: string): string {
  const text = stringify(values, { lineWidth: 0 }).replace(/^( +vni: \d+)$/m, `$1 # ${VNI_COMMENT}`)
  return `# From ${file}.\n${text}`
}
