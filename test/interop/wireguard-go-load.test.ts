// Cookies (WG §5.3): while a third host floods one of the two with initiations, the other one is asked to show that it receives what
// is sent to its address, does so five seconds later, and is answered.
//
//   a: agent 198.18.0.1 ─┐
//   w: wireguard-go  .2 ─┼─ br0 of switch
//   f: the flood     .3 ─┘
import { fileURLToPath } from 'node:url'
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { generate } from '../../src/crypto/x25519.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { Handshakes, ready } from '../../src/wireguard/handshakes.ts'
import { chance } from '../support/keys.ts'
import { drops, until } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { seed } from '../support/seed.ts'
import { A, StockPeer, W } from '../support/stock-peer.ts'
import { Child } from '../support/transfer.ts'
import { scapyPython, Wire } from '../support/wire.ts'

const FLOOD = fileURLToPath(new URL('../support/flood-child.mjs', import.meta.url))
/** Where a UDP payload begins in a frame over IPv4, in hex digits. */
const PAYLOAD = 2 * (14 + 20 + 8)
const MAC2 = '0'.repeat(32)

let lab: Lab
let hosts: [a: Host, w: Host, f: Host]

beforeAll(() => ready)

beforeEach(async () => {
  lab = new Lab()
  hosts = [await lab.host('a'), await lab.host('w'), await lab.host('f')]
  await lab.connect(hosts.map((host, i) => ({ host, addresses: [`198.18.0.${i + 1}/24`] })))
})

afterEach(() => lab.close())

async function flood(address: string, port: number, size: number, messages: readonly string[]): Promise<Child> {
  const child = new Child(hosts[2].spawn([process.execPath, FLOOD, address, `${port}`, `${size}`, ...messages]))
  expect(await child.line()).toBe('flooding')
  return child
}

/** Pings until it is answered; the UDP payloads between both that went by, in order: [from, payload in hex]. */
async function talk(wire: Wire, from: Host, to: string): Promise<[string, string][]> {
  const seen: [string, string][] = []
  await until(
    'an answer',
    async () => {
      const ping = ['ping', '-n', '-c', '1', '-W', '0.5', to]
      const back = await from.run(ping).then(
        () => true,
        () => false,
      )
      for (const { hex, layers } of await wire.heard('eth0')) {
        const source = String(layers['IP']?.['src'])
        if (layers['UDP'] && source !== '198.18.0.3') seen.push([source, hex.slice(PAYLOAD)])
      }
      return back
    },
    Boolean,
    25_000,
  )
  return seen
}

function expectCookie(seen: readonly [string, string][], caller: string, called: string): void {
  const of = (type: number, from: string): string[] =>
    seen.flatMap(([source, hex]) => (source === from && hex.startsWith(`0${type}000000`) ? [hex] : []))
  const initiations = of(1, caller)
  expect(initiations.length).toBeGreaterThanOrEqual(2)
  // A cookie reply is 64 bytes, and names the one who asked.
  const [cookie] = of(3, called)
  expect(cookie).toHaveLength(2 * 64)
  expect(cookie!.slice(8, 16)).toBe(initiations[0]!.slice(8, 16))
  expect(initiations[0]!.slice(-32)).toBe(MAC2)
  const signed = initiations.filter((hex) => hex.slice(-32) !== MAC2)
  expect(signed.length).toBeGreaterThan(0)
  const [response] = of(2, called)
  expect(response!.slice(16, 24)).toBe(signed.at(-1)!.slice(8, 16))
}

describeRoot('under a flood of initiations', () => {
  it('we ask wireguard-go for a cookie', async () => {
    const [a, w] = hosts
    const s = await StockPeer.between(a, w, { caller: 'wireguard-go' })
    const wire = new Wire(w, scapyPython()!)
    await wire.listen('eth0')
    const noise = `01000000${'00'.repeat(144)}`
    const child = await flood(A.outer4, A.port, 400, [noise])
    try {
      expectCookie(await talk(wire, w, A.inner4), W.outer4, A.outer4)
      const { 'bad-mac': bad } = await drops(s.agent)
      expect(bad).toBeGreaterThan(400)
    } finally {
      await child.end()
    }
  })

  it('we show wireguard-go its cookie', async () => {
    const [a, w] = hosts
    const s = await StockPeer.between(a, w, { caller: 'agent' })
    // Where the flood does not come by.
    const wire = new Wire(a, scapyPython()!)
    await wire.listen('eth0')
    // From a stranger who knows its public key, so that each of them costs it arithmetic.
    const stranger = new Handshakes(chance(seed))
    stranger.setPrivateKey(generate(chance(seed + 1)).private)
    stranger.addPeer(0, Buffer.from(s.goKeys.public, 'base64'), null)
    const messages = Array.from({ length: 200 }, (_, k) => {
      return Buffer.from(stranger.initiate(0, k, 1_700_000_000_000 + 1000 * k)!).toString('hex')
    })
    const child = await flood(W.outer4, W.port, 3000, messages)
    try {
      expectCookie(await talk(wire, a, W.inner4), A.outer4, W.outer4)
    } finally {
      await child.end()
    }
  })
}, ['ping', 'wg', 'wireguard-go', ...(scapyPython() === null ? ['scapy'] : [])])
