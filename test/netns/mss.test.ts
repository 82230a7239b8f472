// TCP's segment size in real SYNs. Only b clamps, and does so both ways: what a offers is lowered as it comes in, what b answers as
// it goes out. Both devices take more than the path carries.
//
//   a vt42 10.42.0.1/24, MTU 1500 ═══ VNI 42 ═══ 10.42.0.2/24, MTU 1500 vt42 b
//   a eth0 198.18.0.1, MTU 1500 ──────────────── 198.18.0.2 eth0 b
import { afterEach, expect, it } from 'vitest'
import { startAgent } from '../../src/lab/agent.ts'
import { type Host, Lab } from '../../src/lab/lab.ts'
import { type Keys, reaches } from '../support/overlay.ts'
import { describeRoot } from '../support/root.ts'
import { pair, secureConfiguration } from '../support/secure.ts'
import { Child, transferTcp } from '../support/transfer.ts'

const MTU = 1500
/** What a device of that MTU offers without us. */
const OFFERED = { IPv4: MTU - 40, IPv6: MTU - 60 }
const ADDRESS = { IPv4: '10.42.0.2', IPv6: 'fd00:42::2' }

let lab: Lab | null = null

afterEach(async () => {
  await lab?.close()
  lab = null
})

async function hosts(security: 'plain' | 'secure', device: 'tap' | 'tun', clamps: boolean): Promise<[Host, Host]> {
  const made = new Lab()
  lab = made
  const [a, b] = [await made.host('a'), await made.host('b')]
  await made.connect([
    { host: a, addresses: ['198.18.0.1/24'] },
    { host: b, addresses: ['198.18.0.2/24'] },
  ])
  const keys = [pair(), pair()]
  const start = async (host: Host, n: number): Promise<void> => {
    const far = 3 - n
    const address = [`10.42.0.${n}/24`, `fd00:42::${n}/64`]
    const blue = { vni: 42, device, security, mtu: MTU, address, mssClamp: clamps && n === 2 }
    const peer: Keys = {
      endpoint: `198.18.0.${far}`,
      ...(security === 'secure' ? { publicKey: keys[far - 1]!.public } : {}),
      ...(device === 'tun' ? { allowedIps: [`10.42.0.${far}/32`, `fd00:42::${far}/128`] } : {}),
    }
    await startAgent(host, secureConfiguration(host, keys[n - 1]!, { networks: { blue }, peers: { other: peer } }))
  }
  await Promise.all([start(a, 1), start(b, 2)])
  await reaches(a, ADDRESS.IPv4, ADDRESS.IPv6)
  return [a, b]
}

/** Segment sizes as the far end of each gets them: in the SYN that b hears, and in the answer that a hears. */
async function offers(a: Host, b: Host, address: string): Promise<number[]> {
  const watchers = [new Watcher(a), new Watcher(b)] as const
  try {
    for (const w of watchers) await w.ready()
    await transferTcp({ from: a, to: b, address }, 2_000_000)
    const [atA, atB] = [await watchers[0].sizes(), await watchers[1].sizes()]
    return [atB[0]!, atA[1]!]
  } finally {
    for (const w of watchers) await w.end()
  }
}

/** tcpdump on a host's device, for the SYN and the SYN-ACK of one connection. */
class Watcher extends Child {
  constructor(host: Host) {
    // tcpdump cannot index into TCP over IPv6: the flags are byte 13 behind 40 of header.
    const filter = 'tcp[tcpflags] & tcp-syn != 0 or (ip6[6] = 6 and ip6[53] & 2 != 0)'
    super(host.spawn(['sh', '-c', 'exec tcpdump -l -n -i vt42 -c 2 "$1" 2>&1', 'tcpdump', filter]))
  }

  async ready(): Promise<void> {
    let line = ''
    while (!line.startsWith('listening')) line = await this.line()
  }

  async sizes(): Promise<number[]> {
    const lines = [await this.line(), await this.line()]
    return lines.map((line) => Number(/\[mss (\d+),/.exec(line)?.[1]))
  }
}

describeRoot('the segment size that TCP offers', () => {
  // The underlay's 1500 less 50, 82 or 60 (docs/configuration.md, MTU by default), less the headers of IPv4 and TCP.
  it.each([
    ['plain', 'tap', 1410],
    ['plain', 'tun', 1410],
    ['secure', 'tap', 1378],
    ['secure', 'tun', 1400],
  ] as const)('in a %s %s network is what the path carries, both ways', async (security, device, mss) => {
    const [a, b] = await hosts(security, device, true)
    expect(await offers(a, b, ADDRESS.IPv4)).toEqual([mss, mss])
    expect(await offers(a, b, ADDRESS.IPv6)).toEqual([mss - 20, mss - 20])
  })

  it('is left alone where nobody asks for it', async () => {
    const [a, b] = await hosts('plain', 'tap', false)
    expect(await offers(a, b, ADDRESS.IPv4)).toEqual([OFFERED.IPv4, OFFERED.IPv4])
    expect(await offers(a, b, ADDRESS.IPv6)).toEqual([OFFERED.IPv6, OFFERED.IPv6])
  })
}, ['tcpdump'])
