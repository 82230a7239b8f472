// wireguard-go(8) between two hosts of a lab, as a stranger to compare with: a TUN device in each, keys of its own. Its socket for
// wg(8) lies in a mount namespace of its own, so that its interface's name collides with nobody's and nothing is left behind.
import { isInstalled } from '../src/lab/command.ts'
import { makeKeys } from '../src/lab/keys.ts'
import type { Host } from '../src/lab/lab.ts'

export interface WireguardGo {
  /** `wireguard-go` is Debian's; `go install` of the newest makes a program called `wireguard`. */
  readonly program: string
  readonly interface: string
  readonly port: number
}

export interface WireguardEnd {
  readonly host: Host
  readonly underlay: string
  /** Inside the tunnel. */
  readonly address: string
}

/** Arguments: program, interface, private key's file, port, the peer's key, endpoint and address, our address. */
const UP = `set -e
mkdir -p /var/run/wireguard
mount -t tmpfs tmpfs /var/run/wireguard
"$1" "$2"
wg set "$2" private-key "$3" listen-port "$4" peer "$5" endpoint "$6" allowed-ips "$7/32"
ip addr add "$8/24" dev "$2"
ip link set "$2" up`

/** What the program calls itself and its version, or null when there is no such program here. */
export async function versionOf({ program }: WireguardGo, host: Host): Promise<string | null> {
  if (!isInstalled(program)) return null
  const { stdout } = await host.run([program, '--version'])
  const line = stdout.split('\n')[0]!.trim()
  return line.startsWith('wireguard-go') ? line : null
}

/** Makes the device on both hosts and sets it up. The daemons end with the lab. */
export async function addWireguardGo(of: WireguardGo, ends: readonly [WireguardEnd, WireguardEnd]): Promise<void> {
  const keys = ends.map(({ host }) => makeKeys(host.lab, `${of.program}-${host.name}`))
  for (const [i, { host, address }] of ends.entries()) {
    const far = ends[1 - i]!
    const ours = [of.program, of.interface, keys[i]!.file, String(of.port)]
    const theirs = [keys[1 - i]!.publicKey, `${far.underlay}:${of.port}`, far.address]
    await host.run(['sh', '-c', UP, 'sh', ...ours, ...theirs, address])
  }
}
