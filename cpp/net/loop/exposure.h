// A loop as another loop sees it: one descriptor, readable when a turn is due.
//
// What: libuv's epoll instance is readable when a socket is; a timerfd in it makes it so when a
//   timer is due. A host loop (asyncio's, a GUI's) watches a copy of it, which outlives the loop.
// Thread: fd() any; due() and await_due() any while the loop is open; the rest the loop's owner.
// Ownership: part of a Loop, which closes the handle; the descriptors stay open until this is
//   destroyed.
// Failure: fd() answers -1, open() and arm() false where the system has no epoll, or is out of
//   descriptors.
#pragma once

#include <uv.h>

#include <cstdint>

#include "net/loop/descriptor_set.h"

namespace httpuv::net {

class Exposure {
 public:
  Exposure(uv_loop_t* uv, DescriptorSet& descriptors) : uv_(uv), descriptors_(descriptors) {}
  ~Exposure();
  Exposure(const Exposure&) = delete;
  Exposure& operator=(const Exposure&) = delete;

  // The copy; the same one each time.
  int fd();

  [[nodiscard]] bool due() const;
  void await_due() const;

  // What is opened is polled after the next turn.
  bool open();
  // Whether a turn without waiting would do nothing: no handle waits to be polled for the first
  // time, and nothing is left over from the last turn.
  [[nodiscard]] bool settled() const;
  // Has the descriptor be readable when the next timer is due.
  bool arm();
  // The loop ends.
  void close();

 private:
  uv_loop_t* const uv_;
  DescriptorSet& descriptors_;
  int copy_ = -1;        // by the gate of the descriptors
  bool closed_ = false;  // likewise: the loop's own descriptor may be another one
  uv_poll_t alarm_;
  int alarm_fd_ = -1;
  std::int64_t alarm_at_ = -1;  // in milliseconds of uv_now(); -1: it is not set
};

}  // namespace httpuv::net
