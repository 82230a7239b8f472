// What wg(8) says to a device, and what the device then is; said in the protocol's own words, so that the way from there is
// tested with it.
import { describe, expect, test } from 'vitest'
import { base64Of } from '../../../../src/control/key.ts'
import { MAX_PEERS, toConfig, WgState } from '../../../../src/control/wg/state.ts'
import { EINVAL, formatDevice, UapiError, UapiParser } from '../../../../src/control/wg/uapi.ts'
import { KEY_B, keyBytes, OWN_KEY } from '../../../support/config.ts'
import { generator, seed } from '../../../support/seed.ts'

const A = 'a1'.repeat(32)
const B = 'b2'.repeat(32)
const C = 'c3'.repeat(32)
const ZERO = '00'.repeat(32)
const OWN = hexOf(keyBytes(1))

function hexOf(key: Uint8Array): string {
  return Buffer.from(key).toString('hex')
}

function hexOfText(key: string): string {
  return Buffer.from(key, 'base64').toString('hex')
}

/** base64 of a key in hexadecimal. */
function name(hex: string): string {
  return base64Of(Buffer.from(hex, 'hex'))
}

function apply(state: WgState, ...lines: string[]): WgState {
  for (const event of new UapiParser().push(Buffer.from(`set=1\n${lines.join('\n')}\n\n`))) {
    if (event.kind === 'set') state.apply(event.change)
    else expect(event).toEqual({ kind: 'end', errno: 0 })
  }
  return state
}

function told(...lines: string[]): WgState {
  return apply(new WgState(), lines.join('\n'))
}

/** Peers and their prefixes, in order. */
function routes(state: WgState): Record<string, string[]> {
  return Object.fromEntries([...state.peers.values()].map((peer) => [hexOf(peer.publicKey), [...peer.allowedIps]]))
}

describe('a device', () => {
  test('is empty at first', () => {
    const state = new WgState()
    expect(state.device(() => null)).toEqual({ privateKey: null, listenPort: 0, fwmark: 0, peers: [] })
    expect(state.publicKey).toBeNull()
  })

  test('shows its private key clamped (RFC 7748 §5)', () => {
    const state = told(`private_key=${'ff'.repeat(32)}`)
    expect(hexOf(state.privateKey()!)).toBe(`f8${'ff'.repeat(30)}7f`)
  })

  test('knows its public key, and forgets both when told zeros', () => {
    const state = told(`private_key=${OWN}`)
    expect(state.publicKey).toBe(OWN_KEY)
    apply(state, `private_key=${ZERO}`)
    expect(state.publicKey).toBeNull()
    expect(state.privateKey()).toBeNull()
  })

  test('zeroes the keys of a change, and its own when it is wiped', () => {
    const state = new WgState()
    const events = new UapiParser().push(
      Buffer.from(`set=1\nprivate_key=${OWN}\npublic_key=${A}\npreshared_key=${B}\n\n`),
    )
    const changes = events.flatMap((event) => (event.kind === 'set' ? [event.change] : []))
    for (const change of changes) state.apply(change)
    expect(hexOf(changes[0]!.privateKey!)).toBe(ZERO)
    expect(hexOf(changes[1]!.peer!.presharedKey!)).toBe(ZERO)
    const peer = state.peers.get(name(A))!
    expect(hexOf(peer.presharedKey!)).toBe(B)
    state.wipe()
    expect(hexOf(peer.presharedKey!)).toBe(ZERO)
    expect(hexOf(state.privateKey()!)).toBe(ZERO)
  })

  test('answers a get with what was set and what the agent has seen', () => {
    const state = told(
      `private_key=${OWN}`,
      'listen_port=51820',
      'fwmark=5',
      `public_key=${B}`,
      `preshared_key=${C}`,
      'endpoint=192.0.2.1:7',
      'persistent_keepalive_interval=25',
      'allowed_ip=10.0.0.1/32',
      `public_key=${A}`,
      'endpoint=192.0.2.2:7',
    )
    const seen = {
      endpoint: { address: '192.0.2.9', port: 9 },
      lastHandshake: { sec: 1, nsec: 2 },
      rxBytes: 3,
      txBytes: 4,
    }
    const device = state.device((peer) => (peer === name(B) ? seen : null))
    expect(Buffer.from(formatDevice(device)).toString().split('\n')).toEqual([
      `private_key=${OWN}`,
      'listen_port=51820',
      'fwmark=5',
      `public_key=${B}`,
      `preshared_key=${C}`,
      'protocol_version=1',
      'endpoint=192.0.2.9:9',
      'last_handshake_time_sec=1',
      'last_handshake_time_nsec=2',
      'tx_bytes=4',
      'rx_bytes=3',
      'persistent_keepalive_interval=25',
      'allowed_ip=10.0.0.1/32',
      `public_key=${A}`,
      `preshared_key=${ZERO}`,
      'protocol_version=1',
      'endpoint=192.0.2.2:7',
      'last_handshake_time_sec=0',
      'last_handshake_time_nsec=0',
      'tx_bytes=0',
      'rx_bytes=0',
      'persistent_keepalive_interval=0',
      'errno=0',
      '',
      '',
    ])
  })
})

describe('peers', () => {
  test('stay in the order in which they came', () => {
    const state = told(`public_key=${C}`, `public_key=${A}`, `public_key=${B}`)
    apply(state, `public_key=${A}`, 'persistent_keepalive_interval=1')
    expect(Object.keys(routes(state))).toEqual([C, A, B])
  })

  test('are not made by update_only, but changed', () => {
    const state = told(`public_key=${A}`, `public_key=${B}`, 'update_only=true', 'allowed_ip=10.0.0.0/8')
    expect(routes(state)).toEqual({ [A]: [] })
    apply(state, `public_key=${A}`, 'update_only=true', 'allowed_ip=10.0.0.0/8')
    expect(routes(state)).toEqual({ [A]: ['10.0.0.0/8'] })
  })

  test('go with their prefixes', () => {
    const state = told(`public_key=${A}`, 'allowed_ip=10.0.0.0/8', `public_key=${B}`, 'allowed_ip=11.0.0.0/8')
    apply(state, `public_key=${A}`, 'remove=true', 'allowed_ip=12.0.0.0/8')
    expect(routes(state)).toEqual({ [B]: ['11.0.0.0/8'] })
    expect(state.owner('10.0.0.0/8')).toBeUndefined()
    apply(state, `public_key=${C}`, 'remove=true')
    expect(routes(state)).toEqual({ [B]: ['11.0.0.0/8'] })
  })

  test('go all at once with replace_peers', () => {
    const state = told(`public_key=${A}`, 'allowed_ip=10.0.0.0/8', `public_key=${B}`)
    apply(state, 'replace_peers=true', `public_key=${C}`, 'allowed_ip=10.0.0.0/8')
    expect(routes(state)).toEqual({ [C]: ['10.0.0.0/8'] })
  })

  test('with our own key are none, and one that turns out to be ours goes', () => {
    const self = hexOfText(OWN_KEY)
    const state = told(`private_key=${OWN}`, `public_key=${self}`, 'allowed_ip=10.0.0.0/8', `public_key=${A}`)
    expect(routes(state)).toEqual({ [A]: [] })
    const other = told(`public_key=${self}`, 'allowed_ip=10.0.0.0/8', `public_key=${A}`)
    apply(other, `private_key=${OWN}`)
    expect(routes(other)).toEqual({ [A]: [] })
  })

  test('keep what is not named, and lose a preshared key that is all zeros', () => {
    const state = told(
      `public_key=${A}`,
      `preshared_key=${B}`,
      'endpoint=192.0.2.1:7',
      'persistent_keepalive_interval=5',
    )
    apply(state, `public_key=${A}`)
    expect(state.peers.get(name(A))).toMatchObject({ endpoint: { address: '192.0.2.1', port: 7 }, keepaliveSec: 5 })
    expect(hexOf(state.peers.get(name(A))!.presharedKey!)).toBe(B)
    apply(state, `public_key=${A}`, `preshared_key=${ZERO}`, 'persistent_keepalive_interval=0')
    expect(state.peers.get(name(A))).toMatchObject({ presharedKey: null, keepaliveSec: 0 })
  })

  test(`are at most ${MAX_PEERS}`, () => {
    const state = told(`public_key=${B}`)
    const one = state.peers.get(name(B))!
    const key = (n: number) => n.toString(16).padStart(64, '0')
    for (let n = 1; n < MAX_PEERS; n++) state.peers.set(name(key(n)), { ...one, name: name(key(n)) })
    expect(() => apply(state, `public_key=${A}`)).toThrow(expect.objectContaining({ errno: EINVAL }))
    expect(() => apply(state, `public_key=${A}`)).toThrow(UapiError)
  })
})

describe('prefixes', () => {
  test('belong to one peer, the last that claimed them', () => {
    const state = told(`public_key=${A}`, 'allowed_ip=10.0.0.0/8', 'allowed_ip=10.1.0.0/16', `public_key=${B}`)
    apply(state, `public_key=${B}`, 'allowed_ip=10.9.9.9/8')
    expect(routes(state)).toEqual({ [A]: ['10.1.0.0/16'], [B]: ['10.0.0.0/8'] })
    expect(state.owner('10.0.0.0/8')?.name).toBe(name(B))
  })

  test('are taken away by a minus, from the peer that is named only', () => {
    const state = told(`public_key=${A}`, 'allowed_ip=10.0.0.0/8', `public_key=${B}`, 'allowed_ip=::/0')
    apply(state, `public_key=${B}`, 'allowed_ip=-10.0.0.0/8', 'allowed_ip=-::/0', 'allowed_ip=-1.0.0.0/8')
    expect(routes(state)).toEqual({ [A]: ['10.0.0.0/8'], [B]: [] })
  })

  test('are replaced by replace_allowed_ips', () => {
    const state = told(`public_key=${A}`, 'allowed_ip=10.0.0.0/8', 'allowed_ip=11.0.0.0/8')
    apply(state, `public_key=${A}`, 'replace_allowed_ips=true', 'allowed_ip=12.0.0.0/8', 'allowed_ip=11.0.0.0/8')
    expect(routes(state)).toEqual({ [A]: ['12.0.0.0/8', '11.0.0.0/8'] })
    apply(state, `public_key=${A}`, 'replace_allowed_ips=true')
    expect(routes(state)).toEqual({ [A]: [] })
  })

  test('are owned as a plain list would say, whatever is done', () => {
    const random = generator(seed)
    const keys = [A, B, C]
    const state = new WgState()
    const list = new Map<string, string>()
    for (let i = 0; i < 3000; i++) {
      const key = keys[random() % keys.length]!
      const length = 8 + (random() % 4)
      const prefix = `${(((random() % 4) << (11 - length)) & 0x7f) + 1}.0.0.0/${length}`
      const what = random() % 20
      apply(state, `public_key=${key}`, what === 0 ? 'remove=true' : `allowed_ip=${what < 5 ? '-' : ''}${prefix}`)
      const masked = maskedOf(prefix)
      if (what === 0) for (const [p, owner] of list) if (owner === key) list.delete(p)
      if (what > 0 && what < 5 && list.get(masked) === key) list.delete(masked)
      if (what >= 5) list.set(masked, key)
    }
    const owned = Object.entries(routes(state)).flatMap(([key, prefixes]) => prefixes.map((p) => [p, key] as const))
    expect(new Map(owned)).toEqual(list)
    expect(owned).toHaveLength(list.size)
    for (const [p, key] of list) expect(state.owner(p)?.name).toBe(name(key))
  })

  test('cost the same however many there are', () => {
    const lines = Array.from(
      { length: 130_050 },
      (_, i) => `allowed_ip=${1 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.0/24`,
    )
    const state = told(`public_key=${A}`, lines.join('\n'))
    expect(state.peers.get(name(A))!.allowedIps.size).toBe(130_050)
    // All of them move: with a search through a list each this would not end.
    apply(state, `public_key=${B}`, lines.join('\n'))
    expect(state.peers.get(name(A))!.allowedIps.size).toBe(0)
    expect(state.peers.get(name(B))!.allowedIps.size).toBe(130_050)
  })
})

function maskedOf(prefix: string): string {
  const [address, length] = prefix.split('/') as [string, string]
  const words = address.split('.').reduce((n, part) => n * 256 + Number(part), 0)
  const masked = words - (words % 2 ** (32 - Number(length)))
  return `${[24, 16, 8, 0].map((shift) => Math.floor(masked / 2 ** shift) % 256).join('.')}/${length}`
}

describe('news', () => {
  const none = { presharedKey: false, endpoint: false, keepalive: false, allowedIps: false }

  test('are none when nothing was said, and when what was said was so already', () => {
    const lines = [
      `private_key=${OWN}`,
      'listen_port=7',
      'fwmark=1',
      `public_key=${A}`,
      'persistent_keepalive_interval=5',
    ]
    const state = told(...lines, 'allowed_ip=10.0.0.0/8')
    state.takeNews()
    apply(state, ...lines, 'allowed_ip=10.0.0.0/8')
    expect(state.takeNews()).toEqual({ privateKey: false, listenPort: false, fwmark: false, peers: new Map() })
  })

  test("tell the device's keys apart", () => {
    const state = told('listen_port=7')
    expect(state.takeNews()).toMatchObject({ privateKey: false, listenPort: true, fwmark: false })
    apply(state, `private_key=${OWN}`)
    expect(state.takeNews()).toMatchObject({ privateKey: true, listenPort: false, fwmark: false })
    apply(state, `private_key=${ZERO}`)
    expect(state.takeNews()).toMatchObject({ privateKey: true })
    apply(state, 'fwmark=2')
    expect(state.takeNews()).toMatchObject({ privateKey: false, listenPort: false, fwmark: true })
  })

  test('say of a port by chance that it is another one', () => {
    const state = told('listen_port=0')
    expect(state.takeNews().listenPort).toBe(true)
    apply(state, 'listen_port=0')
    expect(state.takeNews().listenPort).toBe(true)
  })

  test('say what became of each peer since they were taken', () => {
    const state = told(`public_key=${A}`, `public_key=${B}`, 'allowed_ip=10.0.0.0/8')
    expect(state.takeNews().peers).toEqual(
      new Map([
        [name(A), { kind: 'added', ...none }],
        [name(B), { kind: 'added', ...none, allowedIps: true }],
      ]),
    )
    // A is made again, B loses a prefix to C, and D comes and goes.
    const D = 'd4'.repeat(32)
    apply(state, `public_key=${A}`, 'remove=true', `public_key=${D}`, `public_key=${A}`)
    apply(state, `public_key=${C}`, 'allowed_ip=10.0.0.0/8', `public_key=${D}`, 'remove=true')
    expect(state.takeNews().peers).toEqual(
      new Map([
        [name(A), { kind: 'replaced', ...none }],
        [name(C), { kind: 'added', ...none, allowedIps: true }],
        [name(B), { kind: 'changed', ...none, allowedIps: true }],
      ]),
    )
    apply(state, `public_key=${A}`, 'remove=true')
    expect(state.takeNews().peers).toEqual(new Map([[name(A), { kind: 'removed', ...none }]]))
  })

  test.each([
    ['presharedKey', `preshared_key=${B}`],
    ['endpoint', 'endpoint=192.0.2.1:1'],
    ['keepalive', 'persistent_keepalive_interval=1'],
    ['allowedIps', 'allowed_ip=10.0.0.0/8'],
  ])('tell %s of a peer', (what, line) => {
    const state = told(`public_key=${A}`)
    state.takeNews()
    apply(state, `public_key=${A}`, line)
    expect(state.takeNews().peers.get(name(A))).toEqual({ kind: 'changed', ...none, [what]: true })
  })

  test('tell an endpoint that is set to what it was: the peer may be elsewhere', () => {
    const state = told(`public_key=${A}`, 'endpoint=192.0.2.1:1')
    state.takeNews()
    apply(state, `public_key=${A}`, 'endpoint=192.0.2.1:1')
    expect(state.takeNews().peers.get(name(A))).toMatchObject({ endpoint: true })
  })
})

describe('as a configuration', () => {
  test("is one secure tun network of stock peers, whose addresses and MTU are others'", () => {
    const peer = hexOfText(KEY_B)
    const state = told(
      `private_key=${OWN}`,
      'listen_port=7',
      `public_key=${peer}`,
      `preshared_key=${C}`,
      'endpoint=[2001:db8::1]:8',
      'persistent_keepalive_interval=25',
      'allowed_ip=10.0.0.1/32',
      'allowed_ip=::/0',
      `public_key=${A}`,
    )
    const config = toConfig(state, 'wg0', 'host-a')
    expect(config).toMatchObject({
      node: 'host-a',
      publicKey: OWN_KEY,
      underlay: { addresses: [], wireguardPort: 7 },
      networks: [
        { name: 'wg0', interface: 'wg0', device: 'tun', security: 'secure', addresses: [], mtu: null, routes: false },
      ],
      peers: [
        {
          name: KEY_B,
          publicKey: KEY_B,
          endpoint: { host: '2001:db8::1', port: 8 },
          keepaliveSec: 25,
          type: 'wireguard',
          networks: [{ network: 'wg0', allowedIps: ['10.0.0.1/32', '::/0'], mac: null }],
        },
        { name: name(A), endpoint: null, presharedKey: null, keepaliveSec: 0, networks: [{ allowedIps: [] }] },
      ],
    })
    expect(hexOf(config.privateKey!.copy())).toBe(OWN)
    expect(hexOf(config.peers[0]!.presharedKey!.copy())).toBe(C)
  })

  test('without a key has none', () => {
    expect(toConfig(new WgState(), 'wg0', 'host-a')).toMatchObject({ privateKey: null, publicKey: null, peers: [] })
  })
})
