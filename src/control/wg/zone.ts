// The zone of a link-local endpoint, as wg(8) says it and as a sockaddr has it. Cold.
import * as netdev from '../../host/netdev.ts'
import { type DeviceChange, ENODEV, UapiError } from './uapi.ts'

/**
 * The change with the zone of its endpoint, if it has one, as an interface's index in this namespace. Throws UapiError when there is
 * no such interface; the change's keys are zeroed then.
 */
export function withZoneIndex(change: DeviceChange): DeviceChange {
  const { peer } = change
  const [address, zone] = peer?.endpoint?.address.split('%') ?? []
  if (!peer?.endpoint || zone === undefined || /^\d+$/.test(zone)) return change
  const link = netdev.link(zone, null)
  if (!link) {
    peer.presharedKey?.fill(0)
    throw new UapiError(ENODEV, `there is no interface ${zone}, the zone of an endpoint`)
  }
  return { ...change, peer: { ...peer, endpoint: { ...peer.endpoint, address: `${address}%${link.index}` } } }
}
