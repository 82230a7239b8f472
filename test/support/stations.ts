// Frames between stations of virtual hosts: station s of host h is 02:00:00:00:h:s and 10.42.h.s; every frame has an id.
import { hex } from './bytes.ts'
import { frames } from './packets.ts'
import type { Frame, Sent } from './vtep.ts'

const PAYLOAD = 42
const ETHERNET = 14
export const GROUP = 0xff

/** A UDP frame between stations (host and number), to all with null; its id in the payload. */
export function frame(from: number[], to: number[] | null, id: number, length: number, tos = 0): Uint8Array {
  const bytes = new Uint8Array(Math.max(length, PAYLOAD + 4))
  bytes.set(frames.udp4)
  bytes.set(to ? [0x02, 0, 0, 0, to[0]!, to[1]!] : hex('ffffffffffff'), 0)
  bytes.set([0x02, 0, 0, 0, from[0]!, from[1]!], 6)
  bytes.set([tos, (bytes.length - ETHERNET) >> 8, (bytes.length - ETHERNET) & 0xff], 15)
  bytes.set([10, 42, from[0]!, from[1]!, 10, 42, to ? to[0]! : GROUP, to ? to[1]! : GROUP], 26)
  new DataView(bytes.buffer).setUint32(PAYLOAD, id)
  return bytes
}

/** The same as a packet, for layer 3. */
export function packet(from: number[], to: number[], id: number, length: number, tos = 0): Uint8Array {
  return frame(from, to, id, length + ETHERNET, tos).slice(ETHERNET)
}

/** A train of `n` segments with ids from `id` on, each `length` bytes long; the ids stand where their payload begins. */
export function train(from: number[], to: number[], id: number, n: number, length: number, layer2: boolean): Frame {
  const front = layer2 ? 0 : ETHERNET
  const one = frame(from, to, id, length + front).slice(front)
  const header = PAYLOAD - front
  const segment = one.length - header
  const bytes = new Uint8Array(header + n * segment)
  bytes.set(one)
  for (let k = 0; k < n; k++) new DataView(bytes.buffer).setUint32(header + k * segment, id + k)
  return { bytes, segment, header, kind: 5, sum: 0, l3: layer2 ? ETHERNET : 0 }
}

export function idOf({ bytes }: Sent | Frame, layer2 = true): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(layer2 ? PAYLOAD : PAYLOAD - ETHERNET)
}
