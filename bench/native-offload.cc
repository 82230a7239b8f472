// Nanoseconds per segment of native's byte work: checksums, cutting trains, joining frames. Seeded and
// single-threaded; each figure is the median of rounds, with the smallest beside it. An argument picks what
// has it in its name. Built and run by scripts/bench-native.sh.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>

#include "../native/checksum.h"
#include "../native/coalescer.h"
#include "../native/layout.h"
#include "../test/native/packets.h"

using namespace test;
using namespace vtepd;

namespace {

constexpr int kRounds = 31;
const char *only = "";

double now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

/// Runs `work` (which does `units` units) again and again; prints ns per unit.
template <class Work>
void measure(const char *name, double units, double bytes, Work work) {
  if (!strstr(name, only)) return;
  std::vector<double> times;
  int repeat = std::max(1, static_cast<int>(20000 / units));
  work();
  for (int r = 0; r < kRounds; r++) {
    double start = now();
    for (int k = 0; k < repeat; k++) work();
    times.push_back((now() - start) / (repeat * units));
  }
  std::sort(times.begin(), times.end());
  double median = times[kRounds / 2];
  printf("%-44s %8.1f ns  (least %.1f)", name, median, times[0]);
  if (bytes > 0) printf("  %6.1f GB/s", bytes / median);
  printf("\n");
}

Spec stream(int version, bool tcp, size_t payload) {
  Spec s;
  s.version = version;
  s.tcp = tcp;
  if (tcp) s.tcp_options = {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2};
  s.payload = pattern(payload, 1);
  return s;
}

void checksums() {
  Bytes b = pattern(70000, 1);
  volatile uint16_t sink = 0;
  for (size_t n : {40u, 100u, 576u, 1400u, 9000u, 65000u}) {
    char name[64];
    snprintf(name, sizeof name, "sum_bytes, %zu bytes", n);
    measure(name, 1, static_cast<double>(n), [&] { sink = fold(sum_bytes(b.data() + 2, n, sink)); });
    snprintf(name, sizeof name, "sum_bytes_plain, %zu bytes", n);
    measure(name, 1, static_cast<double>(n), [&] { sink = fold(sum_bytes_plain(b.data() + 2, n, sink)); });
  }
}

void split(const char *name, int version, bool tcp, size_t payload, uint16_t segment) {
  Spec s = stream(version, tcp, payload);
  s.sum = Sum::kUnfinished;
  Bytes packet = build(s);
  Shape shape = {static_cast<uint16_t>(l3_offset(s)),
                 static_cast<uint16_t>(l4_offset(s)),
                 static_cast<uint16_t>(tcp ? 16 : 6),
                 static_cast<uint16_t>(header_length(s)),
                 segment,
                 !tcp           ? kUdp
                 : version == 4 ? kTcp4
                                : kTcp6};
  uint32_t len = static_cast<uint32_t>(packet.size());
  uint32_t n = segment_count(shape, len);
  std::vector<uint8_t> out(n * 128);
  measure(name, n, segment, [&] {
    Splitter splitter(shape, packet.data(), len);
    for (uint32_t i = 0; i < n; i++) splitter.write(i, out.data() + i * 128);
  });
}

// `flows` streams in turns, `count` frames each, laid end to end as a GRO train is.
void merge(const char *name, int version, bool tcp, size_t flows, size_t count, size_t payload) {
  std::vector<Spec> specs(flows, stream(version, tcp, payload));
  for (size_t f = 0; f < flows; f++) specs[f].sport = static_cast<uint16_t>(1000 + f);
  Bytes slab;
  std::vector<size_t> offsets, lengths;
  for (size_t i = 0; i < count; i++) {
    for (Spec &s : specs) {
      Bytes frame = build(s);
      offsets.push_back(slab.size() + 8);
      lengths.push_back(frame.size());
      slab.resize(slab.size() + 8);
      slab.insert(slab.end(), frame.begin(), frame.end());
      s.seq += static_cast<uint32_t>(payload);
      s.id++;
    }
  }
  std::unique_ptr<Coalescer> co(new Coalescer);
  uint8_t header[kMaxHeader];
  measure(name, static_cast<double>(offsets.size()), static_cast<double>(payload), [&] {
    co->begin(true, true, true, 1450);
    for (size_t i = 0; i < offsets.size(); i++) {
      co->add(static_cast<uint32_t>(i), slab.data() + offsets[i], static_cast<uint32_t>(lengths[i]), 0);
    }
    for (uint32_t k = 0; k < co->count(); k++) {
      if (co->item(k).vnet.gso_type != kSingle) co->write_header(co->item(k), header);
    }
  });
}

}  // namespace

int main(int argc, char **argv) {
  if (argc > 1) only = argv[1];
  checksums();
  split("split TCP/IPv4, 60000 by 1398", 4, true, 60000, 1398);
  split("split TCP/IPv6, 60000 by 1398", 6, true, 60000, 1398);
  split("split UDP/IPv4, 60000 by 1372", 4, false, 60000, 1372);
  split("split TCP/IPv4, 6000 by 100", 4, true, 6000, 100);
  merge("merge TCP/IPv4, 1 flow, 43 x 1398", 4, true, 1, 43, 1398);
  merge("merge TCP/IPv6, 1 flow, 43 x 1378", 6, true, 1, 43, 1378);
  merge("merge UDP/IPv4, 1 flow, 43 x 1400", 4, false, 1, 43, 1400);
  merge("merge UDP/IPv4, 1 flow, 512 x 64", 4, false, 1, 512, 64);
  merge("merge TCP/IPv4, 4 flows, 43 x 1398", 4, true, 4, 43, 1398);
  merge("merge TCP/IPv4, 256 flows, 16 x 100", 4, true, 256, 16, 100);
  merge("merge TCP/IPv4, 1 flow, 700 x 1398 (1 MB)", 4, true, 1, 700, 1398);
  merge("pass pure ACKs, 4 flows", 4, true, 4, 100, 0);
  return 0;
}
