// What `wire` measures: two hosts over one veth pair with its defaults, an agent in each with three networks, and beside them on
// ports of their own the kernel's VXLAN device and what there is of wireguard-go. All of it is up at the same time.
import { type LabAgent, startAgent } from '../src/lab/agent.ts'
import { isInstalled } from '../src/lab/command.ts'
import { addKernelVxlan } from '../src/lab/kernel-vxlan.ts'
import { type LabKeys, makeKeys } from '../src/lab/keys.ts'
import type { Host, Lab } from '../src/lab/lab.ts'
import { chooseTraffic, type Load, type Traffic } from '../src/lab/traffic.ts'
import { NAMES, type Part, type System } from './goal.ts'
import { Samples } from './samples.ts'
import { addWireguardGo, versionOf, type WireguardGo } from './wireguard-go.ts'

/** Seconds before those that are measured. */
export const WARMUP = 1
const KERNEL_PORT = 4790

type Side = 'a' | 'b'
type Addresses = Readonly<Record<Side, string>>

const UNDERLAY: Addresses = { a: '198.18.0.1', b: '198.18.0.2' }
const ADDRESSES: Readonly<Record<System, Addresses>> = {
  raw: UNDERLAY,
  tap: { a: '10.42.0.1', b: '10.42.0.2' },
  kernel: { a: '10.43.0.1', b: '10.43.0.2' },
  tun: { a: '10.44.0.1', b: '10.44.0.2' },
  secure: { a: '10.45.0.1', b: '10.45.0.2' },
  wireguardGo: { a: '10.46.0.1', b: '10.46.0.2' },
  wireguard: { a: '10.47.0.1', b: '10.47.0.2' },
}
const STRANGERS: readonly (WireguardGo & { readonly system: System; readonly lacking: string })[] = [
  {
    system: 'wireguardGo',
    program: 'wireguard-go',
    interface: 'wg0',
    port: 51821,
    lacking: 'wireguard-go is not installed',
  },
  {
    system: 'wireguard',
    program: 'wireguard',
    interface: 'wg1',
    port: 51822,
    lacking: 'no program `wireguard` on the PATH (go install golang.zx2c4.com/wireguard@latest)',
  },
]

export class Rig {
  readonly a: Host
  readonly b: Host
  readonly traffic: Traffic = chooseTraffic()
  readonly samples = new Samples()
  private readonly keys: Readonly<Record<Side, LabKeys>>
  private readonly seconds: number

  private constructor(lab: Lab, a: Host, b: Host, seconds: number) {
    this.a = a
    this.b = b
    this.keys = { a: makeKeys(lab, 'a'), b: makeKeys(lab, 'b') }
    this.seconds = seconds
  }

  /** Everything but the agents. What this machine has not, or what does not start, is noted as such. */
  static async build(lab: Lab, seconds: number, parts: readonly Part[]): Promise<Rig> {
    const a = await lab.host('a')
    const b = await lab.host('b')
    await lab.connect([
      { host: a, addresses: [`${UNDERLAY.a}/30`] },
      { host: b, addresses: [`${UNDERLAY.b}/30`] },
    ])
    const rig = new Rig(lab, a, b, seconds)
    const lacking = (await rig.kernelDevice('a', 'b')) ?? (await rig.kernelDevice('b', 'a'))
    if (lacking !== null) rig.samples.lack('kernel', `this kernel has no VXLAN device: ${lacking}`)
    if (parts.includes('secure')) for (const stranger of STRANGERS) await rig.addStranger(stranger)
    return rig
  }

  startAgents(isProfiled: boolean): Promise<LabAgent[]> {
    const options = { profile: isProfiled, ownRun: true }
    return Promise.all([
      startAgent(this.a, this.configuration('a', 'b'), options),
      startAgent(this.b, this.configuration('b', 'a'), options),
    ])
  }

  /** An address of host b in a system. */
  far(system: System): string {
    return ADDRESSES[system].b
  }

  load(system: System, isBack: boolean): Load {
    const [from, to] = isBack ? [this.b, this.a] : [this.a, this.b]
    return { from, to, address: ADDRESSES[system][isBack ? 'a' : 'b'], seconds: this.seconds, warmup: WARMUP }
  }

  private kernelDevice(local: Side, remote: Side): Promise<string | null> {
    const address = `${ADDRESSES.kernel[local]}/24`
    const ends = { local: UNDERLAY[local], remote: UNDERLAY[remote], address }
    return addKernelVxlan(this[local], { name: 'vxlan0', vni: 43, port: KERNEL_PORT, ...ends })
  }

  private async addStranger(stranger: (typeof STRANGERS)[number]): Promise<void> {
    const { system } = stranger
    const end = (side: Side) => ({
      host: this[side],
      underlay: UNDERLAY[side],
      address: ADDRESSES[system][side],
    })
    try {
      const version = await versionOf(stranger, this.a)
      const lacking = version === null ? stranger.lacking : isInstalled('wg') ? null : 'wg(8) is not installed'
      process.stdout.write(`${NAMES[system]}: ${lacking ?? version}\n`)
      if (lacking === null) await addWireguardGo(stranger, [end('a'), end('b')])
      else this.samples.lack(system, lacking)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      this.samples.failures.push({ what: NAMES[system], why })
      this.samples.lack(system, why)
    }
  }

  private configuration(local: Side, remote: Side): object {
    const plain = { security: 'plain' }
    return {
      privateKeyFile: this.keys[local].file,
      underlay: { address: UNDERLAY[local] },
      networks: {
        tap: { ...plain, vni: 42, device: 'tap', address: `${ADDRESSES.tap[local]}/24` },
        tun: { ...plain, vni: 44, device: 'tun', address: `${ADDRESSES.tun[local]}/24` },
        secure: { vni: 45, device: 'tap', address: `${ADDRESSES.secure[local]}/24` },
      },
      peers: {
        [remote]: {
          endpoint: UNDERLAY[remote],
          publicKey: this.keys[remote].publicKey,
          networks: { tap: {}, tun: { allowedIps: [`${ADDRESSES.tun[remote]}/32`] }, secure: {} },
        },
      },
    }
  }
}
