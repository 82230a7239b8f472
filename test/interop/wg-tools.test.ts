// Debian's wg(8) as the client of a device that carries no packets: what it shows, sets and says of faults.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { base64Of, publicKeyOf } from '../../src/control/key.ts'
import { EADDRINUSE, UapiError } from '../../src/control/wg/uapi.ts'
import { UAPI_DIRECTORY, UapiSocket } from '../../src/control/wg/uapi-socket.ts'
import { finish, type Result, start } from '../../src/lab/command.ts'
import { keyBytes, publicKey } from '../support/config.ts'
import { describeRoot } from '../support/root.ts'
import { temporaryDir } from '../support/temporary.ts'
import { FakeDevice } from '../support/uapi.ts'

const NAME = `vw${process.pid}`
const OWN = base64Of(keyBytes(1))
const OWN_PUBLIC = publicKey(1)
const B = publicKey(2)
const C = publicKey(3)
const PSK = base64Of(keyBytes(101))

let device: FakeDevice
let socket: UapiSocket
let isGone: boolean

beforeEach(async () => {
  device = new FakeDevice()
  isGone = false
  socket = await UapiSocket.open(NAME, device, { gone: () => (isGone = true) })
})

afterEach(async () => {
  await socket.close()
})

async function wg(...args: string[]): Promise<string> {
  return (await run(['wg', ...args])).stdout
}

async function run(command: string[]): Promise<Result> {
  return finish(start(command, { env: { ...process.env, WG_COLOR_MODE: 'never' } }), command)
}

function file(text: string): string {
  const path = join(temporaryDir(), 'file')
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

/** `wg show NAME dump`, a row a line. */
async function dump(): Promise<string[][]> {
  return (await wg('show', NAME, 'dump'))
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'))
}

/** The rows of peers as `dump` has them; counts and handshakes left out. */
async function peers(): Promise<string[][]> {
  const [, ...rows] = await dump()
  return rows.map(([key, psk, endpoint, prefixes, , , , keepalive]) => [key!, psk!, endpoint!, prefixes!, keepalive!])
}

const CONF = `[Interface]
PrivateKey = ${OWN}
ListenPort = 51820
FwMark = 0xca6c

[Peer]
PublicKey = ${B}
PresharedKey = ${PSK}
AllowedIPs = 10.0.0.9/8, 2001:db8::/32
Endpoint = 192.0.2.1:51820
PersistentKeepalive = 25

[Peer]
PublicKey = ${C}
AllowedIPs = 192.168.0.1/32
Endpoint = [2001:db8::9]:1
`

describeRoot('wg(8)', () => {
  it('finds the device and shows it empty', async () => {
    expect(socket.path).toBe(`${UAPI_DIRECTORY}/${NAME}.sock`)
    expect((await wg('show', 'interfaces')).split(/\s+/)).toContain(NAME)
    expect(await dump()).toEqual([['(none)', '(none)', '0', 'off']])
    expect(await wg('show', NAME)).toBe(`interface: ${NAME}\n`)
  })

  it('sets everything there is, and shows it', async () => {
    await wg('set', NAME, 'private-key', file(OWN), 'listen-port', '51820', 'fwmark', '0xca6c')
    const b = ['preshared-key', file(PSK), 'endpoint', '192.0.2.1:7', 'persistent-keepalive', '25']
    await wg('set', NAME, 'peer', B, ...b, 'allowed-ips', '10.0.0.9/8,2001:db8::/32')
    await wg('set', NAME, 'peer', C, 'endpoint', '[2001:db8::9]:1')
    expect(await dump()).toEqual([
      [OWN, OWN_PUBLIC, '51820', '0xca6c'],
      [B, PSK, '192.0.2.1:7', '10.0.0.0/8,2001:db8::/32', '0', '0', '0', '25'],
      [C, '(none)', '[2001:db8::9]:1', '(none)', '0', '0', '0', 'off'],
    ])
    await wg('set', NAME, 'fwmark', 'off', 'peer', B, 'preshared-key', '/dev/null', 'persistent-keepalive', 'off')
    await wg('set', NAME, 'private-key', '/dev/null', 'peer', B, 'allowed-ips', '10.1.0.0/16', 'peer', C, 'remove')
    expect(await dump()).toEqual([
      ['(none)', '(none)', '51820', 'off'],
      [B, '(none)', '192.0.2.1:7', '10.1.0.0/16', '0', '0', '0', 'off'],
    ])
  })

  it('shows handshakes, counts and where a peer is now', async () => {
    await wg('set', NAME, 'peer', B, 'endpoint', '192.0.2.1:7', 'allowed-ips', '10.0.0.0/8')
    const sec = Math.floor(Date.now() / 1000) - 3600
    device.seen.set(B, {
      endpoint: { address: '2001:db8::7', port: 8 },
      lastHandshake: { sec, nsec: 999_999_999 },
      rxBytes: 1372,
      txBytes: 2 ** 40,
    })
    expect((await dump())[1]).toEqual([
      B,
      '(none)',
      '[2001:db8::7]:8',
      '10.0.0.0/8',
      `${sec}`,
      '1372',
      `${2 ** 40}`,
      'off',
    ])
    const text = await wg('show', NAME)
    expect(text).toMatch(/latest handshake: 1 hour(, \d+ seconds?)? ago/)
    expect(text).toContain('transfer: 1.34 KiB received, 1.00 TiB sent')
  })

  it('reads back by showconf what setconf wrote', async () => {
    await wg('setconf', NAME, file(CONF))
    const text = await wg('showconf', NAME)
    expect(text).toContain(`ListenPort = 51820\nFwMark = 0xca6c\nPrivateKey = ${OWN}\n`)
    const before = await dump()
    await wg('setconf', NAME, file('[Interface]\n'))
    expect(await peers()).toEqual([])
    await wg('setconf', NAME, file(text))
    expect(await dump()).toEqual(before)
  })

  it('replaces everything by setconf, adds by addconf', async () => {
    await wg('setconf', NAME, file(CONF))
    await wg('addconf', NAME, file(`[Peer]\nPublicKey = ${B}\nAllowedIPs = 172.16.0.0/12, 192.168.0.1/32\n`))
    expect(await peers()).toEqual([
      [B, PSK, '192.0.2.1:51820', '172.16.0.0/12,192.168.0.1/32', '25'],
      [C, '(none)', '[2001:db8::9]:1', '(none)', 'off'],
    ])
    await wg('setconf', NAME, file(`[Interface]\nListenPort = 7\n[Peer]\nPublicKey = ${C}\nAllowedIPs = 10.0.0.0/8\n`))
    expect(await dump()).toEqual([
      ['(none)', '(none)', '7', 'off'],
      [C, '(none)', '(none)', '10.0.0.0/8', '0', '0', '0', 'off'],
    ])
  })

  it('changes by syncconf only what differs', async () => {
    await wg('setconf', NAME, file(CONF))
    device.state.takeNews()
    await wg('syncconf', NAME, file(CONF))
    expect(await peers()).toHaveLength(2)
    expect([...device.state.takeNews().peers.values()].map((news) => news.kind)).toEqual(['changed', 'changed'])
    const D = publicKey(4)
    await wg(
      'syncconf',
      NAME,
      file(`${CONF.split('\n[Peer]')[0]}\n[Peer]\nPublicKey = ${D}\n[Peer]\nPublicKey = ${C}\n`),
    )
    expect([...device.state.takeNews().peers].map(([key, news]) => [key, news.kind])).toEqual(
      expect.arrayContaining([
        [B, 'removed'],
        [D, 'added'],
      ]),
    )
    expect((await peers()).map(([key]) => key).sort()).toEqual([C, D].sort())
  })

  it('moves a prefix to the peer that claims it last, and never adds our own key', async () => {
    await wg('set', NAME, 'private-key', file(OWN), 'peer', B, 'allowed-ips', '10.0.0.0/8,::/0')
    await wg('set', NAME, 'peer', C, 'allowed-ips', '10.0.0.0/8', 'peer', OWN_PUBLIC, 'allowed-ips', '::/0')
    expect(await peers()).toEqual([
      [B, '(none)', '(none)', '::/0', 'off'],
      [C, '(none)', '(none)', '10.0.0.0/8', 'off'],
    ])
    await wg('set', NAME, 'private-key', file(base64Of(keyBytes(2))), 'peer', C, 'remove')
    expect(publicKeyOf(keyBytes(2))).toEqual(Uint8Array.from(Buffer.from(B, 'base64')))
    expect(await peers()).toEqual([])
  })

  it("takes the volumes of WireGuard's self-test", async () => {
    const prefixes = Array.from({ length: 130_050 }, (_, i) => `${1 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.0/24`)
    const lines = prefixes.map((prefix) => `AllowedIPs = ${prefix}\n`).join('')
    await wg('setconf', NAME, file(`[Interface]\n[Peer]\nPublicKey = ${B}\n${lines}`))
    const [, shown] = (await wg('show', NAME, 'allowed-ips')).trimEnd().split('\t')
    expect(shown!.split(' ').sort()).toEqual([...prefixes].sort())
    const many = Array.from({ length: 40 }, (_, i) => {
      const ips = Array.from({ length: 52 }, (_, k) => `10.${i}.${k}.0/24`)
      return `[Peer]\nPublicKey = ${publicKey(100 + i)}\nAllowedIPs = ${ips.join(',')}\n`
    })
    await wg('setconf', NAME, file(`[Interface]\n${many.join('')}`))
    expect((await peers()).map(([, , , ips]) => ips!.split(',').length)).toEqual(new Array(40).fill(52))
  })

  it('says what was wrong in words of its own', async () => {
    device.refuse.set = new UapiError(EADDRINUSE, 'taken')
    await expect(wg('set', NAME, 'listen-port', '7')).rejects.toThrow(
      /Unable to modify interface: Address already in use/,
    )
    device.refuse.get = new UapiError(EADDRINUSE, 'taken')
    await expect(wg('show', NAME)).rejects.toThrow(/Unable to access interface: Address already in use/)
  })

  it('does not take the socket of a device that is alive away', async () => {
    await Promise.all(Array.from({ length: 8 }, () => wg('show', NAME)))
    expect(isGone).toBe(false)
  })
}, ['wg'])
