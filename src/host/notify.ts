// sd_notify(3): tells the service manager how the agent does. Without NOTIFY_SOCKET it does nothing. Cold.
import { sendNotification } from './addon.ts'

/**
 * `state`: lines such as READY=1. Never waits: false when the manager has not read what was said before and has no room.
 * Throws when it named a socket and does not listen there.
 */
export function notify(state: string): boolean {
  const socket = process.env['NOTIFY_SOCKET']
  if (!socket) return true
  try {
    sendNotification(socket, state)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return false
    throw error
  }
}
