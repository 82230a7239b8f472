// ARP for IPv4 over Ethernet, RFC 826.    | hardware 1 | protocol 0x0800 | 6 | 4 | operation |
// MACs as in ethernet.ts, addresses int32. | sender MAC, IP (10) | target MAC, IP (10) |
// Temperature: hot.
import * as drop from '../drop.ts'
import { IPV4 } from './ethernet.ts'

export const LEN = 28
export const REQUEST = 1
export const REPLY = 2

const HARDWARE_ETHERNET = 1
const SENDER = 8
const TARGET = 18

/** 0 if [off, end) holds ARP for IPv4 over Ethernet, else drop.TRUNCATED or drop.NOT_IP. Call before any reader below. */
export function check(buf: Uint8Array, off: number, end: number): number {
  if (end - off < LEN) return drop.TRUNCATED
  const hardware = (buf[off] << 8) | buf[off + 1]
  const protocol = (buf[off + 2] << 8) | buf[off + 3]
  const ok = hardware === HARDWARE_ETHERNET && protocol === IPV4 && buf[off + 4] === 6 && buf[off + 5] === 4
  return ok ? 0 : drop.NOT_IP
}

export function operation(buf: Uint8Array, off: number): number {
  return (buf[off + 6] << 8) | buf[off + 7]
}

export function senderHi(buf: Uint8Array, off: number): number {
  return (buf[off + SENDER] << 8) | buf[off + SENDER + 1]
}

export function senderLo(buf: Uint8Array, off: number): number {
  return word(buf, off + SENDER + 2)
}

export function senderIp(buf: Uint8Array, off: number): number {
  return word(buf, off + SENDER + 6)
}

export function targetHi(buf: Uint8Array, off: number): number {
  return (buf[off + TARGET] << 8) | buf[off + TARGET + 1]
}

export function targetLo(buf: Uint8Array, off: number): number {
  return word(buf, off + TARGET + 2)
}

export function targetIp(buf: Uint8Array, off: number): number {
  return word(buf, off + TARGET + 6)
}

/** Writes the reply to the request at `off` in `buf`: its target address has this MAC. LEN bytes. */
export function writeReply(out: Uint8Array, at: number, buf: Uint8Array, off: number, hi: number, lo: number): void {
  for (let k = 0; k < 6; k++) out[at + k] = buf[off + k]
  out[at + 6] = 0
  out[at + 7] = REPLY
  out[at + SENDER] = hi >>> 8
  out[at + SENDER + 1] = hi
  out[at + SENDER + 2] = lo >>> 24
  out[at + SENDER + 3] = lo >>> 16
  out[at + SENDER + 4] = lo >>> 8
  out[at + SENDER + 5] = lo
  for (let k = 0; k < 4; k++) out[at + SENDER + 6 + k] = buf[off + TARGET + 6 + k]
  for (let k = 0; k < 10; k++) out[at + TARGET + k] = buf[off + SENDER + k]
}

function word(buf: Uint8Array, at: number): number {
  return (buf[at] << 24) | (buf[at + 1] << 16) | (buf[at + 2] << 8) | buf[at + 3]
}
