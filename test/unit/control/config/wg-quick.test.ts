import { describe, expect, test } from 'vitest'
import { readWgQuick, valuesOf, type WgQuick, WgQuickError } from '../../../../src/control/config/wg-quick.ts'
import { base64Of } from '../../../../src/control/key.ts'
import { KEY_B, KEY_C, keyBytes, parse, publicKey } from '../../../support/config.ts'

const SECRET = base64Of(keyBytes(1))
const PSK = base64Of(keyBytes(101))

function read(text: string): WgQuick {
  return readWgQuick(text, 'wg0')
}

function notes(text: string): string[] {
  return read(text).notes.map(({ line, key, text: said }) => `${line} ${key}: ${said}`)
}

function faults(text: string): readonly string[] {
  try {
    read(text)
    return []
  } catch (error) {
    if (error instanceof WgQuickError) return error.faults
    throw error
  }
}

function own(...lines: string[]): string {
  return `[Interface]\n${lines.join('\n')}\n`
}

function peer(...lines: string[]): string {
  return `[Peer]\nPublicKey = ${KEY_B}\n${lines.join('\n')}\n`
}

describe('a wg-quick file', () => {
  test('is read with all that is carried over', () => {
    const found = read(`
# made by hand
[Interface]
PrivateKey = ${SECRET} # mine
Address = 10.10.0.2/24, FD00:10::2/64
address=10.11.0.2
ListenPort = 51999
MTU = 1380
Table = auto
SaveConfig = false
FwMark = off

  [PEER]
PUBLICKEY=${KEY_B}
PresharedKey = ${PSK}
Endpoint = vpn.example.net:51820
AllowedIPs = 10.20.1.7/16,10.30.0.1 ,
AllowedIPs = fd00:20::/32
PersistentKeepalive = 25
[Peer]
PublicKey = ${KEY_C}
AllowedIPs = 10.40.0.0/16
PersistentKeepalive = off
`)
    expect(found).toMatchObject({
      privateKeyFile: null,
      listenPort: 51999,
      addresses: ['10.10.0.2/24', 'fd00:10::2/64', '10.11.0.2/32'],
      mtu: 1380,
      routes: true,
      notes: [],
    })
    expect(found.privateKey!.copy()).toEqual(keyBytes(1))
    expect(found.peers.map(({ presharedKey, line, ...rest }) => [rest, presharedKey?.copy() ?? null])).toEqual([
      [
        {
          name: 'peer-1',
          publicKey: KEY_B,
          endpoint: 'vpn.example.net:51820',
          keepaliveSec: 25,
          allowedIps: ['10.20.0.0/16', '10.30.0.1/32', 'fd00:20::/32'],
        },
        keyBytes(101),
      ],
      [{ name: 'peer-2', publicKey: KEY_C, endpoint: null, keepaliveSec: 0, allowedIps: ['10.40.0.0/16'] }, null],
    ])
  })

  test('takes line ends of Windows, and no section at all', () => {
    expect(read('[Interface]\r\nMTU = 1400\r\n').mtu).toBe(1400)
    expect(read('').peers).toEqual([])
  })

  test('adds and takes away prefixes with + and -', () => {
    const [found] = read(peer('AllowedIPs = +10.1.0.0/16, 10.2.0.0/16', 'AllowedIPs = -10.1.0.0/16')).peers
    expect(found!.allowedIps).toEqual(['10.2.0.0/16'])
  })

  test('has the key file that a hook hands over', () => {
    const found = read(own('PostUp = wg set %i private-key /etc/wireguard/%i.key'))
    expect([found.privateKeyFile, found.notes]).toEqual(['/etc/wireguard/wg0.key', []])
    expect(read(own('PostUp = wg set wg1 private-key /etc/key')).privateKeyFile).toBeNull()
    expect(read(own('PostUp = wg set wg0 private-key <(pass wg)')).notes).toHaveLength(1)
  })
})

const HOOK = 'the agent runs no commands: `systemctl edit vtepd` takes it as'

describe('what is not carried over is named with the way to do it here', () => {
  test.each([
    ['FwMark = 0xca6c', '2 FwMark: there is no key for it: `wg set` gives the running agent a mark'],
    ['ListenPort = 0', '2 ListenPort: 0 asks for a port by chance'],
    [
      'DNS = 10.0.0.1, fd00::53',
      '2 DNS: the agent leaves name resolution alone: `resolvectl dns wg0 10.0.0.1 fd00::53`',
    ],
    ['DNS = 10.0.0.1, corp.example', '`resolvectl dns wg0 10.0.0.1 && resolvectl domain wg0 corp.example`'],
    ['SaveConfig = true', '2 SaveConfig: changes by `wg` last until reload or stop'],
    ['PreUp = secretword', `2 PreUp: ${HOOK} ExecStartPre=, with wg0 in place of %i`],
    ['PostUp = secretword', `2 PostUp: ${HOOK} ExecStartPost=`],
    ['PreDown = secretword', `2 PreDown: ${HOOK} ExecStop=`],
    ['PostDown = secretword', `2 PostDown: ${HOOK} ExecStopPost=`],
  ])('%s', (line, said) => {
    const found = notes(own(line))
    expect(found).toEqual([expect.stringContaining(said)])
    expect(found.join()).not.toContain('secretword')
  })

  test('a peer without prefixes', () => {
    const found = read(peer('AllowedIPs ='))
    expect(found.peers).toEqual([])
    expect(found.notes).toMatchObject([
      { line: 1, key: '[Peer]', text: expect.stringContaining('peer-1 has no AllowedIPs') },
    ])
  })

  test('a prefix that a later peer takes over', () => {
    const found = read(`${peer('AllowedIPs = 10.1.0.0/16, 10.2.0.0/16')}[Peer]
PublicKey = ${KEY_C}
AllowedIPs = 10.1.0.0/16`)
    expect(found.peers.map(({ allowedIps }) => allowedIps)).toEqual([['10.2.0.0/16'], ['10.1.0.0/16']])
    expect(found.notes).toMatchObject([
      { line: 6, key: 'AllowedIPs', text: expect.stringContaining('taken from peer-1') },
    ])
  })
})

describe('routes', () => {
  const OWN = own('Address = 10.10.0.2/24')

  test('are ours where wg-quick makes them plainly', () => {
    const found = read(OWN + peer('Endpoint = 198.18.0.2:1', 'AllowedIPs = 10.10.0.0/24, 10.20.0.0/16'))
    expect([found.routes, found.notes]).toEqual([true, []])
  })

  test('stay away with Table = off', () => {
    const found = read(own('Table = off') + peer('Endpoint = 198.18.0.2:1', 'AllowedIPs = 0.0.0.0/0'))
    expect([found.routes, found.notes]).toEqual([false, []])
  })

  test('into a table of their own are the operator’s', () => {
    const found = read(own('Address = 10.10.0.2/24', 'Table = 77') + peer('AllowedIPs = 10.10.0.0/24, 10.20.0.0/16'))
    expect(found.routes).toBe(false)
    expect(found.notes).toMatchObject([
      { key: 'Table', text: expect.stringMatching(/yours: `ip route add 10\.20\.0\.0\/16 dev wg0 table 77`$/) },
    ])
  })

  test.each([
    ['an address', '198.18.0.2:1', '198.18.0.2'],
    ['a name', 'vpn.example:1', 'vpn.example'],
  ])('of everything go round the endpoint by hand: %s', (_, endpoint, host) => {
    const found = read(OWN + peer(`Endpoint = ${endpoint}`, 'AllowedIPs = 0.0.0.0/0, ::/0, 10.20.0.0/16, 10.10.0.9'))
    expect(found.routes).toBe(false)
    const said = found.notes.map(({ key, text }) => `${key}: ${text}`)
    expect(said).toEqual([
      'routes: a route for 0.0.0.0/0, ::/0 would send the tunnel into itself; with `routes: false` they are yours: ' +
        `\`ip route add ${host} via GATEWAY\`, \`ip route add 0.0.0.0/1 dev wg0\`, \`ip route add 128.0.0.0/1 dev wg0\`, ` +
        '`ip route add ::/1 dev wg0`, `ip route add 8000::/1 dev wg0`, `ip route add 10.20.0.0/16 dev wg0`',
    ])
  })

  test('of a part that holds an endpoint as well', () => {
    const found = read(OWN + peer('Endpoint = 198.18.0.2:1', 'AllowedIPs = 198.18.0.0/15'))
    expect(found.routes).toBe(false)
    expect(found.notes[0]!.text).toContain('`ip route add 198.18.0.0/15 dev wg0`')
  })
})

describe('faults', () => {
  const KEY = 'want 32 bytes in base64; mend it there'

  test.each([
    [own('PrivateKey = secretword'), `line 2: PrivateKey: ${KEY}`],
    [own('ListenPort = 65536'), 'line 2: ListenPort: want 0..65535, got "65536"'],
    [own('FwMark = red'), 'line 2: FwMark: want a number or off'],
    [own('Address = 10.0.0.300'), 'line 2: Address: want an address with its prefix length, got "10.0.0.300"'],
    [own('MTU = -1'), 'line 2: MTU: want 0..65535'],
    [own('Table = a b'), 'line 2: Table: want off, auto or a table'],
    [own('SaveConfig = yes'), 'line 2: SaveConfig: want true or false'],
    [own('Endpoint = x'), 'line 2: Endpoint: no key of [Interface]'],
    [own('constructor = x'), 'line 2: constructor: no key of [Interface]'],
    [own('secretword'), 'line 2: no section and no KEY = VALUE'],
    [own(`${SECRET.slice(0, -1)}=`), 'line 2: no section and no KEY = VALUE'],
    ['MTU = 1', 'line 1: MTU: stands before [Interface] and [Peer]'],
    ['[Peers]', 'line 1: no section of a wg-quick file'],
    ['[Peer]\nPublicKey = secretword', `line 2: PublicKey: ${KEY}`],
    ['[Peer]\nAllowedIPs = 10.0.0.0/8', 'line 1: [Peer] has no PublicKey'],
    [peer('PresharedKey = secretword'), `line 3: PresharedKey: ${KEY}`],
    [peer('Endpoint = 198.18.0.2'), 'line 3: Endpoint: want HOST:PORT or [IPv6]:PORT, got "198.18.0.2"'],
    [peer('Endpoint = fd00::2:51820'), 'line 3: Endpoint: want HOST:PORT or [IPv6]:PORT'],
    [peer('PersistentKeepalive = 65536'), 'line 3: PersistentKeepalive: want 0..65535'],
    [peer('AllowedIPs = 10.0.0.0/33'), 'line 3: AllowedIPs: want ADDRESS/LENGTH, got "10.0.0.0/33"'],
    [peer('MTU = 1'), 'line 3: MTU: no key of [Peer]'],
    [
      peer('AllowedIPs = 10.0.0.1') + peer('AllowedIPs = 10.0.0.2'),
      'line 4: [Peer] has the PublicKey of the one at line 1',
    ],
  ])('%j', (text, said) => {
    const found = faults(text)
    expect(found).toEqual([expect.stringContaining(said)])
    expect(found.join()).not.toMatch(/secretword|AAAA/)
  })

  test('are all told at once', () => {
    expect(faults(`${own('MTU = x', 'nonsense')}[Peer]\n`)).toHaveLength(3)
  })
})

describe('the values', () => {
  const NETWORK = { name: 'wg0', vni: 7, interface: 'wg0' }

  test('are a configuration that says the same', () => {
    const found = read(`${own(
      'Address = 10.10.0.2/24',
      'ListenPort = 51999',
      'MTU = 1380',
      'Table = off',
    )}${peer('Endpoint = [fd00::2]:51821', 'AllowedIPs = 0.0.0.0/0', 'PersistentKeepalive = 25')}[Peer]
PublicKey = ${publicKey(9)}
AllowedIPs = 10.10.0.9
`)
    const keys = { privateKeyFile: '/keys/own', preshared: new Map([['peer-1', '/keys/psk']]) }
    const config = parse(JSON.stringify(valuesOf(found, NETWORK, keys)))
    expect(config.underlay.wireguardPort).toBe(51999)
    expect(config.networks).toMatchObject([
      {
        name: 'wg0',
        vni: 7,
        device: 'tun',
        interface: 'wg0',
        security: 'secure',
        addresses: ['10.10.0.2/24'],
        mtu: 1380,
        routes: false,
      },
    ])
    expect(config.peers).toMatchObject([
      {
        name: 'peer-1',
        type: 'wireguard',
        endpoint: { host: 'fd00::2', port: 51821 },
        publicKey: KEY_B,
        keepaliveSec: 25,
        networks: [{ network: 'wg0', allowedIps: ['0.0.0.0/0'] }],
      },
      { name: 'peer-2', endpoint: null, presharedKey: null, keepaliveSec: 0 },
    ])
    expect(config.peers[0]!.presharedKey!.copy()).toEqual(keyBytes(101))
  })

  test('leave out what the file leaves out', () => {
    const keys = { privateKeyFile: '/keys/own', preshared: new Map<string, string>() }
    expect(valuesOf(read(''), { ...NETWORK, interface: null }, keys)).toEqual({
      privateKeyFile: '/keys/own',
      networks: { wg0: { vni: 7, device: 'tun' } },
      peers: {},
    })
  })
})
