import { expect, test } from 'vitest'
import { Capture } from '../../../src/datapath/capture.ts'
import type { Network } from '../../../src/overlay/networks.ts'
import { text } from '../../support/bytes.ts'
import { frames } from '../../support/packets.ts'

const NETWORK = { id: 3 } as Network
const PADDING = new Uint8Array(12).fill(0xa5)

test.each(['udp4', 'udp6'] as const)('a bare packet is taken without the padding of its seal: %s', (name) => {
  const packet = frames[name].subarray(14)
  const taken: string[] = []
  const capture = new Capture((network, bytes) => taken.push(`${network} ${text(bytes)}`))
  const padded = Uint8Array.from([...packet, ...PADDING])
  capture.packet(NETWORK, padded, 0, padded.length)
  capture.packet(NETWORK, packet, 0, packet.length)
  expect(taken).toEqual([`3 ${text(packet)}`, `3 ${text(packet)}`])
})

test('what is no whole packet is taken as it is', () => {
  const taken: string[] = []
  const capture = new Capture((_, bytes) => taken.push(text(bytes)))
  capture.packet(NETWORK, PADDING, 0, PADDING.length)
  capture.packet(NETWORK, frames.udp4, 14, 24)
  expect(taken).toEqual([text(PADDING), text(frames.udp4.subarray(14, 24))])
})
