// A device as it is beside what it should be. Pure. Cold.
import type { LinkState } from '../../host/netdev.ts'
import type { NetworkConfig } from '../config/model.ts'

export type Difference =
  | { readonly kind: 'mtu'; readonly have: number }
  | { readonly kind: 'mac'; readonly have: string }
  /** `instead`: IPv6, the same address with another length; null: it is missing. */
  | { readonly kind: 'address'; readonly address: string; readonly instead: string | null }

/** `state`: what was set or followed last. Addresses are looked at while the device is up: IPv6's go when it goes down. */
export function differences(
  config: Pick<NetworkConfig, 'device' | 'addresses'>,
  state: { readonly mtu: number; readonly mac: string },
  have: Pick<LinkState, 'mtu' | 'mac' | 'up' | 'addresses'>,
): Difference[] {
  const found: Difference[] = []
  if (have.mtu !== state.mtu) found.push({ kind: 'mtu', have: have.mtu })
  if (config.device === 'tap' && have.mac !== null && have.mac !== state.mac)
    found.push({ kind: 'mac', have: have.mac })
  if (!have.up) return found
  for (const address of config.addresses) {
    if (have.addresses.includes(address)) continue
    const bare = address.slice(0, address.indexOf('/') + 1)
    const instead = bare.includes(':') ? (have.addresses.find((a) => a.startsWith(bare)) ?? null) : null
    found.push({ kind: 'address', address, instead })
  }
  return found
}
