// Hears of changes to nf_tables' rules in our own namespace (nfnetlink(7), NFNLGRP_NFTABLES): those of nft, and those of iptables
// where it works on nf_tables. Does not keep the process alive. Cold.
import { EventEmitter } from 'node:events'
import { readSync } from 'node:fs'
import * as native from './addon.ts'
import { pollReadable } from './poll-readable.ts'

/** Bytes: more than the kernel puts into one datagram. */
const DATAGRAM = 64 * 1024

/** Emits 'change' when something was done to a table or chain whose name is among `names`, or in it, or may have been. */
export class RuleMonitor extends EventEmitter<{ change: [] }> {
  names: readonly string[] = []
  private readonly poll: native.FdPoll
  private readonly datagram = Buffer.alloc(DATAGRAM)
  private lost = 0
  private closed = false

  /** Throws where the kernel has no nf_tables, or we may not listen. */
  constructor() {
    super()
    const fd = native.netlinkMonitor(null, true)
    this.poll = pollReadable(fd, () => this.heard(fd))
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.poll.close()
  }

  // A name stands in a message as it is, between zeros: one of the attribute's header (on a big-endian machine it is not, and
  // the regular look finds what this misses) and its own.
  private heard(fd: number): void {
    let ours = false
    while (!this.closed) {
      let length = 0
      try {
        length = readSync(fd, this.datagram)
      } catch {
        break
      }
      if (length === 0) break
      const text = this.datagram.toString('latin1', 0, length)
      ours ||= this.names.some((name) => text.includes(`\0${name}\0`))
    }
    // A large ruleset of others is more than the socket holds: ours may have been among what did not fit.
    const lost = this.closed ? this.lost : native.netlinkLost(fd)
    ours ||= lost !== this.lost
    this.lost = lost
    if (ours && !this.closed) this.emit('change')
  }
}
