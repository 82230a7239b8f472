// Where a handshake message came from, as cookies and the rate limit see it: a sockaddr (ip(7), ipv6(7)) without what the far end
// does not choose (flow label, zone). Cold.

const AF_INET6 = 10
const PORT = 2
const ADDRESS4 = 4
const ADDRESS6 = 8
/** RFC 4291 §2.5.5.2: ::ffff:a.b.c.d. */
const MAPPED = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff)

/** The 4 or 16 bytes of the address; 4 also for IPv4 in its IPv6 form. */
export function address(from: Uint8Array): Uint8Array {
  // The family is in host order, and less than 256 in either.
  if ((from[0]! | from[1]!) !== AF_INET6) return from.subarray(ADDRESS4, ADDRESS4 + 4)
  const mapped = MAPPED.every((byte, i) => from[ADDRESS6 + i] === byte)
  return from.subarray(mapped ? ADDRESS6 + MAPPED.length : ADDRESS6, ADDRESS6 + 16)
}

/** The port's 2 bytes, big-endian. */
export function port(from: Uint8Array): Uint8Array {
  return from.subarray(PORT, PORT + 2)
}

/** Whoever can use one address of these can use them all: an IPv4 address, or an IPv6 /64. */
export function neighbourhood(from: Uint8Array): string {
  const bytes = address(from)
  return Buffer.from(bytes.subarray(0, bytes.length === 4 ? 4 : 8)).toString('latin1')
}
