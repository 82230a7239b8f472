#include <errno.h>
#include <string.h>

#include "sender_round.h"

namespace vtepd {

// What gather knows of a slot.
struct Sender::Slot {
  uint32_t index;
  Shape shape;
  uint32_t segments;
  uint32_t size;       // of a full datagram
  uint32_t last_size;  // of the last one
  uint32_t lane_key;
  const Pool *pool;
  int32_t peer;  // kNone: the slot's own address
  int32_t key;
  uint16_t pad;
  uint8_t tos;
};

Sender::Sender(Aead *aead) : aead_(aead), w_(new Workspace) { memset(w_->lane_of, -1, sizeof w_->lane_of); }
Sender::~Sender() = default;

bool Sender::send(Batch &b, uint32_t count, std::vector<Pool> &pools, std::vector<Endpoint> &endpoints,
                  UdpStats &stats) {
  count_ = count < b.slots ? count : b.slots;
  cursor_ = segment_ = failed_ = 0;
  w_->lane = w_->lane_count = 0;
  w_->single = kNone;
  key_changes_ = aead_->changes();
  return resume(b, pools, endpoints, stats);
}

bool Sender::resume(Batch &b, std::vector<Pool> &pools, std::vector<Endpoint> &endpoints, UdpStats &stats) {
  blocked_fd_ = -1;
  if (w_->lane < w_->lane_count && !flush(b, pools, endpoints, stats)) return false;
  while (cursor_ < count_) {
    gather(b, pools, endpoints);
    if (!flush(b, pools, endpoints, stats)) return false;
  }
  return true;
}

// Puts slots into messages until the batch ends or the round's workspace is full.
void Sender::gather(Batch &b, std::vector<Pool> &pools, std::vector<Endpoint> &endpoints) {
  Workspace &w = *w_;
  w.built_count = w.piece_count = w.message_count = w.lane_count = w.iovec_count = w.lane = 0;
  for (; cursor_ < count_; cursor_++, segment_ = 0) {
    uint32_t i = cursor_;
    if (segment_ == 0) b.c.err[i] = 0;
    int32_t key = b.c.key[i];
    if (b.c.len[i] == 0 && (key < 0 || b.c.kind[i] != kKeepalive)) continue;
    int32_t peer = b.c.peer[i];
    const Endpoint *to =
        peer >= 0 && static_cast<size_t>(peer) < endpoints.size() ? &endpoints[peer] : nullptr;
    const uint8_t *addr = to ? to->addr : b.c.addr + static_cast<size_t>(i) * kAddrLen;
    int32_t pool = to ? to->pool : b.c.link[i];
    if (!b.holds(i) || sockaddr_len(addr) == 0 || pool < 0 || static_cast<size_t>(pool) >= pools.size() ||
        static_cast<uint32_t>(pool) >= kMaxPools || pools[pool].count == 0) {
      fail_slot(b, i, -EDESTADDRREQ);
      continue;
    }
    Slot s;
    s.index = i;
    s.pool = &pools[pool];
    s.lane_key = static_cast<uint32_t>(pool) * kPoolPorts + b.c.port[i] % s.pool->count;
    s.peer = to ? peer : kNone;
    s.tos = b.c.tos[i];
    s.key = key;
    s.pad = to ? to->pad : 0;
    int error = measure(b, &s);
    if (error != 0) {
      fail_slot(b, i, error);
      continue;
    }
    segment_ = add(s, segment_);
    if (segment_ < s.segments) break;
  }
  for (uint32_t k = 0; k < w.lane_count; k++) {
    w.lane_of[w.lanes[k].pool * kPoolPorts + w.lanes[k].port] = -1;
  }
}

// Finds out into which datagrams a slot is cut. 0 or -errno.
int Sender::measure(const Batch &b, Slot *s) const {
  uint32_t i = s->index;
  uint32_t len = b.c.len[i];
  s->shape = shape_of(b, i);
  if (s->shape.segment == 0) {
    s->segments = 1;
    s->size = s->last_size = len;
  } else {
    if (!is_train(s->shape, b.bytes + b.c.off[i], len)) return -EINVAL;
    s->segments = segment_count(s->shape, len);
    s->size = s->shape.header + s->shape.segment;
    s->last_size = s->shape.header + segment_payload(s->shape, len, s->segments - 1);
    if (s->segments == 1) s->size = s->last_size;
  }
  if (s->key < 0) return 0;
  if (!aead_->usable(s->key, key_changes_)) return -ENOKEY;
  // Also false for what is no number.
  double counter = b.c.ctr[i];
  if (!(counter >= 0 && counter <= kMaxCounter - s->segments)) return -EINVAL;
  s->size = sealed(s->size, s->pad);
  s->last_size = sealed(s->last_size, s->pad);
  return s->size <= kMaxMessage ? 0 : -EMSGSIZE;
}

// Adds segments [from, …) of a slot to messages of its lane; returns the first one that found no room in this
// round.
uint32_t Sender::add(const Slot &s, uint32_t from) {
  Workspace &w = *w_;
  uint32_t max = s.pool->gso ? s.pool->max_segments : 1;
  while (from < s.segments) {
    uint32_t size = from + 1 == s.segments ? s.last_size : s.size;
    int16_t lane = w.lane_of[s.lane_key];
    Message *m = lane >= 0 ? &w.messages[w.lanes[lane].last] : nullptr;
    bool fits = m && !m->closed && m->peer == s.peer && (s.peer >= 0 || m->slot == s.index) &&
                m->tos == s.tos && m->key == s.key && size <= m->size && m->segments < max &&
                m->bytes + size <= kMaxMessage;
    uint32_t full = s.last_size == s.size ? s.segments - from : s.segments - from - 1;
    uint32_t n = 1;
    if (full > 1) {
      n = full;
      if (fits && size < m->size) n = 1;
      uint32_t room_segments = fits ? max - m->segments : max;
      uint32_t room_bytes = (kMaxMessage - (fits ? m->bytes : 0)) / size;
      if (n > room_segments) n = room_segments;
      if (n > room_bytes) n = room_bytes;
      if (n == 0) n = 1;
    }
    if (w.piece_count == kRoundPieces || w.iovec_count == kRoundIovecs) return from;
    // At most one for each datagram.
    if (n > kRoundIovecs - w.iovec_count) n = kRoundIovecs - w.iovec_count;
    if (!fits) {
      if (w.message_count == kRoundMessages) return from;
      uint32_t k = w.message_count++;
      m = &w.messages[k];
      *m = {s.peer, s.index, kNone, kNone, kNone, 0, 0, size, s.key, s.pad, s.tos, false};
      if (lane < 0) {
        lane = static_cast<int16_t>(w.lane_count++);
        w.lane_of[s.lane_key] = lane;
        w.lanes[lane] = {s.lane_key / kPoolPorts, s.lane_key % kPoolPorts, static_cast<int32_t>(k),
                         static_cast<int32_t>(k)};
      } else {
        w.messages[w.lanes[lane].last].next = static_cast<int32_t>(k);
        w.lanes[lane].last = static_cast<int32_t>(k);
      }
    }
    int32_t p = static_cast<int32_t>(w.piece_count++);
    w.pieces[p] = {s.index, from, n, kNone};
    if (m->tail == kNone) {
      m->head = p;
    } else {
      w.pieces[m->tail].next = p;
    }
    m->tail = p;
    m->segments += n;
    m->bytes += n * size;
    // A shorter datagram may only end a message (udp(7), UDP_SEGMENT).
    if (size < m->size) m->closed = true;
    w.iovec_count += n;
    from += n;
  }
  return from;
}

}  // namespace vtepd
