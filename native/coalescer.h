// Joins datagrams' frames into trains for the device on the way in, the mirror of offload.h: what a NIC's
// receive offload would do. Pure byte work; frames are read, never written: a joined frame's headers go to a
// buffer of the caller's, so a train that the device refuses can still be written frame by frame. Kernel:
// tcp_gro_receive, udp_gro_receive, inet_gro_receive. Temperature: hot; nothing allocates after construction.
#pragma once
#include <cstdint>

#include "offload.h"

namespace vtepd {

constexpr uint32_t kMaxFrames = 4096;     // frames in one batch
constexpr uint32_t kMaxSegments = 128;    // frames in one item
constexpr uint32_t kMaxUdpSegments = 64;  // UDP_MAX_SEGMENTS before Linux 6.9
constexpr uint32_t kMaxTrain = 65535;     // bytes of an item's IP packet

/// One write to the device: a frame as it came, several of one flow joined, or a super-packet that came in
/// one datagram. A train when vnet.gso_type is set; its headers come from Coalescer::write_header then.
struct Item {
  uint32_t first;   // slot of the first frame
  uint32_t last;    // slot of the last frame
  uint32_t frames;  // how many
  uint32_t length;  // bytes of the joined frame
  uint16_t header;  // payload starts here in every frame of a train
  VnetHdr vnet;

  // The coalescer's own.
  bool open;     // the next frame of the flow may join
  bool psh;      // the last frame pushes
  uint8_t kind;  // gso_type, if it is or becomes a train
  uint16_t l3;
  uint16_t l4;
  uint16_t segment;   // payload bytes of every frame but perhaps the last
  uint16_t id;        // IPv4 identification of the last frame
  uint32_t next_seq;  // TCP sequence number that continues the item
  const uint8_t *frame;
};

/// Joins consecutive frames of a flow for one device. Order within a flow is kept: a frame that cannot join
/// ends the flow's item, so nothing later goes before it. Items come in the order of their first frames.
/// Usage: begin(); add() for every frame; read items.
class Coalescer {
 public:
  Coalescer();

  /// `tcp`, `udp`: whether frames may be joined to such trains. `mtu`: the device's, in bytes of IP packet.
  void begin(bool ethernet, bool tcp, bool udp, uint32_t mtu);

  /// Takes frame `slot` (< kMaxFrames, ascending). `hint`: segment size that the kernel told for an over-long
  /// single frame (a super-packet in one datagram), or 0. The frame must stay put until its item is written.
  ///
  /// A frame joins when it is plain TCP or UDP of the same headers, in sequence, of the same payload size
  /// (the last one may be shorter), and both its checksums are right. A super-packet with an unfinished or
  /// right checksum becomes a train by itself: UDP cut by the hint, TCP (IP packet longer than the mtu) by
  /// the hint or what the mtu leaves. The device may not take such trains; `shape` is for cutting it then. A
  /// packet whose checksum field holds just the pseudo-header's sum is marked NEEDS_CSUM. A checksum that is
  /// wrong stays wrong, and such a frame is never joined.
  void add(uint32_t slot, const uint8_t *frame, uint32_t len, uint16_t hint);

  uint32_t count() const { return count_; }
  const Item &item(uint32_t i) const { return items_[i]; }
  /// The frame after `slot` in its item; meaningless for the last.
  uint32_t next(uint32_t slot) const { return next_[slot]; }

  /// Writes a train's item.header bytes (<= kMaxHeader) to dst: lengths, IPv4 checksum, the last frame's PSH,
  /// the pseudo-header's sum in the L4 checksum field.
  void write_header(const Item &item, uint8_t *dst) const;

  /// How Splitter cuts a train of one frame.
  Shape shape(const Item &item) const;

 private:
  // An open-addressing table of the batch's flows. `stamp` tells entries of this batch from old ones.
  struct Flow {
    uint32_t stamp;
    uint32_t hash;
    uint32_t item;
  };
  struct Packet;

  void add_to_flow(uint32_t slot, const Packet &p);
  Item &start(uint32_t slot, const Packet &p);
  bool make_train(Item &item, const Packet &p, uint16_t hint);
  static void set_vnet(Item &item);
  bool join(Item &item, uint32_t slot, const Packet &p);
  bool same_headers(const Item &item, const Packet &p) const;
  uint32_t hash(const Packet &p) const;
  Flow *find(const Packet &p, uint32_t key);
  void forget_all();

  static constexpr uint32_t kFlows = 2 * kMaxFrames;
  static constexpr uint32_t kProbes = 16;

  uint64_t seed_ = 0;
  uint32_t stamp_ = 0;
  uint32_t mtu_ = 0;
  uint32_t count_ = 0;
  bool ethernet_ = true;
  bool tcp_ = false;
  bool udp_ = false;
  bool tracking_ = false;  // some flow is in the table
  Item items_[kMaxFrames];
  uint32_t next_[kMaxFrames];
  Flow flows_[kFlows] = {};
};

}  // namespace vtepd
