import { describe, expect, it } from 'vitest'
import * as drop from '../../../src/drop.ts'
import { finish, pseudo6, sum } from '../../../src/wire/checksum.ts'
import * as nd from '../../../src/wire/nd.ts'
import { blank, hex, place, text, untouched } from '../../support/bytes.ts'
import { frames } from '../../support/packets.ts'

const icmp = (frame: Uint8Array) => place(frame.subarray(54))
const ADDRESS = 'fd000042000000000000000000000002'

describe('check', () => {
  it.each([
    ['router solicitation', '85 00 0000 00000000', 0],
    ['router advertisement', '86 00 0000 40 00 0708 00000000 00000000', 0],
    ['router advertisement, cut', '86 00 0000 40 00 0708 00000000 000000', drop.TRUNCATED],
    ['neighbour solicitation', `87 00 0000 00000000 ${ADDRESS}`, 0],
    ['neighbour solicitation, cut', `87 00 0000 00000000 ${ADDRESS.slice(2)}`, drop.TRUNCATED],
    ['neighbour advertisement', `88 00 0000 60000000 ${ADDRESS}`, 0],
    ['redirect', `89 00 0000 00000000 ${ADDRESS} ${ADDRESS}`, 0],
    ['redirect, cut', `89 00 0000 00000000 ${ADDRESS}`, drop.TRUNCATED],
    ['an echo request', `80 00 0000 00010001 ${ADDRESS}`, drop.NOT_IP],
    ['7 bytes', '85 00 0000 000000', drop.TRUNCATED],
  ])('%s', (_name, bytes, verdict) => {
    const { buf, off, end } = place(hex(bytes), 0)
    expect(nd.check(buf, off, end)).toBe(verdict)
  })
})

it('readers read what scapy wrote', () => {
  const { buf, off, end } = icmp(frames.neighbourAdvertisement)
  expect(nd.type(buf, off)).toBe(nd.NEIGHBOUR_ADVERTISEMENT)
  expect(nd.flags(buf, off)).toBe(nd.SOLICITED | nd.OVERRIDE)
  expect([0, 1, 2, 3].map((word) => nd.targetWord(buf, off, word))).toEqual([0xfd000042 | 0, 0, 0, 2])
  const at = nd.linkAddress(buf, off, end, nd.TARGET_LINK_ADDRESS)
  expect(text(buf.subarray(at, at + 6))).toBe('020000000002')
})

describe('linkAddress', () => {
  it.each([
    ['solicitation of a router', frames.routerSolicitation],
    ['advertisement of a router', frames.routerAdvertisement],
    ['solicitation of a neighbour', frames.neighbourSolicitation],
  ])('finds the source in a %s', (_name, frame) => {
    const { buf, off, end } = icmp(frame)
    const at = nd.linkAddress(buf, off, end, nd.SOURCE_LINK_ADDRESS)
    expect(text(buf.subarray(at, at + 6))).toBe('020000000001')
    expect(nd.linkAddress(buf, off, end, nd.TARGET_LINK_ADDRESS)).toBe(drop.NONE)
  })

  it.each([
    ['there is no option', '', drop.NONE],
    ['another option is in front', '05 01 000000000578 01 01 020000000001', 18],
    ['an option has length 0 (RFC 4861 §4.6)', '05 00 000000000578 01 01 020000000001', drop.NONE],
    ['the option is cut', '01 01 0200000000', drop.NONE],
    ['the option says it is longer than what is there', '01 02 020000000001', drop.NONE],
    ['an option in front is longer than the message', '05 03 000000000578 01 01 020000000001', drop.NONE],
  ])('when %s', (_name, options, at) => {
    const { buf, off, end } = place(hex(`85 00 0000 00000000 ${options}`), 1)
    expect(nd.linkAddress(buf, off, end, nd.SOURCE_LINK_ADDRESS)).toBe(at === drop.NONE ? at : off + at)
  })
})

describe('writeAdvertisement', () => {
  const write = (frame: Uint8Array, flags: number) => {
    const { buf, off } = place(frame.subarray(14))
    const out = blank(nd.ADVERTISEMENT_LEN + 16)
    nd.writeAdvertisement(out, 8, buf, off, off + 40, 0x0200, 2, flags)
    expect(untouched(out, 8, 8 + nd.ADVERTISEMENT_LEN)).toBe(true)
    return out.subarray(8, 8 + nd.ADVERTISEMENT_LEN)
  }

  it("is scapy's answer to scapy's question", () => {
    expect(text(write(frames.neighbourSolicitation, nd.OVERRIDE))).toBe(
      text(frames.neighbourAdvertisement.subarray(14)),
    )
  })

  it('goes to all nodes, and is not solicited, when somebody tries the address out (RFC 4861 §7.2.4)', () => {
    const question = frames.neighbourSolicitation.slice()
    question.fill(0, 22, 38)
    const answer = write(question, nd.ROUTER)
    expect(text(answer.subarray(24, 40))).toBe('ff020000000000000000000000000001')
    expect(answer[44]).toBe(nd.ROUTER)
    expect(finish(sum(answer, 40, 72, pseudo6(answer, 0, 58, 32)))).toBe(0)
  })
})
