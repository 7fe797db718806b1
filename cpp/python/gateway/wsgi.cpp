// WSGI (PEP 3333): the call, and the iteration over what it returns.
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "python/answer/body_pipe.h"
#include "python/answer/reply.h"
#include "python/application/application.h"
#include "python/gateway/mounts.h"
#include "python/gateway/start_response.h"
#include "python/gateway/wsgi_environs.h"
#include "python/runtime/gil.h"
#include "python/runtime/objects.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

using Clock = std::chrono::steady_clock;

// How long one iterable may run before other callbacks run, if one thread runs all.
constexpr std::chrono::milliseconds kSlice{5};

struct WsgiKeys {
  PyObject* input = interned("wsgi.input");
  PyObject* close = interned("close");
};

const WsgiKeys& wsgi_keys() {
  static const WsgiKeys* const kKeys = new WsgiKeys;
  return *kKeys;
}

// A body that is read while it comes, for as long as its request is answered.
class Arrival {
 public:
  Arrival(Application& application, const server::ExchangeId& id)
      : arrivals_(application.arrivals()),
        pipe_(std::make_shared<BodyPipe>(application.shared_from_this(), id)) {
    arrivals_.open(pipe_);
  }
  ~Arrival() {
    arrivals_.close(*pipe_);
    pipe_->lose();
  }
  Arrival(const Arrival&) = delete;
  Arrival& operator=(const Arrival&) = delete;
  [[nodiscard]] const std::shared_ptr<BodyPipe>& pipe() const { return pipe_; }

 private:
  Arrivals& arrivals_;
  const std::shared_ptr<BodyPipe> pipe_;
};

class WsgiGateway final : public Gateway {
 public:
  explicit WsgiGateway(const py::dict& options)
      : app_(options["app"]),
        file_wrapper_(options["file_wrapper"]),
        open_file_(options["open_file"]),
        go_on_(options["go_on"]),
        feed_(options["feed"]),
        open_input_(options["open_input"]),
        blocking_(options["blocking"].cast<bool>()),
        environs_(options) {}

  void listening(const std::string& host, int port) override { environs_.listening(host, port); }

  void websocket(Application&, Application::Work&, server::WsOpenEvent&&) override {}  // has none

  void request(Application& application, Application::Work& work,
               server::EnvelopePtr&& envelope) override {
    work.where = "the WSGI application";
    std::optional<Arrival> arrival;
    if (envelope->headers_only) arrival.emplace(application, envelope->id);
    WsgiEnvirons::Built built = environs_.build(*envelope);
    StartResponse callables = start_responses_.take(application.shared_from_this(),
                                                    std::move(envelope), built.loan.hints);
    WsgiEnvirons::set_hints(built.loan, callables.hints.ptr());
    work.environment = environs_.lend(std::move(built));
    serve(work, callables, arrival);
    if (!answer_of(callables.start).complete()) return;
    environs_.give_back(std::move(work.environment));
    if (work.environment) start_responses_.give_back(std::move(callables));
  }

 private:
  void serve(const Application::Work& work, const StartResponse& callables,
             const std::optional<Arrival>& arrival) {
    const py::object& environ = work.environment;
    const py::object& start = callables.start;
    WsgiAnswer& answer = answer_of(start);
    if (arrival) {
      answer.set_body(arrival->pipe());
      set_item(environ.ptr(), wsgi_keys().input,
               call_python(open_input_, py::cast(arrival->pipe())).ptr());
    }
    try {
      const py::object result = call_python(app_, environ, start);
      answer_with(result, start, environ, work.context);
    } catch (py::error_already_set& error) {
      // A client that leaves while the application waits for it is no error of the application.
      const bool gone = answer.gone() || (arrival && arrival->pipe()->lost());
      if (!gone || !error.matches(PyExc_ConnectionError)) throw;
      answer.fail();
    }
  }

  void answer_with(const py::object& result, const py::object& start, const py::object& environ,
                   py::handle context) {
    WsgiAnswer& answer = answer_of(start);
    // close() is always called, unless another object continues with the iterable.
    struct Close {
      const py::object& result;
      bool wanted = true;
      void now() {
        if (!std::exchange(wanted, false)) return;
        PyObject* const method = PyObject_GetAttr(result.ptr(), wsgi_keys().close);
        if (method == nullptr) {
          if (PyErr_ExceptionMatches(PyExc_AttributeError) == 0) throw py::error_already_set();
          return PyErr_Clear();
        }
        const py::object close = py::reinterpret_steal<py::object>(method);
        call_python(close);
      }
      ~Close() {
        if (!wanted) return;
        try {
          const py::error_scope kept;
          now();
        } catch (py::error_already_set& error) {
          error.discard_as_unraisable("close() of a WSGI iterable");
        }
      }
    } close{result};

    if (PyList_CheckExact(result.ptr()) || PyTuple_CheckExact(result.ptr())) {
      close.wanted = false;
      if (answer.events().empty()) {
        answer.write_all(result.ptr());
        return;
      }
    }
    if (py::type::handle_of(result).is(file_wrapper_) && answer.started() &&
        send_file(result, answer)) {
      return close.now();
    }
    const py::object iterator = stolen(guarded([&] { return PyObject_GetIter(result.ptr()); }));
    const auto until = Clock::now() + kSlice;
    while (PyObject* const next = guarded([&] { return PyIter_Next(iterator.ptr()); })) {
      const py::object piece = py::reinterpret_steal<py::object>(next);
      if (!answer.write(piece.ptr())) break;
      if (blocking_) {
        if (answer.full() && !answer.wait_for_room()) break;
      } else if (answer.streaming() && (answer.full() || Clock::now() >= until)) {
        // One thread runs all: others have their turn.
        close.wanted = false;
        const auto reply = answer.application()->open_reply(answer.id());
        const py::object left =
            answer.left() ? py::object(py::int_(*answer.left())) : py::object(py::none());
        call_python(go_on_, iterator, result, environ, py::cast(reply),
                    py::reinterpret_borrow<py::object>(context), left);
        return;
      }
    }
    if (PyErr_Occurred() != nullptr) throw py::error_already_set();
    if (!answer.events().empty()) {
      feed(start, environ);
    } else if (!answer.gone()) {
      answer.end();
    }
    close.now();
  }

  void feed(const py::object& start, const py::object& environ) const {
    const WsgiAnswer& answer = answer_of(start);
    const auto reply = answer.application()->open_reply(answer.id());
    const py::cpp_function begin([start](double seconds, const std::string& filler) {
      answer_of(start).begin_events(seconds, filler);
    });
    call_python(feed_, py::str(std::string(answer.events())), environ, py::cast(reply), begin);
  }

  // Whether the kernel sends it.
  bool send_file(const py::object& wrapper, WsgiAnswer& answer) const {
    const py::object opened = open_file_(wrapper);
    if (opened.is_none()) return false;
    const auto [fd, offset, length] = opened.cast<std::tuple<int, std::uint64_t, std::uint64_t>>();
    server::FileBody body;
    body.file = base::Descriptor(fd);
    body.offset = offset;
    body.length = length;
    answer.send_file(std::move(body));
    return true;
  }

  const py::object app_;
  const py::object file_wrapper_;  // the class
  const py::object open_file_;     // (wrapper) -> (descriptor, offset, length), or None
  const py::object go_on_;         // (iterator, iterable, environ, reply, context, bytes left)
  const py::object feed_;          // (stream, environ, reply, begin): topics make the body
  const py::object open_input_;    // (BodyPipe) -> wsgi.input
  const bool blocking_;
  WsgiEnvirons environs_;
  StartResponses start_responses_;
};

}  // namespace

std::shared_ptr<Gateway> make_wsgi(const py::dict& options) {
  return std::make_shared<WsgiGateway>(options);
}

}  // namespace httpuv::python
