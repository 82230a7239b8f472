// `vtepd join [TOKEN]`: this host becomes a member of the network that the token invites it to. Where no agent runs, one without
// networks does the exchange in this process; what it learned is written, and then the agent is started for good.
import type { Agent } from '../agent.ts'
import type { Config } from '../control/config/model.ts'
import { NO_RULES } from '../control/firewall/host-rules.ts'
import type { Home } from '../control/join/home.ts'
import type { Joined, JoinRequest } from '../control/join/join.ts'
import { decodeToken, type Token, TokenError } from '../control/join/token.ts'
import { createLog } from '../log.ts'
import { Client, withoutAgent } from './client.ts'
import { DONE, Failure, INTERRUPTED, NOT_RUNNING, USAGE } from './exit.ts'
import type { Flags } from './flags.ts'
import { print, printJson } from './output.ts'
import { ownHome, refuseFile } from './own-home.ts'
import { type Started, startAgentForGood, startedText } from './start-agent.ts'

/** Milliseconds: questions of 20 s each, a reload. */
const PATIENCE = 120_000
/** Bytes of stdin that are looked at. */
const INPUT_MAX = 16 * 1024
const USUAL_PORT = 51820

export async function join(flags: Flags): Promise<number> {
  refuseFile(flags)
  const interrupted = new Interrupted()
  const text = flags.text('token') ?? (await Promise.race([stdin(), interrupted.signal]))
  const token = checked(text)
  const port = flags.text('port')
  const addresses = flags.list('address')
  const request: JoinRequest = {
    token: text,
    ...(addresses.length > 0 ? { address: [...addresses] } : {}),
    ...(port === undefined ? {} : { port }),
  }
  const { joined, started } = await made(flags, request, token, interrupted)
  const say = (line: string): void => void process.stderr.write(`vtepd: ${line}\n`)
  for (const file of joined.files) say(`wrote ${file}`)
  if (started) say(startedText(started))
  for (const name of joined.untold)
    say(`${name} did not come by ${joined.host}'s invitation: tell it of this host by hand`)
  if (flags.on('json')) {
    printJson({ schema: 1, ...withoutSchema(joined), started: started?.by ?? null })
    return DONE
  }
  const { name, network, address, interface: device, peers } = joined
  const where = [device, ...address].join(' ')
  print(`joined network ${network} as ${name}: ${where}, with ${peers.join(', ')}`)
  return DONE
}

function withoutSchema(joined: Joined & { schema?: number }): Joined {
  const { schema, ...rest } = joined
  return rest
}

// Before anybody is asked anything: a damaged token is the caller's to mend.
function checked(text: string): Pick<Token, 'name'> {
  try {
    const token = decodeToken(text)
    token.privateKey.zero()
    token.presharedKey.zero()
    return token
  } catch (error) {
    throw error instanceof TokenError ? new Failure(USAGE, error.message) : error
  }
}

async function made(
  flags: Flags,
  request: JoinRequest,
  token: Pick<Token, 'name'>,
  interrupted: Interrupted,
): Promise<{ joined: Joined; started: Started | null }> {
  try {
    const asked = new Client(flags).ask<Joined>('POST', '/v1/join', request, PATIENCE)
    return { joined: await Promise.race([asked, interrupted.signal]), started: null }
  } catch (error) {
    if (!(error instanceof Failure) || error.exitCode !== NOT_RUNNING) throw error
  }
  const joined = await standIn(flags, request, token, interrupted)
  return { joined, started: await startAgentForGood(flags) }
}

async function standIn(
  flags: Flags,
  request: JoinRequest,
  token: Pick<Token, 'name'>,
  interrupted: Interrupted,
): Promise<Joined> {
  const home = await ownHome(flags)
  const log = createLog({ level: flags.on('verbose') ? 'debug' : 'warn', plain: true })
  // Only now: where an agent runs, this process needs none.
  const { startAgent } = await import('../agent.ts')
  const agent = await startAgent(empty(home, request, token), {
    runtimeDir: flags.runtimeDir,
    log,
    home,
    readConfig: home.read,
  })
  try {
    return await Promise.race([agent.join(request), interrupted.signal])
  } catch (error) {
    throw withoutAgent(error)
  } finally {
    await end(agent)
  }
}

async function end(agent: Agent): Promise<void> {
  agent.stop()
  await agent.done
}

// A configuration without networks: it opens WireGuard's port for the call, and nothing else.
function empty(home: Home, { port }: JoinRequest, { name }: Pick<Token, 'name'>): Config {
  const config = home.config()
  // One that is no port is refused by the join itself.
  const chosen = /^[1-9]\d{0,4}$/.test(port ?? '') && Number(port) < 65536 ? Number(port) : USUAL_PORT
  return {
    node: config?.node ?? name,
    privateKey: null,
    publicKey: null,
    underlay: config?.underlay ?? { addresses: [], interface: null, vxlanPort: 4789, wireguardPort: chosen },
    networks: [],
    flannels: [],
    etcd: null,
    peers: [],
    rules: NO_RULES,
    metrics: null,
    offloads: config?.offloads ?? { tso: 'auto', uso: 'auto', udpGso: 'auto', udpGro: 'auto' },
  }
}

/** Ctrl-C: what is under way ends, and nothing is left of it. */
class Interrupted {
  readonly signal: Promise<never>

  constructor() {
    this.signal = new Promise((_, reject) => {
      const stop = (): void => reject(new Failure(INTERRUPTED, 'interrupted'))
      for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, stop)
    })
    this.signal.catch(() => {})
  }
}

async function stdin(): Promise<string> {
  let text = ''
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    text += chunk.toString('latin1')
    if (text.length > INPUT_MAX || (process.stdin.isTTY && text.includes('\n'))) break
  }
  return text
}
