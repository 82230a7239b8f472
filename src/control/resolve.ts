// Peers' endpoints as addresses. An address is itself; a name is looked up, again every minute, since addresses change.
import { lookup } from 'node:dns/promises'
import { isIP, isIPv6 } from 'node:net'
import type { LocalAddress } from './upkeep/underlay.ts'

export class Resolver {
  private readonly known = new Map<string, string>()

  /** Address for a host as of the last look-up; undefined when a name has none yet. */
  address(host: string): string | undefined {
    return isIP(host) !== 0 ? host : this.known.get(host)
  }

  /**
   * Looks names up, at most one address each, of a family that the underlay has. Resolves to whether an address changed.
   * `failed` hears of names without one; what was known of them stays.
   */
  async refresh(
    hosts: readonly string[],
    underlay: readonly LocalAddress[],
    failed: (host: string, why: string) => void,
  ): Promise<boolean> {
    const names = [...new Set(hosts)].filter((h) => isIP(h) === 0)
    const changes = await Promise.all(names.map((name) => this.refreshOne(name, underlay, failed)))
    return changes.includes(true)
  }

  private async refreshOne(
    name: string,
    underlay: readonly LocalAddress[],
    failed: (host: string, why: string) => void,
  ): Promise<boolean> {
    try {
      const all = await lookup(name, { all: true })
      // Where all is sealed nobody need name an underlay: then both families are spoken.
      const spoken = (a: string): boolean => underlay.length === 0 || underlay.some((l) => l.v6 === isIPv6(a))
      const usable = all.map((a) => a.address).filter(spoken)
      const now = usable.find((a) => a === this.known.get(name)) ?? usable[0]
      if (now === undefined) {
        failed(name, `none of its addresses is of the underlay's family (${all.map((a) => a.address).join(', ')})`)
        return false
      }
      const changed = this.known.get(name) !== now
      this.known.set(name, now)
      return changed
    } catch (error) {
      failed(name, error instanceof Error ? error.message : String(error))
      return false
    }
  }
}
