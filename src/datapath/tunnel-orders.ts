// Control's orders about tunnels, as calls. Cold.
import type { Order } from './mailbox.ts'
import type { Tunnels } from './tunnels.ts'

/** Does an order if it is about tunnels, and returns its answer. */
export function obeyTunnels(tunnels: Tunnels, order: Order): unknown {
  switch (order.kind) {
    case 'set-tunnel':
      return tunnels.set(order.tunnel, order)
    case 'remove-tunnel':
      return tunnels.remove(order.tunnel)
    case 'set-tunnel-pools':
      return tunnels.endpoints.setPools(order.pool4, order.pool6)
    case 'session':
      return tunnels.begin(order.tunnel, order)
    case 'initiation':
      return tunnels.initiation(order.tunnel, order.message)
    case 'answer':
      return tunnels.answer(order.message, order.to, order.local)
    case 'handled':
      return tunnels.handled(order.outcomes)
    case 'tell':
      return tunnels.tell(order.tunnel, order.body)
    case 'heard':
      return tunnels.toldHeard(order.count)
    case 'renew-tunnels':
      return tunnels.renewAll(order.kept)
    case 'forget-sources':
      return tunnels.forgetSources()
    default:
      return undefined
  }
}
