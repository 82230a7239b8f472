// The two doors of the walks, as Links over the native engine: all devices of this thread are one Link, all sockets the
// other; slots name theirs in the `link` column. What there is to receive, the engine's wait has already put into the batch.
// Temperature: warm, a native call per batch.
import type { Batch } from '../batch.ts'
import { STAT_FRAMES, STAT_MESSAGES } from '../counters.ts'
import type { Link } from '../link.ts'
import type { Engine } from './addon.ts'

/** Devices: receive tells how many frames there are, send writes them. */
export class DeviceLink implements Link {
  private readonly engine: Engine
  private readonly stats: Float64Array

  /** `stats`: what the engine was given by attachStats. */
  constructor(engine: Engine, stats: Float64Array) {
    this.engine = engine
    this.stats = stats
  }

  receive(b: Batch): number {
    b.count = this.stats[STAT_FRAMES]!
    return b.count
  }

  /** Never FULL: a device takes a frame or refuses it. */
  send(b: Batch): number {
    return this.engine.deliver(b.id, b.count)
  }

  resume(): number {
    return 0
  }
}

/** Sockets: receive tells how many datagrams or trains there are, send puts them on the wire. */
export class UdpLink implements Link {
  private readonly engine: Engine
  private readonly stats: Float64Array

  constructor(engine: Engine, stats: Float64Array) {
    this.engine = engine
    this.stats = stats
  }

  receive(b: Batch): number {
    b.count = this.stats[STAT_MESSAGES]!
    return b.count
  }

  send(b: Batch): number {
    return this.engine.send(b.id, b.count)
  }

  resume(b: Batch): number {
    return this.engine.resume(b.id)
  }
}
