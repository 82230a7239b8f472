// sd_notify(3): tells the service manager how the agent does. Without NOTIFY_SOCKET it does nothing. Cold.
import { sdNotify } from './addon.ts'

/** `state`: lines such as READY=1. */
export function notify(state: string): void {
  const socket = process.env['NOTIFY_SOCKET']
  if (socket) sdNotify(socket, state)
}
