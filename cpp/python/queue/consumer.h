// What the queue gives events to: an application. The queue knows only this interface of it.
//
// With the GIL held, but for refuse(), which any thread may call without it. Shared by its owner
// and the batches in the queue. Failure: what a callback raises and is no Exception is thrown on.
#pragma once

#include <pybind11/pybind11.h>

#include <chrono>

#include "server/message/message.h"
#include "server/workers.h"

namespace httpuv::python {

class Consumer {
 public:
  Consumer() = default;
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;
  virtual ~Consumer() = default;

  // The server that the events come from and that gets the answers.
  virtual server::Workers& server() = 0;
  // Events begin to be handled.
  virtual void begin() = 0;
  // Runs the callback of one event. Its answers are posted without ringing; the queue rings,
  // unless it is a LogEvent, which has none. `now`: when the thread has looked at the clock last;
  // that is the time of the end afterwards.
  virtual void handle(server::Event&& event, std::chrono::steady_clock::time_point& now) = 0;
  // Notes that so many events are handled, and the loop has their answers.
  virtual void ring(int handled) = 0;
  // Calls a function in the context of callbacks. `now`: as in handle().
  virtual void run(const pybind11::object& function,
                   std::chrono::steady_clock::time_point& now) = 0;
  // No thread will ever handle an event: a request is answered with 503, a socket is closed.
  virtual void refuse(server::Event&& event) = 0;
};

}  // namespace httpuv::python
