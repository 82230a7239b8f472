// Every way a packet can fail to arrive: its code, its name in status, metrics and logs, and a sentence for the operator.
// Adding a refusal means adding a row; codes are row positions, so append. Functions that return a length, an index or an
// id answer with NONE (-1) or one of these codes (<= -2) instead.

/** "Nothing": no peer, no entry, no index. Not a drop. */
export const NONE = -1

const FIRST = -2

/** [name, what it means and what to look at] in code order: row i is code FIRST - i. */
const ROWS: readonly (readonly [string, string])[] = [
  ['truncated', 'shorter than the headers it claims to carry'],
  ['vxlan-no-vni', 'VXLAN header without the I flag (RFC 7348 §5)'],
  ['vxlan-unknown-vni', 'no network with this VNI on the port it came to'],
  ['vxlan-unknown-vtep', 'the sender is not a peer of this network; see `accept`'],
  ['inner-vlan-tag', 'inner frame carries a VLAN tag; `innerVlan: keep` lets it pass'],
  ['mac-limit', "the network's FDB is full and the station is new; see `macLimit`"],
  ['flood-off', 'broadcast, multicast or unknown destination in a network with `flood: off`'],
  ['too-big', 'larger than the path to the peer carries; the sender was told where ICMP allows it'],
  ['not-in-network', 'an authenticated peer spoke in a network that it is not listed for'],
  ['source-not-allowed', "inner source address outside the sender's allowedIps; see `sourceCheck`"],
  ['no-route', 'no peer has an allowedIps prefix for this destination'],
  ['ecn-ce-on-not-ect', 'congestion mark on a packet whose transport does not speak ECN (RFC 6040 §4.2)'],
  ['udp-send-failed', 'the kernel refused the datagram; see the log for the error'],
  ['device-write-failed', 'the kernel refused the frame on its way into the device'],
  ['no-peer', 'nobody to send to: the network has no peer, or the only candidate is where the frame came from'],
  ['not-for-us', 'layer 3: the inner destination MAC is neither ours nor broadcast'],
  ['not-ip', 'layer 3: the inner frame is not an IPv4 or IPv6 packet, or is malformed'],
  ['bad-frame', 'the device handed over a frame with impossible offload fields'],
  ['own-mac', 'a frame arrived with our own MAC as its source: a loop, or a duplicate MAC'],
  ['split-horizon', 'would have gone back to where it came from'],
  ['udp-receive-overflow', 'the kernel dropped datagrams because our receive buffer was full'],
  ['device-gone', 'the device went away while the frame was on its way'],
  ['static-mac', 'the source MAC is bound to another VTEP by a static FDB entry'],
  ['not-wireguard', 'neither of the four WireGuard messages, or not of the length that its type has'],
  ['unknown-peer', 'sealed for a session that we do not have, or no longer have'],
  ['bad-tag', 'its seal does not open: forged, damaged, or sealed with another key'],
  ['replay', 'a message of a session that came before, or so late that nobody can tell'],
  ['no-session', "no handshake with the peer came about in time; see `status` and the peer's endpoint and keys"],
  ['plain-for-secure', 'a frame in clear text for the VNI of a secure network'],
  ['no-endpoint', 'nobody knows where the peer is: it has no `endpoint` and has not called yet'],
  ['unknown-payload', 'opened, and neither VXLAN nor an IP packet'],
  ['bad-mac', 'a handshake message that is not for our public key, or is damaged'],
  ['handshake-limited', 'more handshake messages than are answered: a flood, or a host that asks too often'],
  ['answered-here', 'an ARP or ND question that was answered from our own table; see `suppressArp`'],
  ['storm-limit', 'more broadcast, multicast and unknown destinations from the device than `stormLimit` allows'],
  ['report-kept', 'an IGMP or MLD report that would keep listeners on this side from reporting (RFC 4541 §2.1.1)'],
  ['ttl-expired', 'layer 3: a packet whose TTL or hop limit is used up (RFC 2003 §3.1)'],
]

export const COUNT = ROWS.length

export const TRUNCATED = FIRST
export const VXLAN_NO_VNI = FIRST - 1
export const VXLAN_UNKNOWN_VNI = FIRST - 2
export const VXLAN_UNKNOWN_VTEP = FIRST - 3
export const INNER_VLAN_TAG = FIRST - 4
export const MAC_LIMIT = FIRST - 5
export const FLOOD_OFF = FIRST - 6
export const TOO_BIG = FIRST - 7
export const NOT_IN_NETWORK = FIRST - 8
export const SOURCE_NOT_ALLOWED = FIRST - 9
export const NO_ROUTE = FIRST - 10
export const ECN_CE_ON_NOT_ECT = FIRST - 11
export const UDP_SEND_FAILED = FIRST - 12
export const DEVICE_WRITE_FAILED = FIRST - 13
export const NO_PEER = FIRST - 14
export const NOT_FOR_US = FIRST - 15
export const NOT_IP = FIRST - 16
export const BAD_FRAME = FIRST - 17
export const OWN_MAC = FIRST - 18
export const SPLIT_HORIZON = FIRST - 19
export const UDP_RECEIVE_OVERFLOW = FIRST - 20
export const DEVICE_GONE = FIRST - 21
export const STATIC_MAC = FIRST - 22
export const NOT_WIREGUARD = FIRST - 23
export const UNKNOWN_PEER = FIRST - 24
export const BAD_TAG = FIRST - 25
export const REPLAY = FIRST - 26
export const NO_SESSION = FIRST - 27
export const PLAIN_FOR_SECURE = FIRST - 28
export const NO_ENDPOINT = FIRST - 29
export const UNKNOWN_PAYLOAD = FIRST - 30
export const BAD_MAC = FIRST - 31
export const HANDSHAKE_LIMITED = FIRST - 32
export const ANSWERED_HERE = FIRST - 33
export const STORM_LIMIT = FIRST - 34
export const REPORT_KEPT = FIRST - 35
export const TTL_EXPIRED = FIRST - 36

/** Position of a drop code in a counter row: 0 .. COUNT-1. */
export function row(code: number): number {
  return FIRST - code
}

/** The kebab-case word of a code: `status`, the metric's `reason` label, logs. Cold. */
export function name(code: number): string {
  return ROWS[row(code)]![0]
}

/** One sentence for the operator. Cold. */
export function sentence(code: number): string {
  return ROWS[row(code)]![1]
}

/** All names in row order. Cold. */
export function names(): string[] {
  return ROWS.map((r) => r[0])
}
