// How route netlink's messages are put together and taken apart: requests, attributes, answers. For the
// netlink files alone. netlink(7), rtnetlink(7). Cold.
#pragma once
#include <assert.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "netlink.h"

namespace vtepd {

constexpr int kDumpTries = 8;

/// Bytes of an address of the family.
inline size_t width(int family) { return family == AF_INET ? 4 : 16; }

// A request under construction: netlink header, one fixed header, attributes.
template <class Head>
struct Request {
  alignas(NLMSG_ALIGNTO) uint8_t bytes[256] = {};

  Request(uint16_t type, uint16_t flags) {
    m()->nlmsg_type = type;
    m()->nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
    m()->nlmsg_len = NLMSG_LENGTH(sizeof(Head));
  }

  nlmsghdr *m() { return reinterpret_cast<nlmsghdr *>(bytes); }
  Head &head() { return *static_cast<Head *>(NLMSG_DATA(m())); }

  rtattr *put(uint16_t type, const void *data, size_t size) {
    size_t at = NLMSG_ALIGN(m()->nlmsg_len);
    assert(at + RTA_SPACE(size) <= sizeof bytes);
    auto *a = reinterpret_cast<rtattr *>(bytes + at);
    a->rta_type = type;
    a->rta_len = static_cast<uint16_t>(RTA_LENGTH(size));
    if (size > 0) memcpy(bytes + at + RTA_LENGTH(0), data, size);
    m()->nlmsg_len = static_cast<uint32_t>(at + RTA_SPACE(size));
    return a;
  }
  void put_u32(uint16_t type, uint32_t value) { put(type, &value, sizeof value); }
  rtattr *nest(uint16_t type) { return put(static_cast<uint16_t>(type | NLA_F_NESTED), nullptr, 0); }
  void end(rtattr *a) {
    a->rta_len = static_cast<uint16_t>(bytes + m()->nlmsg_len - reinterpret_cast<uint8_t *>(a));
  }
};

template <class Each>
void attributes(const void *start, size_t size, Each each) {
  auto *a = static_cast<const rtattr *>(start);
  auto left = static_cast<unsigned>(size);
  for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
    each(static_cast<uint16_t>(a->rta_type & NLA_TYPE_MASK), static_cast<const uint8_t *>(RTA_DATA(a)),
         static_cast<size_t>(RTA_PAYLOAD(a)));
  }
}

template <class Head, class Each>
void body(const nlmsghdr *m, const Head **head, Each each) {
  *head = static_cast<const Head *>(NLMSG_DATA(m));
  size_t skip = NLMSG_SPACE(sizeof(Head));
  if (m->nlmsg_len > skip) {
    attributes(reinterpret_cast<const uint8_t *>(m) + skip, m->nlmsg_len - skip, each);
  }
}

inline uint32_t u32(const uint8_t *data, size_t size) {
  uint32_t v = 0;
  if (size >= sizeof v) memcpy(&v, data, sizeof v);
  return v;
}

inline std::string text(const uint8_t *data, size_t size) {
  auto *s = reinterpret_cast<const char *>(data);
  return std::string(s, strnlen(s, size));
}

// Sends, and hands every answer to `each` until the acknowledgement or the end of the dump. -EAGAIN: the dump
// was torn.
template <class Each>
int Netlink::request(nlmsghdr *m, Each each) {
  int e = send(m);
  if (e < 0) return e;
  bool torn = false;
  for (;;) {
    ssize_t got = recv(fd_.get(), buffer_.get(), kBuffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -errno;
    auto left = static_cast<unsigned>(got);
    for (auto *a = reinterpret_cast<nlmsghdr *>(buffer_.get()); NLMSG_OK(a, left); a = NLMSG_NEXT(a, left)) {
      if (a->nlmsg_seq != seq_) continue;
      torn = torn || (a->nlmsg_flags & NLM_F_DUMP_INTR);
      if (a->nlmsg_type == NLMSG_DONE) return torn ? -EAGAIN : 0;
      if (a->nlmsg_type == NLMSG_ERROR) {
        int error = static_cast<const nlmsgerr *>(NLMSG_DATA(a))->error;
        if (error < 0) read_message(a);
        return error;
      }
      each(a);
    }
  }
}

template <class Each>
int Netlink::dump(nlmsghdr *m, Each each) {
  int e = -EAGAIN;
  for (int i = 0; i < kDumpTries && e == -EAGAIN; i++) e = each(m);
  return e;
}

}  // namespace vtepd
