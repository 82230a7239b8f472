import { describe, expect, it } from 'vitest'
import type { Question } from '../../../../src/control/join/join-message.ts'
import { decodeToken } from '../../../../src/control/join/token.ts'
import { KEY_B, KEY_C, publicKey } from '../../../support/config.ts'
import { BLUE, guest, host, joinWith, NOW, TUN } from '../../../support/inviting.ts'

describe('a guest', () => {
  it('is offered the network that it is invited to', async () => {
    const a = await host(TUN)
    const speaker = guest(await a.token('host-b'))
    expect(await a.ask(speaker, { ask: 'offer' })).toEqual({
      offer: {
        network: { name: 'blue', vni: 42, device: 'tun', mtu: 1300 },
        prefixes: ['10.42.0.0/24', 'fd00:42::/64'],
        ips: ['10.42.0.1/32', 'fd00:42::1/128'],
      },
    })
  })

  it('gets a place once, and hears of nothing else afterwards', async () => {
    const a = await host(BLUE)
    const token = await a.token('host-b')
    const grant = { grant: { addresses: ['10.42.0.2/24'], direct: true } }
    expect(await a.ask(guest(token), joinWith(KEY_B))).toEqual(grant)
    expect(await a.ask(guest(token), joinWith(KEY_B))).toEqual(grant)
    const used = { no: { why: 'used', at: NOW, text: '' } }
    expect(await a.ask(guest(token), joinWith(KEY_C))).toEqual(used)
    expect(await a.ask(guest(token), { ask: 'done' })).toEqual({ done: true })
    for (const ask of ['offer', 'undo'] as const) expect(await a.ask(guest(token), { ask })).toEqual(used)
    expect(await a.ask(guest(token), joinWith(KEY_B))).toEqual(used)
    expect(await a.ask(guest(token), { ask: 'members', network: 'blue', from: 0 })).toEqual(used)
    expect(a.home.reloads).toBe(1)
    expect(a.announced).toEqual([`blue ${KEY_B}`])
  })

  it('is a peer afterwards, in a file for its owner alone', async () => {
    const a = await host(BLUE)
    const token = await a.token('host-b')
    await a.ask(guest(token), joinWith(KEY_B))
    expect(a.home.files()).toEqual({ 'conf.d/host-b.psk': '600', 'conf.d/host-b.yaml': '600', 'vtepd.yaml': '600' })
    const [peer] = a.home.config()!.peers
    expect(peer).toMatchObject({
      name: 'host-b',
      publicKey: KEY_B,
      endpoint: { host: '198.18.0.2', port: 51820 },
      networks: [{ network: 'blue', allowedIps: [] }],
    })
    expect(peer!.presharedKey!.equals(decodeToken(token).presharedKey)).toBe(true)
  })

  it('that is heard from elsewhere than it says is called by nobody', async () => {
    const a = await host(BLUE)
    for (const [name, place, n] of [
      ['host-b', { address: '203.0.113.1', port: 51820 }, 2],
      ['host-c', { address: '198.18.0.2', port: 40001 }, 3],
      ['host-d', null, 4],
    ] as const) {
      const reply = await a.ask(guest(await a.token(name), place), joinWith(publicKey(n)))
      expect(reply).toMatchObject({ grant: { direct: false } })
      expect(a.home.config()!.peers.find((p) => p.name === name)!.endpoint).toBeNull()
    }
  })

  it('has its address in a layer 3 network alone behind it', async () => {
    const a = await host(TUN)
    await a.ask(guest(await a.token('host-b')), joinWith(KEY_B))
    expect(a.home.config()!.peers[0]!.networks).toEqual([
      { network: 'blue', allowedIps: ['10.42.0.2/32', 'fd00:42::2/128'], mac: null },
    ])
  })

  it.each([
    ['expired', 3600, 'expired', NOW + 3600],
    ['good for one more second', 3599, null, 0],
  ])('whose invitation is %s', async (_, later, why, at) => {
    const a = await host(BLUE)
    const speaker = guest(await a.token('host-b'))
    a.now += later
    const reply = await a.ask(speaker, joinWith(KEY_B))
    if (why) expect(reply).toEqual({ no: { why, at, text: '' } })
    else expect(reply).toHaveProperty('grant')
  })

  it('whose invitation another has replaced hears so', async () => {
    const a = await host(BLUE)
    const old = guest(await a.token('host-b'))
    a.now += 5
    const fresh = guest(await a.token('host-b'))
    expect(await a.ask(old, joinWith(KEY_B))).toEqual({ no: { why: 'replaced', at: NOW + 5, text: '' } })
    expect(await a.ask(fresh, joinWith(KEY_B))).toHaveProperty('grant')
  })

  it('whose network is gone hears so', async () => {
    const a = await host(`${BLUE}, red: { vni: 7 }`)
    const speaker = guest(await a.token('host-b', { network: 'blue' }))
    a.home.write('vtepd.yaml', a.home.text('vtepd.yaml').replace(`${BLUE}, `, ''))
    await a.home.reload()
    expect(await a.ask(speaker, joinWith(KEY_B))).toMatchObject({ no: { why: 'gone' } })
  })

  it('that nobody has invited is told nothing', async () => {
    const a = await host(BLUE)
    const speaker = { publicKey: KEY_C, place: null, guest: true }
    expect(await a.ask(speaker, { ask: 'offer' })).toMatchObject({ no: { why: 'gone' } })
  })

  it('may not come with a key that is somebody’s', async () => {
    const a = await host(BLUE, `peers: { host-x: { publicKey: ${KEY_C} } }`)
    const [one, two] = [guest(await a.token('host-b')), guest(await a.token('host-c'))]
    for (const key of [a.home.config()!.publicKey!, KEY_C, one.publicKey, two.publicKey]) {
      expect(await a.ask(one, joinWith(key))).toMatchObject({ no: { why: 'key-in-use' } })
    }
    expect(await a.ask(one, joinWith(KEY_B))).toHaveProperty('grant')
  })

  it('may ask for an address, and may try again when it is taken', async () => {
    const a = await host(BLUE)
    await a.ask(guest(await a.token('host-b')), joinWith(KEY_B, ['10.42.0.9']))
    const speaker = guest(await a.token('host-c'))
    const taken = (text: string) => ({ no: { why: 'address-taken', at: null, text } })
    expect(await a.ask(speaker, joinWith(KEY_C, ['10.42.0.9']))).toEqual(taken('10.42.0.9'))
    expect(await a.ask(speaker, joinWith(KEY_C, ['10.42.0.1']))).toEqual(taken('10.42.0.1'))
    expect(await a.ask(speaker, joinWith(KEY_C, ['10.43.0.1']))).toMatchObject({ no: { why: 'address-outside' } })
    expect(await a.ask(speaker, joinWith(KEY_C, ['10.42.0.8']))).toMatchObject({
      grant: { addresses: ['10.42.0.8/24'] },
    })
  })

  it('gets no address of a layer 3 peer that was written by hand', async () => {
    const a = await host(TUN, `peers: { host-x: { publicKey: ${KEY_C}, allowedIps: [10.42.0.2/32] } }`)
    expect(await a.ask(guest(await a.token('host-b')), joinWith(KEY_B))).toMatchObject({
      grant: { addresses: ['10.42.0.3/24', 'fd00:42::2/64'] },
    })
  })

  it('that the agent cannot take in leaves nothing, and may come again', async () => {
    const a = await host(BLUE)
    const speaker = guest(await a.token('host-b'))
    a.home.refusal = new Error('vtepd.yaml: one fault')
    expect(await a.ask(speaker, joinWith(KEY_B))).toMatchObject({ no: { why: 'failed' } })
    expect(a.home.log.at(-1)).toBe('a join came to nothing: vtepd.yaml: one fault')
    expect(a.home.files()).toEqual({ 'vtepd.yaml': '600' })
    a.home.refusal = null
    expect(await a.ask(speaker, joinWith(KEY_B))).toHaveProperty('grant')
  })

  it('that cannot be remembered is put out again', async () => {
    const a = await host(BLUE)
    const speaker = guest(await a.token('host-b'))
    a.full = true
    expect(await a.ask(speaker, joinWith(KEY_B))).toMatchObject({ no: { why: 'failed' } })
    expect(a.home.config()!.peers).toEqual([])
    expect(a.book.brought('blue')).toEqual([])
  })

  it('that cannot go on is as if it had never come', async () => {
    const a = await host(BLUE)
    const speaker = guest(await a.token('host-b'))
    await a.ask(speaker, joinWith(KEY_B))
    expect(await a.ask(speaker, { ask: 'undo' })).toEqual({ done: true })
    expect(a.home.config()!.peers).toEqual([])
    expect(a.home.files()).toEqual({ 'vtepd.yaml': '600' })
    expect(a.announced).toEqual([])
    expect(await a.ask(speaker, joinWith(KEY_C))).toMatchObject({ grant: { addresses: ['10.42.0.2/24'] } })
  })

  it('that takes it back again and again has joined in the end', async () => {
    const a = await host(BLUE)
    const speaker = guest(await a.token('host-b'))
    const undos: unknown[] = []
    for (let n = 0; n < 6; n++) {
      await a.ask(speaker, joinWith(KEY_B))
      undos.push(await a.ask(speaker, { ask: 'undo' }))
    }
    expect(undos.slice(0, 5)).toEqual(Array(5).fill({ done: true }))
    expect(undos[5]).toMatchObject({ no: { why: 'not-asked' } })
    expect(a.home.config()!.peers).toHaveLength(1)
  })

  it('that comes anew keeps its name and its address', async () => {
    const a = await host(BLUE)
    await a.ask(guest(await a.token('host-b')), joinWith(KEY_B, ['10.42.0.9']))
    await a.ask(guest(await a.token('host-c')), joinWith(KEY_C))
    const again = await a.ask(guest(await a.token('host-b')), joinWith(publicKey(9)))
    expect(again).toMatchObject({ grant: { addresses: ['10.42.0.9/24'] } })
    expect(a.home.config()!.peers.map((p) => [p.name, p.publicKey])).toEqual([
      ['host-b', publicKey(9)],
      ['host-c', KEY_C],
    ])
  })

  it('is known after a restart in between, used or not', async () => {
    const a = await host(BLUE)
    const [used, open] = [guest(await a.token('host-b')), guest(await a.token('host-c'))]
    await a.ask(used, joinWith(KEY_B))
    a.restart()
    expect(await a.ask(used, { ask: 'offer' })).toMatchObject({ no: { why: 'used', at: NOW } })
    expect(await a.ask(open, joinWith(KEY_C))).toMatchObject({ grant: { addresses: ['10.42.0.3/24'] } })
  })
})

describe('a peer', () => {
  it('may ask who else is in its networks, and nothing more', async () => {
    const a = await host(`${BLUE}, red: { vni: 7 }`, `peers: { host-x: { publicKey: ${KEY_C}, networks: [blue] } }`)
    const peer = { publicKey: KEY_C, place: null, guest: false }
    const members = (network: string): Question => ({ ask: 'members', network, from: 0 })
    expect(await a.ask(peer, members('blue'))).toMatchObject({ page: { members: [{ name: 'host-x', told: false }] } })
    for (const question of [members('red'), members('none'), joinWith(KEY_B), { ask: 'offer' } as const]) {
      expect(await a.ask(peer, question)).toEqual({ no: { why: 'not-asked', at: null, text: '' } })
    }
  })
})
