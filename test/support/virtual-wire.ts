// An underlay in memory between hosts of vtep.ts: it loses, doubles, reorders and marks datagrams as its seed says, refuses what
// is larger than its MTU, and hands over runs of equal datagrams as one train, as UDP GRO does.
import { generator } from './seed.ts'
import type { Sent, Vtep, Wire } from './vtep.ts'

/** UDP and IP in front of VXLAN. */
const OVERHEAD4 = 28
const OVERHEAD6 = 48
const EMSGSIZE = -90
const TRAIN_MAX = 64

export interface Weather {
  /** Shares of 1. */
  loss?: number
  twice?: number
  late?: number
  /** Of those whose outer ECN bits allow it. */
  marked?: number
  mtu?: number
}

interface Flying extends Wire {
  to: string
}

export class VirtualWire {
  readonly fate = { carried: 0, lost: 0, doubled: 0, marked: 0 }
  /** Datagrams that reached each host. */
  readonly arrived = new Map<string, number>()
  private readonly hosts = new Map<string, Vtep>()
  private readonly random: () => number
  private readonly weather: Weather
  private flying: Flying[] = []

  constructor(seed: number, weather: Weather = {}) {
    this.random = generator(seed)
    this.weather = weather
  }

  plug(address: string, host: Vtep): void {
    this.hosts.set(address, host)
    this.arrived.set(address, 0)
    const mtu = this.weather.mtu ?? 0
    if (mtu === 0) return
    const overhead = address.includes(':') ? OVERHEAD6 : OVERHEAD4
    host.udp.refuse = (s) => {
      if (s.bytes.length + overhead <= mtu) return 0
      host.native.mtus.set(host.native.endpoints.get(s.peer)!.address, mtu)
      return EMSGSIZE
    }
  }

  /** Takes what the host at `from` has sent. */
  take(from: string, sent: readonly Sent[]): void {
    const host = this.hosts.get(from)!
    for (const s of sent) {
      this.fate.carried++
      const to = host.native.endpoints.get(s.peer)!.address
      if (this.chance(this.weather.loss)) {
        this.fate.lost++
        continue
      }
      const one: Flying = { bytes: s.bytes, from, to, tos: this.marked(s.tos) }
      this.flying.push(one)
      if (!this.chance(this.weather.twice)) continue
      this.fate.doubled++
      this.flying.push({ ...one, bytes: one.bytes.slice() })
    }
  }

  /** Delivers what is under way, but for what is late; whether something was. `got` sees the frames that came out. */
  deliver(got: (address: string, frames: Sent[]) => void): boolean {
    const now: Flying[] = []
    const later: Flying[] = []
    for (const one of this.flying) (this.chance(this.weather.late) ? later : now).push(one)
    const some = this.flying.length > 0
    this.flying = later
    for (const [address, host] of this.hosts) {
      const mine = now.filter((one) => one.to === address)
      if (mine.length === 0) continue
      this.arrived.set(address, this.arrived.get(address)! + mine.length)
      got(address, host.in(...trains(mine)))
    }
    return some
  }

  private marked(tos: number): number {
    if ((tos & 3) === 0 || !this.chance(this.weather.marked)) return tos
    this.fate.marked++
    return tos | 3
  }

  private chance(share = 0): boolean {
    return this.random() / 2 ** 32 < share
  }
}

/** Trains: same sender and TOS, equal lengths, the last may be shorter; at most 64 of them, as the kernel joins them. */
export function trains(list: readonly Wire[]): Wire[] {
  const out: Wire[] = []
  let parts: Wire[] = []
  const close = (): void => {
    if (parts.length === 1) out.push({ ...parts[0]!, tos: parts[0]!.tos ?? 0 })
    else if (parts.length > 1) out.push(joined(parts))
    parts = []
  }
  for (const one of list) {
    const [first] = parts
    const size = first?.bytes.length ?? 0
    const goesOn = first !== undefined && parts.at(-1)!.bytes.length === size && parts.length < TRAIN_MAX
    const fits = one.bytes.length > 0 && one.bytes.length <= size
    if (!goesOn || !fits || first.from !== one.from || (first.tos ?? 0) !== (one.tos ?? 0)) close()
    parts.push(one)
  }
  close()
  return out
}

function joined(parts: readonly Wire[]): Wire {
  const bytes = Uint8Array.from(Buffer.concat(parts.map((p) => p.bytes)))
  return { ...parts[0]!, tos: parts[0]!.tos ?? 0, bytes, segment: parts[0]!.bytes.length }
}
