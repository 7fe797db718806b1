/* The parts that the load clients share: errors, the clock, a connection and the opening handshake.
 * Each client is one file that includes this one; Linux only.
 */
#pragma once
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const uint64_t kSecond = 1000000000u;

/* Ends the program with status 1 and a line that says what happened. */
__attribute__((format(printf, 1, 2), noreturn)) static void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  exit(1);
}

/* Nanoseconds of a clock that only rises. */
static inline uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * kSecond + (uint64_t)time.tv_nsec;
}

static inline struct sockaddr_in address_of(const char *host, int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  if (inet_pton(AF_INET, host, &address.sin_addr) != 1) fail("%s is no IPv4 address", host);
  return address;
}

/* A connected socket, which waits 10 seconds for data at most. */
static inline int open_connection(const char *host, int port) {
  struct sockaddr_in address = address_of(host, port);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct timeval patience = {.tv_sec = 10};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) fail("connect: %s", strerror(errno));
  return fd;
}

/* The request of an opening handshake; returns its size. */
static inline size_t handshake_of(char *head, size_t room, const char *path) {
  int size = snprintf(head, room,
                      "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                      path);
  if (size < 0 || (size_t)size >= room) fail("a path is too long");
  return (size_t)size;
}

/* The opening handshake; returns how many bytes of frames came with its answer, which are in `data`. */
static inline size_t upgrade(int fd, const char *path, char *data, size_t room) {
  char head[2048];
  size_t size = handshake_of(head, sizeof head, path), have = 0;
  if (send(fd, head, size, MSG_NOSIGNAL) != (ssize_t)size) fail("the handshake could not be sent");
  char *end = NULL;
  while (!end) {
    ssize_t more = recv(fd, head + have, sizeof head - 1 - have, 0);
    if (more <= 0) fail("no answer to the handshake");
    have += (size_t)more;
    head[have] = 0;
    end = strstr(head, "\r\n\r\n");
  }
  if (strncmp(head, "HTTP/1.1 101", 12) != 0) fail("the handshake is refused: %.40s", head);
  size_t rest = have - (size_t)(end + 4 - head);
  if (rest > room) fail("too much came with the handshake");
  memcpy(data, end + 4, rest);
  return rest;
}
