// What a host does with ARP, neighbour discovery, IGMP and MLD, through its whole walks. Stations: 02:…:01 (10.42.0.1, fd00:42::1)
// on our side, 02:…:02 (10.42.0.2, fd00:42::2) behind host-b, 198.18.0.2; host-c is 198.18.0.3.
import { beforeEach, describe, expect, test } from 'vitest'
import { finish, pseudo6, sum } from '../../../src/wire/checksum.ts'
import { hex, text } from '../../support/bytes.ts'
import { igmpFrames, mldFrames } from '../../support/group-packets.ts'
import { frames } from '../../support/packets.ts'
import { far, SETTINGS, type Sent, Vtep, words } from '../../support/vtep.ts'

const B = '198.18.0.2'
const C = '198.18.0.3'
const OWNER = '020000000002'
const ASKER = '020000000001'
const BROADCAST = 'ffffffffffff'
const NOBODY = '000000000000'
const IP = (last: number) => `0a2a00${last.toString(16).padStart(2, '0')}`

function arpFrame(to: string, from: string, op: 1 | 2, sender: [string, string], target: [string, string]): Uint8Array {
  return hex(`${to} ${from} 0806 0001 0800 06 04 000${op} ${sender.join('')} ${target.join('')}`)
}
const question = (target: number, from = ASKER, sender = IP(1)) =>
  arpFrame(BROADCAST, from, 1, [from, sender], [NOBODY, IP(target)])
const gratuitous = (mac: string, last: number) => arpFrame(BROADCAST, mac, 1, [mac, IP(last)], [NOBODY, IP(last)])
const sealed = (frame: Uint8Array) => hex(`0800000000002a00 ${text(frame)}`)

let v: Vtep
let ids: number[]

function made(settings = {}): void {
  v = new Vtep()
  ids = v.network(0, 42, [far(B), far(C)], settings)
}
beforeEach(() => made())

/** Datagrams from a VTEP: what came out of the device. */
const heard = (from: string, ...list: Uint8Array[]): Sent[] => v.in(...list.map((f) => ({ bytes: sealed(f), from })))
/** Frames from the device: to which addresses copies of them went, and what went back. */
function said(...list: Uint8Array[]): { to: string[]; back: string[] } {
  const to = v.out(...list).map((s) => v.native.endpoints.get(s.peer)!.address)
  return { to, back: v.device.take().map((s) => text(s.bytes)) }
}
const FLOODED = { to: [B, C], back: [] }
const isLawful = () => {
  const [given, told] = v.law()
  expect(told).toBe(given)
}

describe('ARP', () => {
  test('a question for a known station is answered on the spot, word for word as its owner would', () => {
    heard(B, frames.arpReply)
    expect(said(frames.arpRequest)).toEqual({ to: [], back: [text(frames.arpReply)] })
    expect(v.drops()).toEqual({ 'answered-here': 1 })
    isLawful()
  })

  test('one for a station that nobody has heard of is flooded, and so is one for a station of our own side', () => {
    expect(said(question(2))).toEqual(FLOODED)
    said(gratuitous('020000000009', 9))
    expect(said(question(9))).toEqual(FLOODED)
    isLawful()
  })

  test('with suppressArp: false all are', () => {
    made({ suppressArp: false })
    heard(B, frames.arpReply)
    expect(said(frames.arpRequest)).toEqual(FLOODED)
  })

  test('a switch to false and back begins with an empty table', () => {
    heard(B, frames.arpReply)
    for (const suppressArp of [false, true]) {
      v.tables.handle({ kind: 'set-network', id: 0, settings: { ...SETTINGS, suppressArp } })
    }
    expect(said(frames.arpRequest)).toEqual(FLOODED)
  })

  test('a question that comes from a VTEP reaches the device, and teaches who asks', () => {
    expect(heard(B, question(1, OWNER, IP(2))).map((s) => text(s.bytes))).toEqual([text(question(1, OWNER, IP(2)))])
    expect(said(question(2)).to).toEqual([])
  })

  test('unreachability detection reaches the owner, and while it does not answer nobody answers for it', () => {
    heard(B, frames.arpReply)
    const probe = arpFrame(OWNER, ASKER, 1, [ASKER, IP(1)], [NOBODY, IP(2)])
    expect(said(probe)).toEqual({ to: [B], back: [] })
    expect(said(question(2))).toEqual(FLOODED)
    heard(B, frames.arpReply)
    expect(said(question(2)).back).toHaveLength(1)
  })

  test('a probe from 0.0.0.0 is flooded, so that the owner defends its address (RFC 5227)', () => {
    heard(B, frames.arpReply)
    expect(said(question(2, ASKER, '00000000'))).toEqual(FLOODED)
    // And teaches nothing.
    expect(v.tables.networks.at(0)!.neighbours!.size).toBe(1)
  })

  test('where nothing is flooded the table answers it', () => {
    made({ floodOn: false })
    heard(B, frames.arpReply)
    expect(said(question(2, ASKER, '00000000')).back).toEqual([
      text(arpFrame(ASKER, OWNER, 2, [OWNER, IP(2)], [ASKER, '00000000'])),
    ])
    expect(said(question(7))).toEqual({ to: [], back: [] })
    expect(v.drops()).toEqual({ 'answered-here': 1, 'flood-off': 1 })
  })

  test('gratuitous ARP passes and moves the address: a fail-over is found at once', () => {
    heard(B, gratuitous(OWNER, 2))
    expect(heard(C, gratuitous('020000000007', 2))).toHaveLength(1)
    expect(said(question(2)).back[0]).toContain('020000000007 0a2a0002'.replace(' ', ''))
    expect(said(gratuitous('020000000005', 2))).toEqual(FLOODED)
    expect(said(question(2))).toEqual(FLOODED)
  })

  test('a station that moves to our side, or ages, or whose peer goes, is not answered for', () => {
    heard(B, frames.arpReply)
    said(hex(`${BROADCAST} ${OWNER} 88b5 00`))
    expect(said(question(2))).toEqual(FLOODED)
    heard(B, frames.arpReply)
    v.tables.now += 301_000
    v.tables.expire()
    expect(said(question(2))).toEqual(FLOODED)
    heard(B, frames.arpReply)
    v.tables.handle({ kind: 'set-peers', id: 0, peers: [far(C)], statics: [] })
    expect(said(question(2)).to).toEqual([C])
    isLawful()
  })

  test('a station whose frames come from another VTEP than its ARP did is asked for again', () => {
    heard(B, frames.arpReply)
    heard(C, hex(`${ASKER} ${OWNER} 88b5 00`))
    expect(said(question(2))).toEqual(FLOODED)
  })

  test('with short ageing of stations nobody is answered who is not in the FDB any more', () => {
    made({ ageing: 1000 })
    heard(B, frames.arpReply)
    v.tables.now += 900
    expect(said(question(2)).back).toHaveLength(1)
    v.tables.now += 200
    v.tables.expire()
    expect(said(question(2))).toEqual(FLOODED)
  })

  test('a claim whose MAC is not the source of its frame is not believed, and makes the address doubtful', () => {
    heard(B, frames.arpReply)
    heard(C, arpFrame(BROADCAST, '020000000066', 2, ['020000000067', IP(2)], [ASKER, IP(1)]))
    expect(said(question(2))).toEqual(FLOODED)
    heard(C, arpFrame(BROADCAST, '020000000066', 2, ['020000000067', IP(3)], [ASKER, IP(1)]))
    expect(said(question(3))).toEqual(FLOODED)
  })

  test.each([
    ['of a group', 'e0000001'],
    ['of a loopback', '7f000001'],
    ['of all', 'ffffffff'],
    ['of nobody', '00000000'],
  ])('an address %s is nobody’s', (_name, ip) => {
    heard(B, arpFrame(BROADCAST, OWNER, 2, [OWNER, ip], [NOBODY, ip]))
    expect(v.tables.networks.at(0)!.neighbours!.size).toBe(0)
  })

  test('a tagged question is flooded, where tags are kept', () => {
    made({ keepVlan: true })
    heard(B, frames.arpReply)
    const tagged = text(frames.arpRequest)
    expect(said(hex(`${tagged.slice(0, 24)} 8100 0007 ${tagged.slice(24)}`))).toEqual(FLOODED)
  })

  test('more answers than one tray holds all go out', () => {
    heard(B, frames.arpReply)
    expect(said(...Array.from({ length: 70 }, () => frames.arpRequest)).back).toHaveLength(70)
    isLawful()
  })

  test('the operator’s binding is answered unheard, as long as its peer is there; so is control’s', () => {
    const mac = hex(OWNER)
    const addresses = [words('10.42.0.2'), words('fd00:42::2')]
    v.tables.handle({ kind: 'set-peers', id: 0, peers: [far(B), far(C)], statics: [{ mac, peer: 0, addresses }] })
    expect(said(question(2)).back).toHaveLength(1)
    expect(said(frames.neighbourSolicitation).back).toHaveLength(1)
    const bound = { words: words('10.42.0.8'), mac: hex('020000000008'), vtep: ids[1]! }
    v.tables.handle({ kind: 'set-bindings', id: 0, bindings: [bound] })
    // Not yet where control says.
    expect(said(question(8))).toEqual(FLOODED)
    v.tables.handle({ kind: 'fdb-add', id: 0, mac: bound.mac, vtep: ids[1]! })
    expect(said(question(8)).back).toHaveLength(1)
    expect(v.tables.handle({ kind: 'neighbour-list', id: 0 })).toMatchObject(
      expect.arrayContaining([
        expect.objectContaining({ words: words('10.42.0.2'), origin: 'static' }),
        expect.objectContaining({ words: words('10.42.0.8'), origin: 'control' }),
        expect.objectContaining({ words: words('10.42.0.1'), origin: 'local' }),
      ]),
    )
    v.tables.handle({ kind: 'set-bindings', id: 0, bindings: [] })
    expect(said(question(8))).toEqual(FLOODED)
  })

  test('two stations that want one address are told of once', () => {
    for (let k = 0; k < 8; k++) heard(k % 2 ? B : C, gratuitous(k % 2 ? OWNER : '020000000007', 2))
    v.tables.expire()
    v.tables.expire()
    expect(v.news.filter((n) => n.kind === 'duplicate')).toMatchObject([{ id: 0, words: words('10.42.0.2') }])
    expect(said(question(2))).toEqual(FLOODED)
  })
})

describe('neighbour discovery', () => {
  test('a solicitation for a known station is answered on the spot, word for word as its owner would', () => {
    heard(B, frames.neighbourAdvertisement)
    expect(said(frames.neighbourSolicitation)).toEqual({ to: [], back: [text(frames.neighbourAdvertisement)] })
    isLawful()
  })

  test('a router is answered for as a router, and without the O flag when it had none', () => {
    heard(B, advertisement(0x80))
    const [answer] = said(frames.neighbourSolicitation).back
    expect(answer!.slice(116, 118)).toBe('c0')
  })

  test('a station that has only asked is not answered for', () => {
    heard(B, from2(frames.neighbourSolicitation))
    expect(v.tables.networks.at(0)!.neighbours!.size).toBe(1)
    expect(said(frames.neighbourSolicitation)).toEqual(FLOODED)
  })

  test('duplicate address detection reaches the owner (RFC 4862 §5.4)', () => {
    heard(B, frames.neighbourAdvertisement)
    expect(said(anonymous())).toEqual(FLOODED)
  })

  test('and is answered to all nodes where nothing is flooded', () => {
    made({ floodOn: false })
    heard(B, frames.neighbourAdvertisement)
    const [answer] = said(anonymous()).back
    expect(answer!.slice(76, 108)).toBe('ff020000000000000000000000000001')
    const bytes = hex(answer!)
    expect(finish(sum(bytes, 54, 86, pseudo6(bytes, 14, 58, 32)))).toBe(0)
  })

  test('unreachability detection reaches the owner', () => {
    heard(B, frames.neighbourAdvertisement)
    const probe = frames.neighbourSolicitation.slice()
    probe.set(hex(OWNER), 0)
    expect(said(probe)).toEqual({ to: [B], back: [] })
    expect(said(frames.neighbourSolicitation)).toEqual(FLOODED)
  })

  test.each([
    ['a wrong checksum', 56, 1],
    ['a hop limit below 255: it came from elsewhere', 21, 1],
    ['a code', 55, 1],
  ])('%s teaches nothing', (_name, at, bit) => {
    const bad = frames.neighbourAdvertisement.slice()
    bad[at]! ^= bit
    heard(B, bad)
    expect(v.tables.networks.at(0)!.neighbours!.size).toBe(0)
  })
})

describe('multicast streams', () => {
  const stream4 = hex(
    `01005e010101 ${ASKER} 0800 4500 0020 0001 0000 08 11 ${'0000'} 0a2a0001 ef010101 1388 0035 000c 0000 61626364`,
  )
  const stream6 = hex(`333300000042 ${ASKER} 86dd 60000000 000c 11 08 fd000042000000000000000000000001
    ff050000000000000000000000000042 1388 0035 000c 0000 61626364`)
  const toGroup = (group: string) => {
    const f = stream4.slice()
    f.set(hex(group), 30)
    return f
  }

  test('go where a report came from, and back to all when the last has left', () => {
    expect(said(stream4)).toEqual(FLOODED)
    heard(B, igmpFrames.report2)
    expect(said(stream4).to).toEqual([B])
    expect(said(toGroup('ef010105'))).toEqual(FLOODED)
    heard(B, igmpFrames.leave)
    expect(said(stream4)).toEqual(FLOODED)
    isLawful()
  })

  test.each([
    ['IGMPv1', igmpFrames.report1, stream4],
    ['IGMPv3', igmpFrames.report3, stream4],
    ['MLDv1', mldFrames.report1, stream6],
    ['MLDv2', mldFrames.report2, stream6],
  ])('%s reports say so, and reach the device', (_name, report, stream) => {
    expect(heard(C, report)).toHaveLength(1)
    expect(said(stream).to).toEqual([C])
    isLawful()
  })

  test('an IGMPv3 report says it for each of its groups', () => {
    heard(C, igmpFrames.report3)
    expect([1, 2, 3].map((n) => said(toGroup(`ef01010${n}`)).to)).toEqual([[C], [C], [B, C]])
  })

  test('MLD says when nobody listens any more', () => {
    heard(B, mldFrames.report1)
    heard(B, mldFrames.done)
    expect(said(stream6)).toEqual(FLOODED)
  })

  test('224.0.0.0/24, ff02::/16, broadcast and what is no IP go to all, whoever listens', () => {
    heard(B, igmpFrames.report2, mldFrames.report1)
    const linkGroup = stream6.slice()
    linkGroup.set(hex('ff02'), 38)
    for (const f of [toGroup('e00000fb'), linkGroup, frames.lldp, frames.dhcpRequest]) expect(said(f)).toEqual(FLOODED)
  })

  test('reports, leaves and queries of our side go to all', () => {
    heard(B, igmpFrames.report2, mldFrames.report1)
    const all = [...Object.values(igmpFrames), ...Object.values(mldFrames)]
    for (const f of all) expect(said(f)).toEqual(FLOODED)
    isLawful()
  })

  test('a VTEP behind which somebody queries gets every group', () => {
    heard(B, igmpFrames.report2)
    heard(C, igmpFrames.query2)
    expect(said(stream4).to).toEqual([B, C])
  })

  test.each([
    ['IGMP', Object.entries(igmpFrames)],
    ['MLD', Object.entries(mldFrames)],
  ])('with a querier elsewhere the %s reports that silence others are kept from the device', (_name, list) => {
    for (const [name, f] of list) if (name.startsWith('query')) heard(C, f)
    const passed = list.filter(([, f]) => heard(B, f).length === 1).map(([name]) => name)
    const last = list.some(([name]) => name === 'report3') ? 'report3' : 'report2'
    const kept = list.map(([name]) => name).filter((name) => !passed.includes(name))
    expect(kept).toEqual(list.map(([name]) => name).filter((name) => name.startsWith('report') && name !== last))
    expect(v.drops()).toEqual({ 'report-kept': kept.length })
    isLawful()
  })

  test('a querier on our own side hears all of them', () => {
    said(igmpFrames.query2)
    expect(heard(B, igmpFrames.report2)).toHaveLength(1)
    expect(said(stream4).to).toEqual([B])
  })

  test('a damaged report teaches nothing and passes', () => {
    const bad = igmpFrames.report2.slice()
    bad[40]! ^= 1
    expect(heard(B, bad)).toHaveLength(1)
    expect(said(stream4)).toEqual(FLOODED)
  })

  test('a full batch of datagrams goes on where it stopped, with the same receivers', () => {
    v = new Vtep({ datagrams: 8 })
    ids = v.network(0, 42, [far(B), far(C)])
    heard(C, igmpFrames.report2)
    const { to } = said(...Array.from({ length: 10 }, (_, k) => (k % 2 ? stream4 : toGroup('ef010109'))))
    expect(to).toEqual([B, C, C, B, C, C, B, C, C, B, C, C, B, C, C])
    isLawful()
  })
})

describe('stormLimit', () => {
  const known = hex(`${OWNER} ${ASKER} 88b5 00`)
  const broadcast = hex(`${BROADCAST} ${ASKER} 88b5 00`)

  test('bounds what is flooded, and nothing else', () => {
    made({ stormLimit: 3 })
    heard(B, frames.arpReply)
    expect(said(...Array.from({ length: 5 }, () => broadcast)).to).toHaveLength(3 * 2)
    expect(said(known, known, known, known).to).toEqual([B, B, B, B])
    expect(said(frames.arpRequest).back).toHaveLength(1)
    expect(v.drops()).toEqual({ 'storm-limit': 2, 'answered-here': 1 })
    v.tables.now += 1000
    expect(said(broadcast)).toEqual(FLOODED)
    isLawful()
  })

  test('is lifted by a reload', () => {
    made({ stormLimit: 1 })
    said(broadcast, broadcast)
    v.tables.handle({ kind: 'set-network', id: 0, settings: { ...SETTINGS, stormLimit: 0 } })
    expect(said(broadcast, broadcast).to).toHaveLength(4)
  })
})

describe('a multicast group of the underlay', () => {
  const GROUP = '239.1.1.42'
  const TAG = 4789 | (1 << 16)

  function grouped(): void {
    v = new Vtep()
    v.network(0, 42, [], { group: 1, accept: 2 })
    v.tables.ports[1] = TAG
    v.tables.ports[2] = 4789 | (2 << 16)
    ids = v.tables.handle({ kind: 'set-peers', id: 0, peers: [far(B), far(GROUP)], statics: [], group: 1 }) as number[]
  }

  test('alone gets what is for all; stations are written to where they are', () => {
    grouped()
    expect(said(question(9)).to).toEqual([GROUP])
    heard(C, frames.arpReply)
    expect(said(hex(`${OWNER} ${ASKER} 88b5 00`)).to).toEqual([C])
    isLawful()
  })

  test('is heard by the networks that joined it, and by no other', () => {
    grouped()
    const bytes = sealed(frames.arpReply)
    expect(v.in({ bytes, from: B, socket: 1 })).toHaveLength(1)
    expect(v.in({ bytes, from: B, socket: 2 })).toHaveLength(0)
    expect(v.drops()).toEqual({ 'vxlan-unknown-vni': 1 })
  })

  test('a network without one hears none', () => {
    v.tables.ports[1] = TAG
    expect(v.in({ bytes: sealed(frames.arpReply), from: B, socket: 1 })).toHaveLength(0)
    expect(v.drops()).toEqual({ 'vxlan-unknown-vni': 1 })
  })

  test('takes what its interface takes, whatever the kernel knows of a way to it', () => {
    grouped()
    v.native.mtus.set(GROUP, 700)
    v.tables.learnMtu(ids[1]!)
    const long = new Uint8Array(1000)
    long.set(frames.udp4)
    long.set(hex(BROADCAST))
    long.set([0x03, 0xda], 16)
    expect(said(long).to).toEqual([GROUP])
  })

  test('gives way to replication and comes back', () => {
    grouped()
    v.tables.handle({ kind: 'set-peers', id: 0, peers: [far(B), far(C)], statics: [] })
    expect(said(question(9))).toEqual(FLOODED)
    expect([...v.native.endpoints.values()].map((e) => e.address)).not.toContain(GROUP)
  })
})

/** The advertisement of 02:…:02 with these flags, checksum mended. */
function advertisement(flags: number): Uint8Array {
  const f = frames.neighbourAdvertisement.slice()
  f[58] = flags
  return mended(f)
}

/** A solicitation by 02:…:02 from fd00:42::2 for fd00:42::1. */
function from2(frame: Uint8Array): Uint8Array {
  const f = frame.slice()
  f.set(hex(OWNER), 6)
  f.set(hex('fd000042000000000000000000000002'), 22)
  f.set([1], 77)
  f.set(hex(OWNER), 80)
  return mended(f)
}

/** From `::`, without an option, as duplicate address detection asks. */
function anonymous(): Uint8Array {
  const f = frames.neighbourSolicitation.slice(0, 78)
  f[19] = 24
  f.fill(0, 22, 38)
  return mended(f)
}

function mended(f: Uint8Array): Uint8Array {
  f.set([0, 0], 56)
  const right = finish(sum(f, 54, f.length, pseudo6(f, 14, 58, f.length - 54)))
  f.set([right >> 8, right & 0xff], 56)
  return f
}
