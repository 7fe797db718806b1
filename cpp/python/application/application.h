// The user's application: Python callables and their arguments. Turns events into calls, and
// results into commands, which take the way of Link.
//
// With the GIL held, except for calls of the loop thread. Several threads may be in here at once,
// with events of different connections, and with messages that are sent outside callbacks. A mutex,
// which is never held while Python may run, guards the shared members. The object is shared by the
// Python object of the server, its exchanges and sockets, and the batches in the queue. handle()
// catches every exception of an event, from a callback or from C++ (std::bad_alloc): the request is
// answered with a plain 500 without details, or the socket is closed with 1011, and on_error is
// called. A Python exception that is no Exception is thrown on.
//
// Each callback runs in a separate context, a copy of the one in which the server was started.
// More than 25 members and methods, because there is one on_event() for each kind of event.
#pragma once

#include <pybind11/pybind11.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "python/answer/body_pipe.h"
#include "python/convert/environment.h"
#include "python/link/link.h"
#include "python/queue/queue.h"
#include "server/message/message.h"

namespace httpuv::python {

class Gateway;

// The callables for the requests of a server. They are replaced together, between two requests.
struct Program {
  pybind11::object call;        // (environment) -> result; None: 404
  pybind11::object on_headers;  // (environment) -> None or result; None: not announced
  // (Socket, environment, protocol, Reply or None) -> listener; None: no WebSocket. With a Reply
  // the handshake waits until the Reply accepts or answers.
  pybind11::object on_ws_open;
  // (environment, Upload) -> receiver; None: callbacks run when the body is complete. The
  // receiver's data(bytes) is called for each piece, then end() or lost(). `call` runs at once, or
  // at the end.
  pybind11::object open_upload;
  bool call_first = false;
  bool ws_waits = false;  // a WebSocket handshake waits for the application
  std::vector<std::shared_ptr<Gateway>> gateways;  // of the server's mounts, in their order
};

// The callables that stay as long as the server runs.
struct Callbacks {
  pybind11::object on_error;   // (where, environment or None, exception) -> None
  pybind11::object on_notice;  // (level, text) -> None; level as in NoticeLevel
  // (result, environment, Reply) -> (status, headers, body), or None: the Reply answers later
  pybind11::object convert;
  // (AccessRecords) -> None; None: no access log
  pybind11::object access_log;

  [[nodiscard]] std::array<pybind11::object*, 4> all() {
    return {&on_error, &on_notice, &convert, &access_log};
  }
};

class Reply;
class Socket;

// The exception with its traceback; Python sets __traceback__ only when it catches the exception.
pybind11::object exception_of(const pybind11::error_already_set& error);
// The same for C++ exceptions: MemoryError, or RuntimeError with their text.
pybind11::object exception_of(const std::exception& error);

struct ExchangeHash {
  std::size_t operator()(const server::ExchangeId& id) const {
    const std::uint64_t name = static_cast<std::uint64_t>(id.connection.slot) << 32 | id.sequence;
    return static_cast<std::size_t>(name * 0x9E3779B97F4A7C15ULL >> 16);
  }
};

class Application final : public Link {
 public:
  Application(Program program, Callbacks callbacks, const pybind11::dict& constants,
              const server::Settings& settings, const std::shared_ptr<Queue>& queue);

  Environment& environment() { return environment_; }

  // See Consumer and Link.
  void handle(server::Event&& event, std::chrono::steady_clock::time_point& now) override;
  void refuse(server::Event&& event) override;
  void run(const pybind11::object& function, std::chrono::steady_clock::time_point& now) override;
  void answered(const server::ExchangeId& id) override;
  void accepted(const server::ExchangeId& id) override { forget_reply(id); }
  void consumed(const server::ConnectionId& id, std::size_t messages) override;
  void dropped(const server::ConnectionId& id, std::size_t count) override;

  // For Python's garbage collector, when the server has stopped and nothing else holds this: calls
  // visit() for each Python object that this holds; drops them.
  int traverse(visitproc visit, void* argument);
  void clear();

  // The subject of an event: if handling it fails, this is answered and logged.
  struct Work {
    std::variant<server::ExchangeId, server::ConnectionId> subject;
    const char* where = "an event";
    pybind11::object environment = pybind11::none();
    pybind11::handle context{};  // that the event is handled in
  };

  // --- for gateways ---

  std::shared_ptr<Application> shared_from_this() {
    return std::static_pointer_cast<Application>(Link::shared_from_this());
  }
  // The current callables. A running callback keeps the ones that it began with.
  [[nodiscard]] const std::shared_ptr<const Program>& program() const { return program_; }
  void set_program(Program program);
  // Calls back and sends the answer. False if the callback has declined to answer; then the
  // envelope is unchanged and the client is still there.
  bool ask(Work& work, server::EnvelopePtr& envelope, pybind11::handle callback, const char* where,
           bool may_decline);
  // A Reply that is notified about the exchange until it is answered.
  std::shared_ptr<Reply> open_reply(const server::ExchangeId& id);
  // Registers the receiver of a body in pieces; returns the application's handle.
  pybind11::object open_upload(const server::ExchangeId& id, const pybind11::dict& environment,
                               const pybind11::object& receiver);
  // The bodies that threads wait for.
  Arrivals& arrivals() { return arrivals_; }
  // Registers the listener of a WebSocket that an exchange asks for, and calls its _open().
  void open_socket(const server::ExchangeId& id, const pybind11::object& listener,
                   const std::shared_ptr<Socket>& socket);
  void open_rook_socket(const server::WsOpenEvent& event, pybind11::handle on_open, Work& work);

 private:
  struct Announced {
    server::ExchangeId id;
    pybind11::dict environment;
  };
  // The Python end of a body that is still coming.
  struct Receiver {
    pybind11::dict environment;
    pybind11::object receiver;  // null: there is none
    pybind11::object call;      // when the body has come; null: it was made when the head came
  };
  class Sink;
  // The Python end of a WebSocket: `listener` has the methods _open(), _message(binary, data),
  // _closing(code, reason), _closed(code, reason, clean), _pong(payload), _drained(), _taken() and
  // _dropped(). A _message() that returns True keeps the message: it counts as unread until
  // Socket::consumed().
  struct Listener {
    pybind11::object listener;
    pybind11::object message;  // its bound _message
    std::shared_ptr<Socket> socket;
    std::uint32_t sequence = 0;  // of the exchange that asked for it
    // By mutex_:
    std::size_t consumed = 0;  // used bytes that the loop does not know yet
    std::size_t kept = 0;      // messages that were kept and not used, and their bytes
    std::size_t kept_bytes = 0;
    std::size_t used_early = 0;  // messages that were used before _message() had returned
    bool last = false;           // no more will come: a WsConclude is due when all were used
  };

  void on_event(server::RequestEvent&& event, Work& work);
  void on_event(server::BodyEvent&& event, Work& work);
  void on_event(server::AbandonedEvent&& event, Work& work);
  void on_event(server::StreamTakenEvent&& event, Work& work);
  void on_event(server::WsOpenEvent&& event, Work& work);
  void on_event(server::WsMessageEvent&& event, Work& work);
  void on_event(server::WsPongEvent&& event, Work& work);
  void on_event(server::WsDrainEvent&& event, Work& work);
  void on_event(server::WsTakenEvent&& event, Work& work);
  void on_event(server::WsDroppedEvent&& event, Work& work);
  void on_event(server::WsResetEvent&& event, Work& work);
  void on_event(server::WsClosingEvent&& event, Work& work);
  void on_event(server::WsLastEvent&& event, Work& work);
  void on_event(server::WsCloseEvent&& event, Work& work);
  void on_event(server::NoticeEvent&& event, Work& work);
  void on_event(server::LogEvent&& event, Work& work);

  template <class E>
  void perform(E&& event);
  void give_up(const Work& work);
  void report(const Work& work, const pybind11::object& exception);

  void deliver(std::vector<server::Event>& events);
  void log(server::AccessBatch&& batch, std::vector<server::Event>& events);
  [[nodiscard]] bool attended() const;

  pybind11::dict environment_of(server::Envelope& envelope);
  pybind11::object take_announced(const server::ExchangeId& id);
  void begin_upload(const server::ExchangeId& id, Work& work, const Program& program);
  void answer_plain(server::EnvelopePtr&& envelope, int status);
  Receiver find_upload(const server::ExchangeId& id, bool take);
  void lose_upload(const server::ExchangeId& id);
  void call(const server::ExchangeId& id, Work& work, pybind11::handle callback);
  std::shared_ptr<Reply> find(const server::ExchangeId& id);
  void forget_reply(const server::ExchangeId& id);
  void abandon(const server::ExchangeId& id);
  void tell(const char* where, pybind11::object callback,
            const std::optional<std::uint64_t>& argument = {});
  std::shared_ptr<Listener> find(const server::ConnectionId& id);
  std::shared_ptr<Listener> take_unopened(const server::ExchangeId& id);
  void lose_socket(const server::ExchangeId& id, Work& work);
  void count_consumed(const server::ConnectionId& id, Listener& listener, std::size_t bytes);
  template <class... Arguments>
  void notify(const server::ConnectionId& id, Work& work, const char* method,
              Arguments&&... arguments);

  Callbacks callbacks_;
  const pybind11::object context_;  // that of the start of the server
  Environment environment_;
  const std::size_t consumed_step_;  // the loop is told of consumed messages in such steps
  std::atomic<bool> has_uploads_;    // whether a body may come in pieces
  Arrivals arrivals_;
  std::unique_ptr<char[]> reserve_;  // guarded by the GIL: freed for the handling of a bad_alloc

  std::shared_ptr<const Program> program_;  // guarded by the GIL

  std::mutex mutex_;                  // guards the rest; never held while Python may run
  std::vector<Announced> announced_;  // heads that on_headers saw, until their bodies come
  std::unordered_map<server::ExchangeId, std::shared_ptr<Reply>, ExchangeHash> replies_;
  std::unordered_map<server::ExchangeId, Receiver, ExchangeHash> uploads_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Listener>> listeners_;
};

}  // namespace httpuv::python
