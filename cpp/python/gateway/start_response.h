// start_response() of one WSGI request, and write(), which it returns (PEP 3333): status and fields
// are checked and converted at the call, and the answer is sent with as few commands as possible.
// Both are one object: called with two or three arguments it is start_response(), with one write().
//
// With the GIL held, on the thread that runs the request; write() releases the GIL while the client
// is behind. Mistakes of the application raise the exceptions of PEP 3333 or wsgiref.
// More than 25 members and methods, because an answer may be given at once, in pieces, from a file
// or from topics.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "server/message/message.h"

namespace httpuv::python {

class Application;
class BodyPipe;

// The state behind the Python object.
class WsgiAnswer {
 public:
  WsgiAnswer(std::shared_ptr<Application> application, server::EnvelopePtr&& envelope);

  void start(PyObject* status, PyObject* headers, PyObject* exc_info);
  // The next piece of the body, not empty. False: the client has gone.
  bool write(PyObject* piece);
  // Sends several pieces together.
  bool write_all(PyObject* sequence);
  // `length` bytes of a file.
  void send_file(server::FileBody&& file);
  // Sends the head; topics make the body. After so many seconds of silence the filler is sent.
  void begin_events(double seconds, std::string_view filler);
  void end();                    // the body is complete
  void fail();                   // 500, or the connection is cut
  void hint(PyObject* headers);  // 103 (Early Hints)

  [[nodiscard]] bool started() const { return started_; }
  // The head was sent, and the body is not complete.
  [[nodiscard]] bool streaming() const { return streaming_ && !complete_; }
  [[nodiscard]] bool gone() const { return gone_; }
  // The event stream that feeds the answer; "": the application makes the body.
  [[nodiscard]] std::string_view events() const;
  [[nodiscard]] bool complete() const { return complete_; }
  // Whether too many bytes wait for the client.
  [[nodiscard]] bool full() const { return unacknowledged_ >= kWindow; }
  // Waits, with the GIL released, until the client has taken the bytes. False: the client has gone.
  bool wait_for_room();
  [[nodiscard]] const server::ExchangeId& id() const { return id_; }
  [[nodiscard]] std::shared_ptr<Application> application() const { return application_; }
  // The bytes of Content-Length that were not sent yet; none without a Content-Length.
  [[nodiscard]] const std::optional<std::uint64_t>& left() const { return left_; }
  // Sets the body of a request that is still being received. What was not read when the answer is
  // complete is dropped.
  void set_body(std::shared_ptr<BodyPipe> body) { body_ = std::move(body); }

 private:
  static constexpr std::size_t kWindow = std::size_t{256} * 1024;
  void send(const char* data, std::size_t size);
  void complete(server::Command&& command);

  std::shared_ptr<Application> application_;  // null once it is complete
  server::ExchangeId id_;
  server::EnvelopePtr envelope_;    // null once it was sent
  std::shared_ptr<BodyPipe> body_;  // null: the body was received completely
  bool started_ = false;
  bool streaming_ = false;
  bool complete_ = false;
  bool gone_ = false;
  std::optional<std::uint64_t> left_;  // unsent bytes of Content-Length, while the body is streamed
  std::size_t unacknowledged_ = 0;
};

// A start_response object, which owns its answer, and its callable for wsgi.early_hints.
struct StartResponse {
  pybind11::object start;
  pybind11::object hints;
};
WsgiAnswer& answer_of(pybind11::handle start_response);

// Makes them. The pair of the request before serves the next one, unless something refers to it.
class StartResponses {
 public:
  // `hints`: those of an environ that serves another request; null: there are none.
  StartResponse take(std::shared_ptr<Application> application, server::EnvelopePtr&& envelope,
                     PyObject* hints);
  // One with a complete answer.
  void give_back(StartResponse&& done) { spare_ = std::move(done); }

 private:
  StartResponse spare_;
};

void register_start_response(pybind11::module_& module);

}  // namespace httpuv::python
