// Session keys by slot: 32 bytes each, with the index that the far end knows the session by. They lie in
// pages of their own that are locked (mlock(2)) where RLIMIT_MEMLOCK allows it and left out of core dumps,
// and are zeroed when cleared. Invariant: set and clear are called between batches, so whoever seals or opens
// reads without a lock. Temperature: find is hot; the rest is cold, and only `set` allocates.
#pragma once
#include <cstddef>
#include <cstdint>

namespace vtepd {

constexpr uint32_t kKeyLen = 32;

struct Key {
  uint32_t words[8];  // the key's bytes, read as little-endian words
  uint32_t remote;    // the far end's index of the session; goes into every header
  uint32_t used;      // 0: an empty slot
  uint64_t born;      // KeyTable::changes() when it was set
};

class KeyTable {
 public:
  KeyTable() = default;
  KeyTable(const KeyTable &) = delete;
  KeyTable &operator=(const KeyTable &) = delete;
  ~KeyTable();

  /// 0 or -errno: -ERANGE beyond kMaxKeys, -ENOMEM. A key that was there is overwritten.
  int set(uint32_t slot, const uint8_t *key, uint32_t remote);
  void clear(uint32_t slot);

  /// nullptr: nothing there.
  const Key *find(int32_t slot) const {
    return slot >= 0 && static_cast<uint32_t>(slot) < room_ && keys_[slot].used ? &keys_[slot] : nullptr;
  }

  /// Grows with every set and clear. A slot may hold another key than before when it has grown, and a counter
  /// that was taken for the old key must never meet the new one: compare with Key::born.
  uint64_t changes() const { return changes_; }

  static constexpr uint32_t kMaxKeys = 1 << 16;

 private:
  int grow(uint32_t slots);

  Key *keys_ = nullptr;
  size_t size_ = 0;  // bytes mapped
  uint32_t room_ = 0;
  uint64_t changes_ = 0;
};

}  // namespace vtepd
