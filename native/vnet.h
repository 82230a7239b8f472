// The header in front of every frame of a device opened with IFF_VNET_HDR: struct virtio_net_hdr of
// linux/virtio_net.h, written again because that header is not valid C++ in every release. Native byte order.
#pragma once
#include <cstdint>

namespace vtepd {

struct VnetHdr {
  uint8_t flags;
  uint8_t gso_type;
  uint16_t hdr_len;  // not to be trusted for forwarded packets
  uint16_t gso_size;
  uint16_t csum_start;  // from the first byte of the frame, Ethernet header included
  uint16_t csum_offset;
};
static_assert(sizeof(VnetHdr) == 10, "TUNSETVNETHDRSZ's default");

constexpr uint8_t kVnetNeedsCsum = 1;  // VIRTIO_NET_HDR_F_NEEDS_CSUM; gso_type values are layout.h's kinds

}  // namespace vtepd
