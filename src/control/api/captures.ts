// Who captures what: readers of `vtepd capture`, each with its networks and its pcap stream. Cold, but for `take`, which runs
// once a captured frame.
import type { Mailbox } from '../../datapath/mailbox.ts'
import type { Running } from '../apply.ts'
import * as pcap from './pcap.ts'

export type Sink = (chunk: Uint8Array) => void

interface Reader {
  /** undefined: all networks. */
  readonly network: string | undefined
  take(r: Running, frame: Uint8Array): void
}

export class Captures {
  private readonly readers = new Set<Reader>()
  private readonly mailbox: Mailbox
  private readonly running: () => readonly Running[]

  constructor(mailbox: Mailbox, running: () => readonly Running[]) {
    this.mailbox = mailbox
    this.running = running
  }

  /** Writes the file header and from now on a record for every frame; the answer ends it. */
  start(network: string | undefined, sink: Sink): () => void {
    const wanted = this.running().filter((r) => network === undefined || r.config.name === network)
    const raw = wanted.length > 0 && wanted.every((r) => r.config.device === 'tun')
    sink(pcap.fileHeader(raw ? pcap.LINKTYPE_RAW : pcap.LINKTYPE_ETHERNET))
    const reader = {
      network,
      take: (r: Running, frame: Uint8Array): void => {
        const bytes = raw || r.config.device === 'tap' ? frame : pcap.asEthernet(frame)
        sink(pcap.record(performance.timeOrigin + performance.now(), bytes))
      },
    }
    this.readers.add(reader)
    void this.switch()
    return () => {
      this.readers.delete(reader)
      void this.switch()
    }
  }

  /** A frame that the data thread has copied for us. */
  take(r: Running | undefined, frame: Uint8Array): void {
    this.mailbox.tell({ kind: 'captured', bytes: frame.length })
    if (r) for (const reader of this.readers) if (isIn(reader, r)) reader.take(r, frame)
  }

  /** Networks have come: tells the data thread which ones are captured. */
  async switch(): Promise<void> {
    for (const r of this.running()) {
      const on = [...this.readers].some((reader) => isIn(reader, r))
      // A network that has just gone needs no switching.
      await this.mailbox.ask({ kind: 'capture', id: r.id, on }).catch(() => {})
    }
  }
}

function isIn(reader: Reader, r: Running): boolean {
  return reader.network === undefined || reader.network === r.config.name
}
