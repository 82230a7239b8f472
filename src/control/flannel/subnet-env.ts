// The file that tells container runtimes which subnet is theirs: flannel's lines, no quotes, no spaces, old or new also after a
// crash, readable by all. Our own previous subnet is read back from it. Cold.
import { randomBytes } from 'node:crypto'
import { closeSync, fchmodSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { addressText, network as networkOf, parseCidr } from '../cidr.ts'
import { makeDirectory } from '../directory.ts'
import type { Subnets } from './lease.ts'
import type { Lease, StoreConfig } from './model.ts'

/** Of the file: for all to read, whatever the umask is. */
export const MODE = 0o644

export interface SubnetEnv {
  readonly config: StoreConfig
  readonly own: Pick<Lease, 'subnet' | 'subnet6'>
  /** Of the device. */
  readonly mtu: number
  readonly masquerade: boolean
}

/** The file's text. */
export function subnetEnvText({ config, own, mtu, masquerade }: SubnetEnv): string {
  const lines: string[] = []
  if (config.ipv4 && own.subnet) {
    lines.push(`FLANNEL_NETWORK=${config.ipv4.network}`, `FLANNEL_SUBNET=${firstHost(own.subnet)}`)
  }
  if (config.ipv6 && own.subnet6) {
    lines.push(`FLANNEL_IPV6_NETWORK=${config.ipv6.network}`, `FLANNEL_IPV6_SUBNET=${firstHost(own.subnet6)}`)
  }
  lines.push(`FLANNEL_MTU=${mtu}`, `FLANNEL_IPMASQ=${masquerade}`)
  return `${lines.join('\n')}\n`
}

/** Throws what the file system says. */
export function writeSubnetEnv(path: string, text: string): void {
  const dir = dirname(path)
  makeDirectory(dir)
  const made = join(dir, `.subnet-${randomBytes(6).toString('hex')}`)
  const fd = openSync(made, 'wx', MODE)
  try {
    fchmodSync(fd, MODE)
    writeFileSync(fd, text)
    fsyncSync(fd)
    renameSync(made, path)
  } catch (error) {
    rmSync(made, { force: true })
    throw error
  } finally {
    closeSync(fd)
  }
}

/** The subnets that the file names, ours or flanneld's; null: there are none to read. */
export function readSubnetEnv(path: string): Subnets | null {
  try {
    return parseSubnetEnv(readFileSync(path, 'utf8'))
  } catch {
    return null
  }
}

/** null: the text names none. */
export function parseSubnetEnv(text: string): Subnets | null {
  const lines = new Map(text.split('\n').map((line) => cut(line, '=')))
  const subnet = subnetOf(lines.get('FLANNEL_SUBNET'), false)
  const subnet6 = subnetOf(lines.get('FLANNEL_IPV6_SUBNET'), true)
  return subnet || subnet6 ? { subnet, subnet6 } : null
}

function subnetOf(text: string | undefined, v6: boolean) {
  const cidr = parseCidr(text?.trim() ?? '')
  return cidr?.v6 === v6 ? networkOf(cidr) : null
}

function cut(line: string, at: string): [string, string] {
  const end = line.indexOf(at)
  return end < 0 ? [line, ''] : [line.slice(0, end), line.slice(end + 1)]
}

function firstHost(subnet: string): string {
  const cidr = parseCidr(subnet)!
  return `${addressText({ ...cidr, value: cidr.value + 1n })}/${cidr.length}`
}
