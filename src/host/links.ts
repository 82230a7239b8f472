// The two doors of the walks, as Links over the native engine: all devices of this thread are one Link, all sockets the
// other; slots name theirs in the `link` column. Temperature: warm, a native call per batch.
import type { Batch } from '../batch.ts'
import type { Link } from '../link.ts'
import type { Engine } from './addon.ts'

/** Devices: receive fills frames, send writes them. */
export class DeviceLink implements Link {
  private readonly engine: Engine
  private readonly ids: Map<Batch, number>

  /** `ids`: the engine's number of each batch that will cross here. */
  constructor(engine: Engine, ids: Map<Batch, number>) {
    this.engine = engine
    this.ids = ids
  }

  receive(b: Batch): number {
    b.count = this.engine.receiveDevices(this.ids.get(b)!)
    return b.count
  }

  /** Never FULL: a device takes a frame or refuses it. */
  send(b: Batch): number {
    return this.engine.deliver(this.ids.get(b)!, b.count)
  }

  resume(): number {
    return 0
  }
}

/** Sockets: receive fills datagrams, send puts them on the wire. */
export class UdpLink implements Link {
  private readonly engine: Engine
  private readonly ids: Map<Batch, number>

  constructor(engine: Engine, ids: Map<Batch, number>) {
    this.engine = engine
    this.ids = ids
  }

  receive(b: Batch): number {
    b.count = this.engine.receiveSockets(this.ids.get(b)!)
    return b.count
  }

  send(b: Batch): number {
    return this.engine.send(this.ids.get(b)!, b.count)
  }

  resume(b: Batch): number {
    return this.engine.resume(this.ids.get(b)!)
  }
}
