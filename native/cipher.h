// ChaCha20-Poly1305 (RFC 8439 §2.8) as WireGuard's transport uses it: no additional data, a nonce of four
// zero bytes and the counter (WG §5.4.6). The work is done by the libcrypto that this process has anyway,
// reached by dlsym so that the addon loads without one:
//   chacha20-direct  its ChaCha20_ctr32 and Poly1305_* (not public API; Node's own binary exports them)
//   chacha20-evp     EVP_chacha20_poly1305, where the first is not to be had
// Which are any good is found out once per process by `cipher_passes`. Temperature: seal and open are hot.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

#include "crew.h"
#include "keys.h"

namespace vtepd {

constexpr uint32_t kTagLen = 16;
/// Bytes that `seal` may write in front of the text and behind it; the tag is in the latter.
constexpr uint32_t kSealFront = 64;
constexpr uint32_t kSealBack = 32;
/// Threads that may use one Cipher at a time, each under its own number.
constexpr uint32_t kCipherThreads = Crew::kMost + 1;

/// Whose key, under which counter, on which thread.
struct Use {
  uint32_t thread;
  uint32_t slot;
  const Key *key;
  uint64_t counter;
};

/// What RFC 8439 lets a caller choose freely; for its own test vector.
struct Vector {
  const uint8_t *key;
  const uint8_t *nonce;
  const uint8_t *aad;
  uint32_t aad_len;
};

class Cipher {
 public:
  virtual ~Cipher() = default;
  virtual const char *name() const = 0;

  /// Encrypts `len` bytes in place, tag behind. False: nothing of it may leave (no memory).
  virtual bool seal(const Use &use, uint8_t *text, uint32_t len) = 0;

  /// Decrypts `len` bytes in place if the tag behind them is right; otherwise they are worthless.
  virtual bool open(const Use &use, uint8_t *text, uint32_t len) = 0;

  /// Cold: what was kept for this slot's key is to be forgotten, and there is to be room for the slot. No
  /// other call may be going on.
  virtual void changed(uint32_t slot) = 0;

  /// Cold: encrypts by any nonce and with additional data.
  virtual bool encrypt(const Vector &v, uint8_t *text, uint32_t len, uint8_t *tag) = 0;
};

/// nullptr: this process has no such functions.
std::unique_ptr<Cipher> make_direct_cipher();  // cipher_direct.cc
std::unique_ptr<Cipher> make_evp_cipher();     // cipher_evp.cc

/// Whether `c` computes what RFC 8439 says, refuses a flipped bit, and agrees with `other` (which may be
/// nullptr).
bool cipher_passes(Cipher &c, Cipher *other);

/// Names of the ciphers that passed in this process, best first, ended by nullptr. The test takes a few
/// milliseconds, once.
const char *const *cipher_names();

/// A cipher of cipher_names(); nullptr for any other name.
std::unique_ptr<Cipher> make_cipher(const char *name);

/// Compares in a time that tells nothing.
bool same_tag(const uint8_t *a, const uint8_t *b);

}  // namespace vtepd
