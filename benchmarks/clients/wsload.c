/* A WebSocket load client that is faster than any server it meets: one thread, epoll, one frame built
 * beforehand, nothing allocated while it measures.
 *
 *   wsload echo      HOST PORT PATH CONNECTIONS BYTES text|binary SECONDS
 *   wsload broadcast HOST PORT PATH CONNECTIONS BYTES text|binary SECONDS UNDER_WAY
 *
 * echo: each connection sends a masked message, waits for the same message, and sends the next.
 * broadcast: the first connection sends a message that the server passes to every connection; up to
 * UNDER_WAY such messages have not reached all of them.
 *
 * After WARM_UP seconds that do not count, it prints one line of JSON: messages received, seconds,
 * and the time from sending to receiving (broadcast: to the last receiver) in microseconds.
 * A wrong byte, a close or an error ends it with status 1 and a line that says what happened.
 * Linux only; the frames are those of RFC 6455 section 5.2 without extensions.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "../../tests/python/client.h"

enum {
  MOST_UNDER_WAY = 1024,
  EVENTS = 256,
  CONTROL_MAX = 125,
  HEADER_MAX = 14,
  RECEIVE = 256 * 1024,
  SUB_BITS = 6, /* each power of two of nanoseconds in 64 steps: percentiles to 1.6 % */
  BUCKETS = 64 << SUB_BITS
};
static const double WARM_UP = 0.2;

typedef struct {
  int fd;
  bool waits_to_send;
  size_t unsent;                 /* of the frame */
  uint64_t started;              /* when its frame was sent */
  uint8_t header[HEADER_MAX];    /* of the frame that arrives */
  unsigned header_have, opcode;  /* opcode of the frame that arrives */
  bool fin;
  uint64_t payload_left;
  size_t message_have;           /* bytes of the message so far */
  uint8_t control[CONTROL_MAX];
  unsigned control_have;
} Connection;

static Connection *connections;
static unsigned connection_count;
static uint8_t *frame, *payload, *inbox;
static size_t frame_size, payload_size;
static unsigned message_opcode;
static bool broadcast;
static unsigned under_way;
static int poller;
static uint64_t histogram[BUCKETS], slowest, messages, measured_from;
static uint64_t deliveries, published, completed, publish_times[MOST_UNDER_WAY];

static unsigned bucket_of(uint64_t value) {
  if (value < (1u << SUB_BITS)) return (unsigned)value;
  unsigned shift = 63u - (unsigned)__builtin_clzll(value) - SUB_BITS;
  return ((shift + 1) << SUB_BITS) + (unsigned)((value >> shift) & ((1u << SUB_BITS) - 1));
}

static double value_of(unsigned bucket) {
  unsigned group = bucket >> SUB_BITS, step = bucket & ((1u << SUB_BITS) - 1);
  if (group == 0) return step;
  return (double)(((uint64_t)step + (1u << SUB_BITS)) << (group - 1));
}

static double percentile(double part) {
  uint64_t total = 0, seen = 0;
  for (unsigned i = 0; i < BUCKETS; ++i) total += histogram[i];
  for (unsigned i = 0; i < BUCKETS; ++i) {
    seen += histogram[i];
    if (seen > 0 && (double)seen >= part * (double)total) return value_of(i) / 1000.0;
  }
  return 0;
}

static void record(uint64_t since, uint64_t time) {
  if (measured_from == 0) return;
  uint64_t took = time - since;
  ++histogram[bucket_of(took)];
  if (took > slowest) slowest = took;
}

static void build_frame(void) {
  static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
  payload = malloc(payload_size);
  frame = malloc(payload_size + HEADER_MAX);
  inbox = malloc(RECEIVE);
  if (!payload || !frame || !inbox) fail("out of memory");
  uint32_t random = 12345;
  for (size_t i = 0; i < payload_size; ++i) {
    random = random * 1664525u + 1013904223u;
    payload[i] = (uint8_t)(' ' + (random >> 16) % 95); /* printable, so that it may be text */
  }
  frame[frame_size++] = (uint8_t)(0x80 | message_opcode);
  if (payload_size < 126) {
    frame[frame_size++] = (uint8_t)(0x80 | payload_size);
  } else if (payload_size < 65536) {
    frame[frame_size++] = 0x80 | 126;
    for (int shift = 8; shift >= 0; shift -= 8) frame[frame_size++] = (uint8_t)(payload_size >> shift);
  } else {
    frame[frame_size++] = 0x80 | 127;
    for (int shift = 56; shift >= 0; shift -= 8) frame[frame_size++] = (uint8_t)(payload_size >> shift);
  }
  memcpy(frame + frame_size, mask, 4);
  frame_size += 4;
  for (size_t i = 0; i < payload_size; ++i) frame[frame_size++] = payload[i] ^ mask[i & 3];
}

static void send_more(Connection *c) {
  while (c->unsent > 0) {
    ssize_t sent = send(c->fd, frame + (frame_size - c->unsent), c->unsent, MSG_NOSIGNAL);
    if (sent > 0) {
      c->unsent -= (size_t)sent;
    } else if (errno == EAGAIN) {
      break;
    } else if (errno != EINTR) {
      fail("send: %s", strerror(errno));
    }
  }
  bool wait = c->unsent > 0;
  if (wait != c->waits_to_send) {
    struct epoll_event event = {.events = EPOLLIN | (wait ? (uint32_t)EPOLLOUT : 0u), .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
    c->waits_to_send = wait;
  }
}

static void start_message(Connection *c, uint64_t time) {
  if (c->unsent > 0) fail("a message is to be sent while another is");
  c->started = time;
  c->unsent = frame_size;
  send_more(c);
}

static void publish(uint64_t time) {
  while (published < completed + under_way && connections[0].unsent == 0) {
    publish_times[published++ % under_way] = time;
    start_message(&connections[0], time);
  }
}

static void message_arrived(Connection *c) {
  uint64_t time = now();
  if (c->message_have != payload_size) fail("a message of %zu bytes came", c->message_have);
  c->message_have = 0;
  if (measured_from) ++messages;
  if (!broadcast) {
    record(c->started, time);
    start_message(c, time);
    return;
  }
  if (++deliveries == (completed + 1) * connection_count) {
    record(publish_times[completed++ % under_way], time);
    publish(time);
  }
}

static void answer_ping(Connection *c) {
  if (c->unsent > 0) return; /* between two frames only; the next ping gets its answer */
  uint8_t pong[6 + CONTROL_MAX] = {0x8a, (uint8_t)(0x80 | c->control_have), 0, 0, 0, 0};
  memcpy(pong + 6, c->control, c->control_have);
  ssize_t size = 6 + (ssize_t)c->control_have;
  if (send(c->fd, pong, (size_t)size, MSG_NOSIGNAL) != size) fail("a pong could not be sent");
}

static void frame_ended(Connection *c) {
  c->header_have = 0;
  if (c->opcode == 9) answer_ping(c);
  if (c->opcode < 8 && c->fin) message_arrived(c);
}

/* Takes what it needs of a header; false if more is to come. */
static bool take_header(Connection *c, const uint8_t **data, size_t *size) {
  for (;;) {
    unsigned want = 2;
    if (c->header_have >= 2) {
      if (c->header[1] & 0x80) fail("the server masks");
      unsigned length = c->header[1] & 0x7f;
      want = length == 126 ? 4 : length == 127 ? 10 : 2;
      if (c->header_have == want) {
        c->payload_left = length < 126 ? length : 0;
        for (unsigned i = 2; i < want; ++i) c->payload_left = c->payload_left << 8 | c->header[i];
        break;
      }
    }
    if (*size == 0) return false;
    c->header[c->header_have++] = **data;
    ++*data;
    --*size;
  }
  c->opcode = c->header[0] & 0x0f;
  c->fin = c->header[0] & 0x80;
  if (c->header[0] & 0x70) fail("a reserved bit is set: an extension nobody asked for");
  if (c->opcode == 8) fail("the server closes");
  if (c->opcode < 8 && c->opcode != (c->message_have ? 0 : message_opcode)) fail("opcode %u", c->opcode);
  if (c->opcode >= 8 && c->payload_left > CONTROL_MAX) fail("a control frame is too long");
  c->control_have = 0;
  return true;
}

static void take(Connection *c, const uint8_t *data, size_t size) {
  for (;;) {
    if (c->payload_left == 0 && !take_header(c, &data, &size)) return;
    size_t part = size < c->payload_left ? size : (size_t)c->payload_left;
    if (c->opcode >= 8) {
      memcpy(c->control + c->control_have, data, part);
      c->control_have += (unsigned)part;
    } else {
      if (c->message_have + part > payload_size) fail("a message is too long");
      if (memcmp(payload + c->message_have, data, part) != 0) fail("a message came back changed");
      c->message_have += part;
    }
    data += part;
    size -= part;
    c->payload_left -= part;
    if (c->payload_left > 0) return;
    frame_ended(c);
  }
}

static void receive(Connection *c) {
  ssize_t size = recv(c->fd, inbox, RECEIVE, 0);
  if (size > 0) {
    take(c, inbox, (size_t)size);
  } else if (size == 0) {
    fail("the server closed a connection");
  } else if (errno != EAGAIN && errno != EINTR) {
    fail("recv: %s", strerror(errno));
  }
}

static void open_websocket(Connection *c, const char *host, int port, const char *path) {
  c->fd = open_connection(host, port);
  size_t size = upgrade(c->fd, path, (char *)inbox, RECEIVE);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event);
  take(c, inbox, size);
}

int main(int count, char **arguments) {
  broadcast = count > 1 && strcmp(arguments[1], "broadcast") == 0;
  if (count != (broadcast ? 10 : 9))
    fail("usage: wsload echo|broadcast HOST PORT PATH CONNECTIONS BYTES text|binary SECONDS [UNDER_WAY]");
  connection_count = (unsigned)atoi(arguments[5]);
  payload_size = (size_t)atoll(arguments[6]);
  message_opcode = strcmp(arguments[7], "text") == 0 ? 1 : 2;
  double seconds = atof(arguments[8]);
  if (broadcast) under_way = (unsigned)atoi(arguments[9]);
  if (under_way > MOST_UNDER_WAY || (broadcast && under_way < 1)) fail("UNDER_WAY: 1 to %d", MOST_UNDER_WAY);
  if (connection_count < 1 || payload_size < 1 || seconds <= 0) fail("nothing to do");
  struct rlimit files = {connection_count + 64, connection_count + 64};
  struct rlimit allowed;
  getrlimit(RLIMIT_NOFILE, &allowed);
  if (allowed.rlim_cur < files.rlim_cur && setrlimit(RLIMIT_NOFILE, &files) != 0)
    fail("too few descriptors allowed");
  build_frame();
  poller = epoll_create1(EPOLL_CLOEXEC);
  connections = calloc(connection_count, sizeof *connections);
  if (!connections || poller < 0) fail("out of memory");
  for (unsigned i = 0; i < connection_count; ++i)
    open_websocket(&connections[i], arguments[2], atoi(arguments[3]), arguments[4]);

  uint64_t start = now();
  uint64_t warm = start + (uint64_t)(WARM_UP * 1e9);
  uint64_t end = warm + (uint64_t)(seconds * 1e9);
  if (broadcast) {
    publish(start);
  } else {
    for (unsigned i = 0; i < connection_count; ++i) start_message(&connections[i], now());
  }
  for (;;) {
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(poller, events, EVENTS, 100);
    uint64_t time = now();
    if (time >= end) break;
    if (measured_from == 0 && time >= warm) measured_from = time;
    for (int i = 0; i < ready; ++i) {
      Connection *c = events[i].data.ptr;
      if (events[i].events & EPOLLOUT) {
        send_more(c);
        if (broadcast) publish(time);
      }
      if (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) receive(c);
    }
  }
  if (messages == 0) fail("no message came back");
  printf("{\"messages\": %llu, \"seconds\": %.6f, \"p50_us\": %.2f, \"p99_us\": %.2f, \"max_us\": %.2f}\n",
         (unsigned long long)messages, (double)(now() - measured_from) / 1e9, percentile(0.5),
         percentile(0.99), (double)slowest / 1000.0);
  return 0;
}
