#include "packets.h"

namespace test {

namespace {

void put8(Bytes &b, unsigned v) { b.push_back(static_cast<uint8_t>(v)); }
void put16(Bytes &b, unsigned v) {
  put8(b, v >> 8);
  put8(b, v);
}
void put32(Bytes &b, uint32_t v) {
  put16(b, v >> 16);
  put16(b, v & 0xffff);
}
void put(Bytes &b, const Bytes &more) { b.insert(b.end(), more.begin(), more.end()); }
void set16(Bytes &b, size_t at, unsigned v) {
  b[at] = static_cast<uint8_t>(v >> 8);
  b[at + 1] = static_cast<uint8_t>(v);
}

Bytes address(const Spec &s, uint8_t last) {
  if (s.version == 4) return {198, 18, 0, last};
  Bytes a = {0xfd, 0, 0, 1};
  a.resize(15);
  a.push_back(last);
  return a;
}

Bytes transport(const Spec &s) {
  Bytes b;
  put16(b, s.sport);
  put16(b, s.dport);
  if (s.tcp) {
    put32(b, s.seq);
    put32(b, s.ack);
    put8(b, static_cast<unsigned>((5 + s.tcp_options.size() / 4) << 4) | s.reserved);
    put8(b, s.flags);
    put16(b, s.window);
    put16(b, 0);
    put16(b, s.urgent);
    put(b, s.tcp_options);
  } else {
    put16(b, static_cast<unsigned>(8 + s.payload.size()));
    put16(b, 0);
  }
  put(b, s.payload);
  size_t field = s.tcp ? 16 : 6;
  Bytes pseudo = address(s, s.source);
  put(pseudo, address(s, s.destination));
  put16(pseudo, s.tcp ? 6 : 17);
  put32(pseudo, static_cast<uint32_t>(b.size()));
  unsigned value = 0;
  if (s.sum == Sum::kUnfinished) {
    value = static_cast<uint16_t>(~slow_checksum(pseudo));
  } else if (s.sum != Sum::kNone) {
    put(pseudo, b);
    value = slow_checksum(pseudo);
    if (value == 0 && !s.tcp) value = 0xffff;
    if (s.sum == Sum::kWrong) value ^= 0x0110;
  }
  set16(b, field, value);
  return b;
}

}  // namespace

Bytes pattern(size_t n, uint32_t first) {
  Bytes b(n);
  uint32_t x = first * 2654435761u + 12345;
  for (auto &byte : b) {
    x = x * 1664525 + 1013904223;
    byte = static_cast<uint8_t>(x >> 24);
  }
  return b;
}

uint16_t slow_checksum(const Bytes &bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes.size(); i++) {
    sum += i % 2 == 0 ? static_cast<uint32_t>(bytes[i]) << 8 : bytes[i];
    if (sum > 0xffff) sum -= 0xffff;
  }
  return static_cast<uint16_t>(~sum);
}

size_t l3_offset(const Spec &s) { return s.ethernet ? 14 + 4 * s.tags.size() : 0; }
size_t l4_offset(const Spec &s) {
  return l3_offset(s) + (s.version == 4 ? 20 + s.ip_options.size() : 40 + s.extensions.size());
}
size_t header_length(const Spec &s) { return l4_offset(s) + (s.tcp ? 20 + s.tcp_options.size() : 8); }

Bytes build(const Spec &s) {
  Bytes b;
  if (s.ethernet) {
    put(b, {2, 0, 0, 0, 0, 0x20, 2, 0, 0, 0, 0, s.mac});
    for (uint16_t tag : s.tags) {
      put16(b, tag);
      put16(b, 42);
    }
    put16(b, s.version == 4 ? 0x0800 : 0x86dd);
  }
  Bytes l4 = transport(s);
  if (s.version == 4) {
    Bytes ip;
    put8(ip, 0x45 + static_cast<unsigned>(s.ip_options.size() / 4));
    put8(ip, s.tos);
    put16(ip, static_cast<unsigned>(20 + s.ip_options.size() + l4.size()));
    put16(ip, s.id);
    put16(ip, s.fragment);
    put8(ip, s.ttl);
    put8(ip, s.tcp ? 6 : 17);
    put16(ip, 0);
    put(ip, address(s, s.source));
    put(ip, address(s, s.destination));
    put(ip, s.ip_options);
    set16(ip, 10, slow_checksum(ip) ^ (s.bad_ip_sum ? 0x0101u : 0u));
    put(b, ip);
  } else {
    put32(b, 6u << 28 | static_cast<uint32_t>(s.tos) << 20 | s.label);
    put16(b, static_cast<unsigned>(s.extensions.size() + l4.size()));
    put8(b, s.extensions.empty() ? (s.tcp ? 6u : 17u) : s.first_extension);
    put8(b, s.ttl);
    put(b, address(s, s.source));
    put(b, address(s, s.destination));
    put(b, s.extensions);
  }
  put(b, l4);
  b.resize(b.size() + s.padding, 0xEE);
  return b;
}

std::vector<Bytes> slow_split(const Spec &spec, size_t segment) {
  std::vector<Bytes> out;
  for (size_t at = 0; at < spec.payload.size(); at += segment) {
    Spec one = spec;
    bool last = at + segment >= spec.payload.size();
    size_t end = last ? spec.payload.size() : at + segment;
    one.payload.assign(spec.payload.begin() + static_cast<long>(at),
                       spec.payload.begin() + static_cast<long>(end));
    one.id = static_cast<uint16_t>(spec.id + out.size());
    one.seq = spec.seq + static_cast<uint32_t>(at);
    if (at != 0) one.flags &= static_cast<uint8_t>(~0x80);  // CWR
    if (!last) one.flags &= static_cast<uint8_t>(~0x09);    // FIN, PSH
    one.sum = Sum::kRight;
    out.push_back(build(one));
  }
  return out;
}

}  // namespace test
