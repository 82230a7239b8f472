// Round trip times by ping(8) of iputils.
import { CommandError } from './command.ts'
import type { Host } from './lab.ts'

/** Seconds that a reply may take. */
const WAIT = 2

export interface PingOptions {
  readonly count: number
  /** Milliseconds between two requests. */
  readonly interval: number
}

/** Milliseconds of each reply, in order; lost ones are missing. Throws when none came. */
export async function ping(host: Host, address: string, { count, interval }: PingOptions): Promise<number[]> {
  // With -w, ping asks on until `count` replies are there. Without it, the last ones get twice the longest time so far alone,
  // which is too little on a busy machine.
  const seconds = Math.ceil((count * interval) / 1000) + WAIT
  const pace = ['-c', String(count), '-i', String(interval / 1000), '-w', String(seconds)]
  const times = replies(await said(host, ['ping', '-n', ...pace, address], seconds * 1000 + 10_000), count)
  if (times.length === 0) throw new Error(`${address} does not answer ${host.name}'s ${count} pings`)
  return times
}

async function said(host: Host, command: readonly string[], patience: number): Promise<string> {
  try {
    return (await host.run(command, patience)).stdout
  } catch (error) {
    // ping ends with 1 when replies are missing.
    if (error instanceof CommandError && error.exitCode === 1) return error.stdout
    throw error
  }
}

// Those to the first `count` requests.
function replies(text: string, count: number): number[] {
  const all = [...text.matchAll(/icmp_seq=(\d+) .*time=([\d.]+) ms(?! \(DUP)/g)]
  return all.filter(([, seq]) => Number(seq) <= count).map(([, , time]) => Number(time))
}
