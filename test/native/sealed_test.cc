// The Sender with keys: what arrives is opened again and compared with what was to be sent.
#include <errno.h>
#include <math.h>
#include <string.h>
#include <map>

#include "../../native/bytes.h"
#include "check.h"
#include "faults.h"
#include "plain_crypto.h"
#include "wire.h"

using namespace test;
using namespace vtepd;

namespace {

constexpr uint32_t kRemote = 0xa1b2c3d4;

struct Faults {
  ~Faults() { on_message = nullptr; }
};

bool open_wire(Wire &w, uint32_t far_ends = 1, uint32_t ports = 1) {
  if (!w.open(AF_INET, far_ends, ports)) return false;
  for (uint32_t slot = 0; slot < 3; slot++) {
    CHECK_EQ(w.aead.set_key(slot, pattern(32, slot).data(), kRemote + slot), 0);
  }
  return true;
}

void with_key(Wire &w, uint32_t slot, int32_t key, double counter) {
  w.tray.batch.c.key[slot] = key;
  w.tray.batch.c.ctr[slot] = counter;
}

uint64_t counter_of(const Bytes &message) {
  return load_le32(message.data() + 8) | static_cast<uint64_t>(load_le32(message.data() + 12)) << 32;
}

/// The packet in a transport message, if the key in that slot sealed it.
Bytes opened(Wire &w, const Bytes &message, int32_t key = 0) {
  Tray tray(8, 1 << 17);
  tray.put(message);
  tray.batch.c.key[0] = key;
  tray.batch.c.ctr[0] = static_cast<double>(counter_of(message));
  CHECK(message.size() >= kMessageOverhead);
  CHECK_EQ(load_le32(message.data()), 4u);
  CHECK_EQ(load_le32(message.data() + 4), kRemote + static_cast<uint32_t>(key));
  CHECK_EQ(w.aead.open(tray.batch, 1), 0u);
  Bytes out = tray.bytes(0);
  return Bytes(out.begin() + kMessageHeader, out.end() - kTagLen);
}

/// Every message's bytes as the kernel was offered them, by key and counter: however often, they are the
/// same.
class Ledger {
 public:
  void note(const msghdr &m) {
    size_t segment = segment_of(m);
    Bytes all;
    for (size_t i = 0; i < m.msg_iovlen; i++) {
      auto *p = static_cast<const uint8_t *>(m.msg_iov[i].iov_base);
      all.insert(all.end(), p, p + m.msg_iov[i].iov_len);
    }
    for (size_t at = 0; at < all.size();) {
      size_t n = segment && all.size() - at > segment ? segment : all.size() - at;
      Bytes one(all.begin() + static_cast<long>(at), all.begin() + static_cast<long>(at + n));
      at += n;
      if (n < kMessageOverhead || load_le32(one.data()) != 4) continue;
      auto known = seen_.emplace(std::make_pair(load_le32(one.data() + 4), counter_of(one)), one);
      CHECK(known.first->second == one);
    }
  }

 private:
  std::map<std::pair<uint32_t, uint64_t>, Bytes> seen_;
};

}  // namespace

TEST(sealed_trains_arrive_as_the_right_messages) {
  for (bool gso : {true, false}) {
    for (uint32_t helpers : {0u, 3u}) {
      Wire w;
      if (!open_wire(w)) return;
      w.aead.set_helpers(helpers);
      if (!gso) w.set_gso(false);
      std::vector<Bytes> want;
      std::vector<Bytes> all;
      with_key(w, put_train(w, super(60000), 1398, 0, 0, &all), 0, 1000);
      size_t first = all.size();
      with_key(w, put_train(w, super(60000), 900, 0, 0, &all), 0, 5e15);
      CHECK(w.send());
      CHECK_EQ(w.sender.failed(), 0u);
      auto got = w.receive(0);
      CHECK_EQ(got.size(), all.size());
      for (size_t i = 0; i < got.size() && i < all.size(); i++) {
        uint64_t counter = i < first ? 1000 + i : 5000000000000000u + i - first;
        CHECK_EQ(counter_of(got[i].bytes), counter);
        CHECK(opened(w, got[i].bytes) == all[i]);
      }
      // Two, or three where the kernel takes no more than 64 segments.
      CHECK(gso ? w.stats.messages <= 3 : w.stats.messages == all.size());
    }
  }
}

TEST(sealed_packets_are_padded_to_16_but_not_beyond_the_limit) {
  Wire w;
  if (!open_wire(w)) return;
  struct {
    uint16_t limit;
    uint32_t len, padded;
  } cases[] = {{0, 1, 1},          {0, 1419, 1419},    {1420, 0, 0},       {1420, 1, 16},
               {1420, 16, 16},     {1420, 17, 32},     {1420, 1408, 1408}, {1420, 1409, 1420},
               {1420, 1420, 1420}, {1420, 1421, 1421}, {1420, 3000, 3000}, {40, 33, 40},
               {15, 3, 15}};
  for (auto &c : cases) {
    w.endpoints[0].pad = c.limit;
    w.tray.clear();
    Bytes packet = pattern(c.len, 1);
    uint32_t i = w.put(packet, 0);
    with_key(w, i, 0, c.len);
    if (c.len == 0) w.tray.batch.c.kind[i] = kKeepalive;
    CHECK(w.send());
    auto got = w.receive(0);
    CHECK_EQ(got.size(), 1u);
    if (got.size() != 1) continue;
    packet.resize(c.padded, 0);
    CHECK(opened(w, got[0].bytes) == packet);
  }
}

TEST(padded_segments_still_share_a_message) {
  Wire w;
  if (!open_wire(w)) return;
  w.endpoints[0].pad = 1400;
  std::vector<Bytes> want;
  // Its segments are 1357 bytes with their headers, 1360 when padded; the last one is as long only when
  // padded.
  Spec s = super(1295 * 10 + 1290);
  with_key(w, put_train(w, s, 1295, 0, 0, &want), 0, 0);
  CHECK_EQ(want.front().size() - want.back().size(), 5u);
  // Joined by a packet that only padding makes equal.
  want.push_back(pattern(1350, 1));
  with_key(w, w.put(want.back(), 0), 0, 100);
  CHECK(w.send());
  CHECK_EQ(w.stats.messages, 1u);
  auto got = w.receive(0);
  CHECK_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); i++) {
    CHECK_EQ(got[i].bytes.size(), 1360u + kMessageOverhead);
    want[i].resize(1360, 0);
    CHECK(opened(w, got[i].bytes) == want[i]);
  }
}

TEST(copies_for_several_share_the_plain_bytes) {
  Wire w;
  if (!open_wire(w, 2)) return;
  Columns &c = w.tray.batch.c;
  std::vector<Bytes> want;
  uint32_t first = put_train(w, super(20000), 1000, 0, 0, &want);
  with_key(w, first, 0, 0);
  for (int32_t peer : {1, 0}) {
    uint32_t i = w.put({}, peer);
    c.off[i] = c.off[first];
    c.len[i] = c.len[first];
    for (auto column : {c.segment, c.header, c.l3}) column[i] = column[first];
    c.sum[i] = c.sum[first];
    c.kind[i] = c.kind[first];
    with_key(w, i, peer == 1 ? 1 : kNone, 0);
  }
  CHECK(w.send());
  auto sealed_for_0 = w.receive(0);
  auto sealed_for_1 = w.receive(1);
  CHECK_EQ(sealed_for_0.size(), want.size() * 2);
  CHECK_EQ(sealed_for_1.size(), want.size());
  for (size_t i = 0; i < want.size(); i++) {
    CHECK(opened(w, sealed_for_0[i].bytes, 0) == want[i]);
    CHECK(opened(w, sealed_for_1[i].bytes, 1) == want[i]);
    CHECK(sealed_for_0[want.size() + i].bytes == want[i]);
  }
}

TEST(keys_and_plain_do_not_share_a_message) {
  Wire w;
  if (!open_wire(w)) return;
  std::vector<Bytes> want;
  for (int32_t key : {0, 0, 1, kNone, 0}) {
    Bytes packet = pattern(key == kNone ? 100 + kMessageOverhead : 100, w.tray.count);
    want.push_back(packet);
    with_key(w, w.put(packet, 0), key, w.tray.count);
  }
  CHECK(w.send());
  CHECK_EQ(w.stats.messages, 4u);
  auto got = w.receive(0);
  CHECK_EQ(got.size(), 5u);
  CHECK(got[3].bytes == want[3]);
  CHECK(opened(w, got[2].bytes, 1) == want[2]);
}

TEST(sealing_refuses_what_it_cannot_do) {
  Wire w;
  if (!open_wire(w)) return;
  Columns &c = w.tray.batch.c;
  Bytes d = pattern(100, 1);
  uint32_t longest = w.put(pattern(65507 - kMessageOverhead, 1), 0);
  with_key(w, longest, 0, 1);
  uint32_t too_long = w.put(pattern(65508 - kMessageOverhead, 1), 0);
  with_key(w, too_long, 0, 2);
  std::vector<uint32_t> bad;
  for (double counter : {-1.0, 9007199254740992.0, 1e300, static_cast<double>(NAN)}) {
    bad.push_back(w.put(d, 0));
    with_key(w, bad.back(), 0, counter);
  }
  // Its last segment would pass the end.
  bad.push_back(put_train(w, super(3000), 1000, 0, 0, nullptr));
  with_key(w, bad.back(), 0, 9007199254740992.0 - 2);
  uint32_t fits = put_train(w, super(3000), 1000, 0, 0, nullptr);
  with_key(w, fits, 0, 9007199254740992.0 - 3);
  uint32_t no_key = w.put(d, 0);
  with_key(w, no_key, 9, 1);
  uint32_t wild_key = w.put(d, 0);
  with_key(w, wild_key, 0x7fffffff, 1);
  uint32_t dropped = w.put(d, 0);
  with_key(w, dropped, 0, 3);
  c.len[dropped] = 0;
  CHECK(w.send());
  CHECK_EQ(c.err[longest], 0);
  CHECK_EQ(c.err[too_long], -EMSGSIZE);
  for (uint32_t i : bad) CHECK_EQ(c.err[i], -EINVAL);
  CHECK_EQ(c.err[fits], 0);
  CHECK_EQ(c.err[no_key], -ENOKEY);
  CHECK_EQ(c.err[wild_key], -ENOKEY);
  CHECK_EQ(c.err[dropped], 0);
  CHECK_EQ(w.sender.failed(), bad.size() + 3);
  CHECK_EQ(w.receive(0).size(), 1u + 3u);
}

// Whatever the mix and wherever the socket is full: everything arrives once, per source port in the order of
// the slots, and no counter ever covers two different packets.
TEST(sealed_random_batches_with_full_sockets) {
  Faults faults;
  auto random = random_for("sealed_random");
  Wire w;
  if (!open_wire(w, 3, 4)) return;
  w.aead.set_helpers(1);
  double counter = 0;
  for (int round = 0; round < 12; round++) {
    w.tray.clear();
    w.set_gso(!chance(random, 3));
    Ledger ledger;
    std::map<std::pair<int32_t, uint16_t>, std::vector<Bytes>> want;
    size_t count = between(random, 1, 300);
    size_t bytes = 0;
    for (size_t i = 0; i < count && bytes < 400000; i++) {
      int32_t peer = static_cast<int32_t>(between(random, 0, 2));
      uint16_t port = static_cast<uint16_t>(random());
      auto &list = want[{peer, w.port_of(port % 4)}];
      uint32_t slot;
      if (chance(random, 12)) {
        Spec s = super(between(random, 1, 50000), chance(random, 2));
        bytes += s.payload.size() * 2;
        slot = put_train(w, s, static_cast<uint16_t>(between(random, 300, 1400)), peer, port, &list);
      } else {
        size_t n = chance(random, 2) ? 100 : between(random, 1, 1400);
        list.push_back(pattern(n, static_cast<uint32_t>(random())));
        bytes += n;
        slot = w.put(list.back(), peer, port);
      }
      with_key(w, slot, peer == 2 ? kNone : peer, counter);
      counter += 200;
    }
    uint64_t one_in = between(random, 2, 50);
    on_message = [&](const msghdr &m) {
      ledger.note(m);
      return chance(random, static_cast<unsigned>(one_in)) ? EAGAIN : 0;
    };
    bool done = w.send();
    for (int turns = 0; !done && turns < 10000; turns++) {
      // Another key's change makes it seal again.
      if (chance(random, 3)) w.aead.set_key(2, pattern(32, 2).data(), kRemote + 2);
      done = w.resume();
    }
    on_message = nullptr;
    CHECK(done);
    CHECK_EQ(w.sender.failed(), 0u);
    std::map<std::pair<int32_t, uint16_t>, std::vector<Bytes>> got;
    for (int32_t peer = 0; peer < 3; peer++) {
      for (const Received &r : w.receive(static_cast<uint32_t>(peer))) {
        got[{peer, r.port}].push_back(peer == 2 ? r.bytes : opened(w, r.bytes, peer));
      }
    }
    CHECK(got == want);
  }
}

TEST(a_message_that_gso_refuses_goes_out_sealed_all_the_same) {
  Faults faults;
  for (int error : {EIO, EINVAL}) {
    for (bool full_socket : {true, false}) {
      Wire w;
      if (!open_wire(w)) return;
      Ledger ledger;
      std::vector<Bytes> want;
      with_key(w, put_train(w, super(20000), 1398, 0, 0, &want), 0, 0);
      for (uint32_t i = 0; i < 3; i++) {
        want.push_back(pattern(700, i));
        with_key(w, w.put(want.back(), 0), 0, 100 + i);
      }
      int calls = 0;
      on_message = [&](const msghdr &m) {
        ledger.note(m);
        if (full_socket && ++calls % 3 == 0) return EAGAIN;
        return segment_of(m) ? error : 0;
      };
      bool done = w.send();
      CHECK_EQ(done, !full_socket);
      for (int turns = 0; !done && turns < 1000; turns++) done = w.resume();
      CHECK_EQ(w.sender.failed(), 0u);
      CHECK(!w.pools[0].gso && w.sender.gso_broke());
      auto got = w.receive(0);
      CHECK_EQ(got.size(), want.size());
      for (size_t i = 0; i < got.size() && i < want.size(); i++) CHECK(opened(w, got[i].bytes) == want[i]);
    }
  }
}

TEST(a_segment_that_is_refused_alone_costs_no_other) {
  Faults faults;
  for (int32_t key : {0, kNone}) {
    Wire w;
    if (!open_wire(w)) return;
    std::vector<Bytes> want;
    with_key(w, put_train(w, super(5000), 1000, 0, 0, &want), key, 0);
    int singles = 0;
    on_message = [&](const msghdr &m) { return segment_of(m) ? EIO : ++singles == 2 ? EPERM : 0; };
    CHECK(w.send());
    CHECK_EQ(w.tray.batch.c.err[0], -EPERM);
    want.erase(want.begin() + 1);
    auto got = w.receive(0);
    CHECK_EQ(got.size(), want.size());
    for (size_t i = 0; i < got.size() && i < want.size(); i++) {
      CHECK((key == 0 ? opened(w, got[i].bytes) : got[i].bytes) == want[i]);
    }
  }
}

// Between a full socket and the resume a session may end, and its slot may get the next session's key: that
// one must never see a counter of the old.
TEST(a_key_that_goes_while_a_socket_is_full_takes_its_packets_along) {
  Faults faults;
  for (bool singly : {false, true}) {
    for (bool replaced : {false, true}) {
      Wire w;
      if (!open_wire(w)) return;
      uint32_t before = w.put(pattern(50, 1), 0);
      with_key(w, before, 1, 99);
      uint32_t a = put_train(w, super(20000), 1000, 0, 0, nullptr);
      with_key(w, a, 0, 0);
      uint32_t b = w.put(pattern(100, 1), 0);
      with_key(w, b, 0, 100);
      uint32_t c = w.put(pattern(100, 1), 0);
      with_key(w, c, 1, 100);
      uint32_t d = w.put(pattern(100, 1), 0);
      int sent = 0;
      on_message = [&](const msghdr &m) {
        if (singly && segment_of(m)) return EIO;
        return singly && sent++ < 3 ? 0 : EAGAIN;
      };
      CHECK(!w.send());
      on_message = nullptr;
      if (replaced) {
        CHECK_EQ(w.aead.set_key(0, pattern(32, 9).data(), kRemote + 9), 0);
      } else {
        w.aead.clear_key(0);
      }
      CHECK(w.resume());
      const int32_t *err = w.tray.batch.c.err;
      CHECK_EQ(err[before], 0);
      CHECK_EQ(err[a], -ENOKEY);
      CHECK_EQ(err[b], -ENOKEY);
      CHECK_EQ(err[c], 0);
      CHECK_EQ(err[d], 0);
      CHECK_EQ(w.sender.failed(), 2u);
      CHECK_EQ(w.receive(0).size(), singly ? 5u : 3u);
    }
  }
}

TEST(a_full_socket_does_not_make_it_seal_twice) {
  Faults faults;
  PlainCryptoAsItWas restore;
  Wire w;
  if (!open_wire(w)) return;
  if (strcmp(w.aead.cipher(), "chacha20-direct") != 0) {
    skip("another cipher");
    return;
  }
  std::vector<Bytes> want;
  for (uint32_t i = 0; i < 100; i++) {
    want.push_back(pattern(100 + i, i));
    with_key(w, w.put(want.back(), 0), 0, i);
  }
  int calls = 0;
  on_message = [&](const msghdr &) { return ++calls == 1 ? EAGAIN : 0; };
  CHECK(!w.send());
  // What is sealed from now on is wrong; the first call's 64 messages have been before.
  chacha_wrong_from = 0;
  on_message = nullptr;
  CHECK(w.resume());
  chacha_wrong_from = SIZE_MAX;
  auto got = w.receive(0);
  CHECK_EQ(got.size(), 100u);
  uint32_t good = 0;
  for (size_t i = 0; i < got.size(); i++) good += opened(w, got[i].bytes) == want[i];
  CHECK_EQ(good, 64u);
}
