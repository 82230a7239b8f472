// Sealing and opening transport messages (WG §5.4.6): the key table, the cipher that was chosen, and the
// header that both put around a packet:
//     off        off + 8    off + 16
//     | 4 0 0 0 | index LE | counter LE | ciphertext | tag (16) |
// Knows nothing of peers, sessions or replay: it is told a key's slot and a counter. Temperature: seal and
// open are hot.
#pragma once
#include <memory>

#include "batch.h"
#include "cipher.h"

namespace vtepd {

constexpr uint32_t kMessageHeader = 16;
constexpr uint32_t kMessageOverhead = kMessageHeader + kTagLen;
/// Counters are exact in a double up to here; a session ends long before.
constexpr double kMaxCounter = 9007199254740992.0;  // 2^53

class Aead {
 public:
  /// With the named cipher, or the best there is. Without one, set_key refuses.
  explicit Aead(const char *cipher = nullptr);

  /// nullptr: none.
  const char *cipher() const { return cipher_ ? cipher_->name() : nullptr; }

  /// Between batches only. 0 or -errno: -ENOTSUP without a cipher, -ERANGE, -ENOMEM.
  int set_key(uint32_t slot, const uint8_t *key, uint32_t remote);
  void clear_key(uint32_t slot);

  /// Grows with every set_key and clear_key.
  uint64_t changes() const { return keys_.changes(); }
  /// Whether the slot has a key, and had the same one when `changes` answered `as_of`.
  bool usable(int32_t slot, uint64_t as_of) const {
    const Key *k = keys_.find(slot);
    return k != nullptr && k->born <= as_of;
  }

  /// How many threads may help with large batches.
  void set_helpers(uint32_t helpers) { crew_.set_size(helpers); }

  /// Does jobs that seal or open `packets` packets of `bytes` bytes altogether: with the crew when it pays.
  void run(uint32_t jobs, uint64_t packets, uint64_t bytes, CrewWork *work, void *context);

  /// Seals `len` bytes in place; the header goes in front, the tag behind. The kSealFront bytes before `text`
  /// and the kSealBack behind it are written over. False: the message is all zero, nothing of the text is
  /// left. The slot must be usable; `thread` is below kCipherThreads.
  bool seal(uint32_t thread, int32_t slot, uint64_t counter, uint8_t *text, uint32_t len);

  /// Opens in place every slot of [0, count) with a length and a key: off and len cover one whole message.
  /// err[i] becomes 0 with the packet at off + 16, or -EBADMSG (not sealed by this key), -ENOKEY, -EINVAL (no
  /// message). Returns the number of failures.
  uint32_t open(Batch &b, uint32_t count);

  /// The other way round, for what is sealed once and by itself: off and len cover the message to be, with
  /// the packet at off + 16. 48 bytes in front of it and 16 behind are written over.
  uint32_t seal_slots(Batch &b, uint32_t count);

 private:
  using SlotWork = int (Aead::*)(Batch &b, uint32_t i, uint32_t thread);
  template <SlotWork work>
  uint32_t each(Batch &b, uint32_t count);
  int open_one(Batch &b, uint32_t i, uint32_t thread);
  int seal_one(Batch &b, uint32_t i, uint32_t thread);
  int find(const Batch &b, uint32_t i, uint32_t thread, Use *use) const;

  KeyTable keys_;
  std::unique_ptr<Cipher> cipher_;
  Crew crew_;
};

}  // namespace vtepd
