// `vtepd invite NAME`: a token for another host on stdout, and what to do with it on stderr.
import { unlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { type Invited, type InviteRequest, invite as inviteHere } from '../control/join/invite.ts'
import { remember } from '../control/join/membership.ts'
import { Client, withoutAgent } from './client.ts'
import { DONE, Failure, NOT_RUNNING } from './exit.ts'
import type { Flags } from './flags.ts'
import { print, printJson } from './output.ts'
import { ownHome, refuseFile } from './own-home.ts'
import { type Started, startAgentForGood, startedText } from './start-agent.ts'

export async function invite(flags: Flags): Promise<number> {
  refuseFile(flags)
  const request = requestOf(flags)
  const { invited, started } = await made(flags, request)
  const say = (line: string): void => void process.stderr.write(`vtepd: ${line}\n`)
  for (const file of invited.files) say(`wrote ${file}`)
  if (started) say(startedText(started))
  if (flags.on('json')) {
    const { schema, ...rest } = { schema: 1, ...invited }
    printJson({ schema, ...rest, started: started?.by ?? null })
    return DONE
  }
  const where = invited.endpoints.join(', ')
  const until = new Date(invited.expires * 1000).toISOString().slice(0, 16).replace('T', ' ')
  say(`on ${invited.name}, which calls this host at ${where}, type: vtepd join TOKEN`)
  say(`the token, good once and until ${until} UTC, for network ${invited.network}:`)
  print(invited.token)
  return DONE
}

function requestOf(flags: Flags): InviteRequest {
  const texts = (['network', 'expires', 'device', 'port'] as const).flatMap((name) => {
    const text = flags.text(name)
    return text === undefined ? [] : [[name, text]]
  })
  const lists = (['endpoint', 'address'] as const).flatMap((name) => {
    const list = flags.list(name)
    return list.length === 0 ? [] : [[name, list]]
  })
  return { name: flags.text('name')!, ...Object.fromEntries([...texts, ...lists]) } as InviteRequest
}

async function made(flags: Flags, request: InviteRequest): Promise<{ invited: Invited; started: Started | null }> {
  try {
    return { invited: await new Client(flags).ask<Invited>('POST', '/v1/invite', request), started: null }
  } catch (error) {
    if (!(error instanceof Failure) || error.exitCode !== NOT_RUNNING) throw error
  }
  const home = await ownHome(flags)
  let invited: Invited
  try {
    invited = await inviteHere(
      request,
      { home, ...remember(home, home.config()?.node ?? hostname()) },
      Date.now() / 1000,
    )
  } catch (error) {
    throw withoutAgent(error)
  }
  try {
    return { invited, started: await startAgentForGood(flags) }
  } catch (error) {
    // Nobody would answer the token.
    for (const file of invited.files) unlinkSync(file)
    throw error
  }
}
