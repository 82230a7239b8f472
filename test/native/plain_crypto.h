// ChaCha20 and Poly1305 in the plainest way, under the names that Node's own libcrypto exports: where the
// test binary runs there is no Node, and what the addon finds by dlsym is this. Sanitized, so that a read or
// write past what the addon hands over is caught.
#pragma once
#include <cstddef>

namespace test {

/// ChaCha20 calls of at least this many bytes come out with one bit wrong.
extern size_t chacha_wrong_from;
/// Poly1305 of texts longer than this forgets the rest.
extern size_t poly_deaf_after;
/// What OpenSSL_version_num says.
extern unsigned long openssl_version;

struct PlainCryptoAsItWas {
  ~PlainCryptoAsItWas();
};

/// Whether the machine has a libcrypto, which is made visible: chacha20-evp then works, too.
bool load_libcrypto();

}  // namespace test
