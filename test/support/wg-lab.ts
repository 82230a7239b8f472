// WireGuard devices in user space, ours and wireguard-go's, on the hosts of a lab; wg(8) configures both.
import { randomBytes } from 'node:crypto'
import { existsSync, rmSync } from 'node:fs'
import { UAPI_DIRECTORY } from '../../src/control/wg/uapi-socket.ts'
import { built } from '../../src/lab/built.ts'
import type { Host } from '../../src/lab/lab.ts'
import { until } from './overlay.ts'
import { keyFile, type Pair, pair } from './secure.ts'

export type Program = 'vtepd-wg' | 'wireguard-go'

/** How a program is started; the interface's name follows. */
export function command(program: Program): string[] {
  return program === 'vtepd-wg' ? [process.execPath, built('vtepd-wg.js')] : ['wireguard-go']
}

/** A name that no other run has: sockets of all namespaces lie in one directory. */
export function freshName(): string {
  return `vw${randomBytes(5).toString('hex')}`
}

export function socketOf(name: string): string {
  return `${UAPI_DIRECTORY}/${name}.sock`
}

export class WgLab {
  /** Where its sockets are, UDP and wg(8)'s. */
  readonly home: Host
  /** Where its interface is. */
  host: Host
  readonly name: string
  readonly keys: Pair = pair()

  private constructor(home: Host, name: string) {
    this.home = home
    this.host = home
    this.name = name
  }

  /** Starts a device; resolves when wg(8) can ask it. It ends with the lab. */
  static async start(home: Host, program: Program, name = freshName()): Promise<WgLab> {
    const device = new WgLab(home, name)
    home.lab.beforeClose(() => device.remove())
    await home.run([...command(program), name])
    return device
  }

  async moveTo(host: Host): Promise<void> {
    await this.home.ip('link', 'set', this.name, 'netns', host.namespace)
    this.host = host
  }

  /** `wg set` of this device. */
  async set(...args: string[]): Promise<void> {
    await this.home.run(['wg', 'set', this.name, ...args])
  }

  /** Its own key and port; the peer and what is behind that. */
  async meet(port: number, peer: WgLab, psk: string, allowedIps: string, more: string[] = []): Promise<void> {
    const { lab } = this.home
    const own = ['private-key', keyFile(lab, this.name, this.keys.private), 'listen-port', String(port)]
    const shared = ['preshared-key', keyFile(lab, `${this.name}-psk`, psk)]
    await this.set(...own, 'peer', peer.keys.public, ...shared, 'allowed-ips', allowedIps, ...more)
  }

  async up(...addresses: string[]): Promise<void> {
    for (const address of addresses) await this.host.ip('addr', 'add', address, 'dev', this.name)
    await this.host.ip('link', 'set', this.name, 'up')
  }

  /** A column of `wg show`, by peer. */
  async show(what: string): Promise<Record<string, string>> {
    const { stdout } = await this.home.run(['wg', 'show', this.name, what])
    const rows = stdout.split('\n').filter(Boolean)
    return Object.fromEntries(rows.map((row) => [row.split('\t')[0]!, row.slice(row.indexOf('\t') + 1)]))
  }

  async endpointOf(peer: WgLab): Promise<string | undefined> {
    return (await this.show('endpoints'))[peer.keys.public]
  }

  /** Packets that came out of the interface. */
  async received(): Promise<number> {
    const { stdout } = await this.host.run(['cat', `/sys/class/net/${this.name}/statistics/rx_packets`])
    return Number(stdout)
  }

  /** Ends it by its socket's removal; resolves when the interface is gone too. */
  async remove(): Promise<void> {
    rmSync(socketOf(this.name), { force: true })
    await until(
      `the end of ${this.name}`,
      () => this.isThere(),
      (there) => !there,
    )
  }

  async isThere(): Promise<boolean> {
    const { stdout } = await this.host.run(['ls', '/sys/class/net'])
    return existsSync(socketOf(this.name)) || stdout.split('\n').includes(this.name)
  }
}
