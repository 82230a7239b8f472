// The kernel's packet filter by its own tools: nft, and the save and restore halves of iptables in both of its kinds. Programs
// are run without a shell, rules go in on stdin. What rules there should be, control knows. Cold.
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter } from 'node:path'

/** nft: on nf_tables, which nft and its events see too. legacy: ip_tables, which has no events. */
export type TablesKind = 'nft' | 'legacy'
export type Family = 4 | 6

/** A tool that ended with another code than 0, or is not there (`code` ENOENT); the message is what it said. */
export class ToolError extends Error {
  readonly code: string | number

  constructor(program: string, code: string | number, said: string) {
    super(`${program}: ${said}`)
    this.name = 'ToolError'
    this.code = code
  }
}

/** Milliseconds that a tool may take, beside the seconds that it waits for another one's lock. */
const PATIENCE = 10_000
const LOCK_SECONDS = '5'
/** Bytes: rules of a large Kubernetes node. */
const OUTPUT_MAX = 64 * 1024 * 1024
/** Where administrators' programs lie, also when PATH leaves them out. */
const ADMIN_PATH = ['/usr/sbin', '/sbin']

/** Text of one of nft's tables without counters and handles; null when there is none. */
export async function readTable(family: string, name: string): Promise<string | null> {
  try {
    return await run('nft', ['-s', 'list', 'table', family, name])
  } catch (error) {
    if (error instanceof ToolError && /No such file or directory/.test(error.message)) return null
    throw error
  }
}

/** Every chain on the host as nft's JSON has them. */
export async function readChains(): Promise<string> {
  return run('nft', ['-j', 'list', 'chains'])
}

/** Whether there is a program nft. */
export async function hasNft(): Promise<boolean> {
  try {
    await run('nft', ['-v'])
  } catch (error) {
    if (error instanceof ToolError && error.code === 'ENOENT') return false
  }
  return true
}

/** One transaction: all of the text or nothing. */
export async function writeNft(text: string): Promise<void> {
  await run('nft', ['-f', '-'], text)
}

/** What iptables-save says of a family. */
export async function saveTables(kind: TablesKind, family: Family): Promise<string> {
  return either(program(kind, family, 'save'), [], undefined)
}

/** iptables-restore over what is there: each table in one transaction. */
export async function restoreTables(kind: TablesKind, family: Family, text: string): Promise<void> {
  await either(program(kind, family, 'restore'), ['--noflush', '-w', LOCK_SECONDS], text)
}

/** What `iptables` is on this host. */
export async function usualKind(): Promise<TablesKind> {
  return (await run('iptables', ['-V'])).includes('legacy') ? 'legacy' : 'nft'
}

/** Whether ip_tables of the kernel has tables in this namespace. Asking by the tool would make them. */
export function hasLegacyTables(family: Family): boolean {
  return read(`/proc/net/ip${family === 6 ? '6' : ''}_tables_names`).trim() !== ''
}

/** Whether the kernel speaks the family at all. */
export function hasFamily(family: Family): boolean {
  return family === 4 || existsSync('/proc/net/if_inet6')
}

/** Whether bridges ask iptables about what they pass on (br_netfilter, which Docker loads). */
export function filtersBridges(family: Family): boolean {
  return read(`/proc/sys/net/bridge/bridge-nf-call-ip${family === 6 ? '6' : ''}tables`).trim() === '1'
}

/** Whether this host forwards packets of a family; null: it cannot be asked. */
export function forwards(family: Family): boolean | null {
  const value = read(`/proc/sys/net/${family === 4 ? 'ipv4/ip_forward' : 'ipv6/conf/all/forwarding'}`).trim()
  return value === '' ? null : value !== '0'
}

// The name that says the kind, else the host's usual one.
function program(kind: TablesKind, family: Family, half: 'save' | 'restore'): [string, string] {
  const base = family === 6 ? 'ip6tables' : 'iptables'
  return [`${base}-${kind}-${half}`, `${base}-${half}`]
}

async function either([first, second]: [string, string], args: readonly string[], stdin?: string): Promise<string> {
  try {
    return await run(first, args, stdin)
  } catch (error) {
    if (error instanceof ToolError && error.code === 'ENOENT') return run(second, args, stdin)
    throw error
  }
}

function run(program: string, args: readonly string[], stdin?: string): Promise<string> {
  const path = [process.env['PATH'] ?? '', ...ADMIN_PATH].join(delimiter)
  const env = { ...process.env, PATH: path, LC_ALL: 'C' }
  const options = { env, timeout: PATIENCE, maxBuffer: OUTPUT_MAX, encoding: 'utf8' } as const
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      if (!error) return resolve(stdout)
      // iptables begins with its own name and version.
      const said = stderr
        .trim()
        .replace(/\s*\n\s*/g, ' ')
        .replace(/^\S+ v[\d.]+ \([^)]*\): /, '')
      const code = error.code ?? error.signal ?? 'unknown'
      reject(new ToolError(program, code, code === 'ENOENT' ? 'not installed' : said || error.message))
    })
    // It may end before it has read all; its exit code says why.
    child.stdin?.on('error', () => {}).end(stdin)
  })
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
