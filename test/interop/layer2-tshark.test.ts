// What the agent answers for other stations, read by tshark: an independent reader of ARP and neighbour discovery.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { fileHeader, LINKTYPE_ETHERNET, record } from '../../src/control/api/pcap.ts'
import { finish, start } from '../../src/lab/command.ts'
import { finish as fold, pseudo6, sum } from '../../src/wire/checksum.ts'
import { hex, text } from '../support/bytes.ts'
import { frames } from '../support/packets.ts'
import { missing } from '../support/root.ts'
import { far, Vtep } from '../support/vtep.ts'

const FIELDS = [
  ...[
    'eth.src',
    'eth.dst',
    'arp.opcode',
    'arp.src.hw_mac',
    'arp.src.proto_ipv4',
    'arp.dst.hw_mac',
    'arp.dst.proto_ipv4',
  ],
  ...['ipv6.src', 'ipv6.dst', 'ipv6.hlim', 'icmpv6.type', 'icmpv6.checksum.status', 'icmpv6.nd.na.target_address'],
  ...['icmpv6.nd.na.flag.r', 'icmpv6.nd.na.flag.s', 'icmpv6.nd.na.flag.o', 'icmpv6.opt.linkaddr', '_ws.expert'],
] as const

async function read(packets: readonly Uint8Array[]): Promise<Record<string, string>[]> {
  const dir = mkdtempSync(join(tmpdir(), 'vtepd-tshark-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  const file = join(dir, 'answers.pcap')
  writeFileSync(file, Buffer.concat([fileHeader(LINKTYPE_ETHERNET), ...packets.map((p, i) => record(1e12 + i, p))]))
  const fields = FIELDS.flatMap((field) => ['-e', field])
  const command = ['tshark', '-n', '-r', file, '-T', 'fields', '-E', 'separator=|', ...fields]
  const { stdout } = await finish(start(command), command)
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => {
      const values = line.split('|')
      return Object.fromEntries(FIELDS.map((field, i) => [field, values[i]!]).filter(([, value]) => value !== ''))
    })
}

const why = missing(['tshark'])

describe.skipIf(why !== null)(`answers${why ? ` (needs ${why})` : ''}`, () => {
  it('are what tshark expects of the stations themselves', async () => {
    const v = new Vtep()
    // Nothing is flooded, so that duplicate address detection is answered, too.
    v.network(0, 42, [far('198.18.0.2')], { floodOn: false })
    const advertisement = frames.neighbourAdvertisement.slice()
    advertisement[58] = 0x80
    advertisement.set([0, 0], 56)
    const right = fold(sum(advertisement, 54, 86, pseudo6(advertisement, 14, 58, 32)))
    advertisement.set([right >> 8, right & 0xff], 56)
    for (const frame of [frames.arpReply, advertisement]) {
      v.in({ bytes: hex(`0800000000002a00 ${text(frame)}`), from: '198.18.0.2' })
    }
    const anonymous = frames.neighbourSolicitation.slice(0, 78)
    anonymous[19] = 24
    anonymous.fill(0, 22, 38)
    anonymous.set([0, 0], 56)
    const folded = fold(sum(anonymous, 54, 78, pseudo6(anonymous, 14, 58, 24)))
    anonymous.set([folded >> 8, folded & 0xff], 56)
    v.out(frames.arpRequest, frames.neighbourSolicitation, anonymous)
    const rows = await read(v.device.take().map((s) => s.bytes))
    const ends = { 'eth.src': '02:00:00:00:00:02', 'eth.dst': '02:00:00:00:00:01' }
    const owner = {
      ...ends,
      'ipv6.src': 'fd00:42::2',
      'ipv6.hlim': '255',
      'icmpv6.type': '136',
      // Good.
      'icmpv6.checksum.status': '1',
      'icmpv6.nd.na.target_address': 'fd00:42::2',
      'icmpv6.opt.linkaddr': '02:00:00:00:00:02',
    }
    const flags = (r: number, s: number, o: number) => ({
      'icmpv6.nd.na.flag.r': expect.stringMatching(r ? /^(1|True)$/ : /^(0|False)$/),
      'icmpv6.nd.na.flag.s': expect.stringMatching(s ? /^(1|True)$/ : /^(0|False)$/),
      'icmpv6.nd.na.flag.o': expect.stringMatching(o ? /^(1|True)$/ : /^(0|False)$/),
    })
    expect(rows).toEqual([
      {
        ...ends,
        'arp.opcode': '2',
        'arp.src.hw_mac': '02:00:00:00:00:02',
        'arp.src.proto_ipv4': '10.42.0.2',
        'arp.dst.hw_mac': '02:00:00:00:00:01',
        'arp.dst.proto_ipv4': '10.42.0.1',
      },
      { ...owner, ...flags(1, 1, 0), 'ipv6.dst': 'fe80::1' },
      { ...owner, ...flags(1, 0, 0), 'ipv6.dst': 'ff02::1' },
    ])
  })
})
