// What the cold half's N-API functions share: errors in Node's shape, and arguments that are checked before
// use.
#pragma once
#include <napi.h>
#include <string.h>

#include <cmath>
#include <string>

#include "addon_error.h"

namespace vtepd {

/// Throws an Error with code, errno and syscall, and the kernel's own sentence when there is one.
inline Napi::Value throw_errno(Napi::Env env, int negative_errno, const char *syscall,
                               const std::string &detail = "") {
  std::string text =
      std::string(syscall) + ": " + (detail.empty() ? strerror(-negative_errno) : detail.c_str());
  Napi::Error e = Napi::Error::New(env, text);
  const char *code = strerrorname_np(-negative_errno);
  e.Set("errno", Napi::Number::New(env, negative_errno));
  e.Set("code", Napi::String::New(env, code ? code : "UNKNOWN"));
  e.Set("syscall", Napi::String::New(env, syscall));
  if (!detail.empty()) e.Set("detail", Napi::String::New(env, detail));
  e.ThrowAsJavaScriptException();
  return env.Undefined();
}

/// Whether v is a whole number in [low, high].
inline bool is_int(const Napi::Value &v, double low, double high) {
  if (!v.IsNumber()) return false;
  double d = v.As<Napi::Number>().DoubleValue();
  return d >= low && d <= high && d == std::floor(d);
}
inline bool is_fd(const Napi::Value &v) { return is_int(v, 0, 0x7fffffff); }
inline int as_int(const Napi::Value &v) { return v.As<Napi::Number>().Int32Value(); }

/// Bytes of a Uint8Array, or nullptr when v is none of exactly `size` bytes.
inline const uint8_t *as_bytes(const Napi::Value &v, size_t size) {
  if (!v.IsTypedArray()) return nullptr;
  auto a = v.As<Napi::TypedArray>();
  if (a.TypedArrayType() != napi_uint8_array || a.ByteLength() != size) return nullptr;
  return v.As<Napi::Uint8Array>().Data();
}

/// A Uint8Array with a copy of these bytes.
inline Napi::Value bytes(Napi::Env env, const uint8_t *data, size_t size) {
  Napi::Uint8Array a = Napi::Uint8Array::New(env, size);
  if (size > 0) memcpy(a.Data(), data, size);
  return a;
}

/// A string without NUL bytes, or null/undefined for "none". `c_str` borrows from the object.
class OptionalText {
 public:
  explicit OptionalText(const Napi::Value &v) {
    if (v.IsNull() || v.IsUndefined()) return;
    ok_ = v.IsString();
    if (!ok_) return;
    text_ = v.As<Napi::String>().Utf8Value();
    ok_ = text_.find('\0') == std::string::npos;
    given_ = true;
  }
  bool ok() const { return ok_; }
  bool given() const { return given_; }
  const char *c_str() const { return given_ ? text_.c_str() : nullptr; }
  const std::string &text() const { return text_; }

 private:
  std::string text_;
  bool ok_ = true;
  bool given_ = false;
};

}  // namespace vtepd
