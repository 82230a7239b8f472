#include "coalescer.h"

#include <sys/random.h>

#include "checksum.h"
#include "headers.h"
#include "layout.h"

namespace vtepd {

namespace {

// Tunnels over UDP: the kernel's vxlan and geneve devices do not cut a train again, so their datagrams may
// not become one.
bool is_tunnel_port(uint16_t port) { return port == 4789 || port == 8472 || port == 6081; }

bool ip_checksum_right(const uint8_t *frame, const Headers &h) {
  if (h.version == 6) return true;
  const uint8_t *ip = frame + h.l3;
  if (!h.plain) return fold(sum_bytes(ip, h.l4 - h.l3, 0)) == 0xffff;
  uint64_t sum = load32(ip);
  for (int k = 4; k < 20; k += 4) sum += load32(ip + k);
  return fold(sum) == 0xffff;
}

// Exactly ACK, with or without PSH; ECE as long as all frames have it (joining compares). CWR belongs to one
// segment alone, and the reserved bits to whoever defines them.
bool tcp_flags_join(const uint8_t *tcp) {
  return (tcp[13] & ~(kTcpPsh | kTcpEce)) == kTcpAck && (tcp[12] & 0x0f) == 0;
}

}  // namespace

// A TCP or UDP packet, unfragmented, its headers all there.
struct Coalescer::Packet {
  const uint8_t *frame;
  uint32_t len;
  Headers h;
  bool tcp;
  uint8_t kind;
  uint32_t header;          // to the payload
  uint32_t payload;         // bytes
  bool right = false;       // both checksums, once summed
  bool unfinished = false;  // the field holds the pseudo-header's sum alone

  const uint8_t *l4() const { return frame + h.l4; }
  uint16_t csum() const { return tcp ? kTcpCsum : kUdpCsum; }
  uint16_t field() const { return load16(l4() + csum()); }
  bool padded() const { return h.end != len; }
  bool tunnel() const { return !tcp && (is_tunnel_port(be16(l4())) || is_tunnel_port(be16(l4() + 2))); }

  bool locate();
  bool joins() const;
  bool super(uint32_t mtu, uint16_t hint) const;
  void verify(bool all);
};

// False when the transport header cannot be true.
bool Coalescer::Packet::locate() {
  uint32_t size = kUdpLen;
  if (tcp) {
    size = (l4()[12] >> 4) * 4u;
    if (size < kTcpLen || size > h.end - h.l4) return false;
  } else if (be16(l4() + 4) != h.end - h.l4) {
    return false;
  }
  header = h.l4 + size;
  payload = h.end - header;
  return true;
}

// Whether the headers allow it to be one of a train. A UDP checksum of 0 over IPv4 says nothing that we could
// check, and a train would claim one.
bool Coalescer::Packet::joins() const {
  if (h.tagged || !h.plain || padded() || payload == 0) return false;
  return tcp ? tcp_flags_join(l4()) : field() != 0 && !tunnel();
}

// Whether it is too long to be one packet: what a kernel VXLAN device hands over inside one datagram when no
// wire lies between. Without a hint nobody knows where UDP was to be cut; it goes on as the one datagram that
// it may be.
bool Coalescer::Packet::super(uint32_t mtu, uint16_t hint) const {
  if (padded() || payload == 0) return false;
  if (!tcp) return hint != 0 && payload > hint && field() != 0 && !tunnel();
  return h.end - h.l3 > mtu && (l4()[13] & (kTcpSyn | kTcpRst | kTcpUrg)) == 0;
}

// `all`: sum the packet in any case, not only when the field looks unfinished.
void Coalescer::Packet::verify(bool all) {
  uint64_t pseudo = pseudo_sum(frame, h);
  unfinished = field() == fold(pseudo);
  if (!all && !unfinished) return;
  bool l4_right = fold(sum_bytes(l4(), h.end - h.l4, pseudo)) == 0xffff;
  right = l4_right && ip_checksum_right(frame, h);
  if (l4_right) unfinished = false;
}

Coalescer::Coalescer() {
  // Without a seed a far end could choose ports that all meet in one place of the table.
  if (getrandom(&seed_, sizeof seed_, GRND_NONBLOCK) < 0) seed_ = reinterpret_cast<uintptr_t>(this);
}

void Coalescer::begin(bool ethernet, bool tcp, bool udp, uint32_t mtu) {
  ethernet_ = ethernet;
  tcp_ = tcp;
  udp_ = udp;
  mtu_ = mtu;
  count_ = 0;
  forget_all();
}

void Coalescer::add(uint32_t slot, const uint8_t *frame, uint32_t len, uint16_t hint) {
  Packet p;
  p.frame = frame;
  p.len = len;
  p.h.find(frame, len, ethernet_);
  const Headers &h = p.h;
  p.tcp = h.protocol == kProtocolTcp;
  if (h.version == 0 || (h.whole && !p.tcp && h.protocol != kProtocolUdp)) {
    start(slot, p);
    return;
  }
  if (!h.whole || h.fragment || h.end - h.l4 < (p.tcp ? kTcpLen : kUdpLen)) {
    // Which flow it belongs to is not to be seen, so it closes them all.
    if (!h.tagged) forget_all();
    start(slot, p);
    return;
  }
  p.kind = !p.tcp ? kUdp : h.version == 4 ? kTcp4 : kTcp6;
  bool sound = p.locate();
  bool joins = sound && (p.tcp ? tcp_ : udp_) && p.joins();
  bool super = sound && p.super(mtu_, hint);
  if (sound) p.verify(joins || super);
  if (!super && joins && p.right) {
    add_to_flow(slot, p);
    return;
  }
  if (!h.tagged && tracking_) {
    Flow *f = find(p, hash(p));
    if (f && f->stamp == stamp_) items_[f->item].open = false;
  }
  Item &item = start(slot, p);
  if (super && (p.right || p.unfinished) && make_train(item, p, hint)) return;
  if (p.unfinished) {
    item.vnet.flags = kVnetNeedsCsum;
    item.vnet.csum_start = static_cast<uint16_t>(h.l4);
    item.vnet.csum_offset = p.csum();
  }
}

// Joins a packet that may be joined to its flow's item, or starts an item that the next one may join.
void Coalescer::add_to_flow(uint32_t slot, const Packet &p) {
  uint32_t key = hash(p);
  Flow *f = find(p, key);
  if (f && f->stamp == stamp_) {
    Item &last = items_[f->item];
    if (last.open && join(last, slot, p)) return;
  }
  Item &item = start(slot, p);
  item.open = f != nullptr && (!p.tcp || (p.l4()[13] & kTcpPsh) == 0);
  item.kind = p.kind;
  item.l3 = static_cast<uint16_t>(p.h.l3);
  item.l4 = static_cast<uint16_t>(p.h.l4);
  item.header = static_cast<uint16_t>(p.header);
  item.segment = static_cast<uint16_t>(p.payload);
  item.id = p.h.version == 4 ? be16(p.frame + p.h.l3 + 4) : 0;
  item.next_seq = p.tcp ? be32(p.l4() + 4) + p.payload : 0;
  item.psh = false;
  if (f) {
    *f = {stamp_, key, count_ - 1};
    tracking_ = true;
  }
}

Item &Coalescer::start(uint32_t slot, const Packet &p) {
  Item &item = items_[count_++];
  item.first = item.last = slot;
  item.frames = 1;
  item.length = p.len;
  item.vnet = {};
  item.frame = p.frame;
  item.open = false;
  return item;
}

// Makes a super-packet a train by itself; false when it has too little for one.
bool Coalescer::make_train(Item &item, const Packet &p, uint16_t hint) {
  const Headers &h = p.h;
  // A right checksum is replaced by the pseudo-header's sum, which behind a source route nobody knows.
  if ((!h.plain && !p.unfinished) || p.header + kHeadroom > kMaxHeader) return false;
  uint32_t headers = p.header - h.l3;
  uint32_t segment = hint ? hint : mtu_ > headers ? mtu_ - headers : 0;
  if (segment == 0 || segment >= p.payload || !ip_checksum_right(p.frame, h)) return false;
  item.kind = p.kind;
  if (p.tcp && (p.l4()[13] & kTcpCwr)) item.kind |= kEcn;
  item.l3 = static_cast<uint16_t>(h.l3);
  item.l4 = static_cast<uint16_t>(h.l4);
  item.header = static_cast<uint16_t>(p.header);
  item.segment = static_cast<uint16_t>(segment);
  item.psh = false;
  set_vnet(item);
  return true;
}

void Coalescer::set_vnet(Item &item) {
  item.vnet = {kVnetNeedsCsum, item.kind, item.header,
               item.segment,   item.l4,   (item.kind & ~kEcn) == kUdp ? kUdpCsum : kTcpCsum};
}

bool Coalescer::join(Item &item, uint32_t slot, const Packet &p) {
  uint32_t limit = p.tcp ? kMaxSegments : kMaxUdpSegments;
  if (item.frames >= limit || p.payload > item.segment || p.header != item.header) return false;
  if (item.length - item.l3 + p.payload > kMaxTrain) return false;
  if (!same_headers(item, p)) return false;
  if (p.h.version == 4) item.id = be16(p.frame + p.h.l3 + 4);
  if (item.frames == 1) set_vnet(item);
  next_[item.last] = slot;
  item.last = slot;
  item.frames++;
  item.length += p.payload;
  item.next_seq += p.payload;
  item.psh = p.tcp && (p.l4()[13] & kTcpPsh) != 0;
  // Nothing may follow a shorter segment, nor a push.
  if (p.payload < item.segment || item.psh) item.open = false;
  return true;
}

// Whether cutting the joined frame would give these headers again.
bool Coalescer::same_headers(const Item &item, const Packet &p) const {
  const uint8_t *a = item.frame;
  const uint8_t *b = p.frame;
  if (ethernet_ && (load64(a) != load64(b) || load64(a + 6) != load64(b + 6))) return false;
  a += item.l3;
  b += item.l3;
  if (p.h.version == 4) {
    // Version and TOS, flags, TTL and protocol.
    if (load16(a) != load16(b) || load32(a + 6) != load32(b + 6)) return false;
    // RFC 6864 §4.1: with DF the identification has no meaning. Without it reassembly needs the very numbers.
    if ((be16(b + 6) & kIpv4Df) == 0 && be16(b + 4) != static_cast<uint16_t>(item.id + 1)) return false;
  } else {
    // Traffic class and flow label, hop limit.
    if (load32(a) != load32(b) || a[7] != b[7]) return false;
  }
  if (!p.tcp) return true;
  a += item.l4 - item.l3;
  b = p.l4();
  const uint16_t push = htons(kTcpPsh);
  if (be32(b + 4) != item.next_seq || load32(a + 8) != load32(b + 8)) return false;
  if (((load16(a + 12) ^ load16(b + 12)) & ~push) != 0) return false;
  // Window, urgent pointer, options.
  return load16(a + 14) == load16(b + 14) && load16(a + 18) == load16(b + 18) &&
         memcmp(a + kTcpLen, b + kTcpLen, item.header - item.l4 - kTcpLen) == 0;
}

uint32_t Coalescer::hash(const Packet &p) const {
  const uint8_t *ip = p.frame + p.h.l3;
  uint64_t x = seed_ ^ p.kind;
  auto mix = [&x](uint64_t v) {
    x = (x ^ v) * 0x9e3779b97f4a7c15u;
    x ^= x >> 32;
  };
  if (p.h.version == 4) {
    mix(load64(ip + 12));
  } else {
    for (int k = 8; k < 40; k += 8) mix(load64(ip + k));
  }
  mix(load32(p.l4()));
  return static_cast<uint32_t>(x);
}

// The flow's entry, or the free one for it (its stamp is old), or null when there is no room.
Coalescer::Flow *Coalescer::find(const Packet &p, uint32_t key) {
  uint32_t at = key;
  for (uint32_t k = 0; k < kProbes; k++, at++) {
    Flow &f = flows_[at & (kFlows - 1)];
    if (f.stamp != stamp_) return &f;
    if (f.hash != key) continue;
    const Item &item = items_[f.item];
    const uint8_t *a = item.frame + item.l3;
    const uint8_t *b = p.frame + p.h.l3;
    if (item.kind != p.kind || a[0] >> 4 != p.h.version) continue;
    bool same = p.h.version == 4 ? load64(a + 12) == load64(b + 12) : memcmp(a + 8, b + 8, 32) == 0;
    if (same && load32(item.frame + item.l4) == load32(p.l4())) return &f;
  }
  return nullptr;
}

void Coalescer::forget_all() {
  tracking_ = false;
  if (++stamp_ != 0) return;
  memset(flows_, 0, sizeof flows_);
  stamp_ = 1;
}

void Coalescer::write_header(const Item &item, uint8_t *dst) const {
  memcpy(dst, item.frame, item.header);
  Headers h;
  h.l3 = item.l3;
  h.l4 = item.l4;
  h.end = item.length;
  h.version = dst[item.l3] >> 4;
  bool tcp = (item.kind & ~kEcn) != kUdp;
  h.protocol = tcp ? kProtocolTcp : kProtocolUdp;
  uint8_t *ip = dst + item.l3;
  uint8_t *l4 = dst + item.l4;
  if (h.version == 4) {
    set_be16(ip + 2, item.length - item.l3);
    store16(ip + 10, 0);
    store16(ip + 10, static_cast<uint16_t>(~fold(sum_bytes(ip, item.l4 - item.l3, 0))));
  } else {
    set_be16(ip + 4, item.length - item.l3 - kIpv6Len);
  }
  if (!tcp) set_be16(l4 + 4, item.length - item.l4);
  if (item.psh) l4[13] |= kTcpPsh;
  store16(l4 + (tcp ? kTcpCsum : kUdpCsum), fold(pseudo_sum(dst, h)));
}

Shape Coalescer::shape(const Item &item) const {
  return {item.l3, item.l4, item.vnet.csum_offset, item.header, item.segment, item.kind};
}

}  // namespace vtepd
