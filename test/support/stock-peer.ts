// An agent and Debian's wireguard-go on two hosts of a lab, members of one secure layer 3 network; wg(8) asks both.
//
//   a: agent, 10.43.0.1 fd00:43::1 ─ eth0 198.18.0.1 fd00:18::1 ──── 198.18.0.2 fd00:18::2 eth0 ─ 10.43.0.2 fd00:43::2, wireguard-go :w
import { type LabAgent, startAgent } from '../../src/lab/agent.ts'
import type { Host, Lab } from '../../src/lab/lab.ts'
import type { Keys } from './overlay.ts'
import { keyFile, type Pair, pair, presharedKey, rewrite, secureConfiguration } from './secure.ts'
import { freshName, WgLab } from './wg-lab.ts'

/** Inside and outside of the tunnel. */
export const A = { inner4: '10.43.0.1', inner6: 'fd00:43::1', outer4: '198.18.0.1', outer6: 'fd00:18::1', port: 51820 }
export const W = { inner4: '10.43.0.2', inner6: 'fd00:43::2', outer4: '198.18.0.2', outer6: 'fd00:18::2', port: 20_000 }

export interface Options {
  /** Who knows at the start where the other one is; default: both. */
  readonly caller?: 'agent' | 'wireguard-go'
  /** The endpoints are IPv6. */
  readonly v6?: boolean
  /** Keys of wireguard-go's entry in the agent's file, of its network, and of the file. */
  readonly peer?: Keys
  readonly network?: Keys
  readonly more?: Keys
  /** Other peers. */
  readonly others?: Record<string, Keys>
}

export class StockPeer {
  readonly a: Host
  readonly w: Host
  /** The agent's. */
  readonly keys: Pair = pair()
  readonly goKeys: Pair = pair()
  readonly psk = presharedKey()
  /** The agent's interface. */
  readonly device = freshName()
  agent!: LabAgent
  go!: WgLab
  private readonly options: Options

  private constructor(a: Host, w: Host, options: Options) {
    this.a = a
    this.w = w
    this.options = options
  }

  /** Joins the hosts by a wire and starts both. */
  static async start(lab: Lab, options: Options = {}): Promise<StockPeer> {
    return StockPeer.between(...(await StockPeer.hosts(lab)), options)
  }

  /** The hosts, joined by a wire. */
  static async hosts(lab: Lab): Promise<[a: Host, w: Host]> {
    const [a, w] = [await lab.host('a'), await lab.host('w')]
    await lab.connect([
      { host: a, addresses: [`${A.outer4}/24`, `${A.outer6}/64`] },
      { host: w, addresses: [`${W.outer4}/24`, `${W.outer6}/64`] },
    ])
    return [a, w]
  }

  /** The same between hosts that are joined already. */
  static async between(a: Host, w: Host, options: Options = {}): Promise<StockPeer> {
    const made = new StockPeer(a, w, options)
    await made.startGo()
    await made.startAgent()
    return made
  }

  async startAgent(): Promise<void> {
    this.agent = await startAgent(this.a, this.file())
  }

  /** wireguard-go with the key that it had before; `quiet`: it does not know where the agent is. */
  async startGo(quiet = this.options.caller === 'agent'): Promise<void> {
    const { w } = this
    this.go = await WgLab.start(w, 'wireguard-go')
    const own = ['private-key', keyFile(w.lab, 'go', this.goKeys.private), 'listen-port', `${W.port}`]
    const psk = ['preshared-key', keyFile(w.lab, 'psk', this.psk)]
    const endpoint = quiet ? [] : ['endpoint', this.options.v6 ? `[${A.outer6}]:${A.port}` : `${A.outer4}:${A.port}`]
    const allowed = ['allowed-ips', `${A.inner4}/32,${A.inner6}/128`]
    await this.go.set(...own, 'peer', this.keys.public, ...psk, ...allowed, ...endpoint)
    await this.go.up(`${W.inner4}/24`, `${W.inner6}/64`)
  }

  /** Writes the agent's file anew, changed by these, and has it taken. */
  async reload(changed: Options): Promise<void> {
    rewrite(this.agent, this.file(changed))
    await this.agent.reload()
  }

  /** What wireguard-go says of the agent. */
  async seenByGo(what: string): Promise<string> {
    return (await this.go.show(what))[this.keys.public]!
  }

  /** What the agent says of wireguard-go, by its own socket for wg(8). */
  async seenByAgent(what: string): Promise<string> {
    const { stdout } = await this.a.run(['wg', 'show', this.device, what])
    const row = stdout.split('\n').find((line) => line.startsWith(this.goKeys.public))
    return row!.slice(row!.indexOf('\t') + 1)
  }

  private file(changed: Options = {}): Keys {
    const { caller, v6, peer, network, more, others } = { ...this.options, ...changed }
    const where = v6 ? `[${W.outer6}]:${W.port}` : `${W.outer4}:${W.port}`
    const go = {
      type: 'wireguard',
      publicKey: this.goKeys.public,
      presharedKeyFile: keyFile(this.a.lab, 'psk', this.psk),
      allowedIps: [`${W.inner4}/32`, `${W.inner6}/128`],
      ...(caller === 'wireguard-go' ? {} : { endpoint: where }),
      ...peer,
    }
    const address = [`${A.inner4}/24`, `${A.inner6}/64`]
    const transit = { vni: 43, device: 'tun', interface: this.device, address, ...network }
    return secureConfiguration(this.a, this.keys, { networks: { transit }, peers: { go, ...others }, ...more })
  }
}
