// Sealing, as Node-API sees it: which cipher is used, and keys on their way to an Engine.
#pragma once
#include <napi.h>

#include <string>

namespace vtepd {

class Engine;

/// Exports aeadEngines, aeadEngine and aeadUse. `choice` is what the next Engine of this environment is made
/// with, empty for the best; it outlives the exports.
void init_aead(Napi::Env env, Napi::Object exports, std::string *choice);

Napi::Value set_key(const Napi::CallbackInfo &info, Engine &engine);
Napi::Value clear_key(const Napi::CallbackInfo &info, Engine &engine);
Napi::Value set_helpers(const Napi::CallbackInfo &info, Engine &engine);

}  // namespace vtepd
