// Tests that need the kernel's network: as root, with /dev/net/tun and iproute2. Elsewhere they skip and say why.
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'
import { describe } from 'vitest'

const CAP_NET_ADMIN = 12
const CAP_SYS_ADMIN = 21

/** Why this process cannot make namespaces and devices, or null when it can. */
export const notRoot: string | null = reason()

/** `describe`, skipped with the reason in its title when not root; `commands` are programs that it needs besides. */
export function describeRoot(title: string, body: () => void, commands: readonly string[] = []): void {
  const why = notRoot ?? missing(commands)
  describe.skipIf(why !== null)(why === null ? title : `${title} (needs ${why})`, body)
}

/** Which of these programs is not in PATH, as the end of "needs …"; null when all are. */
export function missing(commands: readonly string[]): string | null {
  const absent = commands.filter((command) => !isInstalled(command))
  return absent.length === 0 ? null : absent.join(', ')
}

function reason(): string | null {
  if (process.geteuid?.() !== 0) return 'root'
  if (!hasCapability(CAP_NET_ADMIN)) return 'CAP_NET_ADMIN'
  if (!hasCapability(CAP_SYS_ADMIN)) return 'CAP_SYS_ADMIN'
  if (!existsSync('/dev/net/tun')) return '/dev/net/tun'
  return missing(['ip'])
}

function hasCapability(bit: number): boolean {
  const line = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))
  return line !== null && ((BigInt(`0x${line[1]}`) >> BigInt(bit)) & 1n) === 1n
}

function isInstalled(command: string): boolean {
  const path = isAbsolute(command) ? '/' : `${process.env['PATH'] ?? ''}${delimiter}/usr/sbin${delimiter}/sbin`
  return path.split(delimiter).some((dir) => {
    try {
      accessSync(join(dir, command), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
