/* What other clients notice while one handler blocks: requests and pings at a fixed rate.
 *
 *   pace HOST PORT SECONDS RATE FILE HEALTH WEBSOCKET BLOCK
 *
 * FILE and HEALTH are paths of a GET, WEBSOCKET that of an opening handshake, after which pings are sent; "-" leaves
 * one out. Each kind has one connection, and is due RATE times a second. The time of an answer counts from when its
 * request was due, also if the one before it was not answered yet, and what is not answered at the end counts with
 * the time until then: a server that stands still cannot hide it.
 *
 * With a path for BLOCK ("-" for none) that is asked for first, over a connection of its own; its answer must take at
 * least SECONDS, or the handler did not block.
 *
 * Prints one line of JSON: for each kind the 50th and 99th percentile and the maximum in microseconds, and how many
 * were due. A wrong answer or an error ends it with status 1 and a line that says what happened.
 * Linux only: ppoll(2) and prctl(2).
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stdbool.h>
#include <sys/prctl.h>

#include "../../tests/python/client.h"

enum { KINDS = 3, INBOX = 1 << 20, PING = 2 };
static const char *kNames[KINDS] = {"static", "health", "ping"};
static const double kPatience = 3.0; /* seconds for the blocked answer after its time */

typedef struct {
  int fd;            /* -1: left out */
  char request[512]; /* what is sent each time */
  size_t request_size;
  bool waits;      /* for an answer */
  uint64_t first;  /* when the first one was due */
  unsigned sent, answered;
  char *inbox;
  size_t have;
  double *times; /* of the answers, in microseconds */
} Kind;

static Kind kinds[KINDS];

static void send_all(int fd, const char *data, size_t size) {
  /* So small that a socket whose last request is answered has room for it. */
  if (send(fd, data, size, MSG_NOSIGNAL) != (ssize_t)size) fail("a request could not be sent");
}

/* The size of the answer that the inbox begins with; 0 if it is not whole yet. */
static size_t whole(const Kind *kind, bool ping) {
  const uint8_t *data = (const uint8_t *)kind->inbox;
  if (ping) {
    static const uint8_t pong[6] = {0x8A, 4, 'p', 'i', 'n', 'g'};
    if (kind->have < sizeof pong) return 0;
    if (memcmp(data, pong, sizeof pong) != 0) fail("the answer to a ping is no pong");
    return sizeof pong;
  }
  kind->inbox[kind->have] = 0;
  char *end = strstr(kind->inbox, "\r\n\r\n");
  if (!end) return 0;
  if (strncmp(kind->inbox, "HTTP/1.1 200", 12) != 0) fail("an answer is not 200: %.40s", kind->inbox);
  size_t head = (size_t)(end + 4 - kind->inbox);
  char *length = strcasestr(kind->inbox, "\r\ncontent-length:");
  if (length && length < end) {
    size_t size = head + strtoull(length + strlen("\r\ncontent-length:"), NULL, 10);
    return kind->have >= size ? size : 0;
  }
  char *chunked = strcasestr(kind->inbox, "\r\ntransfer-encoding: chunked");
  if (!chunked || chunked > end) fail("an answer has neither a length nor chunks");
  static const char last[] = "\r\n0\r\n\r\n";
  char *found = memmem(end + 2, kind->have - (size_t)(end + 2 - kind->inbox), last, sizeof last - 1);
  return found ? (size_t)(found + sizeof last - 1 - kind->inbox) : 0;
}

static void receive(Kind *kind, bool ping, uint64_t interval) {
  ssize_t size = recv(kind->fd, kind->inbox + kind->have, INBOX - 1 - kind->have, MSG_DONTWAIT);
  if (size == 0) fail("the server closed a connection");
  if (size < 0) {
    if (errno == EAGAIN || errno == EINTR) return;
    fail("recv: %s", strerror(errno));
  }
  kind->have += (size_t)size;
  size_t end = whole(kind, ping);
  if (end == 0) return;
  if (!kind->waits || end != kind->have) fail("an answer that was not asked for");
  kind->have = 0;
  kind->waits = false;
  kind->times[kind->answered] = (double)(now() - kind->first - kind->answered * interval) / 1e3;
  ++kind->answered;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void set_up(char **arguments, uint64_t interval, unsigned most) {
  for (int i = 0; i < KINDS; ++i) {
    Kind *kind = &kinds[i];
    const char *path = arguments[5 + i];
    kind->fd = -1;
    if (strcmp(path, "-") == 0) continue;
    kind->inbox = malloc(INBOX);
    kind->times = calloc(most + 1, sizeof *kind->times);
    if (!kind->inbox || !kind->times) fail("out of memory");
    kind->fd = open_connection(arguments[1], atoi(arguments[2]));
    if (i == PING) {
      kind->have = upgrade(kind->fd, path, kind->inbox, INBOX - 1);
      static const uint8_t ping[] = {0x89, 0x84, 1, 2, 3, 4, 'p' ^ 1, 'i' ^ 2, 'n' ^ 3, 'g' ^ 4};
      memcpy(kind->request, ping, sizeof ping);
      kind->request_size = sizeof ping;
    } else {
      kind->request_size = (size_t)snprintf(kind->request, sizeof kind->request,
                                            "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", path);
    }
  }
  uint64_t start = now();
  for (int i = 0; i < KINDS; ++i) kinds[i].first = start + (uint64_t)(i + 1) * interval / (KINDS + 1);
}

static void run(uint64_t end, uint64_t interval) {
  struct pollfd polled[KINDS];
  for (int i = 0; i < KINDS; ++i) polled[i] = (struct pollfd){.fd = kinds[i].fd, .events = POLLIN};
  for (;;) {
    uint64_t time = now(), next = end;
    if (time >= end) return;
    for (int i = 0; i < KINDS; ++i) {
      Kind *kind = &kinds[i];
      if (kind->fd < 0 || kind->waits) continue;
      uint64_t due = kind->first + kind->sent * interval;
      if (due <= time) {
        kind->waits = true;
        ++kind->sent;
        send_all(kind->fd, kind->request, kind->request_size);
      } else if (due < next) {
        next = due;
      }
    }
    time = now();
    uint64_t rest = next > time ? next - time : 0;
    struct timespec timeout = {(time_t)(rest / kSecond), (long)(rest % kSecond)};
    if (ppoll(polled, KINDS, &timeout, NULL) <= 0) continue;
    for (int i = 0; i < KINDS; ++i)
      if (polled[i].revents) receive(&kinds[i], i == PING, interval);
  }
}

/* Prints percentiles; all that were due count, answered or not. */
static void print(uint64_t end, uint64_t interval) {
  const char *before = "{";
  for (int i = 0; i < KINDS; ++i) {
    Kind *kind = &kinds[i];
    if (kind->fd < 0) continue;
    unsigned due = (unsigned)((end - kind->first) / interval);
    unsigned count = kind->answered;
    for (; count < due; ++count) kind->times[count] = (double)(end - kind->first - count * interval) / 1e3;
    if (count == 0) fail("nothing was due");
    qsort(kind->times, count, sizeof *kind->times, ascending);
    printf("%s\"%s\": {\"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f, \"due\": %u, \"answered\": %u}", before,
           kNames[i], kind->times[count / 2], kind->times[(unsigned)(0.99 * count)], kind->times[count - 1], count,
           kind->answered);
    before = ", ";
  }
  puts("}");
}

int main(int count, char **arguments) {
  if (count != 9) fail("usage: pace HOST PORT SECONDS RATE FILE HEALTH WEBSOCKET BLOCK");
  double seconds = atof(arguments[3]);
  double rate = atof(arguments[4]);
  if (seconds <= 0 || rate <= 0) fail("nothing to do");
  prctl(PR_SET_TIMERSLACK, 1);
  uint64_t interval = (uint64_t)(1e9 / rate);
  bool blocks = strcmp(arguments[8], "-") != 0;
  int blocked = blocks ? open_connection(arguments[1], atoi(arguments[2])) : -1;
  set_up(arguments, interval, (unsigned)(seconds * rate) + 16);
  uint64_t start = now();
  if (blocks) {
    char request[512];
    int size = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", arguments[8]);
    send_all(blocked, request, (size_t)size);
  }
  uint64_t end = start + (uint64_t)(seconds * 1e9);
  run(end, interval);
  if (blocks) {
    char answer[4096];
    if (recv(blocked, answer, sizeof answer, MSG_DONTWAIT) >= 0 || errno != EAGAIN) fail("the handler did not block");
    struct pollfd one = {.fd = blocked, .events = POLLIN};
    if (poll(&one, 1, (int)(1e3 * kPatience)) != 1) fail("the handler that blocks does not return");
    ssize_t size = recv(blocked, answer, sizeof answer, 0);
    if (size < 12 || memcmp(answer, "HTTP/1.1 200", 12) != 0) fail("the handler that blocks answers wrongly");
  }
  print(end, interval);
  return 0;
}
