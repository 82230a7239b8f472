#include "plain_crypto.h"

#include <dlfcn.h>

#include <cstdint>
#include <cstring>

namespace test {

namespace {
constexpr size_t kNever = SIZE_MAX;
constexpr unsigned long kVersion = 0x30000000;
}  // namespace

size_t chacha_wrong_from = kNever;
size_t poly_deaf_after = kNever;
unsigned long openssl_version = kVersion;

PlainCryptoAsItWas::~PlainCryptoAsItWas() {
  chacha_wrong_from = poly_deaf_after = kNever;
  openssl_version = kVersion;
}

bool load_libcrypto() {
  static void *library = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_GLOBAL);
  return library != nullptr;
}

// Before anybody asks which ciphers there are: the answer is kept.
static const bool loaded = load_libcrypto();

namespace {

uint32_t rotate(uint32_t x, int n) { return x << n | x >> (32 - n); }

// RFC 8439 §2.1.
void quarter(uint32_t *s, int a, int b, int c, int d) {
  s[a] += s[b], s[d] = rotate(s[d] ^ s[a], 16);
  s[c] += s[d], s[b] = rotate(s[b] ^ s[c], 12);
  s[a] += s[b], s[d] = rotate(s[d] ^ s[a], 8);
  s[c] += s[d], s[b] = rotate(s[b] ^ s[c], 7);
}

// RFC 8439 §2.3.
void block(const uint32_t *key, const uint32_t *counter, uint8_t *out) {
  uint32_t start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
  memcpy(start + 4, key, 32);
  memcpy(start + 12, counter, 16);
  uint32_t s[16];
  memcpy(s, start, sizeof s);
  for (int i = 0; i < 10; i++) {
    for (int k = 0; k < 4; k++) quarter(s, k, 4 + k, 8 + k, 12 + k);
    for (int k = 0; k < 4; k++) quarter(s, k, 4 + (k + 1) % 4, 8 + (k + 2) % 4, 12 + (k + 3) % 4);
  }
  for (int i = 0; i < 16; i++) s[i] += start[i];
  memcpy(out, s, 64);
}

// RFC 8439 §2.5, numbers as base-256 digits. 2^136 is 5 · 2^6 modulo 2^130 - 5.
struct Poly {
  uint32_t r[17], h[17];
  uint8_t pad[16], held[16];
  size_t holds, seen;
};

void add_block(Poly *p, const uint8_t *bytes, size_t len) {
  uint32_t sum = 0;
  for (size_t i = 0; i < 17; i++) {
    sum += p->h[i] + (i < len ? bytes[i] : i == len ? 1u : 0u);
    p->h[i] = sum & 0xff;
    sum >>= 8;
  }
  uint32_t x[17];
  for (int i = 0; i < 17; i++) {
    x[i] = 0;
    for (int j = 0; j < 17; j++) x[i] += p->h[j] * (j <= i ? p->r[i - j] : 320 * p->r[i + 17 - j]);
  }
  uint32_t carry = 0;
  for (int i = 0; i < 17; i++) {
    carry += x[i];
    p->h[i] = carry & (i < 16 ? 0xff : 3);
    carry >>= i < 16 ? 8 : 2;
  }
  carry *= 5;
  for (int i = 0; i < 17; i++) {
    carry += p->h[i];
    p->h[i] = carry & 0xff;
    carry >>= 8;
  }
}

}  // namespace

}  // namespace test

using namespace test;

extern "C" {

unsigned long OpenSSL_version_num() { return openssl_version; }

void ChaCha20_ctr32(uint8_t *out, const uint8_t *in, size_t len, const uint32_t key[8],
                    const uint32_t counter[4]) {
  uint32_t at[4];
  memcpy(at, counter, sizeof at);
  uint8_t stream[64];
  for (size_t i = 0; i < len; i++) {
    if (i % 64 == 0) {
      block(key, at, stream);
      at[0]++;
    }
    out[i] = in[i] ^ stream[i % 64];
  }
  if (len >= chacha_wrong_from) out[len - 1] ^= 0x10;
}

size_t Poly1305_ctx_size() { return sizeof(Poly); }

void Poly1305_Init(void *ctx, const uint8_t key[32]) {
  auto *p = static_cast<Poly *>(ctx);
  memset(p, 0, sizeof *p);
  for (int i = 0; i < 16; i++) p->r[i] = key[i] & (i % 4 == 3 ? 0x0f : i % 4 == 0 && i > 0 ? 0xfc : 0xff);
  memcpy(p->pad, key + 16, 16);
}

void Poly1305_Update(void *ctx, const uint8_t *in, size_t len) {
  auto *p = static_cast<Poly *>(ctx);
  for (size_t i = 0; i < len; i++) {
    if (p->seen++ >= poly_deaf_after) continue;
    p->held[p->holds++] = in[i];
    if (p->holds < 16) continue;
    add_block(p, p->held, 16);
    p->holds = 0;
  }
}

void Poly1305_Final(void *ctx, uint8_t mac[16]) {
  auto *p = static_cast<Poly *>(ctx);
  if (p->holds > 0) add_block(p, p->held, p->holds);
  uint32_t less[17];  // h - (2^130 - 5), if that is not negative
  uint32_t sum = 5;
  for (int i = 0; i < 17; i++) {
    sum += p->h[i];
    less[i] = sum & 0xff;
    sum >>= 8;
  }
  const uint32_t *h = less[16] >= 4 ? less : p->h;
  sum = 0;
  for (int i = 0; i < 16; i++) {
    sum += h[i] + p->pad[i];
    mac[i] = static_cast<uint8_t>(sum);
    sum >>= 8;
  }
  memset(p, 0, sizeof *p);
}

}  // extern "C"
