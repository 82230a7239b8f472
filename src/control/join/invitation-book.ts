// The invitations of a host and whom they brought: what is remembered of them across restarts, and what a guest is told. A one-time
// key is good for one join until it expires; for a day after its end it is kept only to say so. Pure: `now` is in seconds since
// 1970. Cold.
import * as z from 'zod'
import { base64Of, isKey, keyFromBase64 } from '../key.ts'
import { Secret } from '../secret.ts'
import { no, type Refused } from './join-message.ts'
import { NAME } from './token.ts'

/** Seconds for which an invitation that has ended is kept. */
export const KEPT = 86_400
/** Seconds in which a join may be taken back, or its answer asked for again. */
const SETTLE = 60
/** Invitations that are kept at once. */
export const INVITATIONS_MAX = 256

/** Who came by an invitation. */
export interface Came {
  /** The public key of its own. */
  readonly key: string
  readonly addresses: readonly string[]
  readonly direct: boolean
  readonly at: number
  /** It said that it runs. */
  done: boolean
}

export interface Invitation {
  readonly name: string
  readonly network: string
  /** The one-time public key. */
  readonly guest: string
  readonly presharedKey: Secret
  readonly expires: number
  came: Came | null
  /** When another for the same name took its place. */
  replaced: number | null
}

/** A host that came by an invitation and may still be there. */
export interface Brought {
  readonly network: string
  readonly name: string
  readonly key: string
  readonly addresses: readonly string[]
}

const key = z.string().refine((text) => isKey(text))
const time = z.number().min(0)
const came = z.object({ key, addresses: z.array(z.string()), direct: z.boolean(), at: time, done: z.boolean() })

/** The book as a file has it. */
export const bookSchema = z.object({
  version: z.literal(1),
  invitations: z.array(
    z.object({
      name: z.string().regex(NAME),
      network: z.string(),
      guest: key,
      presharedKey: key,
      expires: time,
      came: came.nullable(),
      replaced: time.nullable(),
    }),
  ),
  brought: z.array(z.object({ network: z.string(), name: z.string(), key, addresses: z.array(z.string()) })),
})

export class InvitationBook {
  private invitations: Invitation[] = []
  private members: Brought[] = []

  /** `saved`: of `toJSON`, before. */
  constructor(saved: z.output<typeof bookSchema> | null = null) {
    if (!saved) return
    this.invitations = saved.invitations.map((one) => {
      const bytes = keyFromBase64(Buffer.from(one.presharedKey))!
      const presharedKey = new Secret(bytes)
      bytes.fill(0)
      // Whoever was in the middle of it has gone on without us.
      return { ...one, presharedKey, came: one.came && { ...one.came, done: true } }
    })
    this.members = saved.brought
  }

  /** With the preshared keys: for a file that only its owner reads. */
  toJSON(): object {
    const invitations = this.invitations.map((one) => {
      const bytes = one.presharedKey.copy()
      const presharedKey = base64Of(bytes)
      bytes.fill(0)
      return { ...one, presharedKey }
    })
    return { version: 1, invitations, brought: this.members }
  }

  /** Every one that is still kept. */
  get all(): readonly Invitation[] {
    return this.invitations
  }

  find(guest: string): Invitation | null {
    return this.invitations.find((one) => one.guest === guest) ?? null
  }

  /** An earlier one for the same name ends. */
  add(invitation: Invitation, now: number): void {
    for (const one of this.invitations) {
      if (one.name === invitation.name && isOpen(one, now)) one.replaced = now
    }
    this.invitations.push(invitation)
  }

  /** Lets go of what ended long ago; whether there was any. */
  prune(now: number): boolean {
    const had = this.invitations.length
    this.invitations = this.invitations.filter((one) => now < endOf(one) + KEPT)
    return this.invitations.length < had
  }

  /** When the next one is to be let go of; Infinity: there is none. */
  nextPrune(): number {
    return Math.min(...this.invitations.map((one) => endOf(one) + KEPT), Number.POSITIVE_INFINITY)
  }

  /** Why the invitation is good for nothing any more, or null. `key`: who asks to join, and may ask again. */
  refusal(one: Invitation, now: number, key: string | null = null): Refused | null {
    if (one.came && !(one.came.key === key && unsettled(one, now))) return no('used', '', Math.floor(one.came.at))
    if (one.came) return null
    if (one.replaced !== null) return no('replaced', '', Math.floor(one.replaced))
    return now < one.expires ? null : no('expired', '', Math.floor(one.expires))
  }

  /** Whether a join may still be taken back. */
  mayUndo(one: Invitation, now: number): boolean {
    return one.came !== null && unsettled(one, now)
  }

  /** Hosts that came into a network by invitation. */
  brought(network: string): readonly Brought[] {
    return this.members.filter((m) => m.network === network)
  }

  /** `one.came` has come for good; who bore the name before is forgotten. */
  bring(one: Invitation): void {
    const { network, name, came: guest } = one
    const { key: itsKey, addresses } = guest!
    this.forget(name)
    this.members.push({ network, name, key: itsKey, addresses })
  }

  forget(name: string): void {
    this.members = this.members.filter((m) => m.name !== name)
  }

  /** Hosts that are no peers any more are forgotten, and their addresses free. */
  retain(isPeer: (brought: Brought) => boolean): void {
    this.members = this.members.filter(isPeer)
  }
}

function isOpen(one: Invitation, now: number): boolean {
  return one.came === null && one.replaced === null && now < one.expires
}

function endOf(one: Invitation): number {
  return one.came?.at ?? one.replaced ?? one.expires
}

function unsettled({ came: guest }: Invitation, now: number): boolean {
  return guest !== null && !guest.done && now - guest.at < SETTLE
}
