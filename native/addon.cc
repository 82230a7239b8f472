// The data path's N-API skin: argument checks and the export table; addon_host.cc has the cold calls. One
// instance per environment, no globals, so the main thread and any number of workers load it side by side.
#include <errno.h>
#include <napi.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <memory>
#include <vector>

#include "addon_aead.h"
#include "addon_error.h"
#include "addon_host.h"
#include "addon_value.h"
#include "engine.h"
#include "udp_open.h"

namespace vtepd {

Napi::Value fail(Napi::Env env, int negative_errno, const char *syscall) {
  Napi::Error e = Napi::Error::New(env, std::string(syscall) + ": " + strerror(-negative_errno));
  e.Set("errno", Napi::Number::New(env, negative_errno));
  e.Set("code", Napi::String::New(env, strerrorname_np(-negative_errno)));
  e.Set("syscall", Napi::String::New(env, syscall));
  e.ThrowAsJavaScriptException();
  return env.Undefined();
}

Napi::Value misuse(Napi::Env env, const char *what) {
  Napi::TypeError::New(env, what).ThrowAsJavaScriptException();
  return env.Undefined();
}

namespace {

uint32_t u32(const Napi::CallbackInfo &info, size_t i) { return info[i].As<Napi::Number>().Uint32Value(); }

// Copies a Uint8Array argument of exactly `size` bytes.
bool copy_bytes(const Napi::Value &v, uint8_t *out, size_t size) {
  if (!v.IsTypedArray() || v.As<Napi::TypedArray>().ByteLength() != size) return false;
  memcpy(out, v.As<Napi::Uint8Array>().Data(), size);
  return true;
}

bool is_number(const Napi::CallbackInfo &info, size_t from, size_t to) {
  for (size_t i = from; i < to; i++) {
    if (!info[i].IsNumber()) return false;
  }
  return true;
}

uint64_t thread_cpu() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1000000000u + static_cast<uint64_t>(t.tv_nsec);
}

}  // namespace

class EngineObject : public Napi::ObjectWrap<EngineObject> {
 public:
  /// `cipher`: the environment's choice (addon_aead.h).
  static Napi::Function define(Napi::Env env, std::string *cipher) {
    return DefineClass(env, "Engine",
                       {
                           InstanceMethod<&EngineObject::attach>("attach"),
                           InstanceMethod<&EngineObject::attach_stats>("attachStats"),
                           InstanceMethod<&EngineObject::wake_fd>("wakeFd"),
                           InstanceMethod<&EngineObject::set_device>("setDevice"),
                           InstanceMethod<&EngineObject::clear_device>("clearDevice"),
                           InstanceMethod<&EngineObject::set_socket>("setSocket"),
                           InstanceMethod<&EngineObject::clear_socket>("clearSocket"),
                           InstanceMethod<&EngineObject::set_pool>("setPool"),
                           InstanceMethod<&EngineObject::clear_pool>("clearPool"),
                           InstanceMethod<&EngineObject::set_endpoint>("setEndpoint"),
                           InstanceMethod<&EngineObject::clear_endpoint>("clearEndpoint"),
                           InstanceMethod<&EngineObject::next_changed>("nextChanged"),
                           InstanceMethod<&EngineObject::next_gone>("nextGone"),
                           InstanceMethod<&EngineObject::profile>("profile"),
                           InstanceMethod<&EngineObject::publish>("publish"),
                           InstanceMethod<&EngineObject::set_key>("setKey"),
                           InstanceMethod<&EngineObject::clear_key>("clearKey"),
                           InstanceMethod<&EngineObject::set_helpers>("setHelpers"),
                       },
                       cipher);
  }

  explicit EngineObject(const Napi::CallbackInfo &info) : Napi::ObjectWrap<EngineObject>(info) {
    auto *cipher = static_cast<std::string *>(info.Data());
    engine_.reset(new Engine(cipher->empty() ? nullptr : cipher->c_str()));
    int e = engine_->open();
    if (e < 0) fail(info.Env(), e, "epoll_create1");
    add_crossing<&EngineObject::wait, 3>("wait");
    add_crossing<&EngineObject::send, 2>("send");
    add_crossing<&EngineObject::resume, 1>("resume");
    add_crossing<&EngineObject::deliver, 2>("deliver");
    add_crossing<&EngineObject::open, 2>("open");
    add_crossing<&EngineObject::seal, 2>("seal");
  }

 private:
  // Adds the CPU time of a native call to the profile. Of its two looks at the clock half of each lies
  // outside; that is native's, too, and measured once.
  class Timed {
   public:
    explicit Timed(EngineObject &o) : o_(o), start_(o.profile_ ? thread_cpu() : 0) {}
    ~Timed() {
      if (o_.profile_)
        o_.stats_data_[kStatNativeCpu] += static_cast<double>(thread_cpu() - start_) + o_.clock_cost_;
    }

   private:
    EngineObject &o_;
    uint64_t start_;
  };

  Napi::Value attach(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    if (!info[0].IsArrayBuffer() || !info[1].IsNumber() || !info[2].IsTypedArray()) {
      return misuse(env, "attach(columns, slots, bytes)");
    }
    auto columns = info[0].As<Napi::ArrayBuffer>();
    uint32_t slots = u32(info, 1);
    auto bytes = info[2].As<Napi::Uint8Array>();
    if (slots == 0 || slots % 8 != 0 || columns.ByteLength() != columns_size(slots)) {
      return misuse(env, "attach: the columns are not laid out as native/layout.h says");
    }
    Attached a;
    a.columns = Napi::Persistent(columns);
    a.bytes = Napi::Persistent(bytes.ArrayBuffer());
    a.batch.attach(static_cast<uint8_t *>(columns.Data()), slots, bytes.Data(), bytes.ByteLength());
    batches_.push_back(std::move(a));
    return Napi::Number::New(env, static_cast<double>(batches_.size() - 1));
  }

  Napi::Value attach_stats(const Napi::CallbackInfo &info) {
    if (!info[0].IsTypedArray() ||
        info[0].As<Napi::TypedArray>().ByteLength() < kStatCount * sizeof(double)) {
      return misuse(info.Env(), "attachStats(Float64Array)");
    }
    auto stats = info[0].As<Napi::Float64Array>();
    stats_ = Napi::Persistent(stats.As<Napi::Object>());
    stats_data_ = stats.Data();
    engine_->attach_stats(stats_data_);
    return info.Env().Undefined();
  }

  Napi::Value wake_fd(const Napi::CallbackInfo &info) {
    return Napi::Number::New(info.Env(), engine_->wake_fd());
  }

  Napi::Value set_device(const Napi::CallbackInfo &info) {
    if (!is_number(info, 0, 2) || !info[5].IsNumber() || u32(info, 0) >= Engine::kMaxIds) {
      return misuse(info.Env(), "setDevice(id, fd, ethernet, tcp, udp, mtu)");
    }
    Device d;
    d.fd = info[1].As<Napi::Number>().Int32Value();
    d.ethernet = info[2].ToBoolean();
    d.tcp = info[3].ToBoolean();
    d.udp = info[4].ToBoolean();
    d.mtu = u32(info, 5);
    return check(info.Env(), engine_->set_device(u32(info, 0), d), "epoll_ctl");
  }

  Napi::Value clear_device(const Napi::CallbackInfo &info) {
    engine_->clear_device(u32(info, 0));
    return info.Env().Undefined();
  }

  Napi::Value set_socket(const Napi::CallbackInfo &info) {
    if (!is_number(info, 0, 2) || u32(info, 0) >= Engine::kMaxIds)
      return misuse(info.Env(), "setSocket(id, fd)");
    return check(info.Env(), engine_->set_socket(u32(info, 0), info[1].As<Napi::Number>().Int32Value()),
                 "epoll_ctl");
  }

  Napi::Value clear_socket(const Napi::CallbackInfo &info) {
    engine_->clear_socket(u32(info, 0));
    return info.Env().Undefined();
  }

  Napi::Value set_pool(const Napi::CallbackInfo &info) {
    if (!info[0].IsNumber() || !info[1].IsArray() || !info[3].IsNumber() || u32(info, 0) >= kPools) {
      return misuse(info.Env(), "setPool(id, fds, gso, maxSegments)");
    }
    auto fds = info[1].As<Napi::Array>();
    if (fds.Length() == 0 || fds.Length() > kPoolPorts) return misuse(info.Env(), "setPool: want 1..64 fds");
    Pool p;
    for (uint32_t i = 0; i < fds.Length(); i++) p.fds[i] = fds.Get(i).ToNumber().Int32Value();
    p.count = fds.Length();
    p.gso = info[2].ToBoolean();
    p.max_segments = u32(info, 3);
    return check(info.Env(), engine_->set_pool(u32(info, 0), p), "epoll_ctl");
  }

  Napi::Value clear_pool(const Napi::CallbackInfo &info) {
    engine_->clear_pool(u32(info, 0));
    return info.Env().Undefined();
  }

  Napi::Value set_endpoint(const Napi::CallbackInfo &info) {
    Endpoint e;
    if (!info[0].IsNumber() || !copy_bytes(info[1], e.addr, kAddrLen) ||
        !copy_bytes(info[2], e.local, kLocalLen) || !info[3].IsNumber() ||
        !(info[4].IsUndefined() || is_int(info[4], 0, UINT16_MAX))) {
      return misuse(info.Env(), "setEndpoint(id, address, local, pool, pad?)");
    }
    if (!info[4].IsUndefined()) e.pad = static_cast<uint16_t>(u32(info, 4));
    e.pool = info[3].As<Napi::Number>().Int32Value();
    engine_->set_endpoint(u32(info, 0), e);
    return info.Env().Undefined();
  }

  Napi::Value clear_endpoint(const Napi::CallbackInfo &info) {
    engine_->clear_endpoint(u32(info, 0));
    return info.Env().Undefined();
  }

  // The crossings of every batch. Plain Node-API with the object as the function's data: node-addon-api's
  // methods find it by a look-up of a private property, which costs more than all the rest of a call
  // (bench/native, `crossing`).
  using Crossing = int64_t (EngineObject::*)(const int32_t *arguments);

  template <Crossing crossing, size_t count>
  static napi_value cross(napi_env env, napi_callback_info info) {
    size_t given = count;
    napi_value values[count];
    void *data = nullptr;
    napi_get_cb_info(env, info, &given, values, nullptr, &data);
    auto *self = static_cast<EngineObject *>(data);
    int32_t arguments[count];
    bool numbers = given >= count;
    for (size_t i = 0; i < count && numbers; i++) {
      numbers = napi_get_value_int32(env, values[i], &arguments[i]) == napi_ok;
    }
    int64_t answer = kMisuse;
    if (numbers) {
      Timed timed(*self);
      answer = (self->*crossing)(arguments);
    }
    if (answer == kMisuse)
      return misuse(env, "attach batches and statistics first, then call with their numbers");
    napi_value out = nullptr;
    napi_create_int32(env, static_cast<int32_t>(answer), &out);
    return out;
  }

  template <Crossing crossing, size_t count>
  void add_crossing(const char *name) {
    Napi::Env env = Env();
    napi_value f = nullptr;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, &EngineObject::cross<crossing, count>, this, &f);
    Napi::Function function(env, f);
    // Who keeps the function keeps the object it works on.
    function.Set("engine", Value());
    Value().Set(name, function);
  }

  int64_t wait(const int32_t *a) {
    Batch *frames = batch(a[1]);
    Batch *messages = batch(a[2]);
    if (frames == nullptr || messages == nullptr || stats_data_ == nullptr) return kMisuse;
    return engine_->wait(a[0], *frames, *messages);
  }

  int64_t send(const int32_t *a) {
    Batch *b = batch(a[0]);
    return b == nullptr || a[1] < 0 ? kMisuse : engine_->send(*b, static_cast<uint32_t>(a[1]));
  }

  int64_t resume(const int32_t *a) {
    Batch *b = batch(a[0]);
    return b == nullptr ? kMisuse : engine_->resume(*b);
  }

  int64_t deliver(const int32_t *a) {
    Batch *b = batch(a[0]);
    return b == nullptr || a[1] < 0 ? kMisuse : engine_->deliver(*b, static_cast<uint32_t>(a[1]));
  }

  int64_t open(const int32_t *a) {
    Batch *b = batch(a[0]);
    return b == nullptr || a[1] < 0 ? kMisuse : engine_->open(*b, static_cast<uint32_t>(a[1]));
  }

  int64_t seal(const int32_t *a) {
    Batch *b = batch(a[0]);
    return b == nullptr || a[1] < 0 ? kMisuse : engine_->seal(*b, static_cast<uint32_t>(a[1]));
  }

  Napi::Value set_key(const Napi::CallbackInfo &info) { return vtepd::set_key(info, *engine_); }
  Napi::Value clear_key(const Napi::CallbackInfo &info) { return vtepd::clear_key(info, *engine_); }
  Napi::Value set_helpers(const Napi::CallbackInfo &info) { return vtepd::set_helpers(info, *engine_); }

  Napi::Value next_changed(const Napi::CallbackInfo &info) {
    return Napi::Number::New(info.Env(), engine_->next_changed());
  }

  Napi::Value next_gone(const Napi::CallbackInfo &info) {
    return Napi::Number::New(info.Env(), engine_->next_gone());
  }

  Napi::Value profile(const Napi::CallbackInfo &info) {
    profile_ = info[0].ToBoolean() && stats_data_ != nullptr;
    constexpr int kLooks = 1000;
    uint64_t start = thread_cpu();
    for (int i = 1; i < kLooks; i++) thread_cpu();
    clock_cost_ = static_cast<double>(thread_cpu() - start) / kLooks;
    return info.Env().Undefined();
  }

  Napi::Value publish(const Napi::CallbackInfo &info) {
    engine_->publish();
    return info.Env().Undefined();
  }

  Batch *batch(int32_t id) {
    return id >= 0 && static_cast<size_t>(id) < batches_.size() ? &batches_[static_cast<size_t>(id)].batch
                                                                : nullptr;
  }

  static Napi::Value check(Napi::Env env, int result, const char *syscall) {
    return result < 0 ? fail(env, result, syscall) : env.Undefined();
  }

  static constexpr uint32_t kPools = 64;
  static constexpr int64_t kMisuse = INT64_MIN;

  struct Attached {
    Napi::Reference<Napi::ArrayBuffer> columns;
    Napi::Reference<Napi::ArrayBuffer> bytes;
    Batch batch;
  };

  std::unique_ptr<Engine> engine_;
  std::vector<Attached> batches_;
  Napi::ObjectReference stats_;
  double *stats_data_ = nullptr;
  bool profile_ = false;
  double clock_cost_ = 0;  // nanoseconds of one look at the thread's clock
};

namespace {

constexpr size_t kHugePage = 2 << 20;
constexpr uint32_t kSlabMax = 64 << 20;

Napi::Value wake_js(const Napi::CallbackInfo &info) {
  wake(info[0].As<Napi::Number>().Int32Value());
  return info.Env().Undefined();
}

// Memory for packets, in huge pages where the kernel grants them (madvise(2)): the copies in and out then
// miss the TLB less.
Napi::Value slab_js(const Napi::CallbackInfo &info) {
  if (!info[0].IsNumber() || u32(info, 0) == 0 || u32(info, 0) > kSlabMax)
    return misuse(info.Env(), "slab(bytes)");
  size_t size = (static_cast<size_t>(u32(info, 0)) + kHugePage - 1) & ~(kHugePage - 1);
  void *at = aligned_alloc(kHugePage, size);
  if (at == nullptr) return fail(info.Env(), -ENOMEM, "aligned_alloc");
  madvise(at, size, MADV_HUGEPAGE);
  memset(at, 0, size);
  return Napi::ArrayBuffer::New(info.Env(), at, size, [](Napi::Env, void *memory) { free(memory); });
}

Napi::Value since_boot_js(const Napi::CallbackInfo &info) {
  return Napi::Number::New(info.Env(), since_boot());
}

Napi::Value layout_js(const Napi::CallbackInfo &info) {
  Napi::Object o = Napi::Object::New(info.Env());
  auto put = [&o](const char *name, double value) { o.Set(name, value); };
  put("headroom", kHeadroom);
  put("tailroom", kTailroom);
  put("addrLen", kAddrLen);
  put("localLen", kLocalLen);
  put("columns8", static_cast<double>(columns_size(8)));
  put("frameRoom", kFrameRoom);
  put("datagramRoom", kDatagramRoom);
  put("messages", kMessages);
  put("poolPorts", kPoolPorts);
  put("stats", kStatCount);
  put("maxSegments", udp_max_segments());
  return o;
}

}  // namespace

class Addon : public Napi::Addon<Addon> {
 public:
  Addon(Napi::Env env, Napi::Object exports) {
    exports.Set("Engine", EngineObject::define(env, &cipher_));
    init_aead(env, exports, &cipher_);
    exports.Set("wake", Napi::Function::New(env, wake_js, "wake"));
    exports.Set("slab", Napi::Function::New(env, slab_js, "slab"));
    exports.Set("sinceBoot", Napi::Function::New(env, since_boot_js, "sinceBoot"));
    exports.Set("layout", Napi::Function::New(env, layout_js, "layout"));
    init_host(env, exports);
  }

 private:
  std::string cipher_;  // what Engines are made with; empty: the best
};

NODE_API_ADDON(Addon)

}  // namespace vtepd
