// sd_notify(3): tells the service manager how the agent does. Without NOTIFY_SOCKET it does nothing. Cold.
import { sendNotification } from './addon.js';
/** `state`: lines such as READY=1. Throws when the manager named a socket and does not listen there. */
export function notify(state) {
    const socket = process.env['NOTIFY_SOCKET'];
    if (socket)
        sendNotification(socket, state);
}
//# sourceMappingURL=notify.js.map