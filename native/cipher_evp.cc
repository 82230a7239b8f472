// chacha20-evp: OpenSSL's public interface. A context per key, direction and thread is kept and gets a new
// nonce per packet: setting the key again would cost more, finding the cipher again much more. Contexts hold
// copies of keys in libcrypto's heap, which zeroes them when they are freed.
#include <dlfcn.h>
#include <string.h>

#include <vector>

#include "bytes.h"
#include "cipher.h"

namespace vtepd {

namespace {

// openssl/evp.h; declared here because its types stay opaque and a Node without OpenSSL has no such header.
struct Functions {
  const void *(*cipher)();
  void *(*ctx_new)();
  void (*ctx_free)(void *ctx);
  int (*init)(void *ctx, const void *cipher, void *engine, const uint8_t *key, const uint8_t *iv,
              int encrypt);
  int (*update)(void *ctx, uint8_t *out, int *out_len, const uint8_t *in, int in_len);
  int (*final)(void *ctx, uint8_t *out, int *out_len);
  int (*ctrl)(void *ctx, int type, int arg, void *ptr);

  template <class F>
  static bool find(F &to, const char *name) {
    to = reinterpret_cast<F>(dlsym(RTLD_DEFAULT, name));
    return to != nullptr;
  }

  bool find_all() {
    return find(cipher, "EVP_chacha20_poly1305") && find(ctx_new, "EVP_CIPHER_CTX_new") &&
           find(ctx_free, "EVP_CIPHER_CTX_free") && find(init, "EVP_CipherInit_ex") &&
           find(update, "EVP_CipherUpdate") && find(final, "EVP_CipherFinal_ex") &&
           find(ctrl, "EVP_CIPHER_CTX_ctrl");
  }
};

constexpr int kSetTag = 0x11;  // EVP_CTRL_AEAD_SET_TAG
constexpr int kGetTag = 0x10;  // EVP_CTRL_AEAD_GET_TAG
constexpr int kKeep = -1;      // the direction

class EvpCipher final : public Cipher {
 public:
  explicit EvpCipher(const Functions &f) : f_(f) {}

  ~EvpCipher() override {
    for (uint32_t slot = 0; slot < slots_.size(); slot++) forget(slot);
  }

  const char *name() const override { return "chacha20-evp"; }

  bool seal(const Use &use, uint8_t *text, uint32_t len) override {
    void *ctx = context(use, true);
    int n = 0;
    return ctx && f_.update(ctx, text, &n, text, static_cast<int>(len)) == 1 &&
           f_.final(ctx, text + len, &n) == 1 && f_.ctrl(ctx, kGetTag, kTagLen, text + len) == 1;
  }

  // The text is decrypted before the tag is known to be right; what was not is wiped.
  bool open(const Use &use, uint8_t *text, uint32_t len) override {
    void *ctx = context(use, false);
    int n = 0;
    bool good = ctx && f_.ctrl(ctx, kSetTag, kTagLen, text + len) == 1 &&
                f_.update(ctx, text, &n, text, static_cast<int>(len)) == 1 && f_.final(ctx, text, &n) == 1;
    if (!good) memset(text, 0, len);
    return good;
  }

  void changed(uint32_t slot) override {
    if (slot < slots_.size()) {
      forget(slot);
    } else {
      slots_.resize(slot + 1);
    }
  }

  bool encrypt(const Vector &v, uint8_t *text, uint32_t len, uint8_t *tag) override {
    void *ctx = f_.ctx_new();
    int n = 0;
    bool good = ctx && f_.init(ctx, f_.cipher(), nullptr, v.key, v.nonce, 1) == 1 &&
                f_.update(ctx, nullptr, &n, v.aad, static_cast<int>(v.aad_len)) == 1 &&
                f_.update(ctx, text, &n, text, static_cast<int>(len)) == 1 &&
                f_.final(ctx, text + len, &n) == 1 && f_.ctrl(ctx, kGetTag, kTagLen, tag) == 1;
    f_.ctx_free(ctx);
    return good;
  }

 private:
  struct Contexts {
    void *ctx[kCipherThreads][2] = {};
  };

  // The kept context with a new nonce; the first use of a key on a thread makes it.
  void *context(const Use &use, bool encrypt) {
    uint8_t nonce[12] = {};
    store_le64(nonce + 4, use.counter);
    void *&ctx = slots_[use.slot].ctx[use.thread][encrypt];
    if (ctx) return f_.init(ctx, nullptr, nullptr, nullptr, nonce, kKeep) == 1 ? ctx : nullptr;
    uint8_t key[kKeyLen];
    for (int i = 0; i < 8; i++) store_le32(key + 4 * i, use.key->words[i]);
    ctx = f_.ctx_new();
    if (ctx && f_.init(ctx, f_.cipher(), nullptr, key, nonce, encrypt) != 1) {
      f_.ctx_free(ctx);
      ctx = nullptr;
    }
    explicit_bzero(key, sizeof key);
    return ctx;
  }

  void forget(uint32_t slot) {
    for (auto &thread : slots_[slot].ctx) {
      for (void *&ctx : thread) {
        if (ctx) f_.ctx_free(ctx);
        ctx = nullptr;
      }
    }
  }

  Functions f_;
  std::vector<Contexts> slots_;
};

}  // namespace

std::unique_ptr<Cipher> make_evp_cipher() {
  Functions f;
  if (!f.find_all()) return nullptr;
  return std::unique_ptr<Cipher>(new EvpCipher(f));
}

}  // namespace vtepd
