/* Clients of a topic that leave and come back, and check that every message came once and in order.
 *
 *   topicload CLIENTS CYCLES STAY_MS SEED PORT...
 *
 * Half of the clients read server-sent events, half are WebSockets. Each visits one of the servers, stays for about
 * STAY_MS, leaves, and comes back with the position that it had last, CYCLES times (0: until it is told to end). A
 * visit counts once the server has said where it begins. One thread, epoll.
 *
 * The servers answer /events?... and /socket?EPOCH.OFFSET. A WebSocket first is told "@EPOCH.OFFSET.RECOVERED", and
 * "!" when the topic has begun anew meanwhile, upon which it leaves. Messages are PUBLISHER-COUNT, each published once.
 *
 * Server-sent events name their positions: within an epoch the offsets must follow each other, unless a reset says
 * that messages are missing; and a position must have the same message for all clients. A WebSocket counts its
 * messages. What it has got is compared with those positions in the end. The text "!" comes from the application,
 * after the first messages of the new epoch: so a WebSocket may see the new epoch first, but has to be told later.
 *
 * It prints "done" when all have made their visits, or when the line "end" has been read. The next line that it reads
 * is EPOCH.OFFSET, which all are to reach. Then one line of JSON says what was found. Status 1: a line on standard error
 * says which system call failed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "client.h"

enum {
  EVENTS = 512,
  INBOX = 8192,
  NAME = 72,          /* of an epoch */
  MOST_EPOCHS = 4096,
  PUBLISHERS = 64,
  COUNT_BITS = 24,    /* a message is its publisher and its count */
  LINE = 128,         /* of standard input */
  SHOWN = 10          /* faults that are printed */
};
/* Words of a WebSocket's log: a message, or one of these. */
static const uint32_t kTold = 1u << 31;         /* it begins at an epoch and an offset, the next two words */
static const uint32_t kAnew = (1u << 31) | 1u;  /* it was told that the topic has begun anew */
static const uint64_t kMillisecond = 1000000u;
static const uint64_t kPatience = 30; /* seconds until a visit has to begin */
static const uint64_t kEnding = 90;   /* seconds for all to come to the last position */

typedef struct {
  int epoch; /* -1: none */
  uint64_t offset;
} Place;

typedef struct {
  uint32_t *words;
  size_t size, room;
} Words;

typedef enum { RESTING, CONNECTING, HEAD, OPEN, DONE } State;

typedef struct {
  State state;
  bool socket;    /* a WebSocket */
  bool begun;     /* the server has said where the visit begins */
  int fd;
  uint64_t due;   /* when it leaves, or comes back */
  unsigned visits;
  Place last;
  uint64_t before; /* messages that a WebSocket has got in this visit before it has begun */
  Words log;
  size_t mark;     /* where the visit begins in the log */
  size_t have;
  char inbox[INBOX];
} Client;

static struct {
  char name[NAME];
  Words messages; /* by offset; 0: not known */
} epochs[MOST_EPOCHS];
static int epoch_count;
static struct {
  Place *places; /* by count */
  size_t room;
} publishers[PUBLISHERS];

static Client *clients;
static unsigned client_count, done_count, cycles;
static uint64_t stay_ms, dice;
static struct sockaddr_in addresses[64];
static unsigned address_count;
static int poller;
static bool ending;          /* all leave */
static Place goal = {-1, 0}; /* where all are to end */
static uint64_t messages[2], resets[2], cut_off, lost, doubled, faults;
static char shown[SHOWN][256];

static uint64_t roll(uint64_t below) {
  dice ^= dice << 13;
  dice ^= dice >> 7;
  dice ^= dice << 17;
  return below ? dice % below : 0;
}

static void push(Words *words, uint32_t word) {
  if (words->size == words->room) {
    words->room = words->room ? 2 * words->room : 256;
    words->words = realloc(words->words, words->room * sizeof *words->words);
    if (!words->words) fail("out of memory");
  }
  words->words[words->size++] = word;
}

/* --- what is known of the topic ------------------------------------------------------------- */

__attribute__((format(printf, 1, 2))) static void fault(const char *format, ...) {
  if (faults++ >= SHOWN) return;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(shown[faults - 1], sizeof shown[0], format, arguments);
  va_end(arguments);
}

/* Whether that is where all are to end, or behind it: what Redis was sent while it was cut off may come still. */
static bool at_goal(Place place) {
  return goal.epoch >= 0 && place.epoch == goal.epoch && place.offset >= goal.offset;
}

static const char *name_of(Place place) {
  return place.epoch < 0 ? "-" : epochs[place.epoch].name;
}

/* EPOCH.OFFSET; false if it is not that. */
static bool parse_place(const char *text, size_t size, Place *place) {
  const char *dot = memrchr(text, '.', size);
  if (!dot || dot == text || dot - text >= NAME) return false;
  size_t length = (size_t)(dot - text);
  place->offset = strtoull(dot + 1, NULL, 10);
  for (int i = epoch_count - 1; i >= 0; --i) {
    if (strncmp(epochs[i].name, text, length) == 0 && epochs[i].name[length] == 0) {
      place->epoch = i;
      return true;
    }
  }
  if (epoch_count == MOST_EPOCHS) fail("too many epochs");
  memcpy(epochs[epoch_count].name, text, length);
  place->epoch = epoch_count++;
  return true;
}

/* The number of a message, from PUBLISHER-COUNT; never 0. */
static uint32_t parse_message(const char *text, size_t size) {
  char *end = NULL;
  unsigned long publisher = strtoul(text, &end, 10);
  unsigned long count = *end == '-' ? strtoul(end + 1, &end, 10) : 1ul << COUNT_BITS;
  if (end != text + size || publisher + 1 >= PUBLISHERS || count >= 1ul << COUNT_BITS)
    fail("a message is %.*s", (int)size, text);
  return (uint32_t)((publisher + 1) << COUNT_BITS | count);
}

static Place place_of(uint32_t message) {
  const unsigned publisher = message >> COUNT_BITS;
  const size_t count = message & ((1u << COUNT_BITS) - 1);
  return count < publishers[publisher].room ? publishers[publisher].places[count] : (Place){-1, 0};
}

static uint32_t message_at(Place place) {
  const Words *known = &epochs[place.epoch].messages;
  return place.offset < known->size ? known->words[place.offset] : 0;
}

static void set_place(uint32_t message, Place place) {
  Words *known = &epochs[place.epoch].messages;
  if (place.offset >= 1u << COUNT_BITS) fail("an offset is %llu", (unsigned long long)place.offset);
  while (known->size <= place.offset) push(known, 0);
  known->words[place.offset] = message;
  const unsigned publisher = message >> COUNT_BITS;
  const size_t count = message & ((1u << COUNT_BITS) - 1);
  size_t *room = &publishers[publisher].room;
  if (count >= *room) {
    const size_t more = 2 * count + 256;
    publishers[publisher].places = realloc(publishers[publisher].places, more * sizeof(Place));
    if (!publishers[publisher].places) fail("out of memory");
    while (*room < more) publishers[publisher].places[(*room)++] = (Place){-1, 0};
  }
  publishers[publisher].places[count] = place;
}

static void check_order(const char *kind, Place last, Place next) {
  if (last.epoch < 0) return;
  if (last.epoch == next.epoch && last.offset + 1 == next.offset) return;
  const bool twice = last.epoch == next.epoch && next.offset <= last.offset;
  ++*(twice ? &doubled : &lost);
  fault("%s: %s.%llu behind %s.%llu", kind, name_of(next), (unsigned long long)next.offset, name_of(last),
        (unsigned long long)last.offset);
}

/* --- visits --------------------------------------------------------------------------------- */

static void rest(Client *c, uint64_t time) {
  const bool over = goal.epoch >= 0 ? at_goal(c->last) : ending || (cycles && c->visits >= cycles);
  c->state = over ? DONE : RESTING;
  if (over) ++done_count;
  c->due = time + roll(stay_ms / 2 + 1) * kMillisecond;
}

static void leave(Client *c, uint64_t time) {
  if (c->socket && !c->begun) c->log.size = c->mark; /* it cannot know what it has got, and gets it once more */
  if (roll(3) == 0) {                                /* some are gone without a word */
    const struct linger gone = {1, 0};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &gone, sizeof gone);
  }
  close(c->fd);
  rest(c, time);
}

/* The visit begins. */
static void begin(Client *c) {
  if (c->begun) return;
  c->begun = true;
  ++c->visits;
  c->due = now() + (goal.epoch >= 0 ? 10000 : roll(2 * stay_ms) + 1) * kMillisecond;
}

static void come(Client *c, uint64_t time) {
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (c->fd < 0) fail("socket: %s", strerror(errno));
  c->have = 0;
  c->begun = false;
  c->before = 0;
  c->mark = c->log.size;
  const struct sockaddr_in *address = &addresses[roll(address_count)];
  if (connect(c->fd, (const struct sockaddr *)address, sizeof *address) != 0 && errno != EINPROGRESS) {
    ++cut_off;
    close(c->fd);
    return rest(c, time);
  }
  struct epoll_event event = {.events = EPOLLOUT, .data.ptr = c};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event) != 0) fail("epoll_ctl: %s", strerror(errno));
  c->state = CONNECTING;
  c->due = time + kPatience * kSecond;
}

/* Connected: it asks. */
static bool ask(Client *c) {
  char place[NAME + 24] = "", text[1024];
  if (c->last.epoch >= 0)
    snprintf(place, sizeof place, "%s.%llu", name_of(c->last), (unsigned long long)c->last.offset);
  size_t size = 0;
  if (c->socket) {
    char path[128];
    snprintf(path, sizeof path, "/socket?%s", place);
    size = handshake_of(text, sizeof text, path);
  } else {
    const char *field = c->last.epoch < 0 ? "" : "Last-Event-ID: ", *end = c->last.epoch < 0 ? "" : "\r\n";
    size = (size_t)snprintf(text, sizeof text, "GET /events HTTP/1.0\r\nHost: x\r\n%s%s%s\r\n", field, place, end);
  }
  if (send(c->fd, text, size, MSG_NOSIGNAL) != (ssize_t)size) return false;
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
  c->state = HEAD;
  return true;
}

/* --- server-sent events --------------------------------------------------------------------- */

static void take_event(Client *c, char *block) {
  const char *id = NULL, *data = NULL, *event = "";
  for (char *rest = block, *line; (line = strsep(&rest, "\n")) != NULL;) {
    if (strncmp(line, "id: ", 4) == 0) id = line + 4;
    if (strncmp(line, "data: ", 6) == 0) data = line + 6;
    if (strncmp(line, "event: ", 7) == 0) event = line + 7;
  }
  if (!id) return;
  const Place before = c->last;
  if (!parse_place(id, strlen(id), &c->last)) fail("an id is %s", id);
  begin(c);
  if (strcmp(event, "reset") == 0) {
    ++resets[0];
  } else if (!data) {
    check_order("a visit without a reset", before, (Place){c->last.epoch, c->last.offset + 1});
  } else {
    ++messages[0];
    check_order("event", before, c->last);
    const uint32_t message = parse_message(data, strlen(data)), known = message_at(c->last);
    const Place place = place_of(message);
    if (known == 0 && place.epoch < 0) {
      set_place(message, c->last);
    } else if (known != message) {
      fault("%s is %s, and was another message, or that was elsewhere", id, data);
    }
  }
}

/* --- WebSockets ----------------------------------------------------------------------------- */

/* The word of the application where the visit begins; what came before that is behind it. */
static void take_beginning(Client *c, const char *text, size_t size) {
  Place place;
  if (c->begun || size < 4 || text[size - 2] != '.' || !parse_place(text, size - 2, &place))
    fail("a WebSocket was told %.*s", (int)size, text);
  if (text[size - 1] == '1') {
    if (place.epoch != c->last.epoch) fault("it is to go on in %s, and was in %s", name_of(place), name_of(c->last));
  } else {
    if (c->last.epoch >= 0) ++resets[1];
    c->last = place;
    for (int i = 0; i < 3; ++i) push(&c->log, 0);
    uint32_t *at = c->log.words + c->mark;
    memmove(at + 3, at, (c->log.size - 3 - c->mark) * sizeof *at);
    at[0] = kTold;
    at[1] = (uint32_t)place.epoch;
    at[2] = (uint32_t)place.offset;
  }
  c->last.offset += c->before;
  begin(c);
}

/* False: it leaves. */
static bool take_text(Client *c, const char *text, size_t size) {
  if (text[0] == '@') {
    take_beginning(c, text + 1, size - 1);
  } else if (text[0] == '!') {
    push(&c->log, kAnew);
    return false;
  } else {
    ++messages[1];
    ++*(c->begun ? &c->last.offset : &c->before);
    push(&c->log, parse_message(text, size));
  }
  return true;
}

/* The log of a WebSocket, now that all places are known. */
static void check_log(const Client *c) {
  Place at = {-1, 0};
  bool owed = false; /* a new epoch that it was not told of yet */
  for (size_t i = 0; i < c->log.size; ++i) {
    const uint32_t word = c->log.words[i];
    if (word == kTold) {
      at = (Place){(int)c->log.words[i + 1], c->log.words[i + 2]};
      i += 2;
      owed = false;
    } else if (word == kAnew) {
      owed = false;
    } else {
      Place place = place_of(word);
      if (place.epoch < 0) { /* no event client has got it: it is where it would be, if that is free */
        place = (Place){at.epoch, at.offset + 1};
        if (message_at(place) == 0) set_place(word, place);
        else fault("a message of a WebSocket has no place");
      }
      if (place.epoch == at.epoch) check_order("WebSocket", at, place);
      else owed = true;
      at = place;
    }
  }
  if (owed) {
    ++lost;
    fault("a WebSocket was not told of a new epoch");
  }
  if (!at_goal(at))
    fault("a WebSocket has got messages until %s.%llu", name_of(at), (unsigned long long)at.offset);
}

/* --- what arrives --------------------------------------------------------------------------- */

/* Takes one item from data; its size, 0 if it is not whole, -1 to leave. */
static ssize_t take_item(Client *c, char *data, size_t size) {
  if (c->state == HEAD) {
    char *end = memmem(data, size, "\r\n\r\n", 4);
    if (!end) return 0;
    if (size < 13 || memcmp(data + 9, c->socket ? "101" : "200", 3) != 0) {
      ++cut_off;
      return -1;
    }
    c->state = OPEN;
    return end + 4 - data;
  }
  if (!c->socket) {
    char *end = memmem(data, size, "\n\n", 2);
    if (!end) return 0;
    *end = 0;
    take_event(c, data);
    return end + 2 - data;
  }
  if (size < 2) return 0;
  const size_t length = (uint8_t)data[1];
  if (length > 125) fail("a frame is longer than any that was sent");
  if (size < 2 + length) return 0;
  const unsigned opcode = (uint8_t)data[0];
  if (opcode == 0x88) return -1;
  if (opcode == 0x81) {
    const char after = data[2 + length];
    data[2 + length] = 0; /* the inbox has room for it */
    const bool stays = take_text(c, data + 2, length);
    data[2 + length] = after;
    if (!stays) return -1;
  } else if (opcode != 0x89) {
    fail("a frame begins with %02x", opcode);
  }
  return (ssize_t)(2 + length);
}

/* False: the visit is over. */
static bool receive(Client *c) {
  const ssize_t size = recv(c->fd, c->inbox + c->have, sizeof c->inbox - 1 - c->have, 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (size <= 0) {
    ++cut_off;
    return false;
  }
  c->have += (size_t)size;
  char *data = c->inbox;
  for (;;) {
    const ssize_t taken = take_item(c, data, c->have);
    if (taken < 0) return false;
    if (taken == 0) break;
    data += taken;
    c->have -= (size_t)taken;
  }
  if (c->have == sizeof c->inbox - 1) fail("an item is too long");
  memmove(c->inbox, data, c->have);
  return !c->begun || !at_goal(c->last);
}

static void handle(Client *c, uint32_t events) {
  bool stays = true;
  if (c->state == CONNECTING) {
    stays = !(events & (EPOLLERR | EPOLLHUP)) && ask(c);
    if (!stays) ++cut_off;
  } else {
    stays = receive(c);
  }
  if (!stays) leave(c, now());
}

static void look(uint64_t time) {
  for (unsigned i = 0; i < client_count; ++i) {
    Client *c = &clients[i];
    if (c->state == DONE || (c->due > time && !(ending && goal.epoch < 0))) continue;
    if (c->state != RESTING) {
      if (!c->begun && c->due <= time) ++cut_off;
      leave(c, time);
    } else if (ending && goal.epoch < 0) {
      rest(c, time);
    } else {
      come(c, time);
    }
  }
}

/* A line of standard input, if there is one; fails where one is too long. */
static bool read_line(char line[LINE]) {
  static char had[LINE];
  static size_t have;
  char *end = memchr(had, '\n', have);
  if (!end) {
    if (have == sizeof had) fail("a line is too long");
    const ssize_t size = read(0, had + have, sizeof had - have);
    if (size == 0) fail("standard input has ended");
    if (size > 0) have += (size_t)size;
    end = memchr(had, '\n', have);
    if (!end) return false;
  }
  *end = 0;
  memcpy(line, had, sizeof had);
  have -= (size_t)(end + 1 - had);
  memmove(had, end + 1, have);
  return true;
}

/* Until all are done, or `until`. */
static void run(uint64_t until) {
  while (done_count < client_count) {
    struct epoll_event events[EVENTS];
    const int ready = epoll_wait(poller, events, EVENTS, 1);
    for (int i = 0; i < ready; ++i) {
      char line[LINE];
      if (events[i].data.ptr) handle(events[i].data.ptr, events[i].events);
      else if (read_line(line)) ending = true;
    }
    const uint64_t time = now();
    if (time >= until) return;
    look(time);
  }
}

static void print_found(void) {
  unsigned least = ~0u, most = 0;
  uint64_t visits = 0;
  for (unsigned i = 0; i < client_count; ++i) {
    const Client *c = &clients[i];
    visits += c->visits;
    if (c->visits < least) least = c->visits;
    if (c->visits > most) most = c->visits;
    if (c->state != DONE)
      fault("%s stands at %s.%llu", c->socket ? "a WebSocket" : "a client", name_of(c->last),
            (unsigned long long)c->last.offset);
    if (c->socket) check_log(c);
  }
  printf("{\"clients\": %u, \"visits\": %llu, \"least\": %u, \"most\": %u, \"events\": %llu, \"frames\": %llu, "
         "\"resets\": %llu, \"unrecovered\": %llu, \"cut_off\": %llu, \"lost\": %llu, \"doubled\": %llu, "
         "\"faults\": %llu, \"shown\": [",
         client_count, (unsigned long long)visits, least, most, (unsigned long long)messages[0],
         (unsigned long long)messages[1], (unsigned long long)resets[0], (unsigned long long)resets[1],
         (unsigned long long)cut_off, (unsigned long long)lost, (unsigned long long)doubled,
         (unsigned long long)faults);
  for (unsigned i = 0; i < faults && i < SHOWN; ++i) printf("%s\"%s\"", i ? ", " : "", shown[i]);
  printf("], \"places\": {");
  const char *before = "";
  for (int i = 0; i < epoch_count; ++i) {
    for (size_t offset = 1; offset < epochs[i].messages.size; ++offset) {
      const uint32_t message = epochs[i].messages.words[offset];
      if (!message) continue;
      printf("%s\"%u-%u\": \"%s.%zu\"", before, (message >> COUNT_BITS) - 1, message & ((1u << COUNT_BITS) - 1),
             epochs[i].name, offset);
      before = ", ";
    }
  }
  puts("}}");
  fflush(stdout);
}

int main(int count, char **arguments) {
  if (count < 6) fail("usage: topicload CLIENTS CYCLES STAY_MS SEED PORT...");
  client_count = (unsigned)atoi(arguments[1]);
  cycles = (unsigned)atoi(arguments[2]);
  stay_ms = (uint64_t)atoll(arguments[3]);
  dice = 0x9E3779B97F4A7C15u ^ strtoull(arguments[4], NULL, 10);
  for (int i = 5; i < count && address_count < 64; ++i)
    addresses[address_count++] = address_of("127.0.0.1", atoi(arguments[i]));
  struct rlimit files = {client_count + 64, client_count + 64}, allowed;
  getrlimit(RLIMIT_NOFILE, &allowed);
  if (allowed.rlim_cur < files.rlim_cur && setrlimit(RLIMIT_NOFILE, &files) != 0) fail("too few descriptors allowed");
  poller = epoll_create1(EPOLL_CLOEXEC);
  clients = calloc(client_count, sizeof *clients);
  if (!clients || poller < 0) fail("out of memory");
  for (unsigned i = 0; i < client_count; ++i) {
    clients[i].socket = i % 2;
    clients[i].last.epoch = -1;
    clients[i].due = now() + roll(1000) * kMillisecond; /* they do not all come at once */
  }
  fcntl(0, F_SETFL, O_NONBLOCK);
  struct epoll_event input = {.events = EPOLLIN, .data.ptr = NULL};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, 0, &input) != 0) fail("standard input: %s", strerror(errno));
  run(UINT64_MAX);
  puts("done");
  fflush(stdout);
  epoll_ctl(poller, EPOLL_CTL_DEL, 0, NULL);
  fcntl(0, F_SETFL, 0);
  char line[LINE];
  do {
    while (!read_line(line)) {}
  } while (strcmp(line, "end") == 0);
  Place last;
  if (!parse_place(line, strlen(line), &last)) fail("the last position is %s", line);
  goal = last;
  done_count = 0;
  for (unsigned i = 0; i < client_count; ++i) rest(&clients[i], now());
  run(now() + kEnding * kSecond);
  print_found();
  return 0;
}
