// What the joining host asks, in which order, and what the members of a network are, page by page. How a question gets through is
// asker.ts's business, what becomes of the answers joining.ts's. Cold.
//
//   offer     what network is it?              nothing is promised yet: this side may find that it does not fit
//   members   who else is in it?               as many pages as there are
//   join      here is my public key            from now on the invitation is used
//   done      it runs here                     the others may hear of us
//   undo      it does not, after all           as if nothing had been
import {
  type Grant,
  type Member,
  no,
  type Offer,
  type Page,
  type Question,
  type Refused,
  type Reply,
} from './join-message.ts'

export type Ask = (question: Question) => Promise<Reply>

/** The far end has said no. */
export class Refusing extends Error {
  readonly no: Refused['no']

  constructor(refused: Refused['no']) {
    super(refused.why)
    this.no = refused
  }
}

export interface JoinSide {
  /** Looks at what is offered, and throws when this host cannot have it. The answer is what it asks for. */
  consider(offer: Offer, members: readonly Member[]): Omit<Extract<Question, { ask: 'join' }>, 'ask'>
  /** Makes it so. */
  settle(offer: Offer, members: readonly Member[], grant: Grant): Promise<void>
}

/** More than any list has; who goes on sending pages is stopped here. */
const MEMBERS_MAX = 4096
const TRIES = 5

/** Throws Refusing, NoAnswer, or what `side` throws; then nothing has been joined, as far as it is in our hands. */
export async function joinDialogue(ask: Ask, side: JoinSide): Promise<void> {
  const { offer } = wanted(await ask({ ask: 'offer' }), 'offer')
  const members = await allMembers(ask, offer.network.name)
  const own = side.consider(offer, members)
  const { grant } = wanted(await ask({ ask: 'join', ...own }), 'grant')
  try {
    await side.settle(offer, members, grant)
  } catch (error) {
    await ask({ ask: 'undo' }).catch(() => {})
    throw error
  }
  // It comes to know of it anyway.
  await ask({ ask: 'done' }).catch(() => {})
}

/** The members of a network as the far end has them. */
export async function allMembers(ask: Ask, network: string): Promise<readonly Member[]> {
  for (let tries = 0; tries < TRIES; tries++) {
    const members = await onePass(ask, network)
    if (members) return members
  }
  throw new Refusing(no('failed').no)
}

// null: the list changed meanwhile.
async function onePass(ask: Ask, network: string): Promise<readonly Member[] | null> {
  const members: Member[] = []
  let version: string | null = null
  for (let from: number | null = 0; from !== null; ) {
    const { page }: { page: Page } = wanted(await ask({ ask: 'members', network, from }), 'page')
    version ??= page.version
    if (page.version !== version || page.from !== from) return null
    members.push(...page.members)
    if (members.length > MEMBERS_MAX || (page.next !== null && page.next <= from)) throw new Refusing(no('failed').no)
    from = page.next
  }
  return members
}

function wanted<K extends 'offer' | 'grant' | 'page'>(reply: Reply, kind: K): Extract<Reply, Record<K, unknown>> {
  if ('no' in reply) throw new Refusing(reply.no)
  if (!(kind in reply)) throw new Refusing(no('failed').no)
  return reply as Extract<Reply, Record<K, unknown>>
}
