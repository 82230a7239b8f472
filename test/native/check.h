// A test harness of a page: TEST makes and registers a case, CHECK records a failure and goes on, skip() says why a
// case did not run. Random cases draw from one seed, which the runner prints (VTEPD_SEED sets it).
#pragma once
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

namespace test {

struct Case {
  const char *name;
  void (*run)();
};

std::vector<Case> &cases();
void failed(const char *file, int line, const std::string &what);
void skip(const std::string &why);
uint64_t seed();

struct Registration {
  Registration(const char *name, void (*run)()) { cases().push_back({name, run}); }
};

/// A generator of its own for every case, so that leaving one out does not change the others.
std::mt19937_64 random_for(const char *name);

/// A number in [low, high].
inline uint64_t between(std::mt19937_64 &random, uint64_t low, uint64_t high) {
  return low + random() % (high - low + 1);
}
inline bool chance(std::mt19937_64 &random, unsigned one_in) { return random() % one_in == 0; }

}  // namespace test

#define TEST(name)                                                      \
  static void test_##name();                                            \
  static const test::Registration registration_##name(#name, test_##name); \
  static void test_##name()

#define CHECK(condition)                                          \
  do {                                                            \
    if (!(condition)) test::failed(__FILE__, __LINE__, #condition); \
  } while (0)

#define CHECK_EQ(a, b)                                                                             \
  do {                                                                                             \
    const auto check_a = (a);                                                                      \
    const auto check_b = (b);                                                                      \
    if (!(check_a == check_b))                                                                     \
      test::failed(__FILE__, __LINE__,                                                             \
                   std::string(#a " == " #b ": ") + std::to_string(check_a) + " is not " + std::to_string(check_b)); \
  } while (0)
