// An answer that is made later, or piece by piece: the application's handle of one exchange.
//
// With the GIL held, from any thread. When the answer is complete, or its client has gone, every
// method does nothing. The loop reports through the callbacks, on the thread that runs the queue.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "python/link/link.h"
#include "server/message/message.h"

namespace httpuv::python {

class FilePart;

// A callback that one thread may set while another one takes it.
class Slot {
 public:
  [[nodiscard]] pybind11::object get() const {
    const std::lock_guard lock(mutex_);
    return callback_;
  }
  void set(pybind11::object callback) {  // what was there is released after unlocking
    const std::lock_guard lock(mutex_);
    std::swap(callback_, callback);
  }

 private:
  mutable std::mutex mutex_;
  pybind11::object callback_ = pybind11::none();
};

// A filler: `bytes` are sent after `seconds` of silence.
std::unique_ptr<server::Filler> make_filler(double seconds, std::string_view bytes);

class Reply {
 public:
  Reply(std::shared_ptr<Link> link, const server::ExchangeId& id)
      : link_(std::move(link)), id_(id) {}

  // (status, [(name, value), ...], bytes | None | File): the whole answer.
  void send(const pybind11::object& normal);
  // Sends an answer from a dict of the plain shape (response.h). False: the dict has another shape,
  // and nothing was sent. `ring` as for write().
  bool send_plain(pybind11::handle result, bool ring);
  // The head of an answer whose body follows in pieces; length None: chunked. `filler`: (seconds
  // without a piece, what is sent then).
  void start(int status, const pybind11::object& headers, std::optional<std::uint64_t> length,
             const std::optional<std::pair<double, std::string>>& filler);
  // Sends the next piece. `acknowledge`: on_taken is called when the kernel has everything so far.
  // `ring` false: the caller calls ring() soon, or is inside gather().
  void write(pybind11::handle data, bool acknowledge, bool ring);
  // Lets topics feed the answer; see server::FeedRequest. `retry`: seconds.
  void feed(std::vector<std::string> topics, const std::string& last_event_id, bool history,
            const std::optional<double>& retry);
  void ring();
  // Calls a function that writes. Its pieces are sent together; pieces that have waited for
  // milliseconds are sent at once.
  void gather(const pybind11::object& function);
  // Sends a piece of a file. Only in a stream that the server does not compress.
  void write_file(FilePart& file);
  // Waits, with the GIL released, until the kernel has everything so far. False: the stream has
  // ended.
  bool wait_for_room();
  // Sends an informational answer before the final one.
  void inform(int status, const pybind11::object& headers);
  // Accepts the WebSocket handshake.
  void accept(const std::optional<std::string>& protocol, const pybind11::object& headers);
  void end(const pybind11::object& trailers);
  // Gives up: sends 500 if nothing was sent yet, else cuts the connection.
  void cut();
  // Calls a function on a thread that runs callbacks, in order with the events of the exchange.
  void call_soon(pybind11::object function);

  [[nodiscard]] bool done() const { return done_; }
  void abandon() { done_ = true; }  // the client has gone

  Slot on_taken;      // (total: int)
  Slot on_abandoned;  // ()

 private:
  void post(server::Command&& command);
  void finish(server::Command&& command, bool ring = true);

  std::shared_ptr<Link> link_;
  server::ExchangeId id_;
  std::atomic<bool> done_{false};
};

}  // namespace httpuv::python
