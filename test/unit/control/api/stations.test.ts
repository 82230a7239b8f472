import { expect, test } from 'vitest'
import { addStation } from '../../../../src/control/api/stations.ts'
import type { Running } from '../../../../src/control/apply.ts'
import type { Mailbox } from '../../../../src/datapath/mailbox.ts'

const OWN = '02:00:5e:10:00:01'

/** Whoever gets as far as the data thread was not refused. */
const mailbox = { ask: async () => expect.fail('asked the data thread') } as unknown as Mailbox

function network(device: 'tap' | 'tun'): Running {
  const placed = [{ peer: { name: 'host-b' }, address: '198.18.0.2', vtep: 0 }]
  return { config: { name: 'blue', device }, device: { state: { mac: OWN } }, placed } as unknown as Running
}

test.each([
  ['in a tun network', 'tun', '02:00:00:00:00:01', 'host-b', 'network: blue is tun, and has no stations'],
  ["with the network's own MAC", 'tap', OWN.toUpperCase(), 'host-b', "is network blue's own MAC"],
  ['behind a stranger', 'tap', '02:00:00:00:00:01', 'host-c', 'is no peer of network blue (it has: host-b)'],
  ['of a group', 'tap', '01:00:5e:00:00:01', 'host-b', 'is not the address of one station'],
] as const)('a station %s is refused', async (_title, device, mac, vtep, why) => {
  await expect(addStation(mailbox, network(device), mac, vtep)).rejects.toThrow(why)
})
