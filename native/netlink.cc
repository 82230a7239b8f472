#include "netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include <utility>

#include "fd.h"
#include "netns.h"

namespace vtepd {

namespace {

constexpr size_t kAnswerMax = 256 * 1024;

int open_socket(const char *netns, uint32_t groups, int flags, UniqueFd *out) {
  NetnsGuard guard(netns);
  if (guard.error() < 0) return guard.error();
  UniqueFd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, NETLINK_ROUTE));
  if (!fd) return -errno;
  sockaddr_nl local{};
  local.nl_family = AF_NETLINK;
  local.nl_groups = groups;
  if (bind(fd.get(), reinterpret_cast<sockaddr *>(&local), sizeof local) < 0) return -errno;
  *out = std::move(fd);
  return 0;
}

// One datagram's messages. 1: more to come, 0: done, or -errno.
int take(const uint8_t *data, size_t size, std::vector<std::vector<uint8_t>> *answer) {
  while (size >= sizeof(nlmsghdr)) {
    nlmsghdr h;
    memcpy(&h, data, sizeof h);
    if (h.nlmsg_len < sizeof h || h.nlmsg_len > size) return -EBADMSG;
    if (h.nlmsg_type == NLMSG_DONE) return 0;
    if (h.nlmsg_type == NLMSG_ERROR) {
      int error = 0;
      if (h.nlmsg_len >= sizeof h + sizeof error) memcpy(&error, data + sizeof h, sizeof error);
      return error;
    }
    answer->emplace_back(data, data + h.nlmsg_len);
    size_t step = NLMSG_ALIGN(h.nlmsg_len);
    if (step >= size) return 1;
    data += step;
    size -= step;
  }
  return 1;
}

}  // namespace

int netlink_request(const char *netns, const uint8_t *request, size_t size,
                    std::vector<std::vector<uint8_t>> *answer) {
  UniqueFd fd;
  int error = open_socket(netns, 0, 0, &fd);
  if (error < 0) return error;
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (sendto(fd.get(), request, size, 0, reinterpret_cast<sockaddr *>(&kernel), sizeof kernel) < 0)
    return -errno;
  std::vector<uint8_t> buffer(kAnswerMax);
  for (;;) {
    ssize_t got = recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -errno;
    int more = take(buffer.data(), static_cast<size_t>(got), answer);
    if (more <= 0) return more;
  }
}

int netlink_listen(const char *netns, uint32_t groups) {
  UniqueFd fd;
  int error = open_socket(netns, groups, SOCK_NONBLOCK, &fd);
  return error < 0 ? error : fd.release();
}

bool netlink_drain(int fd) {
  uint8_t buffer[16384];
  bool any = false;
  for (;;) {
    ssize_t got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    // ENOBUFS: messages were lost, so there were some.
    if (got >= 0 || errno == ENOBUFS) {
      any = true;
    } else if (errno != EINTR) {
      return any;
    }
  }
}

}  // namespace vtepd
