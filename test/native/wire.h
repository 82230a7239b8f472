// Two ends over loopback: receiving sockets, a pool of sending ones, endpoints, and a Sender between them.
#pragma once
#include <memory>
#include <vector>

#include "../../native/fd.h"
#include "../../native/sender.h"
#include "tray.h"

namespace test {

struct Received {
  Bytes bytes;
  uint16_t port;  // source
  uint8_t tos;
  uint16_t segment;
  Bytes local;
};

class Wire {
 public:
  /// `far_ends` receivers on 127.0.0.1 or ::1, each an endpoint of that number.
  bool open(int family, uint32_t far_ends, uint32_t ports, uint32_t receive_flags = 0);

  /// What waits at a receiver, in order of arrival.
  std::vector<Received> receive(uint32_t far_end);

  bool send() { return sender.send(tray.batch, tray.count, pools, endpoints, stats); }
  bool resume() { return sender.resume(tray.batch, pools, endpoints, stats); }
  void set_gso(bool on);
  int receiver(uint32_t far_end) const { return receivers_[far_end].get(); }
  uint16_t port_of(uint32_t index) const { return ports_[index]; }
  /// A slot for an endpoint.
  uint32_t put(const Bytes &datagram, int32_t peer, uint16_t port = 0);

  vtepd::Aead aead;
  vtepd::Sender sender{&aead};
  vtepd::UdpStats stats;
  std::vector<vtepd::Pool> pools;
  std::vector<vtepd::Endpoint> endpoints;
  Tray tray{1024, 4 << 20};

 private:
  std::vector<vtepd::UniqueFd> receivers_, senders_;
  std::vector<vtepd::Socket> sockets_;
  std::vector<uint16_t> ports_;
  Tray landing_{64, 64 * vtepd::kDatagramRoom};
};

/// Puts a train with VXLAN's 8 bytes in front into a slot, and what must arrive into `want`.
uint32_t put_train(Wire &w, const Spec &super, uint16_t segment, int32_t peer, uint16_t port,
                   std::vector<Bytes> *want);

/// A super-packet with that much payload.
Spec super(size_t payload, bool tcp = true);

}  // namespace test
