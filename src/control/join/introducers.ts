// By whom this host came into its networks: from them alone it takes news of further members. Pure; cold.
import * as z from 'zod'
import { isKey } from '../key.ts'

const key = z.string().refine((text) => isKey(text))

/** As a file has it: network → who. */
export const introducersSchema = z.object({
  version: z.literal(1),
  networks: z.record(
    z.string(),
    z.object({
      /** Public key of the host that invited us. */
      key,
      name: z.string(),
      /** Whether we can be called from outside. */
      direct: z.boolean(),
    }),
  ),
})

export interface Introducer {
  readonly key: string
  readonly name: string
  readonly direct: boolean
}

export class Introducers {
  private readonly networks: Map<string, Introducer>

  constructor(saved: z.output<typeof introducersSchema> | null = null) {
    this.networks = new Map(Object.entries(saved?.networks ?? {}))
  }

  toJSON(): object {
    return { version: 1, networks: Object.fromEntries(this.networks) }
  }

  /** null: nobody brought us into this network. */
  of(network: string): Introducer | null {
    return this.networks.get(network) ?? null
  }

  get all(): readonly (readonly [network: string, Introducer])[] {
    return [...this.networks]
  }

  set(network: string, introducer: Introducer): void {
    this.networks.set(network, introducer)
  }

  delete(network: string): void {
    this.networks.delete(network)
  }
}
