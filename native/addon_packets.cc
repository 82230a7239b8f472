// `new Packets(fd, ethernet, vnetHdr, slab, places)`: the streams of src/tuntap.ts read and write through it.
// The fd is borrowed from an FdPoll; `end` forgets it, and everything answers EBADF from then on.
#include <errno.h>

#include "addon_host.h"
#include "addon_value.h"
#include "packets.h"

namespace vtepd {

namespace {

class PacketsObject : public Napi::ObjectWrap<PacketsObject> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Packets",
                       {
                           InstanceMethod<&PacketsObject::read>("read"),
                           InstanceMethod<&PacketsObject::write>("write"),
                           InstanceMethod<&PacketsObject::pending>("pending"),
                           InstanceMethod<&PacketsObject::end>("end"),
                       });
  }

  explicit PacketsObject(const Napi::CallbackInfo &info) : Napi::ObjectWrap<PacketsObject>(info) {
    bool typed = info[3].IsTypedArray() && info[4].IsTypedArray();
    if (!is_fd(info[0]) || !info[1].IsBoolean() || !info[2].IsBoolean() || !typed ||
        info[3].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array ||
        info[4].As<Napi::TypedArray>().TypedArrayType() != napi_uint32_array ||
        info[3].As<Napi::TypedArray>().ByteLength() < Packets::kMaxPacket ||
        info[4].As<Napi::TypedArray>().ElementLength() < 2) {
      misuse(info.Env(), "new Packets(fd, ethernet, vnetHdr, slab, places)");
      return;
    }
    auto slab = info[3].As<Napi::Uint8Array>();
    auto places = info[4].As<Napi::Uint32Array>();
    // References to the buffers, not to the views: those of small views may move when the view is first asked
    // for.
    slab_ = Napi::Persistent(slab.ArrayBuffer());
    places_ = Napi::Persistent(places.ArrayBuffer());
    slab_data_ = slab.Data();
    slab_size_ = slab.ByteLength();
    places_data_ = places.Data();
    cap_ = static_cast<uint32_t>(places.ElementLength() / 2);
    packets_.reset(new Packets(as_int(info[0]), info[1].ToBoolean(), info[2].ToBoolean()));
  }

 private:
  // Number of packets, or -errno.
  Napi::Value read(const Napi::CallbackInfo &info) {
    int n = packets_ ? packets_->read(slab_data_, slab_size_, places_data_, cap_) : -EBADF;
    return Napi::Number::New(info.Env(), n);
  }

  // write(packets, from): how many of packets[from..] were taken; if not all, places[0] is the errno of the
  // next one.
  Napi::Value write(const Napi::CallbackInfo &info) {
    if (!info[0].IsArray() || !is_int(info[1], 0, 0x7fffffff)) {
      return misuse(info.Env(), "write(packets, from)");
    }
    auto list = info[0].As<Napi::Array>();
    uint32_t from = static_cast<uint32_t>(as_int(info[1]));
    uint32_t count = list.Length();
    uint32_t i = from;
    for (; i < count; i++) {
      Napi::HandleScope scope(info.Env());
      Napi::Value v = list.Get(i);
      if (!v.IsTypedArray() || v.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
        return misuse(info.Env(), "an array of Uint8Array");
      }
      auto packet = v.As<Napi::Uint8Array>();
      int e = packets_ ? packets_->write(packet.Data(), packet.ByteLength()) : -EBADF;
      if (e < 0) {
        places_data_[0] = static_cast<uint32_t>(-e);
        break;
      }
    }
    return Napi::Number::New(info.Env(), i > from ? i - from : 0u);
  }

  Napi::Value pending(const Napi::CallbackInfo &info) {
    return Napi::Boolean::New(info.Env(), packets_ && packets_->pending());
  }

  Napi::Value end(const Napi::CallbackInfo &info) {
    packets_.reset();
    return info.Env().Undefined();
  }

  Napi::Reference<Napi::ArrayBuffer> slab_;
  Napi::Reference<Napi::ArrayBuffer> places_;
  uint8_t *slab_data_ = nullptr;
  size_t slab_size_ = 0;
  uint32_t *places_data_ = nullptr;
  uint32_t cap_ = 0;
  std::unique_ptr<Packets> packets_;
};

}  // namespace

void init_packets(Napi::Env env, Napi::Object exports) { exports.Set("Packets", PacketsObject::define(env)); }

}  // namespace vtepd
