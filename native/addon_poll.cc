// An fd on this environment's event loop: `new FdPoll(fd, onReady, onClosed)`. It owns the fd from then on.
// The uv handle outlives the JS object by one turn of the loop, so the two are apart: whoever goes first cuts
// the link. A cleanup hook closes what is open when a worker ends or the process leaves. libuv's uv_poll_t.
#include <node_api.h>
#include <uv.h>

#include "addon_host.h"
#include "addon_value.h"
#include "fd.h"

namespace vtepd {

namespace {

class FdPoll;

struct Handle {
  uv_poll_t uv{};
  uv_fs_t closing{};
  UniqueFd fd;
  FdPoll *owner = nullptr;
  napi_async_cleanup_hook_handle hook = nullptr;
};

class FdPoll : public Napi::ObjectWrap<FdPoll> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "FdPoll",
                       {
                           InstanceMethod<&FdPoll::start>("start"),
                           InstanceMethod<&FdPoll::ref>("ref"),
                           InstanceMethod<&FdPoll::unref>("unref"),
                           InstanceMethod<&FdPoll::close>("close"),
                       });
  }

  explicit FdPoll(const Napi::CallbackInfo &info)
      : Napi::ObjectWrap<FdPoll>(info), context_(info.Env(), "vtepd:FdPoll") {
    Napi::Env env = info.Env();
    if (!is_fd(info[0]) || !info[1].IsFunction() || !info[2].IsFunction()) {
      misuse(env, "new FdPoll(fd, onReady, onClosed)");
      return;
    }
    uv_loop_t *loop = nullptr;
    if (napi_get_uv_event_loop(env, &loop) != napi_ok) return;
    Handle *h = new Handle;
    int e = uv_poll_init(loop, &h->uv, as_int(info[0]));
    if (e < 0) {
      delete h;
      throw_errno(env, e, "uv_poll_init");
      return;
    }
    h->uv.data = h;
    h->fd.reset(as_int(info[0]));
    h->owner = this;
    napi_add_async_cleanup_hook(env, on_exit, h, &h->hook);
    handle_ = h;
    on_ready_ = Napi::Persistent(info[1].As<Napi::Function>());
    on_closed_ = Napi::Persistent(info[2].As<Napi::Function>());
    Ref();  // an open handle is not garbage
  }

  ~FdPoll() override {
    if (handle_) {
      handle_->owner = nullptr;
      shut(handle_);
    }
  }

 private:
  // Events are uv_poll_event bits.
  Napi::Value start(const Napi::CallbackInfo &info) {
    if (!is_int(info[0], 0, 15)) return misuse(info.Env(), "start(events)");
    if (!handle_ || closing_) return info.Env().Undefined();
    int events = as_int(info[0]);
    int e = events == 0 ? uv_poll_stop(&handle_->uv) : uv_poll_start(&handle_->uv, events, on_event);
    return e < 0 ? throw_errno(info.Env(), e, "uv_poll_start") : info.Env().Undefined();
  }

  Napi::Value ref(const Napi::CallbackInfo &info) {
    if (handle_) uv_ref(reinterpret_cast<uv_handle_t *>(&handle_->uv));
    return info.Env().Undefined();
  }

  Napi::Value unref(const Napi::CallbackInfo &info) {
    if (handle_) uv_unref(reinterpret_cast<uv_handle_t *>(&handle_->uv));
    return info.Env().Undefined();
  }

  Napi::Value close(const Napi::CallbackInfo &info) {
    if (handle_ && !closing_) {
      closing_ = true;
      // What is being closed must be waited for, or onClosed would never come.
      uv_ref(reinterpret_cast<uv_handle_t *>(&handle_->uv));
      shut(handle_);
    }
    return info.Env().Undefined();
  }

  static void shut(Handle *h) {
    auto *uv = reinterpret_cast<uv_handle_t *>(&h->uv);
    if (!uv_is_closing(uv)) uv_close(uv, on_close);
  }

  static void on_exit(napi_async_cleanup_hook_handle, void *data) {
    Handle *h = static_cast<Handle *>(data);
    if (h->owner) {
      h->owner->handle_ = nullptr;
      h->owner = nullptr;
    }
    shut(h);
  }

  static void on_event(uv_poll_t *uv, int status, int events) {
    FdPoll *p = static_cast<Handle *>(uv->data)->owner;
    if (!p || p->closing_) return;
    Napi::HandleScope scope(p->Env());
    p->call(p->on_ready_, status, events);
  }

  // Closing a device waits for the kernel to take it apart, some 10 ms: a thread of the pool does that. When
  // the environment ends it is done here, because its end waits for us anyway.
  static void on_close(uv_handle_t *uv) {
    Handle *h = static_cast<Handle *>(uv->data);
    h->closing.data = h;
    int fd = h->fd.release();
    if (h->owner && uv_fs_close(uv->loop, &h->closing, fd, on_closed) == 0) return;
    h->fd.reset(fd);
    finish(h);
  }

  static void on_closed(uv_fs_t *request) {
    uv_fs_req_cleanup(request);
    finish(static_cast<Handle *>(request->data));
  }

  static void finish(Handle *h) {
    napi_remove_async_cleanup_hook(h->hook);
    FdPoll *p = h->owner;
    delete h;
    if (!p) return;
    p->handle_ = nullptr;
    Napi::HandleScope scope(p->Env());
    p->call(p->on_closed_, 0, 0);
    p->on_ready_.Reset();
    p->on_closed_.Reset();
    p->Unref();
  }

  // An exception in the callback ends up where those of timers do. The C calls, because node-addon-api aborts
  // when a worker that is being terminated cannot take its exception.
  void call(const Napi::FunctionReference &f, int status, int events) {
    napi_env env = Env();
    napi_value argv[2];
    if (napi_create_int32(env, status, &argv[0]) != napi_ok) return;
    if (napi_create_int32(env, events, &argv[1]) != napi_ok) return;
    if (napi_make_callback(env, context_, Value(), f.Value(), 2, argv, nullptr) == napi_ok) return;
    bool pending = false;
    napi_value error = nullptr;
    if (napi_is_exception_pending(env, &pending) == napi_ok && pending &&
        napi_get_and_clear_last_exception(env, &error) == napi_ok) {
      napi_fatal_exception(env, error);
    }
  }

  Handle *handle_ = nullptr;
  bool closing_ = false;
  Napi::AsyncContext context_;
  Napi::FunctionReference on_ready_;
  Napi::FunctionReference on_closed_;
};

}  // namespace

void init_poll(Napi::Env env, Napi::Object exports) { exports.Set("FdPoll", FdPoll::define(env)); }

}  // namespace vtepd
