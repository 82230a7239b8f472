// Path MTUs of tunnels, as probing finds them: the machines of path-probe.ts by tunnel, their deadlines, and their messages as
// bytes. Stock WireGuard peers have none: they would not answer. Hot: sent, which only notes; cold otherwise.
import { MAX_TUNNELS } from '../counters.ts'
import * as agentMessage from '../wire/agent-message.ts'
import { type KernelPath, NEVER, PathProbe, type ProbeEffects } from './path-probe.ts'

export interface PathMtusParts {
  /** Sends plaintext for the far end's agent if there is a session to seal it with. */
  send(tunnel: number, bytes: Uint8Array): void
  /** Bytes that outer headers and seal take towards the far end. */
  overhead(tunnel: number): number
  /** From now on the path carries so much; 0: whatever the kernel says. */
  found(tunnel: number, mtu: number): void
}

/** UDP payload bytes of one train or packet from which on a narrow path might matter. */
const LARGE = 1000
const ANY_SENT = 1
const LARGE_SENT = 2

export class PathMtus implements ProbeEffects {
  private readonly p: PathMtusParts
  private readonly probes: (PathProbe | undefined)[] = new Array(MAX_TUNNELS).fill(undefined)
  /** At most the earliest deadline of all: it goes down at once, and up when `expire` has looked at everybody. */
  private next = NEVER
  /** What has been sent since the last `expire`: bits by tunnel, and the tunnels that have any. */
  private readonly marks = new Uint8Array(MAX_TUNNELS)
  private readonly marked = new Int32Array(MAX_TUNNELS)
  private markedCount = 0

  constructor(parts: PathMtusParts) {
    this.p = parts
  }

  /** Data left through a tunnel: a train or a packet, `bytes` of UDP payload. */
  sent(tunnel: number, bytes: number): void {
    if (this.marks[tunnel] === 0) {
      this.marked[this.markedCount] = tunnel
      this.markedCount++
    }
    this.marks[tunnel] |= bytes >= LARGE ? LARGE_SENT : ANY_SENT
  }

  /** Begins for a tunnel, or ends. True: it begins now, and wants the kernel's word. */
  set(tunnel: number, probing: boolean): boolean {
    const begins = probing && this.probes[tunnel] === undefined
    if (begins) this.probes[tunnel] = new PathProbe(tunnel, this)
    else if (!probing) this.probes[tunnel] = undefined
    return begins
  }

  setCeiling(tunnel: number, path: KernelPath, now: number): void {
    const probe = this.probes[tunnel]
    probe?.setCeiling(path, now)
    this.note(probe)
  }

  /** There is a new session. */
  begun(tunnel: number): void {
    this.probes[tunnel]?.begun()
  }

  /** The far end's probe in [off, …) has arrived: tells it so, if it is one that we would ask ourselves. */
  arrived(tunnel: number, buf: Uint8Array, off: number): void {
    if (this.probes[tunnel] === undefined) return
    const answer = new Uint8Array(agentMessage.PROBE_LEN)
    const [nonce, size] = [agentMessage.nonce(buf, off), agentMessage.size(buf, off)]
    agentMessage.writeProbe(answer, 0, agentMessage.PROBE_ANSWER, nonce, size)
    this.p.send(tunnel, answer)
  }

  /** The far end's answer in [off, …) to a probe of ours. */
  answered(tunnel: number, buf: Uint8Array, off: number, now: number): void {
    const probe = this.probes[tunnel]
    probe?.answered(agentMessage.nonce(buf, off), agentMessage.size(buf, off), now)
    this.note(probe)
  }

  /** A message that `send` was given did not leave. */
  unsent(tunnel: number, bytes: Uint8Array): void {
    if (agentMessage.check(bytes, 0, bytes.length) !== agentMessage.PROBE) return
    this.probes[tunnel]?.unsent(agentMessage.nonce(bytes, 0), agentMessage.size(bytes, 0))
  }

  /** Nothing is due before; Infinity: nothing at all. */
  nextDeadline(): number {
    return this.markedCount > 0 ? 0 : this.next
  }

  /** Does what is due. */
  expire(now: number): void {
    for (let k = 0; k < this.markedCount; k++) {
      const tunnel = this.marked[k]!
      const probe = this.probes[tunnel]
      probe?.sent((this.marks[tunnel]! & LARGE_SENT) !== 0, now)
      this.note(probe)
      this.marks[tunnel] = 0
    }
    this.markedCount = 0
    if (now < this.next) return
    this.next = NEVER
    for (const probe of this.probes) {
      probe?.expire(now)
      this.note(probe)
    }
  }

  // --- what a machine wants done ---

  probe(tunnel: number, sizes: readonly number[], nonce: number): void {
    const overhead = this.p.overhead(tunnel)
    for (const size of sizes) {
      const bytes = new Uint8Array(size - overhead)
      agentMessage.writeProbe(bytes, 0, agentMessage.PROBE, nonce, size)
      this.p.send(tunnel, bytes)
    }
  }

  found(tunnel: number, mtu: number): void {
    this.p.found(tunnel, mtu)
  }

  private note(probe: PathProbe | undefined): void {
    if (probe !== undefined && probe.deadline < this.next) this.next = probe.deadline
  }
}
