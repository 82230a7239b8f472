// A test harness of a page: TEST makes and registers a case, CHECK records a failure and goes on, skip() says
// why a case did not run. Random cases draw from one seed, which the runner prints (VTEPD_SEED sets it).
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

inline void check(bool holds, const char *file, int line, const char *text) {
  if (!holds) failed(file, line, text);
}

void failed_equal(const char *file, int line, const char *text, long long a, long long b);

template <class A, class B>
inline void check_equal(A a, B b, const char *file, int line, const char *text) {
  if (!(a == b)) failed_equal(file, line, text, static_cast<long long>(a), static_cast<long long>(b));
}

/// A generator of its own for every case, so that leaving one out does not change the others.
std::mt19937_64 random_for(const char *name);

/// A number in [low, high].
inline uint64_t between(std::mt19937_64 &random, uint64_t low, uint64_t high) {
  return low + random() % (high - low + 1);
}
inline bool chance(std::mt19937_64 &random, unsigned one_in) { return random() % one_in == 0; }

}  // namespace test

#define TEST(name)                                                         \
  static void test_##name();                                               \
  static const test::Registration registration_##name(#name, test_##name); \
  static void test_##name()

#define CHECK(condition) test::check(condition, __FILE__, __LINE__, #condition)
#define CHECK_EQ(a, b) test::check_equal(a, b, __FILE__, __LINE__, #a " == " #b)
