#include "aead.h"

#include <errno.h>
#include <string.h>

#include "bytes.h"

namespace vtepd {

namespace {

constexpr uint32_t kTransport = 4;

/// Work from which the crew is woken, in bytes; a packet costs as much as so many bytes more. Waking costs
/// the caller some 5 us and takes up to 50 us to show. Sealing 8 to 512 packets of 1420 bytes with one helper
/// on two cores, idle and busy: slower up to 48, 64 from 1.4 times as fast to slower, from 96 on up to 1.7
/// times as fast and hardly ever slower. 128 KiB are some 70 of them. bench/aead.ts shows 256.
constexpr uint64_t kShared = 128 * 1024;
constexpr uint64_t kPacketWeight = 300;

/// Slots of one job of open.
constexpr uint32_t kJobSlots = 8;

}  // namespace

Aead::Aead(const char *cipher) {
  if (cipher == nullptr) cipher = cipher_names()[0];
  if (cipher != nullptr) cipher_ = make_cipher(cipher);
  crew_.set_size(Crew::spare_cores());
}

void Aead::run(uint32_t jobs, uint64_t packets, uint64_t bytes, CrewWork *work, void *context) {
  if (bytes + packets * kPacketWeight >= kShared) {
    crew_.run(jobs, work, context);
    return;
  }
  for (uint32_t j = 0; j < jobs; j++) work(context, j, 0);
}

int Aead::set_key(uint32_t slot, const uint8_t *key, uint32_t remote) {
  if (!cipher_) return -ENOTSUP;
  int error = keys_.set(slot, key, remote);
  if (error == 0) cipher_->changed(slot);
  return error;
}

void Aead::clear_key(uint32_t slot) {
  if (keys_.find(static_cast<int32_t>(slot)) == nullptr) return;
  keys_.clear(slot);
  cipher_->changed(slot);
}

bool Aead::seal(uint32_t thread, int32_t slot, uint64_t counter, uint8_t *text, uint32_t len) {
  const Key *key = keys_.find(slot);
  bool good = key != nullptr && cipher_->seal({thread, static_cast<uint32_t>(slot), key, counter}, text, len);
  uint8_t *header = text - kMessageHeader;
  if (!good) {
    memset(header, 0, kMessageOverhead + static_cast<size_t>(len));
    return false;
  }
  store_le32(header, kTransport);
  store_le32(header + 4, key->remote);
  store_le64(header + 8, counter);
  return true;
}

uint32_t Aead::open(Batch &b, uint32_t count) { return each<&Aead::open_one>(b, count); }

uint32_t Aead::seal_slots(Batch &b, uint32_t count) { return each<&Aead::seal_one>(b, count); }

template <Aead::SlotWork work>
uint32_t Aead::each(Batch &b, uint32_t count) {
  struct Task {
    Aead *aead;
    Batch *b;
    uint32_t count;
  };
  if (count > b.slots) count = b.slots;
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < count; i++) bytes += b.c.len[i];
  Task task = {this, &b, count};
  run((count + kJobSlots - 1) / kJobSlots, count, bytes,
      [](void *context, uint32_t job, uint32_t thread) {
        auto *t = static_cast<Task *>(context);
        Columns &c = t->b->c;
        uint32_t end = (job + 1) * kJobSlots < t->count ? (job + 1) * kJobSlots : t->count;
        for (uint32_t i = job * kJobSlots; i < end; i++) {
          c.err[i] = c.len[i] != 0 && c.key[i] >= 0 ? (t->aead->*work)(*t->b, i, thread) : 0;
        }
      },
      &task);
  uint32_t failed = 0;
  for (uint32_t i = 0; i < count; i++) failed += b.c.err[i] != 0;
  return failed;
}

int Aead::open_one(Batch &b, uint32_t i, uint32_t thread) {
  Use use;
  int error = find(b, i, thread, &use);
  if (error != 0) return error;
  uint8_t *text = b.bytes + b.c.off[i] + kMessageHeader;
  return cipher_->open(use, text, b.c.len[i] - kMessageOverhead) ? 0 : -EBADMSG;
}

int Aead::seal_one(Batch &b, uint32_t i, uint32_t thread) {
  Use use;
  int error = find(b, i, thread, &use);
  if (error != 0) return error;
  size_t off = b.c.off[i];
  if (off + kMessageHeader < kSealFront || off + b.c.len[i] + kTagLen > b.size) return -EINVAL;
  uint8_t *text = b.bytes + off + kMessageHeader;
  return seal(thread, b.c.key[i], use.counter, text, b.c.len[i] - kMessageOverhead) ? 0 : -ENOMEM;
}

// What slot i's columns say of a message. 0, -ENOKEY or -EINVAL.
int Aead::find(const Batch &b, uint32_t i, uint32_t thread, Use *use) const {
  const Key *key = keys_.find(b.c.key[i]);
  if (key == nullptr) return -ENOKEY;
  double counter = b.c.ctr[i];
  // Also false for what is no number.
  if (!b.holds(i) || b.c.len[i] < kMessageOverhead || !(counter >= 0 && counter < kMaxCounter))
    return -EINVAL;
  *use = {thread, static_cast<uint32_t>(b.c.key[i]), key, static_cast<uint64_t>(counter)};
  return 0;
}

}  // namespace vtepd
