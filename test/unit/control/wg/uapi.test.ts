// The protocol is https://www.wireguard.com/xplatform/#configuration-protocol; which errno answers what was read off
// wireguard-go's socket, and what wg(8) makes of an answer is test/interop/wg-tools.test.ts.
import { describe, expect, test } from 'vitest'
import {
  type DeviceChange,
  EINVAL,
  EPROTO,
  formatDevice,
  formatErrno,
  LINE_MAX,
  PART_MAX,
  type PeerChange,
  type UapiEvent,
  UapiParser,
  type UapiPeer,
} from '../../../../src/control/wg/uapi.ts'
import { generator, seed } from '../../../support/seed.ts'

const A = 'a1'.repeat(32)
const B = 'b2'.repeat(32)
const ZERO = '00'.repeat(32)

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'))
}

function said(text: string): UapiEvent[] {
  return new UapiParser().push(Buffer.from(text, 'latin1'))
}

/** The changes of one set, and what it is answered. */
function set(lines: string): { changes: DeviceChange[]; errno: number } {
  const events = said(`set=1\n${lines}\n`)
  const end = events.pop()
  if (end?.kind !== 'end') throw new Error(`the request ended with ${end?.kind}`)
  return { changes: events.map((event) => (event as { change: DeviceChange }).change), errno: end.errno }
}

const DEVICE: DeviceChange = { privateKey: null, listenPort: null, fwmark: null, replacePeers: false, peer: null }

function peer(key: string, change: Partial<PeerChange> = {}): DeviceChange {
  return {
    ...DEVICE,
    peer: {
      publicKey: bytes(key),
      remove: false,
      updateOnly: false,
      presharedKey: null,
      endpoint: null,
      keepaliveSec: null,
      replaceAllowedIps: false,
      allowedIps: [],
      ...change,
    },
  }
}

describe('a set', () => {
  test.each<[string, string, DeviceChange[]]>([
    ['nothing', '', []],
    ['a private key', `private_key=${A}\n`, [{ ...DEVICE, privateKey: bytes(A) }]],
    ['a key in capitals', `private_key=${A.toUpperCase()}\n`, [{ ...DEVICE, privateKey: bytes(A) }]],
    ['the removal of the private key', `private_key=${ZERO}\n`, [{ ...DEVICE, privateKey: bytes(ZERO) }]],
    ['a port', 'listen_port=51820\n', [{ ...DEVICE, listenPort: 51820 }]],
    ['a port by chance', 'listen_port=0\n', [{ ...DEVICE, listenPort: 0 }]],
    ['a mark', 'fwmark=4294967295\n', [{ ...DEVICE, fwmark: 4294967295 }]],
    ['no mark', 'fwmark=0\n', [{ ...DEVICE, fwmark: 0 }]],
    [
      'all keys of the device in one section',
      `private_key=${A}\nlisten_port=1\nfwmark=2\nreplace_peers=true\n`,
      [{ ...DEVICE, privateKey: bytes(A), listenPort: 1, fwmark: 2, replacePeers: true }],
    ],
    ['a peer of which nothing is said', `public_key=${A}\n`, [peer(A)]],
    [
      'the device before its peers, and peers in order',
      `replace_peers=true\npublic_key=${B}\npublic_key=${A}\n`,
      [{ ...DEVICE, replacePeers: true }, peer(B), peer(A)],
    ],
    ['the removal of a peer', `public_key=${A}\nremove=true\n`, [peer(A, { remove: true })]],
    ['update_only', `public_key=${A}\nupdate_only=true\n`, [peer(A, { updateOnly: true })]],
    ['a preshared key', `public_key=${A}\npreshared_key=${B}\n`, [peer(A, { presharedKey: bytes(B) })]],
    ['no preshared key', `public_key=${A}\npreshared_key=${ZERO}\n`, [peer(A, { presharedKey: bytes(ZERO) })]],
    [
      'an IPv4 endpoint',
      `public_key=${A}\nendpoint=192.0.2.1:51820\n`,
      [peer(A, { endpoint: { address: '192.0.2.1', port: 51820 } })],
    ],
    [
      'an IPv6 endpoint, made canonical',
      `public_key=${A}\nendpoint=[2001:DB8:0:0::1]:1\n`,
      [peer(A, { endpoint: { address: '2001:db8::1', port: 1 } })],
    ],
    [
      'an IPv4 endpoint written as IPv6',
      `public_key=${A}\nendpoint=[::ffff:192.0.2.1]:1\n`,
      [peer(A, { endpoint: { address: '192.0.2.1', port: 1 } })],
    ],
    ['a keepalive', `public_key=${A}\npersistent_keepalive_interval=65535\n`, [peer(A, { keepaliveSec: 65535 })]],
    [
      'a link-local endpoint with its zone',
      `public_key=${A}\nendpoint=[FE80::1%eth0]:1\n`,
      [peer(A, { endpoint: { address: 'fe80::1%eth0', port: 1 } })],
    ],
    [
      'an endpoint with a zone that says nothing',
      `public_key=${A}\nendpoint=[2001:db8::1%eth0]:1\n`,
      [peer(A, { endpoint: { address: '2001:db8::1', port: 1 } })],
    ],
    ['no keepalive', `public_key=${A}\npersistent_keepalive_interval=0\n`, [peer(A, { keepaliveSec: 0 })]],
    ['the version of the protocol', `public_key=${A}\nprotocol_version=1\n`, [peer(A)]],
    [
      'prefixes without their host bits, one of them taken away',
      `public_key=${A}\nallowed_ip=10.1.2.3/8\nallowed_ip=2001:DB8::1/64\nallowed_ip=-10.0.0.0/8\nallowed_ip=0.0.0.0/0\n`,
      [
        peer(A, {
          allowedIps: [
            { prefix: '10.0.0.0/8', remove: false },
            { prefix: '2001:db8::/64', remove: false },
            { prefix: '10.0.0.0/8', remove: true },
            { prefix: '0.0.0.0/0', remove: false },
          ],
        }),
      ],
    ],
    [
      'replace_allowed_ips, which takes away what stands before it too',
      `public_key=${A}\nallowed_ip=10.0.0.0/8\nreplace_allowed_ips=true\nallowed_ip=11.0.0.0/8\n`,
      [peer(A, { replaceAllowedIps: true, allowedIps: [{ prefix: '11.0.0.0/8', remove: false }] })],
    ],
    [
      'the last of two values',
      `listen_port=1\nlisten_port=2\npublic_key=${A}\npersistent_keepalive_interval=1\npersistent_keepalive_interval=2\n`,
      [{ ...DEVICE, listenPort: 2 }, peer(A, { keepaliveSec: 2 })],
    ],
    ['the same peer twice', `public_key=${A}\nremove=true\npublic_key=${A}\n`, [peer(A, { remove: true }), peer(A)]],
  ])('of %s', (_what, lines, changes) => {
    expect(set(lines)).toEqual({ changes, errno: 0 })
  })

  const refusedOfDevice = [
    'private_key=',
    `private_key=${A.slice(1)}`,
    `private_key=${A}a`,
    `private_key=${A.slice(1)}g`,
    `private_key=${A.slice(2)} 1`,
    'listen_port=',
    'listen_port=65536',
    'listen_port=-1',
    'listen_port=+1',
    'listen_port=0x1',
    'listen_port=1 ',
    'listen_port=1.0',
    'fwmark=4294967296',
    'fwmark=off',
    'replace_peers=false',
    'replace_peers=',
    'replace_peers=True',
    'allowed_ip=10.0.0.0/8',
    'preshared_key=',
    'errno=0',
    'get=1',
    'set=1',
    'constructor=x',
    '__proto__=x',
    '=x',
    ' listen_port=1',
    'Listen_port=1',
    'public_key=',
    `public_key=${A.slice(2)}`,
    'listen_port=1\r',
  ]
  const refusedOfPeer = [
    'remove=false',
    'update_only=1',
    'replace_allowed_ips=false',
    'preshared_key=0',
    'persistent_keepalive_interval=65536',
    'persistent_keepalive_interval=off',
    'persistent_keepalive_interval=-1',
    'protocol_version=2',
    'protocol_version=',
    'endpoint=',
    'endpoint=192.0.2.1',
    'endpoint=192.0.2.1:',
    'endpoint=192.0.2.1:65536',
    'endpoint=192.0.2.256:1',
    'endpoint=192.0.2:1',
    'endpoint=[192.0.2.1]:1',
    'endpoint=192.0.2.1%eth0:1',
    'endpoint=[fe80::1%]:1',
    'endpoint=[fe80::1%a b]:1',
    'endpoint=[::ffff:192.0.2]:1',
    'endpoint=2001:db8::1:51820',
    'endpoint=[2001:db8::1]',
    'endpoint=[2001:db8::1:1',
    'endpoint=host.example:1',
    'endpoint=192.0.2.1:-1',
    'allowed_ip=',
    'allowed_ip=10.0.0.0',
    'allowed_ip=10.0.0.0/33',
    'allowed_ip=10.0.0.0/',
    'allowed_ip=10.0.0.0/08',
    'allowed_ip=10.0.0/8',
    'allowed_ip=::/129',
    'allowed_ip=--10.0.0.0/8',
    'allowed_ip=10.0.0.0/8,11.0.0.0/8',
    'allowed_ip=fe80::1%eth0/64',
    'private_key=' + A,
    'listen_port=1',
    'replace_peers=true',
    'last_handshake_time_sec=1',
    'rx_bytes=0',
  ]

  test.each(refusedOfDevice)('that says %s of the device is answered with EINVAL', (line) => {
    expect(set(`fwmark=7\n${line}\nlisten_port=9\n`)).toEqual({ changes: [{ ...DEVICE, fwmark: 7 }], errno: -EINVAL })
  })

  test.each(refusedOfPeer)('that says %s of a peer is answered with EINVAL', (line) => {
    const lines = `public_key=${A}\npersistent_keepalive_interval=7\n${line}\npersistent_keepalive_interval=9\n`
    expect(set(lines)).toEqual({ changes: [peer(A, { keepaliveSec: 7 })], errno: -EINVAL })
  })

  test.each(['x', 'listen_port', 'private_key 00', ' ', '\r', '\0'])(
    'with the line %j is answered with EPROTO',
    (line) => {
      expect(set(`fwmark=7\n${line}\n`)).toEqual({ changes: [{ ...DEVICE, fwmark: 7 }], errno: -EPROTO })
    },
  )

  test('with a fault has done what stands before it, of the same peer too, and nothing of what stands behind', () => {
    const lines = `listen_port=1\npublic_key=${A}\nallowed_ip=10.0.0.0/8\nallowed_ip=x\nallowed_ip=11.0.0.0/8\npublic_key=${B}\n`
    const allowedIps = [{ prefix: '10.0.0.0/8', remove: false }]
    expect(set(lines)).toEqual({ changes: [{ ...DEVICE, listenPort: 1 }, peer(A, { allowedIps })], errno: -EINVAL })
  })

  test('with two faults is answered with the first', () => {
    expect(set('x\nlisten_port=x\n').errno).toBe(-EPROTO)
  })

  test('delivers a section when the next begins, and not before', () => {
    const parser = new UapiParser()
    const push = (text: string) => parser.push(Buffer.from(text)).map((event) => event.kind)
    expect(push(`set=1\nlisten_port=1\npublic_key=${A}`)).toEqual([])
    expect(push('\n')).toEqual(['set'])
    expect(push('persistent_keepalive_interval=1\n')).toEqual([])
    expect(push(`public_key=${B}\n`)).toEqual(['set'])
    expect(push('\n')).toEqual(['set', 'end'])
  })

  test('of more prefixes than a part holds comes in parts, and only the first makes the peer', () => {
    const count = 130_050
    const parser = new UapiParser()
    const changes: PeerChange[] = []
    let most = 0
    const push = (text: string): void => {
      for (const event of parser.push(Buffer.from(text))) {
        if (event.kind === 'set') changes.push(event.change.peer!)
        else expect(event).toEqual({ kind: 'end', errno: 0 })
      }
    }
    push(`set=1\npublic_key=${A}\nreplace_allowed_ips=true\nremove=true\n`)
    for (let i = 0; i < count; i++) push(`allowed_ip=${i >> 16}.${(i >> 8) & 255}.${i & 255}.0/24\n`)
    push('\n')
    for (const change of changes) most = Math.max(most, change.allowedIps.length)
    expect(most).toBe(PART_MAX)
    expect(changes.flatMap((change) => change.allowedIps)).toHaveLength(count)
    expect(changes.map((change) => change.updateOnly)).toEqual([false, ...changes.slice(1).map(() => true)])
    expect(changes.map((change) => change.replaceAllowedIps)).toEqual([true, ...changes.slice(1).map(() => false)])
    expect(changes.map((change) => change.remove)).toEqual([true, ...changes.slice(1).map(() => false)])
  })

  test('may not say update_only of a peer of which a part has gone out', () => {
    const prefixes = Array.from({ length: PART_MAX }, (_, i) => `allowed_ip=10.${i >> 8}.${i & 255}.0/24\n`).join('')
    const { changes, errno } = set(`public_key=${A}\n${prefixes}update_only=true\n`)
    expect(changes).toHaveLength(1)
    expect(errno).toBe(-EINVAL)
  })
})

describe('a get', () => {
  test('is known when its empty line is there', () => {
    expect(said('get=1\n')).toEqual([])
    expect(said('get=1\n\n')).toEqual([{ kind: 'get' }])
  })

  test.each(['x', 'get=1', `private_key=${A}`, 'x'.repeat(LINE_MAX + 1)])(
    'with a line (%#) is answered with EINVAL, which wg(8) wants positive',
    (line) => {
      expect(said(`get=1\n${line}\nmore\n\nget=1\n\n`)).toEqual([{ kind: 'end', errno: EINVAL }, { kind: 'get' }])
    },
  )
})

describe('a connection', () => {
  test('takes one request after the other, written together or byte by byte', () => {
    const text = `set=1\nlisten_port=1\n\nget=1\n\nset=1\nx\npublic_key=${A}\n\nset=1\npublic_key=${A}\n\nget=1\n\n`
    const together = said(text)
    expect(together.map((event) => event.kind)).toEqual(['set', 'end', 'get', 'end', 'set', 'end', 'get'])
    const parser = new UapiParser()
    expect([...Buffer.from(text)].flatMap((byte) => parser.push(Uint8Array.of(byte)))).toEqual(together)
  })

  test.each([
    '\n',
    'get=2\n',
    'set=0\n',
    'get\n',
    'GET / HTTP/1.1\r\n',
    ' get=1\n',
    'get=1\r\n',
    `${'x'.repeat(LINE_MAX + 1)}\n`,
  ])('is ended by what is no operation (%#), and takes nothing more', (text) => {
    const parser = new UapiParser()
    expect(parser.push(Buffer.from(text))).toEqual([{ kind: 'hang-up' }])
    expect(parser.push(Buffer.from('get=1\n\n'))).toEqual([])
  })

  test('keeps nothing of a line without end but that it is too long', () => {
    const parser = new UapiParser()
    expect(parser.push(Buffer.from('set=1\nlisten_port=1\n'))).toEqual([])
    for (let i = 0; i < 1000; i++) expect(parser.push(Buffer.alloc(65536, 'x'))).toEqual([])
    const events = parser.push(Buffer.from('\nlisten_port=2\n\nget=1\n\n'))
    expect(events).toEqual([
      { kind: 'set', change: { ...DEVICE, listenPort: 1 } },
      { kind: 'end', errno: -EPROTO },
      { kind: 'get' },
    ])
  })

  test.each([LINE_MAX - 1, LINE_MAX, LINE_MAX + 1, 2 * LINE_MAX])(
    'reads a line of %i bytes or calls it too long',
    (length) => {
      const line = `listen_port=${'1'.padStart(length - 'listen_port='.length, '0')}\n`
      const fits = length <= LINE_MAX
      for (const step of [1, 7, LINE_MAX, line.length]) {
        const parser = new UapiParser()
        const events = parser.push(Buffer.from('set=1\n'))
        for (let i = 0; i < line.length; i += step) events.push(...parser.push(Buffer.from(line.slice(i, i + step))))
        events.push(...parser.push(Buffer.from('\n')))
        expect(events.at(-1)).toEqual({ kind: 'end', errno: fits ? 0 : -EPROTO })
        expect(events).toHaveLength(fits ? 2 : 1)
      }
    },
  )

  test('forgets what was not said whole, and half a key', () => {
    const parser = new UapiParser()
    expect(parser.push(Buffer.from(`set=1\npublic_key=${A}\npreshared_key=${B}\npreshared_key=b2b2`))).toEqual([])
    expect(JSON.stringify(parser)).toMatch(/:178\b.*:98\b|:98\b.*:178\b/)
    parser.close()
    expect(JSON.stringify(parser)).not.toMatch(/:178\b|:98\b/)
    expect(parser.push(Buffer.from(`${A}\n\n`))).toEqual([])
  })

  test('makes of any bytes something, throws nothing, and says the same however they are cut', () => {
    const random = generator(seed)
    const words = [
      'set=1',
      'get=1',
      '',
      `public_key=${A}`,
      'remove=true',
      'allowed_ip=10.0.0.0/8',
      'x',
      'fwmark=1',
      '\0=\xff',
    ]
    for (let round = 0; round < 500; round++) {
      const lines = Array.from({ length: random() % 12 }, () => words[random() % words.length]!)
      const text = Buffer.from(`set=1\n${lines.join('\n')}\n`, 'latin1')
      for (let i = random() % 4; i > 0; i--) text[random() % text.length] = random()
      const whole = new UapiParser().push(text)
      const parser = new UapiParser()
      const cut: UapiEvent[] = []
      for (let from = 0; from < text.length; ) {
        const to = from + 1 + (random() % 40)
        cut.push(...parser.push(text.subarray(from, to)))
        from = to
      }
      expect(cut).toEqual(whole)
    }
  })
})

describe('an answer', () => {
  const bare: UapiPeer = {
    publicKey: bytes(A),
    presharedKey: null,
    endpoint: null,
    lastHandshake: null,
    rxBytes: 0,
    txBytes: 0,
    keepaliveSec: 0,
    allowedIps: [],
  }
  const text = (device: Parameters<typeof formatDevice>[0]): string[] =>
    Buffer.from(formatDevice(device)).toString('latin1').split('\n')

  test('about an empty device is that all is well', () => {
    expect(text({ privateKey: null, listenPort: 0, fwmark: 0, peers: [] })).toEqual(['errno=0', '', ''])
  })

  test('has every key, in the order of wireguard-go', () => {
    const peers: UapiPeer[] = [
      {
        ...bare,
        presharedKey: bytes(B),
        endpoint: { address: '2001:db8::1', port: 51820 },
        lastHandshake: { sec: 1700000000, nsec: 5 },
        rxBytes: 2 ** 40,
        txBytes: 1372,
        keepaliveSec: 25,
        allowedIps: new Set(['10.0.0.0/8', '::/0']),
      },
      { ...bare, publicKey: bytes(B), endpoint: { address: '192.0.2.1', port: 1 } },
    ]
    expect(text({ privateKey: bytes(A), listenPort: 51820, fwmark: 51820, peers })).toEqual([
      `private_key=${A}`,
      'listen_port=51820',
      'fwmark=51820',
      `public_key=${A}`,
      `preshared_key=${B}`,
      'protocol_version=1',
      'endpoint=[2001:db8::1]:51820',
      'last_handshake_time_sec=1700000000',
      'last_handshake_time_nsec=5',
      'tx_bytes=1372',
      'rx_bytes=1099511627776',
      'persistent_keepalive_interval=25',
      'allowed_ip=10.0.0.0/8',
      'allowed_ip=::/0',
      `public_key=${B}`,
      `preshared_key=${ZERO}`,
      'protocol_version=1',
      'endpoint=192.0.2.1:1',
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

  test('is whole however long', () => {
    const allowedIps = Array.from({ length: 130_050 }, (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}/32`)
    const lines = text({ privateKey: null, listenPort: 0, fwmark: 0, peers: [{ ...bare, allowedIps }] })
    expect(lines.filter((line) => line.startsWith('allowed_ip='))).toEqual(allowedIps.map((ip) => `allowed_ip=${ip}`))
    expect(lines.slice(-3)).toEqual(['errno=0', '', ''])
  })

  test.each([
    [0, 'errno=0\n\n'],
    [-EINVAL, 'errno=-22\n\n'],
    [EINVAL, 'errno=22\n\n'],
  ])('of %i alone', (errno, expected) => {
    expect(Buffer.from(formatErrno(errno)).toString()).toBe(expected)
  })
})
