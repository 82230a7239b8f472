// The ciphers beneath sealing, the key table, and the threads that help.
#include "../../native/cipher.h"

#include <errno.h>
#include <string.h>
#include <atomic>
#include <set>

#include "../../native/aead.h"
#include "../../native/crew.h"
#include "check.h"
#include "plain_crypto.h"
#include "tray.h"

using namespace test;
using namespace vtepd;

namespace {

std::vector<std::string> names() {
  load_libcrypto();
  std::vector<std::string> out;
  for (const char *const *name = cipher_names(); *name; name++) out.emplace_back(*name);
  return out;
}

std::unique_ptr<Cipher> evp() {
  if (!load_libcrypto()) skip("no libcrypto.so.3 here");
  return make_evp_cipher();
}

/// A message to be, 100 bytes of text, with the cipher's room around it.
uint32_t put_message(Tray &tray, int32_t key, double counter, uint32_t size = 100) {
  Bytes message(kMessageHeader, 0);
  Bytes text = pattern(size, size);
  message.insert(message.end(), text.begin(), text.end());
  message.resize(message.size() + kTagLen);
  uint32_t i = tray.put(message);
  tray.put(Bytes(kSealBack, 0xa5));  // its tailroom
  tray.count--;
  tray.batch.c.key[i] = key;
  tray.batch.c.ctr[i] = counter;
  return i;
}

}  // namespace

TEST(ciphers_pass_their_test) {
  std::unique_ptr<Cipher> direct = make_direct_cipher();
  CHECK(direct != nullptr);
  CHECK(direct && cipher_passes(*direct, nullptr));
  std::unique_ptr<Cipher> other = evp();
  if (!other) return;
  CHECK(cipher_passes(*other, nullptr));
  CHECK(cipher_passes(*direct, other.get()));
  CHECK((names() == std::vector<std::string>{"chacha20-direct", "chacha20-evp"}));
}

TEST(a_cipher_that_computes_something_else_is_not_chosen) {
  PlainCryptoAsItWas restore;
  std::unique_ptr<Cipher> other = evp();
  std::unique_ptr<Cipher> direct = make_direct_cipher();
  // Wherever it goes wrong: from the first block on, or beyond what the published vectors reach.
  for (size_t from : {size_t{0}, size_t{65}, size_t{200}, size_t{1400}}) {
    chacha_wrong_from = from;
    CHECK(!cipher_passes(*direct, nullptr));
  }
  chacha_wrong_from = 64 + 1490;
  CHECK(!other || !cipher_passes(*direct, other.get()));
  chacha_wrong_from = SIZE_MAX;
  for (size_t after : {size_t{0}, size_t{100}, size_t{1000}}) {
    poly_deaf_after = after;
    CHECK(!cipher_passes(*direct, nullptr));
  }
  poly_deaf_after = SIZE_MAX;
  CHECK(cipher_passes(*direct, other.get()));
}

TEST(internal_functions_of_an_unknown_libcrypto_are_not_called) {
  PlainCryptoAsItWas restore;
  for (unsigned long version : {0x40000000ul, 0x1010117ful}) {
    openssl_version = version;
    CHECK(make_direct_cipher() == nullptr);
  }
}

TEST(without_a_cipher_there_are_no_keys) {
  Aead aead("rot13");
  CHECK(aead.cipher() == nullptr);
  Bytes key(32, 1);
  CHECK_EQ(aead.set_key(0, key.data(), 1), -ENOTSUP);
  aead.clear_key(0);
  Tray tray(8, 1 << 16);
  uint32_t i = put_message(tray, 0, 1);
  CHECK_EQ(aead.open(tray.batch, 1), 1u);
  CHECK_EQ(tray.batch.c.err[i], -ENOKEY);
}

TEST(keys_outlive_the_table_that_grows_and_go_when_cleared) {
  KeyTable table;
  CHECK(table.find(0) == nullptr && table.find(-1) == nullptr);
  for (uint32_t i = 0; i < 1000; i++) {
    Bytes key = pattern(32, i);
    CHECK_EQ(table.set(i, key.data(), i * 3), 0);
  }
  for (uint32_t i = 0; i < 1000; i++) {
    const Key *k = table.find(static_cast<int32_t>(i));
    Bytes key = pattern(32, i);
    CHECK(k && k->remote == i * 3 && memcmp(k->words, key.data(), 32) == 0);
  }
  const Key *gone = table.find(500);
  uint64_t before = table.changes();
  table.clear(500);
  CHECK(table.find(500) == nullptr && table.changes() > before);
  static const Key nothing{};
  CHECK(memcmp(gone, &nothing, sizeof nothing) == 0);
  Bytes key(32, 1);
  CHECK_EQ(table.set(KeyTable::kMaxKeys, key.data(), 0), -ERANGE);
  CHECK_EQ(table.set(KeyTable::kMaxKeys - 1, key.data(), 0), 0);
  table.clear(KeyTable::kMaxKeys);  // nothing there
  CHECK(table.find(999) != nullptr);
}

TEST(a_key_is_not_taken_for_the_one_before_it) {
  Aead aead;
  Bytes key(32, 1);
  CHECK_EQ(aead.set_key(3, key.data(), 1), 0);
  uint64_t then = aead.changes();
  CHECK(aead.usable(3, then));
  CHECK_EQ(aead.set_key(4, key.data(), 1), 0);
  CHECK(aead.usable(3, then) && !aead.usable(4, then));
  CHECK_EQ(aead.set_key(3, key.data(), 1), 0);
  CHECK(!aead.usable(3, then) && aead.usable(3, aead.changes()));
  aead.clear_key(3);
  CHECK(!aead.usable(3, aead.changes()));
}

TEST(what_was_sealed_opens_and_nothing_else_does) {
  for (const std::string &name : names()) {
    Aead aead(name.c_str());
    Tray tray(64, 1 << 20);
    Bytes key = pattern(32, 1);
    Bytes other = pattern(32, 2);
    CHECK_EQ(aead.set_key(0, key.data(), 77), 0);
    CHECK_EQ(aead.set_key(1, other.data(), 77), 0);
    Columns &c = tray.batch.c;
    uint32_t good = put_message(tray, 0, 5);
    uint32_t plain = put_message(tray, kNone, 5);
    uint32_t empty = put_message(tray, 0, 5);
    c.len[empty] = 0;
    uint32_t flipped_tag = put_message(tray, 0, 6);
    uint32_t flipped_text = put_message(tray, 0, 7);
    uint32_t another_key = put_message(tray, 0, 8);
    uint32_t another_counter = put_message(tray, 0, 9);
    uint32_t keepalive = put_message(tray, 0, 10, 0);
    CHECK_EQ(aead.seal_slots(tray.batch, tray.count), 0u);
    auto at = [&](uint32_t i) { return tray.batch.bytes + c.off[i]; };
    at(flipped_tag)[c.len[flipped_tag] - 1] ^= 1;
    at(flipped_text)[kMessageHeader] ^= 0x80;
    c.key[another_key] = 1;
    c.ctr[another_counter] = 1009;
    CHECK_EQ(aead.open(tray.batch, tray.count), 4u);
    for (uint32_t i : {good, plain, empty, keepalive}) CHECK_EQ(c.err[i], 0);
    for (uint32_t i : {flipped_tag, flipped_text, another_key, another_counter}) CHECK_EQ(c.err[i], -EBADMSG);
    const uint8_t header[] = {4, 0, 0, 0, 77, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0};
    CHECK(memcmp(at(good), header, sizeof header) == 0);
    Bytes text = pattern(100, 100);
    CHECK(memcmp(at(good) + kMessageHeader, text.data(), 100) == 0);
    CHECK(memcmp(at(plain) + kMessageHeader, text.data(), 100) == 0);
    // Nothing that is not vouched for lies about as plain text.
    CHECK(memcmp(at(flipped_tag) + kMessageHeader, text.data(), 100) != 0);
  }
}

TEST(columns_that_cannot_be_true_are_refused) {
  Aead aead;
  Tray tray(64, 1 << 20);
  Bytes key = pattern(32, 1);
  CHECK_EQ(aead.set_key(0, key.data(), 77), 0);
  Columns &c = tray.batch.c;
  std::vector<uint32_t> bad;
  for (double counter : {-1.0, 9007199254740992.0, 1e300, static_cast<double>(NAN), -0.5}) {
    bad.push_back(put_message(tray, 0, counter));
  }
  bad.push_back(put_message(tray, 0, 1));
  c.len[bad.back()] = kMessageOverhead - 1;
  bad.push_back(put_message(tray, 0, 1));
  c.off[bad.back()] = static_cast<uint32_t>(tray.batch.size) - 40;
  uint32_t no_key = put_message(tray, 1, 1);
  uint32_t wild_key = put_message(tray, 0x7fffffff, 1);
  CHECK_EQ(aead.open(tray.batch, tray.count), bad.size() + 2);
  for (uint32_t i : bad) CHECK_EQ(c.err[i], -EINVAL);
  CHECK_EQ(c.err[no_key], -ENOKEY);
  CHECK_EQ(c.err[wild_key], -ENOKEY);
  // Sealing needs room in front and behind, too.
  tray.clear();
  uint32_t first = put_message(tray, 0, 1);
  c.off[first] = 47;
  uint32_t last = put_message(tray, 0, 1);
  c.off[last] = static_cast<uint32_t>(tray.batch.size) - c.len[last] - 15;
  CHECK_EQ(aead.seal_slots(tray.batch, tray.count), 2u);
  CHECK_EQ(c.err[first], -EINVAL);
  CHECK_EQ(c.err[last], -EINVAL);
  c.off[first]++;
  c.off[last]--;
  CHECK_EQ(aead.seal_slots(tray.batch, tray.count), 0u);
}

TEST(messages_that_lie_end_to_end_open_by_many_threads) {
  auto random = random_for("end_to_end");
  for (const std::string &name : names()) {
    Aead aead(name.c_str());
    Bytes key = pattern(32, 1);
    CHECK_EQ(aead.set_key(0, key.data(), 77), 0);
    // Sealed apart, then laid out as UDP GRO hands them over: without a byte between them.
    constexpr uint32_t kCount = 300;
    std::vector<Bytes> messages;
    Tray one(8, 1 << 16);
    for (uint32_t i = 0; i < kCount; i++) {
      one.clear();
      put_message(one, 0, i, static_cast<uint32_t>(between(random, 0, 700)));
      CHECK_EQ(aead.seal_slots(one.batch, 1), 0u);
      messages.push_back(one.bytes(0));
      if (chance(random, 10)) messages.back().back() ^= 1;
    }
    std::vector<Bytes> results;
    for (uint32_t helpers : {0u, 1u, 3u}) {
      aead.set_helpers(helpers);
      Tray tray(512, 1 << 20);
      uint32_t at = 128;
      for (uint32_t i = 0; i < kCount; i++) {
        tray.put(messages[i]);
        memcpy(tray.batch.bytes + at, messages[i].data(), messages[i].size());
        tray.batch.c.off[i] = at;
        tray.batch.c.key[i] = 0;
        tray.batch.c.ctr[i] = i;
        at += static_cast<uint32_t>(messages[i].size());
      }
      uint32_t failed = aead.open(tray.batch, kCount);
      CHECK(failed > 0 && failed < kCount);
      Bytes result(tray.batch.bytes + 128, tray.batch.bytes + at);
      for (uint32_t i = 0; i < kCount; i++) {
        result.push_back(tray.batch.c.err[i] != 0);
        if (tray.batch.c.err[i] != 0) continue;
        Bytes text = pattern(messages[i].size() - kMessageOverhead, messages[i].size() - kMessageOverhead);
        CHECK(memcmp(tray.batch.bytes + tray.batch.c.off[i] + kMessageHeader, text.data(), text.size()) == 0);
      }
      results.push_back(result);
    }
    CHECK(results[0] == results[1] && results[0] == results[2]);
  }
}

TEST(every_job_is_done_once_whoever_does_it) {
  struct Seen {
    std::atomic<uint32_t> times[1000] = {};
    std::atomic<uint32_t> threads{0};
  };
  Crew crew;
  auto work = [](void *context, uint32_t job, uint32_t thread) {
    auto *seen = static_cast<Seen *>(context);
    seen->times[job]++;
    seen->threads |= 1u << thread;
  };
  for (uint32_t size : {3u, 1u, 0u, 2u, 99u}) {
    crew.set_size(size);
    CHECK_EQ(crew.size(), size < Crew::kMost ? size : Crew::kMost);
    for (uint32_t round = 0; round < 300; round++) {
      uint32_t jobs = round * 7 % 1000;
      Seen seen;
      crew.run(jobs, work, &seen);
      bool once = true;
      for (uint32_t j = 0; j < 1000; j++) once = once && seen.times[j] == (j < jobs ? 1u : 0u);
      CHECK(once);
      CHECK(seen.threads < 1u << (crew.size() + 1));
    }
  }
}

TEST(a_crew_helps_and_is_waited_for) {
  struct Meeting {
    std::atomic<uint32_t> here{0};
    std::atomic<uint32_t> steps{0};
  };
  if (Crew::spare_cores() == 0) {
    skip("one core");
    return;
  }
  constexpr uint32_t kSteps = 1000000;
  Crew crew;
  crew.set_size(1);
  Meeting meeting;
  // Neither job ends before the other has begun, so one thread alone would never get through; and the
  // helper's takes much longer than any patience.
  crew.run(
      2,
      [](void *context, uint32_t, uint32_t thread) {
        auto *m = static_cast<Meeting *>(context);
        m->here++;
        while (m->here < 2) {
        }
        for (uint32_t i = 0; i < kSteps && thread != 0; i++) m->steps++;
      },
      &meeting);
  CHECK_EQ(meeting.here.load(), 2u);
  CHECK_EQ(meeting.steps.load(), kSteps);
}
