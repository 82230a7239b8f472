import { describe, expect, test } from 'vitest'
import { parsePortMapping } from '../../../../src/control/config/port-mapping.ts'
import { isStale, udpPorts } from '../../../../src/control/firewall/stale-flows.ts'
import type { Flow } from '../../../../src/host/flows.ts'

const OWN = new Set(['198.18.0.1', 'fd00:18::1'])
const to = (...texts: string[]) => texts.map(parsePortMapping)
const A = '8053:10.42.0.2:53/udp'
const B = '8053:10.42.0.3:53/udp'

function flow(destination: string, answerer: string, answererPort = 53): Flow {
  const isMapped = answerer !== destination
  const family = destination.includes(':') ? 6 : 4
  return { family, destination, port: 8053, answerer, answererPort, isMapped, handle: new Uint8Array() }
}

describe('a flow', () => {
  test.each<[string, Flow, string[], string[], boolean]>([
    ['that goes where it should', flow('198.18.0.1', '10.42.0.2'), [A], [A], false],
    ['to the target of yesterday', flow('198.18.0.1', '10.42.0.2'), [A], [B], true],
    ['to a server of this host', flow('198.18.0.1', '198.18.0.1', 8053), [], [A], true],
    ['to another port of the target', flow('198.18.0.1', '10.42.0.2', 54), [], [A], true],
    ['whose mapping is gone', flow('198.18.0.1', '10.42.0.2'), [A], [], true],
    ['that somebody else has mapped', flow('198.18.0.1', '172.17.0.2'), [A], [], false],
    ['to another host', flow('198.18.1.9', '198.18.1.9', 8053), [], [A], false],
    ['to loopback', flow('127.0.0.1', '127.0.0.1', 8053), [], [A], false],
    ['to the address that has its own mapping', flow('198.18.0.1', '10.42.0.3'), [A], [A, `198.18.0.1:${B}`], false],
    ['of TCP’s mapping', flow('198.18.0.1', '198.18.0.1', 8053), [], ['8053:10.42.0.2:53/tcp'], false],
    ['of the other family', flow('fd00:18::1', 'fd00:18::1', 8053), [], [A], false],
    ['of IPv6', flow('fd00:18::1', 'fd00:42::2'), [], ['8053:[fd00:42::3]:53/udp'], true],
  ])('%s', (_, one, before, now, stale) => {
    expect(isStale(one, to(...before), to(...now), OWN)).toBe(stale)
  })
})

test('a port is looked at once', () => {
  const all = to(A, B, '8054:[fd00:42::3]:53/udp', '80:10.42.0.2:80')
  expect([udpPorts(4, all), udpPorts(6, all)]).toEqual([[8053], [8054]])
})
