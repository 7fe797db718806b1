// The body of a request for a thread that waits for it: what comes goes from the loop thread
// straight to the thread that reads, past the queue: the reader has the queue's turn for that
// connection.
//
// Thread: push(), lose() and Arrivals::take() on a loop thread, without the GIL; the rest on the
// thread that answers the request, with the GIL, which is given up while it waits. Ownership: the
// object that Python reads from, and Arrivals while the request is answered. Bounded: the loop
// stops reading when Limits::body_memory_bytes have come that were not read here. Failure: reading
// raises ConnectionResetError once the rest of the body cannot come.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "python/link/link.h"
#include "server/message/message.h"

namespace httpuv::python {

class BodyPipe {
 public:
  BodyPipe(std::shared_ptr<Link> link, const server::ExchangeId& id)
      : link_(std::move(link)), id_(id) {}

  [[nodiscard]] const server::ExchangeId& id() const { return id_; }

  void push(std::string&& bytes, bool last);
  // The body ends here: the client has gone, or the request is answered.
  void lose();
  [[nodiscard]] bool lost() const;

  // Waits for bytes, copies them into a writable buffer and returns their number; 0 at the end. The
  // first call starts the reading of the body, and sends 100 (Continue) if the client waits for it.
  std::size_t read_into(const pybind11::buffer& buffer);

 private:
  std::size_t take(char* to, std::size_t size);  // by mutex_

  const std::shared_ptr<Link> link_;
  const server::ExchangeId id_;
  bool begun_ = false;  // by the GIL

  mutable std::mutex mutex_;  // for the rest; never held while Python may run
  std::condition_variable changed_;
  std::string bytes_;
  std::size_t offset_ = 0;  // bytes that were read already
  bool ended_ = false;
  bool lost_ = false;
};

// The pipes of the requests that are being answered.
class Arrivals {
 public:
  void open(const std::shared_ptr<BodyPipe>& pipe);
  void close(const BodyPipe& pipe);
  // Takes the events out that are for a pipe, and returns them without their bytes. Any loop
  // thread.
  std::vector<server::Event> take(std::vector<server::Event>& events);

 private:
  std::shared_ptr<BodyPipe> find(const server::ExchangeId& id) const;  // by mutex_

  std::atomic<bool> any_{false};
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<BodyPipe>> pipes_;  // one for each thread that answers, at most
};

}  // namespace httpuv::python
