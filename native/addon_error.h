// How the addon answers a failed system call and a wrong argument.
#pragma once
#include <napi.h>

namespace vtepd {

/// Throws an Error with code, errno and syscall, as Node's own calls do.
Napi::Value fail(Napi::Env env, int negative_errno, const char *syscall);

/// Throws a TypeError: the caller is wrong, not the machine.
Napi::Value misuse(Napi::Env env, const char *what);

}  // namespace vtepd
