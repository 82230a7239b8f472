// Runs every case whose name contains the argument (all without one).
#include <cstdlib>
#include <cstring>

#include "check.h"

namespace test {

namespace {
int failures = 0;
bool skipped = false;
}  // namespace

std::vector<Case> &cases() {
  static std::vector<Case> all;
  return all;
}

void failed(const char *file, int line, const std::string &what) {
  failures++;
  if (failures <= 50) printf("    %s:%d: %s\n", file, line, what.c_str());
}

void failed_equal(const char *file, int line, const char *text, long long a, long long b) {
  failed(file, line, std::string(text) + ": " + std::to_string(a) + " is not " + std::to_string(b));
}

void skip(const std::string &why) {
  skipped = true;
  printf("    skipped: %s\n", why.c_str());
}

uint64_t seed() {
  static const uint64_t value = [] {
    const char *given = getenv("VTEPD_SEED");
    return given ? strtoull(given, nullptr, 10) : static_cast<uint64_t>(std::random_device()());
  }();
  return value;
}

std::mt19937_64 random_for(const char *name) {
  uint64_t mixed = seed();
  for (; *name; name++) mixed = mixed * 31 + static_cast<unsigned char>(*name);
  return std::mt19937_64(mixed);
}

}  // namespace test

int main(int argc, char **argv) {
  const char *filter = argc > 1 ? argv[1] : "";
  int ran = 0, bad = 0, left_out = 0;
  printf("seed %llu\n", static_cast<unsigned long long>(test::seed()));
  for (const test::Case &c : test::cases()) {
    if (!strstr(c.name, filter)) continue;
    int before = test::failures;
    test::skipped = false;
    c.run();
    ran++;
    left_out += test::skipped;
    bad += test::failures != before;
    printf("%s %s\n", test::failures != before ? "FAIL" : test::skipped ? "skip" : "ok  ", c.name);
    fflush(stdout);
  }
  printf("%d cases, %d failed, %d skipped\n", ran, bad, left_out);
  return bad || ran == 0;
}
