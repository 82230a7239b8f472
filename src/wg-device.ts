// One WireGuard device and nothing else, as vtepd-wg runs it: the agent's parts (data thread, tunnels, overlay) under the
// configuration that wg(8) gives. The device's addresses, MTU and whether it is up belong to others. Cold.
import type { Worker } from 'node:worker_threads'
import { Overlay, type Running } from './control/apply.ts'
import type { Config } from './control/config/model.ts'
import { Resolver } from './control/resolve.ts'
import { TunnelControl } from './control/tunnels.ts'
import { Turns } from './control/turns.ts'
import { HostWatch } from './control/upkeep/host-watch.ts'
import { toConfig, type WgNews, WgState } from './control/wg/state.ts'
import { type DeviceChange, EADDRINUSE, EINVAL, ENODEV, type UapiDevice, UapiError } from './control/wg/uapi.ts'
import { UapiSocket, type UapiTarget } from './control/wg/uapi-socket.ts'
import { withZoneIndex } from './control/wg/zone.ts'
import { Counters } from './counters.ts'
import type { Mailbox, News } from './datapath/mailbox.ts'
import * as netdev from './host/netdev.ts'
import type { Log } from './log.ts'
import { spawnDataThread } from './spawn.ts'

/** Bytes, as the kernel and wireguard-go begin: 1500 less the outer headers over IPv6. */
const MTU = 1420
/** RFC 6335 §6: the dynamic ports, one of which is taken when none is named; and how often one may be taken already. */
const PORT_FIRST = 49152
const PORT_COUNT = 16384
const PORT_TRIES = 100

export interface WgDeviceOptions {
  /** Of the interface and of its socket. */
  readonly name: string
  readonly node: string
  readonly log: Log
}

export class WgDevice implements UapiTarget {
  /** Resolves when the device is gone and all is cleaned up; true: because something broke. */
  readonly done: Promise<boolean>
  private readonly options: WgDeviceOptions
  private readonly state = new WgState()
  private readonly counters = new Counters()
  private readonly hostWatch = new HostWatch(() => this.later(() => this.checkHost()))
  // Changes of host and tables.
  private readonly turns = new Turns()
  private socket: UapiSocket | null = null
  private worker: Worker | null = null
  private mailbox!: Mailbox
  private overlay: Overlay | null = null
  /** As they are on the sockets. */
  private port = 0
  private fwmark = 0
  private stopping = false
  private finished!: (broke: boolean) => void

  private constructor(options: WgDeviceOptions) {
    this.options = options
    this.done = new Promise((resolve) => {
      this.finished = resolve
    })
  }

  /** Resolves once the device is there and its socket answers. Leaves nothing behind when it throws. */
  static async start(options: WgDeviceOptions): Promise<WgDevice> {
    const device = new WgDevice(options)
    let open!: () => void
    const begun = new Promise<void>((resolve) => {
      open = resolve
    })
    void device.turns.take(() => begun)
    try {
      // The name first: whoever has it is not disturbed. Who asks already waits until we have begun.
      device.socket = await UapiSocket.open(options.name, device, {
        gone: () => device.stop('its socket was removed'),
        failed: (error) => options.log.error(`wg: ${error instanceof Error ? error.message : error}`),
      })
      await device.begin()
      return device
    } catch (error) {
      await device.shutDown(false)
      throw error
    } finally {
      open()
    }
  }

  // --- what wg(8) asks ---

  get(): Promise<UapiDevice> {
    return this.turns.take(async () => this.state.device((name) => this.overlay?.tunnels.seen(name) ?? null))
  }

  set(change: DeviceChange): Promise<void> {
    // In turn: what one client's fault takes back must not be what another has just said.
    return this.turns.take(async () => {
      this.state.apply(withZoneIndex(change))
      // What the device refuses ends the set at once. Peers are placed together when it ends.
      if (!change.peer) await this.settle()
    })
  }

  finish(): Promise<void> {
    return this.turns.take(() => this.settle())
  }

  // --- life ---

  /** Removes device and socket. `why`: for the log; `broke`: something is wrong. */
  stop(why: string, broke = false): void {
    if (this.stopping) return
    this.stopping = true
    this.options.log.info(`device ${this.options.name} ends: ${why}`)
    void this.turns.take(() => this.shutDown(broke))
  }

  private async begin(): Promise<void> {
    const { counters, options } = this
    const { log, name } = options
    const { worker, mailbox, ended } = await spawnDataThread(counters, (n) => this.hear(n))
    this.worker = worker
    this.mailbox = mailbox
    ended.catch((error: unknown) => {
      mailbox.close(error instanceof Error ? error : new Error(String(error)))
      if (!this.stopping) log.error(`the data thread failed: ${error instanceof Error ? error.stack : error}`)
      this.stop('nothing carries packets any more', true)
    })
    const resolver = new Resolver()
    const said = (line: string): void => log.info(line)
    const tunnels = await TunnelControl.open({ mailbox, counters, resolver, lookUp: async () => false, said })
    this.overlay = new Overlay({ mailbox, counters, resolver, tunnels, said, leaveDown: true }, this.config().offloads)
    await this.bind()
    netdev.setMtu(name, MTU, null)
    await this.checkHost()
    this.hostWatch.watch([null])
    log.info(`device ${name} is there, and hears on UDP ${this.state.listenPort}`)
  }

  private async shutDown(broke: boolean): Promise<void> {
    this.stopping = true
    this.hostWatch.close()
    try {
      await this.socket?.close()
      await this.overlay?.removeAll()
      if (this.worker) await this.mailbox.ask({ kind: 'stop' })
    } catch (error) {
      this.options.log.debug(`while stopping: ${error instanceof Error ? error.message : error}`)
    }
    await this.worker?.terminate()
    this.overlay?.tunnels.close()
    this.overlay?.sockets.closeAll()
    this.state.wipe()
    this.finished(broke)
  }

  private hear(n: News): void {
    if (this.overlay?.tunnels.hear(n)) return
    if (n.kind === 'gone') this.stop('the interface was removed')
  }

  private async checkHost(): Promise<void> {
    const running = this.running
    if (this.stopping || !this.overlay || !running) return
    const { mtu, pad } = running.device.state
    const { moved, followed } = running.device.check(Date.now(), false)
    if (moved) this.hostWatch.watch([null, running.device.netns])
    for (const line of followed) this.options.log.debug(`device ${this.options.name} ${line}`)
    const { state } = running.device
    if (state.mtu !== mtu || state.pad !== pad) await this.overlay.deviceChanged(running)
    await this.overlay.tunnels.hostChanged()
  }

  private get running(): Running | undefined {
    return this.overlay?.running.get(this.options.name)
  }

  // --- what was said becomes so ---

  private async settle(): Promise<void> {
    const news = this.state.takeNews()
    if (this.stopping || !this.overlay) throw new UapiError(ENODEV, `device ${this.options.name} ends`)
    try {
      await this.renew(news)
      await this.bind()
      if (news.fwmark) await this.mark(this.overlay)
    } catch (error) {
      this.state.listenPort = this.port
      this.state.fwmark = this.fwmark
      this.state.takeNews()
      await this.overlay.apply(this.config(), [])
      throw refusalOf(error)
    }
    for (const [name, { kind, endpoint }] of news.peers) {
      if (kind === 'changed' && endpoint) await this.overlay.tunnels.recall(name)
    }
  }

  // Peers that were taken away and made again under their key begin anew.
  private async renew({ peers }: WgNews): Promise<void> {
    const replaced = new Set([...peers].flatMap(([name, { kind }]) => (kind === 'replaced' ? [name] : [])))
    if (replaced.size === 0) return
    const config = this.config()
    await this.overlay!.apply({ ...config, peers: config.peers.filter(({ name }) => !replaced.has(name)) }, [])
  }

  // With a port that was named, or one by chance that both families have free.
  private async bind(): Promise<void> {
    const { state } = this
    const isNamed = state.listenPort !== 0
    for (let tries = 1; ; tries++) {
      if (!isNamed) state.listenPort = PORT_FIRST + Math.floor(Math.random() * PORT_COUNT)
      try {
        await this.overlay!.apply(this.config(), [])
        this.port = state.listenPort
        return
      } catch (error) {
        if (isNamed || tries === PORT_TRIES || refusalOf(error).errno !== EADDRINUSE) throw error
      }
    }
  }

  private async mark({ sockets, tunnels }: Overlay): Promise<void> {
    sockets.setMark(this.state.fwmark)
    this.fwmark = this.state.fwmark
    // It may have changed the way, and with it our address there.
    await tunnels.hostChanged()
  }

  private config(): Config {
    return toConfig(this.state, this.options.name, this.options.node)
  }

  private later(change: () => Promise<void>): Promise<void> {
    return this.turns.take(change).catch((error: unknown) => this.options.log.error(String(error)))
  }
}

function refusalOf(error: unknown): UapiError {
  if (error instanceof UapiError) return error
  const { errno, cause, message } = error as { errno?: unknown; cause?: { errno?: unknown }; message?: string }
  const number = [errno, cause?.errno].find((n) => typeof n === 'number') as number | undefined
  return new UapiError(Math.abs(number ?? EINVAL), message ?? String(error))
}
