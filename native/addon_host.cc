// The cold half's N-API skin: devices, netlink, readiness on the main thread's loop, notifications.
#include "addon_host.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <uv.h>

#include <string>

#include "addon_error.h"
#include "fd.h"
#include "netlink.h"
#include "tun_open.h"

namespace vtepd {

namespace {

// A path argument that may be null.
class Path {
 public:
  explicit Path(const Napi::Value &v) : null_(!v.IsString()), text_(null_ ? "" : v.As<Napi::String>().Utf8Value()) {}
  const char *get() const { return null_ ? nullptr : text_.c_str(); }

 private:
  bool null_;
  std::string text_;
};

int int_at(const Napi::CallbackInfo &info, size_t i) { return info[i].As<Napi::Number>().Int32Value(); }

Napi::Value tun_open_js(const Napi::CallbackInfo &info) {
  bool mac = info[2].IsTypedArray();
  if (!info[0].IsString() || !info[1].IsNumber() || (mac && info[2].As<Napi::TypedArray>().ByteLength() != 6)) {
    return misuse(info.Env(), "tunOpen(name, flags, mac?, netns?)");
  }
  std::string wanted = info[0].As<Napi::String>().Utf8Value();
  if (wanted.size() >= IFNAMSIZ) return misuse(info.Env(), "tunOpen: a name has at most 15 bytes");
  char name[IFNAMSIZ] = {};
  memcpy(name, wanted.data(), wanted.size());
  Path netns(info[3]);
  const char *step = "";
  int fd = tun_open(name, info[1].As<Napi::Number>().Uint32Value(),
                    mac ? info[2].As<Napi::Uint8Array>().Data() : nullptr, netns.get(), &step);
  if (fd < 0) return fail(info.Env(), fd, step);
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("fd", fd);
  out.Set("name", static_cast<const char *>(name));
  return out;
}

Napi::Value tun_set_offload_js(const Napi::CallbackInfo &info) {
  if (!info[0].IsNumber() || !info[1].IsNumber()) return misuse(info.Env(), "tunSetOffload(fd, bits)");
  return Napi::Number::New(info.Env(), tun_set_offload(int_at(info, 0), info[1].As<Napi::Number>().Uint32Value()));
}

Napi::Value tun_set_queue_js(const Napi::CallbackInfo &info) {
  if (!info[0].IsNumber() || !info[1].IsBoolean()) return misuse(info.Env(), "tunSetQueue(fd, attach)");
  return Napi::Number::New(info.Env(), tun_set_queue(int_at(info, 0), info[1].ToBoolean()));
}

Napi::Value netlink_request_js(const Napi::CallbackInfo &info) {
  if (!info[1].IsTypedArray()) return misuse(info.Env(), "netlinkRequest(netns, message)");
  Path netns(info[0]);
  auto bytes = info[1].As<Napi::Uint8Array>();
  std::vector<std::vector<uint8_t>> answer;
  int error = netlink_request(netns.get(), bytes.Data(), bytes.ByteLength(), &answer);
  if (error < 0) return fail(info.Env(), error, "rtnetlink");
  Napi::Array out = Napi::Array::New(info.Env(), answer.size());
  for (uint32_t i = 0; i < answer.size(); i++) {
    out.Set(i, Napi::Buffer<uint8_t>::Copy(info.Env(), answer[i].data(), answer[i].size()));
  }
  return out;
}

Napi::Value netlink_listen_js(const Napi::CallbackInfo &info) {
  if (!info[1].IsNumber()) return misuse(info.Env(), "netlinkListen(netns, groups)");
  Path netns(info[0]);
  int fd = netlink_listen(netns.get(), info[1].As<Napi::Number>().Uint32Value());
  return fd < 0 ? fail(info.Env(), fd, "rtnetlink") : Napi::Number::New(info.Env(), fd);
}

Napi::Value netlink_drain_js(const Napi::CallbackInfo &info) {
  if (!info[0].IsNumber()) return misuse(info.Env(), "netlinkDrain(fd)");
  return Napi::Boolean::New(info.Env(), netlink_drain(int_at(info, 0)));
}

// sd_notify(3): one datagram to $NOTIFY_SOCKET, `@` meaning the abstract namespace.
Napi::Value sd_notify_js(const Napi::CallbackInfo &info) {
  if (!info[0].IsString() || !info[1].IsString()) return misuse(info.Env(), "sdNotify(socket, state)");
  std::string path = info[0].As<Napi::String>().Utf8Value();
  std::string state = info[1].As<Napi::String>().Utf8Value();
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof to.sun_path) return Napi::Number::New(info.Env(), -EINVAL);
  memcpy(to.sun_path, path.data(), path.size());
  if (to.sun_path[0] == '@') to.sun_path[0] = '\0';
  socklen_t size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  bool sent = fd && sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr *>(&to),
                           size) >= 0;
  return Napi::Number::New(info.Env(), sent ? 0 : -errno);
}

}  // namespace

// Readiness of an fd on the environment's own event loop. The fd stays the caller's.
class FdPoll : public Napi::ObjectWrap<FdPoll> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "FdPoll",
                       {InstanceMethod<&FdPoll::start>("start"), InstanceMethod<&FdPoll::stop>("stop"),
                        InstanceMethod<&FdPoll::close>("close"), InstanceMethod<&FdPoll::ref>("ref"),
                        InstanceMethod<&FdPoll::unref>("unref")});
  }

  explicit FdPoll(const Napi::CallbackInfo &info) : Napi::ObjectWrap<FdPoll>(info) {
    if (!info[0].IsNumber() || !info[1].IsFunction()) {
      misuse(info.Env(), "new FdPoll(fd, callback)");
      return;
    }
    uv_loop_t *loop = nullptr;
    napi_get_uv_event_loop(info.Env(), &loop);
    auto *handle = new Handle;
    int error = uv_poll_init(loop, &handle->poll, int_at(info, 0));
    if (error < 0) {
      delete handle;
      fail(info.Env(), error, "uv_poll_init");
      return;
    }
    handle->owner = this;
    handle->poll.data = handle;
    handle_ = handle;
    callback_ = Napi::Persistent(info[1].As<Napi::Function>());
    context_ = new Napi::AsyncContext(info.Env(), "vtepd:FdPoll");
    napi_add_env_cleanup_hook(info.Env(), &FdPoll::cleanup, this);
  }

  ~FdPoll() override { shut(); }

 private:
  // Outlives the object until libuv has let go of it.
  struct Handle {
    uv_poll_t poll;
    FdPoll *owner;
  };

  Napi::Value start(const Napi::CallbackInfo &info) {
    if (!info[0].IsNumber()) return misuse(info.Env(), "start(events)");
    if (handle_ != nullptr) {
      if (!held_) Ref();
      held_ = true;
      uv_poll_start(&handle_->poll, int_at(info, 0), &FdPoll::ready);
    }
    return info.Env().Undefined();
  }

  Napi::Value stop(const Napi::CallbackInfo &info) {
    if (handle_ != nullptr) uv_poll_stop(&handle_->poll);
    release();
    return info.Env().Undefined();
  }

  Napi::Value close(const Napi::CallbackInfo &info) {
    shut();
    release();
    return info.Env().Undefined();
  }

  Napi::Value ref(const Napi::CallbackInfo &info) {
    if (handle_ != nullptr) uv_ref(reinterpret_cast<uv_handle_t *>(&handle_->poll));
    return info.Env().Undefined();
  }

  Napi::Value unref(const Napi::CallbackInfo &info) {
    if (handle_ != nullptr) uv_unref(reinterpret_cast<uv_handle_t *>(&handle_->poll));
    return info.Env().Undefined();
  }

  static void ready(uv_poll_t *poll, int status, int events) {
    FdPoll *self = static_cast<Handle *>(poll->data)->owner;
    if (self == nullptr) return;
    Napi::Env env = self->Env();
    Napi::HandleScope scope(env);
    self->callback_.MakeCallback(env.Global(), {Napi::Number::New(env, status < 0 ? status : events)}, *self->context_);
  }

  static void cleanup(void *self) { static_cast<FdPoll *>(self)->shut(); }

  void shut() {
    if (handle_ == nullptr) return;
    napi_remove_env_cleanup_hook(Env(), &FdPoll::cleanup, this);
    handle_->owner = nullptr;
    uv_poll_stop(&handle_->poll);
    uv_close(reinterpret_cast<uv_handle_t *>(&handle_->poll),
             [](uv_handle_t *h) { delete static_cast<Handle *>(h->data); });
    handle_ = nullptr;
    delete context_;
    context_ = nullptr;
  }

  // While it listens, the object must not be collected.
  void release() {
    if (!held_) return;
    held_ = false;
    Unref();
  }

  Handle *handle_ = nullptr;
  bool held_ = false;
  Napi::FunctionReference callback_;
  Napi::AsyncContext *context_ = nullptr;
};

void init_host(Napi::Env env, Napi::Object exports) {
  exports.Set("FdPoll", FdPoll::define(env));
  exports.Set("tunOpen", Napi::Function::New(env, tun_open_js, "tunOpen"));
  exports.Set("tunSetOffload", Napi::Function::New(env, tun_set_offload_js, "tunSetOffload"));
  exports.Set("tunSetQueue", Napi::Function::New(env, tun_set_queue_js, "tunSetQueue"));
  exports.Set("netlinkRequest", Napi::Function::New(env, netlink_request_js, "netlinkRequest"));
  exports.Set("netlinkListen", Napi::Function::New(env, netlink_listen_js, "netlinkListen"));
  exports.Set("netlinkDrain", Napi::Function::New(env, netlink_drain_js, "netlinkDrain"));
  exports.Set("sdNotify", Napi::Function::New(env, sd_notify_js, "sdNotify"));
}

}  // namespace vtepd
