// Flows of UDP that connection tracking knows in our namespace: what its first packet met, a flow keeps for as long as it goes on.
// Cold.
import { networkInterfaces } from 'node:os'
import * as native from './addon.ts'
import { addressText } from './sockaddr.ts'

const UDP = 17

export interface Flow {
  readonly family: 4 | 6
  /** Of its first packet, as it came. */
  readonly destination: string
  readonly port: number
  /** Who its answers come from. */
  readonly answerer: string
  readonly answererPort: number
  /** Its destination was changed on the way. */
  readonly isMapped: boolean
  readonly handle: Uint8Array
}

/** Those to any of these ports, in one reading of all that there are. Throws where the kernel cannot tell (ctnetlink is not there, or not permitted). */
export function udpFlows(family: 4 | 6, ports: readonly number[]): Flow[] {
  return native.flowList(family, UDP, Uint16Array.from(ports)).map(({ destination, answerer, ...row }) => ({
    ...row,
    family,
    destination: addressText(destination),
    answerer: addressText(answerer),
  }))
}

/** The next packet of it is met like a first one. Throws likewise. */
export function forget({ family, handle }: Flow): void {
  native.flowForget(family, handle)
}

/** Addresses of this host but the loopback ones. */
export function ownAddresses(): ReadonlySet<string> {
  const all = Object.values(networkInterfaces()).flatMap((list) => list?.map(({ address }) => address) ?? [])
  return new Set(all.filter((address) => address !== '::1' && !address.startsWith('127.')))
}
