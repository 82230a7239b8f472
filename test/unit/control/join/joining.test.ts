import { describe, expect, it } from 'vitest'
import { statePath } from '../../../../src/control/join/home.ts'
import { introducersSchema } from '../../../../src/control/join/introducers.ts'
import { Refusing } from '../../../../src/control/join/join-dialogue.ts'
import { base64Of } from '../../../../src/control/key.ts'
import { loadState } from '../../../../src/control/state-file.ts'
import { KEY_B, KEY_C, keyBytes, publicKey } from '../../../support/config.ts'
import { BLUE, bare, guest, host, joined, joinWith, TUN } from '../../../support/inviting.ts'
import { OwnHome } from '../../../support/own-home.ts'

describe('a host that joins', () => {
  it('has the network, its address, a key and its peers in files of its own', async () => {
    const a = await host(BLUE)
    const b = await bare('198.18.0.2')
    const side = await joined(a, b, await a.token('host-b'))
    expect(side.joined).toMatchObject({
      name: 'host-b',
      network: 'blue',
      interface: 'vt42',
      address: ['10.42.0.2/24'],
      host: 'host-a',
      peers: ['host-a'],
      untold: [],
    })
    expect(b.files()).toEqual({ 'conf.d/host-b.psk': '600', 'conf.d/host-b.yaml': '600', key: '600' })
    const config = b.config()!
    expect(config).toMatchObject({
      node: 'host-b',
      networks: [{ name: 'blue', vni: 42, device: 'tap', security: 'secure', addresses: ['10.42.0.2/24'], mtu: null }],
      peers: [
        {
          name: 'host-a',
          publicKey: a.home.config()!.publicKey,
          endpoint: { host: '198.18.0.1', port: 51820 },
          keepaliveSec: 0,
        },
      ],
    })
    const [there] = a.home.config()!.peers
    expect(config.publicKey).toBe(there!.publicKey)
    expect(config.peers[0]!.presharedKey!.equals(there!.presharedKey)).toBe(true)
    const path = statePath(b.stateDir, 'host-b', 'introducers.json')
    expect(loadState(path, introducersSchema, () => {})!.networks).toEqual({
      blue: { key: a.home.config()!.publicKey, name: 'host-a', direct: true },
    })
  })

  it('has the members too, each in a file of its own, and knows who will not hear of it', async () => {
    const a = await host(TUN, `peers: { hand: { publicKey: ${publicKey(9)}, allowedIps: [10.42.0.200/32] } }`)
    const [b, c] = [await bare('198.18.0.2'), await bare('198.18.0.3')]
    await joined(a, b, await a.token('host-b'))
    const side = await joined(a, c, await a.token('host-c'))
    expect(side.joined).toMatchObject({ peers: ['host-a', 'hand', 'host-b'], untold: ['hand'] })
    expect(c.config()!.networks[0]).toMatchObject({ device: 'tun', mtu: 1300 })
    expect(c.config()!.peers.map((p) => [p.name, p.endpoint?.host, p.networks[0]!.allowedIps])).toEqual([
      ['hand', undefined, ['10.42.0.200/32']],
      ['host-b', '198.18.0.2', ['10.42.0.2/32', 'fd00:42::2/128']],
      ['host-a', '198.18.0.1', ['10.42.0.1/32', 'fd00:42::1/128']],
    ])
    expect(Object.keys(c.files())).toEqual(
      expect.arrayContaining(['conf.d/hand.yaml', 'conf.d/host-b.yaml', 'conf.d/host-c.yaml']),
    )
  })

  it('sends keepalives where something translates its address', async () => {
    const a = await host(BLUE)
    const b = await bare('192.168.1.2')
    await joined(a, b, await a.token('host-b'), [], { address: '203.0.113.1', port: 1024 })
    expect(b.config()!.peers[0]).toMatchObject({ keepaliveSec: 25 })
  })

  it('keeps its own name, key and port where it has a configuration', async () => {
    const a = await host(BLUE)
    const own = new OwnHome().write('own', base64Of(keyBytes(3)))
    const text = `node: mine\nprivateKeyFile: ${own}\nunderlay: { wireguardPort: 9999 }\nnetworks: { red: { vni: 7 } }`
    const b = Object.assign(await OwnHome.make(text), { addressList: ['198.18.0.2'] })
    await joined(a, b, await a.token('host-b'))
    expect(b.config()).toMatchObject({ node: 'mine', publicKey: KEY_C, underlay: { wireguardPort: 9999 } })
    expect(b.text('vtepd.yaml')).toBe(text)
    expect(a.home.config()!.peers[0]!.publicKey).toBe(KEY_C)
    expect(Object.keys(b.files())).toEqual(['conf.d/host-b.psk', 'conf.d/host-b.yaml', 'vtepd.yaml'])
  })

  it.each([
    ['a network of the name', 'networks: { blue: { vni: 7, security: plain } }', 'has a network blue already'],
    ['a network of the number', 'networks: { red: { vni: 42, security: plain } }', 'network red has VNI 42 here'],
    [
      'a network of the prefix',
      'networks: { red: { vni: 7, security: plain, address: 10.42.0.77/16 } }',
      'prefix 10.42.0.0/24 meets 10.42.0.77/16 of network red here',
    ],
  ])('refuses where there is %s, and the invitation stays good', async (_, text, what) => {
    const a = await host(BLUE)
    const b = Object.assign(await OwnHome.make(text), { addressList: ['198.18.0.2'] })
    const token = await a.token('host-b')
    await expect(joined(a, b, token)).rejects.toThrow(what)
    expect(Object.keys(b.files())).toEqual(['vtepd.yaml'])
    expect(await a.ask(guest(token), joinWith(KEY_B))).toHaveProperty('grant')
  })

  it('refuses where the device is there, or the prefix is the underlay’s', async () => {
    const a = await host(BLUE)
    const [b, c] = [await bare('198.18.0.2'), await bare('10.42.0.200')]
    b.devices.add('vt42')
    await expect(joined(a, b, await a.token('host-b'))).rejects.toThrow('a device vt42 is here already')
    await expect(joined(a, c, await a.token('host-c'))).rejects.toThrow('meets 10.42.0.200/24 of this host itself')
  })

  it('refuses an address outside of the network before it asks for it', async () => {
    const a = await host(BLUE)
    const token = await a.token('host-b')
    for (const want of ['10.43.0.7', '10.42.0.7/16']) {
      await expect(joined(a, await bare('198.18.0.2'), token, [want])).rejects.toThrow('is not in network blue')
    }
    expect((await joined(a, await bare('198.18.0.2'), token, ['10.42.0.7/24'])).joined!.address).toEqual([
      '10.42.0.7/24',
    ])
  })

  it('takes everything back, on both sides, when it cannot run', async () => {
    const a = await host(BLUE)
    const b = await bare('198.18.0.2')
    const token = await a.token('host-b')
    b.refusal = new Error('vt42: no room')
    await expect(joined(a, b, token)).rejects.toThrow('vt42: no room')
    expect(b.files()).toEqual({})
    expect(a.home.config()!.peers).toEqual([])
    b.refusal = null
    expect((await joined(a, b, token)).joined!.address).toEqual(['10.42.0.2/24'])
  })

  it('hears why not from the host', async () => {
    const a = await host(BLUE)
    const token = await a.token('host-b')
    await joined(a, await bare('198.18.0.2'), token)
    await expect(joined(a, await bare('198.18.0.3'), token)).rejects.toThrow(Refusing)
  })
})
