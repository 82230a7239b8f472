// A file descriptor that is listened to beside everything else. Cold.
import { closeSync } from 'node:fs'
import * as native from './addon.ts'

/**
 * Calls `readable` when there is something to read, without keeping the process alive. The fd belongs to the poll, which closes
 * it; when there can be no poll it is closed at once, and the error thrown.
 */
export function pollReadable(fd: number, readable: () => void): native.FdPoll {
  let poll: native.FdPoll
  try {
    poll = new native.FdPoll(fd, readable, () => {})
  } catch (error) {
    closeSync(fd)
    throw error
  }
  poll.unref()
  poll.start(native.FD_READABLE)
  return poll
}
