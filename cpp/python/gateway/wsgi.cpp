// WSGI (PEP 3333): the environ, the call, and the iteration over what it returns.
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "python/answer/body_pipe.h"
#include "python/answer/reply.h"
#include "python/application/application.h"
#include "python/convert/certificate.h"
#include "python/convert/environment.h"
#include "python/convert/names.h"
#include "python/convert/recent_heads.h"
#include "python/convert/returned_dicts.h"
#include "python/gateway/mounts.h"
#include "python/gateway/per_connection.h"
#include "python/gateway/start_response.h"
#include "python/runtime/gil.h"
#include "python/runtime/objects.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

using Clock = std::chrono::steady_clock;

// How long one iterable may run before other callbacks run, if one thread runs all.
constexpr std::chrono::milliseconds kSlice{5};

struct EnvironKeys {
  PyObject* request_method = interned("REQUEST_METHOD");
  PyObject* script_name = interned("SCRIPT_NAME");
  PyObject* path_info = interned("PATH_INFO");
  PyObject* query_string = interned("QUERY_STRING");
  PyObject* request_uri = interned("REQUEST_URI");
  PyObject* raw_uri = interned("RAW_URI");
  PyObject* protocol = interned("SERVER_PROTOCOL");
  PyObject* remote_addr = interned("REMOTE_ADDR");
  PyObject* remote_port = interned("REMOTE_PORT");
  PyObject* content_length = interned("CONTENT_LENGTH");
  PyObject* transfer_encoding = interned("HTTP_TRANSFER_ENCODING");
  PyObject* input = interned("wsgi.input");
  PyObject* url_scheme = interned("wsgi.url_scheme");
  PyObject* https = interned("https");
  PyObject* hints = interned("wsgi.early_hints");
  PyObject* close = interned("close");
  PyObject* empty = interned("");
  PyObject* http_1_0 = interned("HTTP/1.0");
  PyObject* http_1_1 = interned("HTTP/1.1");
};

const EnvironKeys& environ_keys() {
  static const EnvironKeys* const kKeys = new EnvironKeys;
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
        prefix_(options["prefix"].cast<std::string>()),
        template_(options["environ"].cast<py::dict>()) {
    const EnvironKeys& k = environ_keys();
    const std::string script = options["root_path"].cast<std::string>() + prefix_;
    set_item(template_.ptr(), k.script_name, latin1_of(script).ptr());
    for (PyObject* key : {k.request_method, k.path_info, k.query_string, k.request_uri, k.raw_uri,
                          k.protocol, k.remote_addr, k.remote_port, k.input, k.hints}) {
      set_item(template_.ptr(), key, Py_None);
    }
    // A copy has the capacity of its original: room for the fields of a usual request.
    constexpr int kRoom = 10;
    for (int i = 0; i < kRoom; ++i) template_[py::int_(i)] = py::none();
    for (int i = 0; i < kRoom; ++i) PyDict_DelItem(template_.ptr(), py::int_(i).ptr());
  }

  void listening(const std::string& host, int port) override {
    template_["SERVER_NAME"] = py::str(port < 0 ? "localhost" : host);
    template_["SERVER_PORT"] = py::str(port < 0 ? "80" : std::to_string(port));
    heads_ = {};
    const auto returned = returned_.take_all();
  }

  void websocket(Application&, Application::Work&, server::WsOpenEvent&&) override {}  // has none

  void request(Application& application, Application::Work& work,
               server::EnvelopePtr&& envelope) override {
    work.where = "the WSGI application";
    std::optional<Arrival> arrival;
    if (envelope->headers_only) arrival.emplace(application, envelope->id);
    Built built = build(*envelope);
    StartResponse callables = start_responses_.take(application.shared_from_this(),
                                                    std::move(envelope), built.loan.hints);
    if (std::exchange(built.loan.hints, callables.hints.ptr()) != callables.hints.ptr()) {
      set_item(built.loan.dict.ptr(), environ_keys().hints, callables.hints.ptr());
    }
    if (built.returns) returned_.lend(built.place, built.loan);
    work.environment = std::move(built.loan.dict);
    serve(work, callables, arrival);
    if (!answer_of(callables.start).complete()) return;
    returned_.give_back(std::move(work.environment), is_unused_input);
    if (work.environment) start_responses_.give_back(std::move(callables));
  }

 private:
  // An environ, and whether it may serve another request with the fields of that place.
  struct Built {
    ReturnedDicts::Loan loan;
    bool returns;
    std::size_t place;
  };

  void serve(const Application::Work& work, const StartResponse& callables,
             const std::optional<Arrival>& arrival) {
    const auto environ = py::reinterpret_borrow<py::dict>(work.environment);
    const py::object& start = callables.start;
    WsgiAnswer& answer = answer_of(start);
    if (arrival) {
      answer.set_body(arrival->pipe());
      set_item(environ.ptr(), environ_keys().input,
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

  void answer_with(const py::object& result, const py::object& start, const py::dict& environ,
                   py::handle context) {
    WsgiAnswer& answer = answer_of(start);
    // close() is always called, unless another object continues with the iterable.
    struct Close {
      const py::object& result;
      bool wanted = true;
      void now() {
        if (!std::exchange(wanted, false)) return;
        PyObject* const method = PyObject_GetAttr(result.ptr(), environ_keys().close);
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

  void feed(const py::object& start, const py::dict& environ) const {
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

  Built build(server::Envelope& envelope) {
    const EnvironKeys& k = environ_keys();
    const http::RequestHead& head = envelope.request;
    const RecentHeads::Found recent = heads_.find(head);
    Built result{from_head(head, recent), false, recent.place};
    ReturnedDicts::Loan& loan = result.loan;
    PyObject* const environ = loan.dict.ptr();
    if (envelope.https) set_item(environ, k.url_scheme, k.https);
    add_peer(loan, envelope);
    if (envelope.headers_only) return result;
    if (head.chunked) {
      // The body is here as a whole, so it has a length; applications that know only that find it.
      PyDict_DelItem(environ, k.transfer_encoding);
      PyErr_Clear();
      set_item(environ, k.content_length, py::str(std::to_string(envelope.body.length)).ptr());
    }
    if (loan.input == nullptr || envelope.body.length != 0 || !envelope.body.bytes.empty()) {
      const py::object input = make_input(std::move(envelope.body));
      loan.input = input.ptr();
      set_item(environ, k.input, input.ptr());
    }
    result.returns = recent.made && !envelope.https && envelope.tls == nullptr && !head.chunked;
    return result;
  }

  // An environ with all that is in the head.
  ReturnedDicts::Loan from_head(const http::RequestHead& head, const RecentHeads::Found& recent) {
    const EnvironKeys& k = environ_keys();
    ReturnedDicts::Loan loan;
    if (recent.made) loan = returned_.take(recent.place);
    const bool has_line = recent.same_line && (!loan.dict || loan.same_line);
    loan.same_line = recent.same_line;
    if (!loan.dict) {
      loan.dict = stolen(PyDict_Copy(recent.made ? recent.made.ptr() : template_.ptr()));
    }
    PyObject* const environ = loan.dict.ptr();
    if (!has_line) add_line(environ, head);
    if (recent.made) return loan;
    set_item(environ, k.protocol, head.minor_version == 0 ? k.http_1_0 : k.http_1_1);
    for (const http::HeaderField& field : head.fields) add_field(environ, head, field);
    if (recent.wanted) {
      heads_.keep(head, stolen(PyDict_Copy(environ)));
      returned_.forget(recent.place);
    }
    return loan;
  }

  void add_line(PyObject* environ, const http::RequestHead& head) const {
    const EnvironKeys& k = environ_keys();
    set_item(environ, k.request_method, method_of(head.view(head.method)).ptr());
    const std::string_view target = head.view(head.target);
    const std::string_view raw = head.view(head.path);
    const py::object uri = latin1_of(target);
    set_item(environ, k.request_uri, uri.ptr());
    set_item(environ, k.raw_uri, uri.ptr());
    if (raw.find('%') == std::string_view::npos) {
      const std::string_view path = raw.substr(std::min(prefix_.size(), raw.size()));
      set_item(environ, k.path_info, path == target ? uri.ptr() : latin1_of(path).ptr());
    } else {
      const std::string path = decoded_path(raw);
      set_item(
          environ, k.path_info,
          latin1_of(std::string_view(path).substr(std::min(prefix_.size(), path.size()))).ptr());
    }
    set_item(environ, k.query_string,
             head.query.size == 0 ? k.empty : latin1_of(head.view(head.query)).ptr());
  }

  void add_peer(ReturnedDicts::Loan& loan, const server::Envelope& envelope) {
    const EnvironKeys& k = environ_keys();
    PyObject* const environ = loan.dict.ptr();
    PyObject* pair = envelope.client_told ? nullptr : peers_.find(envelope.id.connection);
    py::object made;
    if (pair == nullptr) {
      if (!last_address_ || last_address_text_ != envelope.remote_address) {
        last_address_ = latin1_of(envelope.remote_address);
        last_address_text_ = envelope.remote_address;
      }
      made = py::make_tuple(
          last_address_,
          py::str(envelope.remote_port == 0 ? "" : std::to_string(envelope.remote_port)),
          envelope.tls != nullptr ? py::object(tls_variables(*envelope.tls)) : py::none());
      if (!envelope.client_told) peers_.keep(envelope.id.connection, made);
      pair = made.ptr();
    }
    PyObject* const address = PyTuple_GET_ITEM(pair, 0);
    if (std::exchange(loan.address, address) != address) set_item(environ, k.remote_addr, address);
    if (std::exchange(loan.port, envelope.remote_port) != envelope.remote_port) {
      set_item(environ, k.remote_port, PyTuple_GET_ITEM(pair, 1));
    }
    if (envelope.tls != nullptr && PyDict_Update(environ, PyTuple_GET_ITEM(pair, 2)) != 0) {
      throw py::error_already_set();
    }
  }

  static void add_field(PyObject* environ, const http::RequestHead& head,
                        const http::HeaderField& field) {
    py::object made;
    PyObject* variable = names_of(field.id).variable;
    if (variable == nullptr) {
      const std::string_view name = head.view(field.name);
      // "x_y" would look like "x-y" there, and a proxy in front may check only "x-y".
      if (name.find('_') != std::string_view::npos) return;
      made = latin1_of(variable_name(name));
      variable = made.ptr();
    }
    py::object value = latin1_of(head.view(field.value));
    if (const py::object earlier = find_item(environ, variable)) {
      value = joined(field.id, earlier, value);
    }
    set_item(environ, variable, value.ptr());
  }

  const py::object app_;
  const py::object file_wrapper_;  // the class
  const py::object open_file_;     // (wrapper) -> (descriptor, offset, length), or None
  const py::object go_on_;         // (iterator, iterable, environ, reply, context, bytes left)
  const py::object feed_;          // (stream, environ, reply, begin): topics make the body
  const py::object open_input_;    // (BodyPipe) -> wsgi.input
  const bool blocking_;
  const std::string prefix_;
  py::dict template_;
  PerConnection peers_;
  py::object last_address_;
  std::string last_address_text_;
  RecentHeads heads_;
  ReturnedDicts returned_;
  StartResponses start_responses_;
};

}  // namespace

std::shared_ptr<Gateway> make_wsgi(const py::dict& options) {
  return std::make_shared<WsgiGateway>(options);
}

}  // namespace httpuv::python
