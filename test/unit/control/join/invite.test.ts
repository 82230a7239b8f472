import { chmodSync } from 'node:fs'
import { describe, expect, it, test } from 'vitest'
import { ApiError } from '../../../../src/control/api/api.ts'
import { type Introducer, Introducers } from '../../../../src/control/join/introducers.ts'
import { InvitationBook } from '../../../../src/control/join/invitation-book.ts'
import { type Invited, type InviteRequest, invite } from '../../../../src/control/join/invite.ts'
import { decodeToken } from '../../../../src/control/join/token.ts'
import { base64Of, publicKeyOf } from '../../../../src/control/key.ts'
import { KEY_B, KEY_C, keyBytes, publicKey } from '../../../support/config.ts'
import { OwnHome } from '../../../support/own-home.ts'

const NOW = 1_700_000_000

class Host {
  readonly home: OwnHome
  readonly book = new InvitationBook()
  readonly introducers = new Introducers()
  saved = 0
  full = false

  constructor(home: OwnHome) {
    this.home = home
  }

  save = (): void => {
    if (this.full) throw new ApiError(500, 'no space left')
    this.saved++
  }

  invite(name: string, more: Partial<InviteRequest> = {}, now = NOW): Promise<Invited> {
    return invite({ name, ...more }, this, now)
  }
}

async function host(text?: string): Promise<Host> {
  const home = await OwnHome.make(text === undefined ? undefined : `privateKeyFile: ${await keyFile()}\n${text}`)
  return new Host(home)
}

// A key that lies elsewhere, as a hand-written file may have it.
async function keyFile(): Promise<string> {
  return new OwnHome().write('own', base64Of(keyBytes(1)))
}

const ONE = 'node: host-a\nnetworks: { blue: { vni: 42, address: 10.42.0.1/24 } }'

describe('an invitation to a network that there is', () => {
  it('is a token with where this host is, who it is, and a key that the book lists', async () => {
    const a = await host(ONE)
    const invited = await a.invite('host-b')
    expect(invited).toMatchObject({
      name: 'host-b',
      network: 'blue',
      vni: 42,
      address: ['10.42.0.1/24'],
      expires: NOW + 3600,
      endpoints: ['198.18.0.1:51820'],
      files: [],
    })
    const token = decodeToken(invited.token)
    expect(token).toMatchObject({
      expires: NOW + 3600,
      network: 'blue',
      vni: 42,
      name: 'host-b',
      host: 'host-a',
      endpoints: [{ host: '198.18.0.1', port: 51820 }],
    })
    expect(base64Of(token.publicKey)).toBe(a.home.config()!.publicKey)
    const listed = a.book.find(base64Of(publicKeyOf(token.privateKey.copy())))!
    expect(listed).toMatchObject({ name: 'host-b', network: 'blue', came: null })
    expect(listed.presharedKey.equals(token.presharedKey)).toBe(true)
    expect(a.saved).toBe(1)
    expect(a.home.reloads).toBe(0)
  })

  it('has keys of its own each time, and the later one for a name counts', async () => {
    const a = await host(ONE)
    const [one, two] = [await a.invite('host-b'), await a.invite('host-b', {}, NOW + 5)]
    const [first, second] = a.book.all
    expect(first!.guest).not.toBe(second!.guest)
    expect(one.token).not.toBe(two.token)
    expect([first!.replaced, second!.replaced]).toEqual([NOW + 5, null])
  })

  it('lasts as long, and leads to where, it is told', async () => {
    const a = await host(`${ONE}\nunderlay: { wireguardPort: 4242 }`)
    const invited = await a.invite('host-b', { expires: '90s', endpoint: ['gw.example.net', '[fd00::1]:9'] })
    expect(invited).toMatchObject({ expires: NOW + 90, endpoints: ['gw.example.net:4242', '[fd00::1]:9'] })
    expect(decodeToken(invited.token).endpoints).toEqual([
      { host: 'gw.example.net', port: 4242 },
      { host: 'fd00::1', port: 9 },
    ])
  })

  test.each<[string, string, Partial<InviteRequest>, string]>([
    ['a name that is none', '../b', {}, 'name: want 1..63 letters'],
    ['a name that is an address', '198.18.0.2', {}, 'name: want 1..63 letters'],
    ['its own name', 'host-a', {}, 'name: host-a is this host itself'],
    ['a span that is none', 'host-b', { expires: 'soon' }, 'expires: want a duration'],
    ['no time at all', 'host-b', { expires: '0s' }, 'expires: want a duration'],
    ['a year', 'host-b', { expires: '8760h' }, 'expires: want a duration'],
    ['an endpoint that is none', 'host-b', { endpoint: ['a:b:c'] }, 'endpoint: want host, host:port'],
    ['a network that there is not', 'host-b', { network: 'blu' }, 'did you mean blue?'],
    [
      'an address for a network that there is',
      'host-b',
      { network: 'blue', address: ['10.1.0.1/24'] },
      'leave --address',
    ],
  ])('is refused with %s', async (_, name, more, what) => {
    const a = await host(ONE)
    await expect(a.invite(name, more)).rejects.toThrow(what)
    expect(a.book.all).toEqual([])
  })

  test.each<[string, string, string | undefined, string]>([
    ['the only secure one', 'red: { vni: 7, security: plain }, blue: { vni: 42 }', undefined, 'blue'],
    ['the one that is named', 'red: { vni: 7 }, blue: { vni: 42 }', 'red', 'red'],
  ])('is to %s', async (_, networks, network, expected) => {
    const a = await host(`networks: { ${networks} }`)
    expect(await a.invite('host-b', network === undefined ? {} : { network })).toMatchObject({ network: expected })
  })

  test.each([
    ['red: { vni: 7 }, blue: { vni: 42 }', {}, 'want one of red, blue'],
    ['red: { vni: 7, security: plain }', { network: 'red' }, 'red is plain'],
    ['red: { vni: 7, device: tun }', {}, 'red is tun and has no address'],
  ])('is refused with networks %s', async (networks, more, what) => {
    const a = await host(`networks: { ${networks} }`)
    await expect(a.invite('host-b', more)).rejects.toThrow(what)
  })

  it('is refused for a name that a peer has, unless that came by invitation and may come anew', async () => {
    const a = await host(`${ONE}\npeers: { host-b: { publicKey: ${KEY_B} } }`)
    await expect(a.invite('host-b')).rejects.toThrow('name: host-b is a peer already')
    a.home.write('conf.d/host-c.yaml', `# Written by vtepd: host\npeers: { host-c: { publicKey: ${KEY_C} } }`)
    await a.home.reload()
    await expect(a.invite('host-c')).rejects.toThrow('name: host-c is a peer already')
    const came = { key: KEY_C, addresses: [], direct: true, at: NOW, done: true }
    a.book.bring({ ...(await invitationOf(a)), name: 'host-c', came })
    expect(await a.invite('host-c')).toMatchObject({ name: 'host-c' })
  })

  it('is refused where somebody else wrote conf.d/NAME.yaml', async () => {
    const a = await host(ONE)
    a.home.write('conf.d/host-b.yaml', 'peers: {}')
    await expect(a.invite('host-b')).rejects.toThrow('vtepd did not write it')
  })

  it('is refused where this host came by invitation itself', async () => {
    const a = await host(ONE)
    const introducer: Introducer = { key: KEY_B, name: 'host-x', direct: true }
    a.introducers.set('blue', introducer)
    await expect(a.invite('host-c')).rejects.toThrow('host-x brought this host into network blue')
  })
})

async function invitationOf(a: Host) {
  await a.invite('host-z')
  return a.book.all[0]!
}

describe('on a host without a configuration', () => {
  it('a key and a network are made, for their owner alone, and are in force', async () => {
    const a = new Host(await OwnHome.make())
    const invited = await a.invite('host-b')
    expect(invited).toMatchObject({ network: 'overlay', vni: 42, address: ['10.42.0.1/24'] })
    expect(a.home.files()).toEqual({ 'conf.d/network-overlay.yaml': '600', key: '600' })
    expect(a.home.config()!.networks[0]).toMatchObject({ name: 'overlay', vni: 42, device: 'tap', security: 'secure' })
    expect(invited.files.map((f) => f.replace(a.home.configDir, ''))).toEqual(['/key', '/conf.d/network-overlay.yaml'])
    expect(base64Of(decodeToken(invited.token).publicKey)).toBe(a.home.config()!.publicKey)
  })

  it('they are as asked', async () => {
    const a = new Host(await OwnHome.make())
    const more = { network: 'blue', address: ['10.9.0.1/16'], device: 'tun' as const, port: '4242' }
    expect(await a.invite('host-b', more)).toMatchObject({ network: 'blue', endpoints: ['198.18.0.1:4242'] })
    expect(a.home.config()).toMatchObject({
      underlay: { wireguardPort: 4242 },
      networks: [{ name: 'blue', device: 'tun', addresses: ['10.9.0.1/16'] }],
    })
  })

  it('a key that lies there is taken', async () => {
    const home = await OwnHome.make()
    home.write('key', base64Of(keyBytes(7)))
    await new Host(home).invite('host-b')
    expect(home.config()!.publicKey).toBe(publicKey(7))
  })

  it('a key that others may read is not, and nothing is made', async () => {
    const home = await OwnHome.make()
    const path = home.write('key', base64Of(keyBytes(7)))
    chmodSync(path, 0o644)
    await expect(new Host(home).invite('host-b')).rejects.toThrow('chmod 600')
    expect(home.files()).toEqual({ key: '644' })
  })

  it.each([
    ['the agent cannot take it', { refusal: new Error('no device') }, {}],
    ['it cannot be remembered', {}, { full: true }],
    ['nobody could call', { addressList: [] }, {}],
  ])('nothing is left when %s', async (_, home, more) => {
    const a = Object.assign(new Host(Object.assign(await OwnHome.make(), home)), more)
    await expect(a.invite('host-b')).rejects.toThrow()
    expect(a.home.files()).toEqual({})
  })
})

describe('beside other networks', () => {
  it('a new one has a VNI and a prefix that they have not', async () => {
    const a = await host('networks: { red: { vni: 42, security: plain, address: 10.42.0.9/24 } }')
    expect(await a.invite('host-b')).toMatchObject({ network: 'overlay', vni: 43, address: ['10.42.1.1/24'] })
    expect(a.home.text('conf.d/network-overlay.yaml')).not.toContain('privateKeyFile')
  })

  it('a new one has a device and a prefix that the host has not', async () => {
    const a = new Host(await OwnHome.make())
    a.home.devices.add('vt42').add('vt43')
    a.home.addressList = ['10.42.0.200', '10.42.1.7']
    expect(await a.invite('host-b')).toMatchObject({ vni: 44, address: ['10.42.2.1/24'] })
  })

  it('a second secure one is made when an address says so', async () => {
    const a = await host(ONE)
    expect(await a.invite('host-b', { network: 'green', address: ['10.77.0.1/24'] })).toMatchObject({
      network: 'green',
    })
    expect(a.home.config()!.networks.map((n) => n.name)).toEqual(['blue', 'green'])
  })

  it('a new one is refused when a peer that names no networks would be in it', async () => {
    const a = await host(`${ONE}\npeers: { host-x: { publicKey: ${KEY_B} } }`)
    const asked = a.invite('host-b', { network: 'green', address: ['10.77.0.1/24'] })
    await expect(asked).rejects.toThrow('peer host-x names no networks')
    expect(Object.keys(a.home.files())).toEqual(['vtepd.yaml'])
  })

  it('a port is the configuration’s to choose', async () => {
    const a = await host('networks: { red: { vni: 7, security: plain } }')
    await expect(a.invite('host-b', { port: '4242' })).rejects.toThrow('write underlay.wireguardPort there')
  })
})
