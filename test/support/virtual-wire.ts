// An underlay in memory between hosts of vtep.ts: it loses, doubles, reorders and marks datagrams as its seed says, refuses what
// is larger than its MTU, and hands over runs of equal datagrams as one train, as UDP GRO does.
import { generator } from './seed.ts'
import type { Sent, Vtep, Wire } from './vtep.ts'

/** UDP and IP in front of VXLAN. */
const OVERHEAD4 = 28
const OVERHEAD6 = 48
const EMSGSIZE = -90

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

// A train: same sender and TOS, equal lengths, the last may be shorter.
function trains(list: readonly Flying[]): Wire[] {
  const out: Wire[] = []
  let open = false
  for (const one of list) {
    const last = out.at(-1)
    const size = last?.segment || last?.bytes.length || 0
    const joins = open && last && last.from === one.from && last.tos === one.tos && one.bytes.length <= size
    if (!joins) {
      out.push({ bytes: one.bytes, from: one.from, tos: one.tos ?? 0 })
      open = one.bytes.length > 0
      continue
    }
    last.bytes = Uint8Array.from([...last.bytes, ...one.bytes])
    last.segment = size
    open = one.bytes.length === size
  }
  return out
}
