// Addresses as native wants them: sockaddr_in or sockaddr_in6, zero padded (ip(7), ipv6(7)). Cold.
import { isIPv4, isIPv6 } from 'node:net'
import { ADDR_LEN } from '../batch.ts'
import { addressBytes } from './rtnetlink.ts'

const AF_INET = 2
const AF_INET6 = 10

/** 32 bytes for a numeric address and a port. */
export function pack(address: string, port: number): Uint8Array {
  if (!isIPv4(address) && !isIPv6(address)) throw new TypeError(`want an IP address, got "${address}"`)
  const out = new Uint8Array(ADDR_LEN)
  const view = new DataView(out.buffer)
  // The family is in host order, the port in network order.
  new Uint16Array(out.buffer, 0, 1)[0] = isIPv4(address) ? AF_INET : AF_INET6
  view.setUint16(2, port)
  out.set(addressBytes(address), isIPv4(address) ? 4 : 8)
  return out
}
