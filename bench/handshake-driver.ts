// The far half of bench/peers.ts, a process of its own on a lab's host: many peers behind one UDP socket, each with its own key.
//   handshake-driver ADDRESS PORT AGENT-PUBLIC-KEY PEERS
// First it prints their public keys; then for each line on stdin it has every peer shake hands once, and prints how that went.
// Initiations are made before the clock runs and answers are checked after it, so that the time is the agent's.
import { randomFillSync } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { createInterface } from 'node:readline'
import { generate } from '../src/crypto/x25519.ts'
import * as wire from '../src/wire/wireguard.ts'
import { Handshakes, ready } from '../src/wireguard/handshakes.ts'

/** Initiations without an answer: below an eighth of the agent's queue, from which on it would ask for cookies (WG §5.3). */
const IN_FLIGHT = 64
/** Milliseconds without any answer after which a round is over. */
const SILENCE = 2000
const BUFFER = 4 * 1024 * 1024
/** The agent as each peer's only peer. */
const AGENT = 0

export interface DriverRound {
  readonly answered: number
  /** Answers that ask for a cookie instead: the agent is under load. */
  readonly cookies: number
  /** Answers that made a session with the agent. */
  readonly sessions: number
  readonly seconds: number
}

const [address, port, agentKey, count] = process.argv.slice(2) as [string, string, string, string]
const used = new Set<number>()
const peers: Handshakes[] = []

await ready()
const keys = Array.from({ length: Number(count) }, makePeer)
const socket = await open()
process.stdout.write(`${JSON.stringify(keys)}\n`)
for await (const _ of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await round())}\n`)
}
socket.close()

// Its public key, in base64.
function makePeer(): string {
  const pair = generate(randomFillSync)
  const peer = new Handshakes(randomFillSync, (index) => used.has(index))
  peer.setPrivateKey(pair.private)
  peer.addPeer(AGENT, Buffer.from(agentKey, 'base64'), null)
  pair.private.fill(0)
  peers.push(peer)
  return Buffer.from(pair.public).toString('base64')
}

function open(): Promise<Socket> {
  const udp = createSocket({ type: 'udp4', recvBufferSize: BUFFER, sendBufferSize: BUFFER })
  return new Promise((resolve, reject) => {
    udp.once('error', reject)
    udp.connect(Number(port), address, () => resolve(udp))
  })
}

async function round(): Promise<DriverRound> {
  used.clear()
  const owners = new Map<number, Handshakes>()
  const messages = peers.map((peer) => {
    const message = peer.initiate(AGENT, now(), Date.now())
    if (!message) throw new Error('no handshake with a key like this')
    const index = wire.sender(message, 0)
    used.add(index)
    owners.set(index, peer)
    return message
  })
  const { answers, seconds } = await exchange(messages)
  let cookies = 0
  let sessions = 0
  for (const answer of answers) {
    if (typeOf(answer) === wire.COOKIE_REPLY) cookies++
    else if (isSession(owners, answer)) sessions++
  }
  return { answered: answers.length, cookies, sessions, seconds }
}

// Sends with a window; ends when everything is answered, or nothing more comes.
function exchange(messages: readonly Uint8Array[]): Promise<{ answers: Uint8Array[]; seconds: number }> {
  return new Promise((resolve) => {
    const answers: Uint8Array[] = []
    let sent = 0
    const begin = now()
    let last = begin
    const more = (): void => {
      while (sent < messages.length && sent - answers.length < IN_FLIGHT) socket.send(messages[sent++]!)
    }
    const watch = setInterval(() => now() - last > SILENCE && end(), SILENCE / 4)
    const take = (answer: Uint8Array): void => {
      // What else the agent has to say to its peers is no answer.
      if (typeOf(answer) !== wire.RESPONSE && typeOf(answer) !== wire.COOKIE_REPLY) return
      answers.push(answer)
      last = now()
      if (answers.length === messages.length) end()
      else more()
    }
    const end = (): void => {
      clearInterval(watch)
      socket.off('message', take)
      resolve({ answers, seconds: (last - begin) / 1000 })
    }
    socket.on('message', take)
    more()
  })
}

function isSession(owners: ReadonlyMap<number, Handshakes>, answer: Uint8Array): boolean {
  const owner = owners.get(wire.responseReceiver(answer, 0))
  const outcome = owner?.handle(answer, new Uint8Array(0), 0, now())
  if (outcome?.kind !== 'session') return false
  outcome.session.send.fill(0)
  outcome.session.receive.fill(0)
  owner!.release(outcome.session.local)
  return true
}

function typeOf(message: Uint8Array): number {
  return wire.check(message, 0, message.length)
}

function now(): number {
  return performance.now()
}
