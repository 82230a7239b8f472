#include "cipher.h"

#include <string.h>

#include "bytes.h"

namespace vtepd {

namespace {

constexpr uint32_t kLongest = 1500;
constexpr uint64_t kCounter = 0x0001020304050607;

// RFC 8439 §2.8.2.
const char kSunscreen[] =
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen "
    "would be it.";
const uint8_t kSunscreenAad[] = {0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7};
const uint8_t kSunscreenNonce[] = {7, 0, 0, 0, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47};
const uint8_t kSunscreenStart[] = {0xd3, 0x1a, 0x8d, 0x34, 0x64, 0x8e, 0x60, 0xdb};
const uint8_t kSunscreenTag[] = {0x1a, 0xe1, 0x0b, 0x59, 0x4f, 0x09, 0xe2, 0x6a,
                                 0x7e, 0x90, 0x2e, 0xcb, 0xd0, 0x60, 0x06, 0x91};

// Tags over fill(len) under the key 80 81 … 9f and kCounter, made with node:crypto; a tag vouches for the
// ciphertext.
struct Known {
  uint32_t len;
  uint8_t tag[kTagLen];
};
const Known kKnown[] = {
    {0, {0x9c, 0xe6, 0x93, 0x72, 0xbd, 0xf8, 0x3e, 0x2b, 0x8d, 0x6c, 0xb2, 0xf5, 0x51, 0x91, 0x1d, 0x6b}},
    {1, {0xf9, 0x1d, 0x07, 0x52, 0xba, 0x4c, 0xb8, 0xab, 0x75, 0xf1, 0x5b, 0x22, 0x52, 0x00, 0x4c, 0x1a}},
    {64, {0x13, 0x28, 0x6c, 0xa1, 0x45, 0xf7, 0xd8, 0x10, 0xe7, 0xfa, 0x5e, 0x56, 0x8c, 0xf4, 0xc4, 0x1b}},
    {300, {0x2e, 0x3b, 0xb8, 0xf3, 0xf2, 0xcf, 0x71, 0xd8, 0x3e, 0x71, 0x38, 0x4c, 0x2e, 0x29, 0x1d, 0x84}},
    {1420, {0x4c, 0x20, 0x48, 0x54, 0x74, 0x99, 0x60, 0xa1, 0x66, 0xfb, 0xd5, 0x8d, 0x9b, 0xce, 0x61, 0x58}},
};

void fill(uint8_t *at, uint32_t len) {
  for (uint32_t i = 0; i < len; i++) at[i] = static_cast<uint8_t>(i * 7 + len);
}

// A place to seal in, with guards around what a cipher may write to.
struct Place {
  static constexpr uint8_t kGuard = 0xa5;
  uint8_t bytes[kSealFront + kSealFront + kLongest + kSealBack + kSealBack];
  uint8_t *text() { return bytes + 2 * kSealFront; }
  void reset(uint32_t len) {
    memset(bytes, kGuard, sizeof bytes);
    fill(text(), len);
  }
  bool intact(uint32_t len) const {
    for (uint32_t i = 0; i < kSealFront; i++) {
      if (bytes[i] != kGuard) return false;
    }
    for (uint32_t i = 2 * kSealFront + len + kSealBack; i < sizeof bytes; i++) {
      if (bytes[i] != kGuard) return false;
    }
    return true;
  }
};

bool knows_the_rfc(Cipher &c) {
  constexpr uint32_t len = sizeof kSunscreen - 1;
  uint8_t key[kKeyLen];
  for (uint32_t i = 0; i < kKeyLen; i++) key[i] = static_cast<uint8_t>(0x80 + i);
  uint8_t text[len];
  uint8_t tag[kTagLen];
  memcpy(text, kSunscreen, len);
  Vector v = {key, kSunscreenNonce, kSunscreenAad, sizeof kSunscreenAad};
  return c.encrypt(v, text, len, tag) && memcmp(text, kSunscreenStart, sizeof kSunscreenStart) == 0 &&
         memcmp(tag, kSunscreenTag, kTagLen) == 0;
}

// Seals fill(len), compares with the other, opens again, and opens with one bit wrong: in the tag or the
// text.
bool round_trips(Cipher &c, Cipher *other, const Key &key, uint32_t len) {
  static thread_local Place mine, theirs;
  Use use = {0, 0, &key, kCounter + len};
  mine.reset(len);
  if (!c.seal(use, mine.text(), len) || !mine.intact(len)) return false;
  if (other) {
    theirs.reset(len);
    if (!other->seal(use, theirs.text(), len)) return false;
    if (memcmp(mine.text(), theirs.text(), len + kTagLen) != 0) return false;
  }
  uint8_t sealed[kLongest + kTagLen];
  memcpy(sealed, mine.text(), len + kTagLen);
  uint32_t bit = (len * 31) % ((len + kTagLen) * 8);
  mine.text()[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
  if (c.open(use, mine.text(), len)) return false;
  memcpy(mine.text(), sealed, len + kTagLen);
  if (!c.open(use, mine.text(), len) || !mine.intact(len)) return false;
  fill(sealed, len);
  return memcmp(mine.text(), sealed, len) == 0;
}

struct Choice {
  const char *names[3] = {};
  Choice() {
    std::unique_ptr<Cipher> direct = make_direct_cipher();
    std::unique_ptr<Cipher> evp = make_evp_cipher();
    // The public one first: where the two differ, the other one is wrong.
    if (evp && !cipher_passes(*evp, nullptr)) evp.reset();
    if (direct && !cipher_passes(*direct, evp.get())) direct.reset();
    size_t n = 0;
    if (direct) names[n++] = direct->name();
    if (evp) names[n++] = evp->name();
  }
};

}  // namespace

bool cipher_passes(Cipher &c, Cipher *other) {
  if (!knows_the_rfc(c)) return false;
  Key key{};
  for (uint32_t i = 0; i < 8; i++) key.words[i] = 0x83828180 + 0x04040404 * i;
  key.used = 1;
  c.changed(0);
  if (other) other->changed(0);
  bool good = true;
  for (const Known &k : kKnown) {
    Place place;
    place.reset(k.len);
    good = good && c.seal({0, 0, &key, kCounter}, place.text(), k.len) &&
           memcmp(place.text() + k.len, k.tag, kTagLen) == 0;
  }
  for (uint32_t len = 0; good && len <= 300; len++) good = round_trips(c, other, key, len);
  static constexpr uint32_t kNear[] = {1024, 1420, 1490};
  for (uint32_t near : kNear) {
    for (uint32_t len = near - 9; good && len <= near + 10; len++) good = round_trips(c, other, key, len);
  }
  c.changed(0);
  if (other) other->changed(0);
  return good;
}

const char *const *cipher_names() {
  static const Choice choice;
  return choice.names;
}

std::unique_ptr<Cipher> make_cipher(const char *name) {
  for (const char *const *known = cipher_names(); *known; known++) {
    if (strcmp(name, *known) != 0) continue;
    std::unique_ptr<Cipher> direct = make_direct_cipher();
    return direct && strcmp(direct->name(), name) == 0 ? std::move(direct) : make_evp_cipher();
  }
  return nullptr;
}

bool same_tag(const uint8_t *a, const uint8_t *b) {
  volatile uint8_t differ = 0;
  for (uint32_t i = 0; i < kTagLen; i++) differ = static_cast<uint8_t>(differ | (a[i] ^ b[i]));
  return differ == 0;
}

}  // namespace vtepd
