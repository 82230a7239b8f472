// Frames made field by field, with a checksum and a segmentation written the slow and plain way: what the
// tests compare the fast ones with.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace test {

using Bytes = std::vector<uint8_t>;

enum class Sum { kRight, kUnfinished, kWrong, kNone };

struct Spec {
  bool ethernet = true;
  std::vector<uint16_t> tags;  // VLAN types, outermost first
  int version = 4;
  bool tcp = true;
  uint8_t source = 1;  // last byte of the address
  uint8_t destination = 2;
  uint8_t mac = 0x10;  // last byte of the source MAC
  uint8_t tos = 0;
  uint32_t label = 0x12345;
  uint8_t ttl = 64;
  uint16_t id = 7;
  uint16_t fragment = 0x4000;  // flags and offset; DF
  Bytes ip_options;            // a multiple of 4
  Bytes extensions;            // IPv6: whole extension headers; the last one's next header is set here
  uint8_t first_extension = 0;
  bool bad_ip_sum = false;
  uint16_t sport = 40000;
  uint16_t dport = 5201;
  uint32_t seq = 1000;
  uint32_t ack = 5000;
  uint8_t reserved = 0;  // low nibble of TCP's byte 12
  uint8_t flags = 0x10;  // ACK
  uint16_t window = 501;
  uint16_t urgent = 0;
  Bytes tcp_options;  // a multiple of 4
  Bytes payload;
  Sum sum = Sum::kRight;
  uint32_t padding = 0;
};

/// `n` bytes that differ from place to place and from `first` to `first`.
Bytes pattern(size_t n, uint32_t first);

/// RFC 1071 one byte at a time; the checksum as a number.
uint16_t slow_checksum(const Bytes &bytes);

Bytes build(const Spec &spec);

/// Bytes up to the payload.
size_t header_length(const Spec &spec);
size_t l3_offset(const Spec &spec);
size_t l4_offset(const Spec &spec);

/// The frames that cutting `spec` into payloads of `segment` bytes must give.
std::vector<Bytes> slow_split(const Spec &spec, size_t segment);

}  // namespace test
