// A plain driver for machines without libFuzzer: mutates the seeds and what came of them. Understands -runs=,
// -seed=, -max_total_time=, or a file to run once.
#include <string.h>
#include <time.h>

#include <cstdint>

#include "target.h"

namespace {

using test::Bytes;

std::mt19937_64 random_numbers;

size_t below(size_t n) { return random_numbers() % n; }

void mutate(Bytes &b) {
  for (size_t times = 1 + below(4); times > 0; times--) {
    if (b.empty()) b.push_back(0);
    size_t at = below(2) ? below(b.size()) : below(b.size() < 64 ? b.size() : 64);
    static const uint8_t kEdges[] = {0, 1, 0x7f, 0x80, 0xff, 6, 17, 44, 0x45, 0x60};
    switch (below(7)) {
      case 0:
        b[at] ^= static_cast<uint8_t>(1u << below(8));
        break;
      case 1:
        b[at] = static_cast<uint8_t>(random_numbers());
        break;
      case 2:
        b[at] = kEdges[below(sizeof kEdges)];
        break;
      case 3:
        b.resize(at);
        break;
      case 4:
        b.insert(b.begin() + static_cast<long>(at), 1 + below(40), static_cast<uint8_t>(random_numbers()));
        break;
      case 5:
        b.erase(b.begin() + static_cast<long>(at), b.begin() + static_cast<long>(at + below(b.size() - at)));
        break;
      default: {
        size_t from = below(b.size());
        size_t n = below(b.size() - (from > at ? from : at)) % 64;
        memmove(b.data() + at, b.data() + from, n);
      }
    }
  }
  if (b.size() > 70000) b.resize(70000);
}

// The input that a crash needs, written before it runs: a sanitizer ends the process.
void run(const Bytes &input) {
  Bytes exact = input;
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

}  // namespace

int main(int argc, char **argv) {
  uint64_t runs = UINT64_MAX, seed = std::random_device()();
  double seconds = 0;
  for (int i = 1; i < argc; i++) {
    if (sscanf(argv[i], "-runs=%lu", &runs) == 1 || sscanf(argv[i], "-seed=%lu", &seed) == 1 ||
        sscanf(argv[i], "-max_total_time=%lf", &seconds) == 1 || argv[i][0] == '-') {
      continue;
    }
    FILE *f = fopen(argv[i], "rb");
    if (!f) return 1;
    Bytes input(1 << 20);
    input.resize(fread(input.data(), 1, input.size(), f));
    fclose(f);
    run(input);
    return 0;
  }
  printf("seed %lu\n", seed);
  fflush(stdout);
  random_numbers.seed(seed);
  std::vector<Bytes> pool = seeds();
  const size_t first = pool.size();
  for (const Bytes &s : pool) run(s);
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  const double start = static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
  uint64_t done = 0;
  for (; done < runs; done++) {
    if (seconds > 0 && done % 256 == 0) {
      clock_gettime(CLOCK_MONOTONIC, &t);
      if (static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9 - start > seconds) break;
    }
    Bytes input = pool[below(pool.size())];
    mutate(input);
    run(input);
    // Some children become parents, so that mutations add up.
    if (below(20) == 0) {
      if (pool.size() < first + 200) {
        pool.push_back(input);
      } else {
        pool[first + below(200)] = input;
      }
    }
  }
  printf("%lu runs\n", done);
  return 0;
}
