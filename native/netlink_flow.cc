// Flows that connection tracking knows (ctnetlink): listed by protocol and port, and forgotten. Cold.
#include <arpa/inet.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include <algorithm>

#include "netlink_message.h"

namespace vtepd {

namespace {

constexpr uint16_t message_type(uint16_t message) {
  return static_cast<uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | message);
}

struct Tuple {
  int protocol = 0;
  uint16_t source_port = 0;
  uint16_t port = 0;
  uint8_t source[16] = {};
  uint8_t destination[16] = {};
};

uint16_t be16(const uint8_t *d) { return static_cast<uint16_t>(d[0] << 8 | d[1]); }

void read_tuple(const uint8_t *data, size_t size, Tuple *out) {
  attributes(data, size, [out](uint16_t part, const uint8_t *d, size_t n) {
    attributes(d, n, [out, part](uint16_t type, const uint8_t *v, size_t length) {
      if (part == CTA_TUPLE_IP) {
        bool is_address = (type <= CTA_IP_V4_DST && length == 4) || (type > CTA_IP_V4_DST && length == 16);
        bool is_source = type == CTA_IP_V4_SRC || type == CTA_IP_V6_SRC;
        if (is_address) memcpy(is_source ? out->source : out->destination, v, length);
      } else if (part == CTA_TUPLE_PROTO) {
        if (type == CTA_PROTO_NUM && length >= 1) out->protocol = v[0];
        if (type == CTA_PROTO_SRC_PORT && length >= 2) out->source_port = be16(v);
        if (type == CTA_PROTO_DST_PORT && length >= 2) out->port = be16(v);
      }
    });
  });
}

void append(std::vector<uint8_t> *handle, const uint8_t *data, size_t size) {
  const uint8_t *whole = data - RTA_LENGTH(0);
  handle->insert(handle->end(), whole, data + size);
  handle->resize(RTA_ALIGN(handle->size()));
}

}  // namespace

int Netlink::flows(int family, int protocol, const uint16_t *ports, size_t count, std::vector<Flow> *out) {
  Request<nfgenmsg> r(message_type(IPCTNL_MSG_CT_GET), NLM_F_DUMP);
  r.head().nfgen_family = static_cast<uint8_t>(family);
  return dump(r.m(), [&](nlmsghdr *m) {
    out->clear();
    return request(m, [&](const nlmsghdr *answer) {
      if (answer->nlmsg_type != message_type(IPCTNL_MSG_CT_NEW)) return;
      const nfgenmsg *head;
      Tuple there;
      Tuple back;
      Flow f;
      body(answer, &head, [&](uint16_t type, const uint8_t *d, size_t n) {
        if (type == CTA_TUPLE_ORIG) read_tuple(d, n, &there);
        if (type == CTA_TUPLE_REPLY) read_tuple(d, n, &back);
        if (type == CTA_STATUS) f.is_mapped = (ntohl(u32(d, n)) & IPS_DST_NAT) != 0;
        if (type == CTA_TUPLE_ORIG || type == CTA_ZONE || type == CTA_ID) append(&f.handle, d, n);
      });
      if (head->nfgen_family != family || there.protocol != protocol) return;
      if (std::find(ports, ports + count, there.port) == ports + count) return;
      f.port = there.port;
      memcpy(f.destination, there.destination, sizeof f.destination);
      memcpy(f.answerer, back.source, sizeof f.answerer);
      f.answerer_port = back.source_port;
      out->push_back(f);
    });
  });
}

int Netlink::forget_flow(int family, const uint8_t *handle, size_t size) {
  Request<nfgenmsg> r(message_type(IPCTNL_MSG_CT_DELETE), NLM_F_ACK);
  r.head().nfgen_family = static_cast<uint8_t>(family);
  size_t at = NLMSG_ALIGN(r.m()->nlmsg_len);
  if (at + size > sizeof r.bytes) return -EINVAL;
  memcpy(r.bytes + at, handle, size);
  r.m()->nlmsg_len = static_cast<uint32_t>(at + size);
  int e = request(r.m(), [](const nlmsghdr *) {});
  return e == -ENOENT ? 0 : e;
}

}  // namespace vtepd
