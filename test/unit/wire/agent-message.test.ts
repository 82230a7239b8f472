import { describe, expect, it } from 'vitest'
import * as drop from '../../../src/drop.ts'
import * as agentMessage from '../../../src/wire/agent-message.ts'
import { hex, place, text } from '../../support/bytes.ts'

describe('check', () => {
  it.each([
    ['a probe', '76 01 00000001 0500', agentMessage.PROBE],
    ['a filled probe', '76 01 00000001 0500 000000', agentMessage.PROBE],
    ['an answer', '76 02 00000001 0500', agentMessage.PROBE_ANSWER],
    ['something for control', '76 03', agentMessage.CONTROL],
    ['a probe that is cut', '76 01 00000001 05', drop.UNKNOWN_PAYLOAD],
    ['an answer that is cut', '76 02', drop.UNKNOWN_PAYLOAD],
    ['an unknown kind', '76 04 00000001 0500', drop.UNKNOWN_PAYLOAD],
    ['kind 0', '76 00 00000001 0500', drop.UNKNOWN_PAYLOAD],
    ['another first byte', '75 01 00000001 0500', drop.UNKNOWN_PAYLOAD],
    ['one byte', '76', drop.UNKNOWN_PAYLOAD],
    ['nothing', '', drop.UNKNOWN_PAYLOAD],
  ])('%s', (_name, bytes, verdict) => {
    const { buf, off, end } = place(hex(bytes))
    expect(agentMessage.check(buf, off, end)).toBe(verdict)
  })
})

describe('a probe', () => {
  it('is written with every byte, and read back unsigned', () => {
    const buf = new Uint8Array(12).fill(0xa5)
    agentMessage.writeProbe(buf, 2, agentMessage.PROBE, 0xfedcba98, 65400)
    expect(text(buf)).toBe('a5a57601fedcba98ff78a5a5')
    expect([agentMessage.nonce(buf, 2), agentMessage.size(buf, 2)]).toEqual([0xfedcba98, 65400])
  })
})
