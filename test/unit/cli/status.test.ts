import { describe, expect, test } from 'vitest'
import { paintFor } from '../../../src/cli/output.ts'
import { page, rates } from '../../../src/cli/status.ts'
import * as drop from '../../../src/drop.ts'
import { KEY_B, KEY_C } from '../../support/config.ts'
import { NETWORK, STATUS } from '../../support/fake-agent.ts'

const plain = paintFor({}, {})

describe('the status page', () => {
  test('has the node, networks, peers, drops and offloads', () => {
    expect(page(STATUS, plain)).toBe(`host-a ready, vtepd 0.1.0, pid 4711, up 1h 2m

NETWORK  VNI  KIND       INTERFACE  MAC                 MTU  FDB                RX        TX  ADDRESS
blue      42  tap plain  vt42       02:00:5e:10:00:01  1450    2  1.23 k, 1.43 MiB  7, 700 B  10.42.0.1/24 fd00:42::1/64
red       43  tap plain  vt43       02:00:5e:10:00:01  1450    2            0, 0 B  7, 700 B  10.42.0.1/24 fd00:42::1/64

PEER    ENDPOINT         STATE   PATH MTU        RX     TX  NETWORKS
host-b  198.18.0.2:4789  static      1500  1.43 MiB  700 B  blue red

DROPPED        PACKETS  BECAUSE
split-horizon       12  ${drop.sentence(drop.SPLIT_HORIZON)}
too-big              5  ${drop.sentence(drop.TOO_BIG)}

Offloads: tso on, uso off: the kernel lacks it, udpGso on, udpGro on
`)
  })

  test('has handshakes and keys when a peer is secure', () => {
    const [plainPeer] = STATUS.peers
    const secure = { ...plainPeer!, name: 'host-c', endpoint: '[fd00::3]:51820', security: 'secure' as const }
    const peers = [
      plainPeer!,
      { ...secure, publicKey: KEY_B, state: 'up' as const, lastHandshakeSeconds: 65 },
      { ...secure, name: 'phone', endpoint: null, publicKey: KEY_C, state: 'idle' as const, networks: ['red'] },
    ]
    const networks = [{ ...NETWORK, security: 'secure' as const }]
    const text = page({ ...STATUS, networks, peers }, plain)
    expect(text).toContain('blue      42  tap secure  vt42')
    expect(text).toContain(`
PEER    ENDPOINT         STATE   HANDSHAKE  PATH MTU        RX     TX  NETWORKS  PUBLIC KEY
host-b  198.18.0.2:4789  static          -      1500  1.43 MiB  700 B  blue red  -
host-c  [fd00::3]:51820  up      1m 5s ago      1500  1.43 MiB  700 B  blue red  ${KEY_B}
phone   -                idle            -      1500  1.43 MiB  700 B  red       ${KEY_C}
`)
  })

  test('explains every reason that this version can count', () => {
    const drops = Object.fromEntries(drop.names().map((name) => [name, 1]))
    const text = page({ ...STATUS, drops }, plain)
    for (let i = 0; i < drop.COUNT; i++) expect(text).toContain(drop.sentence(drop.TRUNCATED - i))
  })

  test('shows reasons of another version without a sentence', () => {
    expect(page({ ...STATUS, drops: { 'new-reason': 1 } }, plain)).toMatch(/^new-reason +1 {2}-$/m)
  })

  test('says first what is not as it should be', () => {
    const undesired = [{ what: 'mtu', where: 'vt42', want: '1450', have: '9000\x1b[2J', since: 0 }]
    const [, , title, line] = page({ ...STATUS, ready: false, undesired }, plain).split('\n')
    expect([title, line]).toEqual(['Not as it should be:', '  vt42: mtu is 9000?[2J, should be 1450'])
  })

  test('of an agent without anything is short', () => {
    const text = page({ ...STATUS, networks: [], peers: [], drops: {}, offloads: {} }, plain)
    expect(text).toBe('host-a ready, vtepd 0.1.0, pid 4711, up 1h 2m\n\nNothing dropped.\n')
  })
})

describe('rates', () => {
  const before = { status: STATUS, at: 1000 }

  test('are over the time between two looks', () => {
    const networks = [{ ...NETWORK, rxBytes: NETWORK.rxBytes + 250_000, rxPackets: NETWORK.rxPackets + 2000 }]
    const status = { ...STATUS, networks, drops: { ...STATUS.drops, 'too-big': 25 } }
    const text = rates(before, { status, at: 3000 }, plain)
    expect(text).toMatch(/^blue +1\.00 Mbit\/s +1\.00 kpps +0 bit\/s +0 pps/m)
    expect(text).toMatch(/^all .* 10 pps$/m)
  })

  test('of a network that came again from nothing are not negative', () => {
    const networks = [{ ...NETWORK, rxBytes: 0, rxPackets: 0 }]
    expect(rates(before, { status: { ...STATUS, networks }, at: 2000 }, plain)).toMatch(/^blue +0 bit\/s +0 pps/m)
  })

  test('are none when another agent answers, and for a network that was not there', () => {
    expect(rates(before, { status: { ...STATUS, pid: 1 }, at: 2000 }, plain)).toBe('')
    const networks = [{ ...NETWORK, name: 'green' }]
    expect(rates(before, { status: { ...STATUS, networks }, at: 2000 }, plain)).not.toContain('green')
  })
})
