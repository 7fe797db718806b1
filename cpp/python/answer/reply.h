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

#include "server/message/message.h"

namespace httpuv::python {

class Application;
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

// The text that is sent after so many seconds of silence.
std::unique_ptr<server::Filler> make_filler(double seconds, std::string_view bytes);

class Reply {
 public:
  Reply(std::shared_ptr<Application> application, const server::ExchangeId& id)
      : application_(std::move(application)), id_(id) {}

  // (status, [(name, value), ...], bytes | None | File): the whole answer.
  void send(const pybind11::object& normal);
  // The same from a dict of the plain shape (response.h); false if it is of another, and not sent.
  // `ring` as for write().
  bool send_plain(pybind11::handle result, bool ring);
  // The head of an answer whose body follows in pieces; length None: chunked. `filler`: (seconds
  // without a piece, what is sent then).
  void start(int status, const pybind11::object& headers, std::optional<std::uint64_t> length,
             const std::optional<std::pair<double, std::string>>& filler);
  // The next piece. `acknowledge`: on_taken is called when the kernel has everything so far. `ring`
  // false: ring() follows soon, or it is inside of gather().
  void write(pybind11::handle data, bool acknowledge, bool ring);
  // Has the loop send events of topics from now on; see server::FeedRequest. `retry`: seconds.
  void feed(std::vector<std::string> topics, const std::string& last_event_id, bool history,
            const std::optional<double>& retry);
  void ring();
  // Calls a function that writes: its pieces leave together, but for those that have waited for
  // milliseconds.
  void gather(const pybind11::object& function);
  // The next piece, from a file. Only in a stream that was begun as it is.
  void write_file(FilePart& file);
  // Waits, with the GIL released, until the kernel has everything so far. False: it is over.
  bool wait_for_room();
  // An informational answer before the one that counts.
  void inform(int status, const pybind11::object& headers);
  // Accepts the WebSocket that was asked for.
  void accept(const std::optional<std::string>& protocol, const pybind11::object& headers);
  void end(const pybind11::object& trailers);
  // Gives up: 500 where nothing was sent yet, else the connection is cut.
  void cut();
  // Has a function called on a thread that runs callbacks, in its turn among those of the exchange.
  void call_soon(pybind11::object function);

  [[nodiscard]] bool done() const { return done_; }
  void abandon() { done_ = true; }  // the client has gone

  Slot on_taken;      // (total: int)
  Slot on_abandoned;  // ()

 private:
  void post(server::Command&& command);
  void finish(server::Command&& command, bool ring = true);

  std::shared_ptr<Application> application_;
  server::ExchangeId id_;
  std::atomic<bool> done_{false};
};

}  // namespace httpuv::python
