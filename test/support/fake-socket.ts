// A fake agent behind a real socket, in a directory of its own, for the commands that ask one.
import { onTestFinished } from 'vitest'
import { record } from '../../src/control/api/pcap.ts'
import { ControlSocket } from '../../src/control/api/socket.ts'
import { FakeAgent } from './fake-agent.ts'
import { temporaryDir } from './temporary.ts'

export interface Running {
  readonly agent: FakeAgent
  readonly socket: ControlSocket
  readonly dir: string
  /** The flag that names it. */
  readonly at: readonly string[]
}

/** A fake agent that stops as a real one does: its socket goes last. */
export async function running(): Promise<Running> {
  const dir = temporaryDir()
  const socket = await ControlSocket.open(dir)
  const agent = new FakeAgent()
  agent.onStop = () => void socket.close()
  socket.serve(agent)
  onTestFinished(() => socket.close())
  return { agent, socket, dir, at: ['--runtime-dir', dir] }
}

/** A frame as it is captured. */
export const ARP = record(
  1_700_000_000_123.456,
  Buffer.from('ffffffffffff0200000000010806000108000604000102000000000101020304000000000000' + '01020305', 'hex'),
)
