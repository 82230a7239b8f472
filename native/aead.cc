#include "aead.h"

#include <errno.h>
#include <string.h>

#include "bytes.h"

namespace vtepd {

namespace {

constexpr uint32_t kTransport = 4;

}  // namespace

Aead::Aead(const char *cipher) {
  if (cipher == nullptr) cipher = cipher_names()[0];
  if (cipher != nullptr) cipher_ = make_cipher(cipher);
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

uint32_t Aead::open(Batch &b, uint32_t count) {
  uint32_t failed = 0;
  if (count > b.slots) count = b.slots;
  for (uint32_t i = 0; i < count; i++) {
    b.c.err[i] = b.c.len[i] != 0 && b.c.key[i] >= 0 ? open_one(b, i, 0) : 0;
    failed += b.c.err[i] != 0;
  }
  return failed;
}

int Aead::open_one(Batch &b, uint32_t i, uint32_t thread) {
  const Key *key = keys_.find(b.c.key[i]);
  if (key == nullptr) return -ENOKEY;
  uint32_t len = b.c.len[i];
  double counter = b.c.ctr[i];
  // Also false for what is no number.
  if (!b.holds(i) || len < kMessageOverhead || !(counter >= 0 && counter < kMaxCounter)) return -EINVAL;
  Use use = {thread, static_cast<uint32_t>(b.c.key[i]), key, static_cast<uint64_t>(counter)};
  return cipher_->open(use, b.bytes + b.c.off[i] + kMessageHeader, len - kMessageOverhead) ? 0 : -EBADMSG;
}

}  // namespace vtepd
