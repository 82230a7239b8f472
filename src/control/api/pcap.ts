// The classic pcap file format (draft-ietf-opsawg-pcap, "libpcap"), microsecond times, little endian. Cold.

export const LINKTYPE_ETHERNET = 1
/** Packets begin with the IP header. */
export const LINKTYPE_RAW = 101
const SNAPLEN = 262144

export function fileHeader(linktype: number): Uint8Array {
  const out = Buffer.alloc(24)
  out.writeUInt32LE(0xa1b2c3d4, 0)
  out.writeUInt16LE(2, 4)
  out.writeUInt16LE(4, 6)
  out.writeUInt32LE(SNAPLEN, 16)
  out.writeUInt32LE(linktype, 20)
  return out
}

/** `timeMs`: milliseconds since the epoch, fractions kept. */
export function record(timeMs: number, packet: Uint8Array): Uint8Array {
  const out = Buffer.alloc(16 + packet.length)
  const seconds = Math.floor(timeMs / 1000)
  out.writeUInt32LE(seconds, 0)
  out.writeUInt32LE(Math.floor((timeMs - seconds * 1000) * 1000), 4)
  out.writeUInt32LE(packet.length, 8)
  out.writeUInt32LE(packet.length, 12)
  out.set(packet, 16)
  return out
}

/** A bare IP packet in an Ethernet frame without stations, for captures that mix both kinds of network. */
export function asEthernet(packet: Uint8Array): Uint8Array {
  const out = new Uint8Array(14 + packet.length)
  const v6 = packet.length > 0 && packet[0]! >>> 4 === 6
  out[12] = v6 ? 0x86 : 0x08
  out[13] = v6 ? 0xdd : 0x00
  out.set(packet, 14)
  return out
}
