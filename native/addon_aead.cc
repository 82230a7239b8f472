#include "addon_aead.h"

#include "addon_value.h"
#include "engine.h"

namespace vtepd {

namespace {

constexpr double kMaxU32 = 4294967295.0;

bool is_slot(const Napi::Value &v) { return is_int(v, 0, KeyTable::kMaxKeys - 1); }

Napi::Value aead_engines(const Napi::CallbackInfo &info) {
  Napi::Array names = Napi::Array::New(info.Env());
  uint32_t n = 0;
  for (const char *const *name = cipher_names(); *name; name++) names.Set(n++, *name);
  return names;
}

Napi::Value aead_engine(const Napi::CallbackInfo &info) {
  auto *choice = static_cast<std::string *>(info.Data());
  const char *name = choice->empty() ? cipher_names()[0] : choice->c_str();
  return name ? Napi::String::New(info.Env(), name) : info.Env().Null();
}

Napi::Value aead_use(const Napi::CallbackInfo &info) {
  OptionalText name(info[0]);
  if (!name.ok()) return misuse(info.Env(), "aeadUse(name or null)");
  bool known = !name.given();
  for (const char *const *has = cipher_names(); *has; has++) known = known || name.text() == *has;
  if (!known) return misuse(info.Env(), "aeadUse: want one of aeadEngines()");
  *static_cast<std::string *>(info.Data()) = name.text();
  return info.Env().Undefined();
}

}  // namespace

void init_aead(Napi::Env env, Napi::Object exports, std::string *choice) {
  exports.Set("aeadEngines", Napi::Function::New(env, aead_engines, "aeadEngines"));
  exports.Set("aeadEngine", Napi::Function::New(env, aead_engine, "aeadEngine", choice));
  exports.Set("aeadUse", Napi::Function::New(env, aead_use, "aeadUse", choice));
}

Napi::Value set_key(const Napi::CallbackInfo &info, Engine &engine) {
  const uint8_t *key = as_bytes(info[1], kKeyLen);
  if (!is_slot(info[0]) || key == nullptr || !is_int(info[2], 0, kMaxU32)) {
    return misuse(info.Env(), "setKey(slot, key, remoteIndex)");
  }
  int error =
      engine.set_key(info[0].As<Napi::Number>().Uint32Value(), key, info[2].As<Napi::Number>().Uint32Value());
  if (error == -ENOTSUP) {
    return throw_errno(
        info.Env(), error, "setKey",
        "this Node has no working ChaCha20-Poly1305 to offer; use one that was built with OpenSSL");
  }
  return error < 0 ? throw_errno(info.Env(), error, "setKey") : info.Env().Undefined();
}

Napi::Value clear_key(const Napi::CallbackInfo &info, Engine &engine) {
  if (!is_slot(info[0])) return misuse(info.Env(), "clearKey(slot)");
  engine.clear_key(info[0].As<Napi::Number>().Uint32Value());
  return info.Env().Undefined();
}

Napi::Value set_helpers(const Napi::CallbackInfo &info, Engine &engine) {
  if (!is_int(info[0], 0, Crew::kMost)) return misuse(info.Env(), "setHelpers(0..3)");
  engine.set_helpers(info[0].As<Napi::Number>().Uint32Value());
  return info.Env().Undefined();
}

}  // namespace vtepd
