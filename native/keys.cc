#include "keys.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bytes.h"

namespace vtepd {

KeyTable::~KeyTable() {
  if (keys_ == nullptr) return;
  explicit_bzero(keys_, size_);
  munmap(keys_, size_);
}

int KeyTable::set(uint32_t slot, const uint8_t *key, uint32_t remote) {
  if (slot >= kMaxKeys) return -ERANGE;
  if (slot >= room_) {
    int error = grow(slot + 1);
    if (error < 0) return error;
  }
  Key &k = keys_[slot];
  for (int i = 0; i < 8; i++) k.words[i] = load_le32(key + 4 * i);
  k.remote = remote;
  k.used = 1;
  k.born = ++changes_;
  return 0;
}

void KeyTable::clear(uint32_t slot) {
  if (slot >= room_) return;
  explicit_bzero(&keys_[slot], sizeof keys_[slot]);
  changes_++;
}

int KeyTable::grow(uint32_t slots) {
  size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  size_t size = size_ ? size_ * 2 : page;
  while (size / sizeof(Key) < slots) size *= 2;
  void *at = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return -errno;
  // Refused by RLIMIT_MEMLOCK: then the keys may be swapped out, which is no reason to do without them.
  static_cast<void>(mlock(at, size));
  madvise(at, size, MADV_DONTDUMP);
  if (keys_ != nullptr) {
    memcpy(at, keys_, size_);
    explicit_bzero(keys_, size_);
    munmap(keys_, size_);
  }
  keys_ = static_cast<Key *>(at);
  size_ = size;
  room_ = static_cast<uint32_t>(size / sizeof(Key));
  return 0;
}

}  // namespace vtepd
