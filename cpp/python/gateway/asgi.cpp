// ASGI 3: the scope of a request or a WebSocket, and the call.
#include <algorithm>
#include <string>
#include <utility>

#include "http/message/response.h"
#include "python/answer/reply.h"
#include "python/application/application.h"
#include "python/convert/certificate.h"
#include "python/convert/environment.h"
#include "python/convert/names.h"
#include "python/convert/recent/recent_heads.h"
#include "python/coroutine/begin.h"
#include "python/gateway/exchange.h"
#include "python/gateway/mounts.h"
#include "python/gateway/per_connection.h"
#include "python/runtime/gil.h"
#include "python/runtime/objects.h"
#include "python/socket/socket.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

struct ScopeKeys {
  PyObject* type = interned("type");
  PyObject* http = interned("http");
  PyObject* websocket = interned("websocket");
  PyObject* http_version = interned("http_version");
  PyObject* method = interned("method");
  PyObject* path = interned("path");
  PyObject* raw_path = interned("raw_path");
  PyObject* query_string = interned("query_string");
  PyObject* headers = interned("headers");
  PyObject* client = interned("client");
  PyObject* server = interned("server");
  PyObject* scheme = interned("scheme");
  PyObject* https = interned("https");
  PyObject* wss = interned("wss");
  PyObject* state = interned("state");
  PyObject* extensions = interned("extensions");
  PyObject* tls = interned("tls");
  PyObject* subprotocols = interned("subprotocols");
  PyObject* http_1_0 = interned("1.0");
  PyObject* http_1_1 = interned("1.1");
  PyObject* not_ready = interned("not_ready");
  PyObject* empty = PyBytes_FromStringAndSize("", 0);
};

const ScopeKeys& scope_keys() {
  static const ScopeKeys* const kKeys = new ScopeKeys;
  return *kKeys;
}

// More than 25 members and methods, because what many scopes share is made once and kept here.
class AsgiGateway final : public Gateway {
 public:
  explicit AsgiGateway(const py::dict& options)
      : app_(options["app"]),
        gateway_(options["gateway"]),
        apart_(options["apart"].cast<bool>()),
        open_websocket_(options["open_websocket"]),
        state_(options["state"]),
        path_prefix_(options["path_prefix"].cast<std::string>()),
        http_(options["http_scope"].cast<py::dict>()),
        websocket_(options["websocket_scope"].cast<py::dict>()),
        http_extensions_(http_["extensions"]),
        websocket_extensions_(websocket_["extensions"]),
        exchanges_(options["exchange"]) {
    const ScopeKeys& k = scope_keys();
    for (PyObject* key :
         {k.http_version, k.path, k.raw_path, k.query_string, k.headers, k.client, k.server}) {
      for (const py::dict& scope : {http_, websocket_}) {
        if (PyDict_Contains(scope.ptr(), key) == 0) set_item(scope.ptr(), key, Py_None);
      }
    }
    set_item(http_.ptr(), k.method, Py_None);
    set_item(websocket_.ptr(), k.subprotocols, Py_None);
  }

  void listening(const std::string& host, int port) override {
    const py::object second = port < 0 ? py::object(py::none()) : py::object(py::int_(port));
    const py::tuple server = py::make_tuple(host, second);
    set_item(http_.ptr(), scope_keys().server, server.ptr());
    set_item(websocket_.ptr(), scope_keys().server, server.ptr());
    http_heads_ = {};
    websocket_heads_ = {};
  }

  void request(Application& application, Application::Work& work,
               server::EnvelopePtr&& envelope) override {
    const server::ExchangeId id = envelope->id;
    work.where = "the ASGI application";
    const py::dict scope = scope_of(http_, http_heads_, *envelope);
    work.environment = scope;
    const bool in_pieces = envelope->headers_only;
    py::object body;
    py::object file;
    if (envelope->body.file.get() >= 0) {  // a static path that fell through has waited for it
      file = make_input(std::move(envelope->body));
    } else if (!in_pieces) {
      body = body_of(envelope->body);
    }
    BoundExchange bound = exchanges_.take(application.shared_from_this(), std::move(envelope));
    const py::object& exchange = bound.object;
    exchange_of(exchange).scope = scope;
    exchange_of(exchange).body = body;
    exchange_of(exchange).upload = file;
    if (in_pieces) exchange_of(exchange).upload = application.open_upload(id, scope, exchange);
    const py::object loop = begins_here() ? running_loop() : py::object();
    if (!loop) {
      call_python(exchange.attr("start"), app_, bound.receive, bound.send);
      return;
    }
    py::object result = call_python(app_, scope, bound.receive, bound.send);
    if (!PyCoro_CheckExact(result.ptr())) result = call_python(gateway_.attr("coroutine"), result);
    result = begin_coroutine(result, loop);
    // Most requests are over by now.
    if (!is_task(result) && exchange_of(exchange).state == Exchange::State::kDone) {
      return exchanges_.give_back(std::move(bound));
    }
    call_python(exchange.attr("called"), is_task(result) ? result : py::object(py::none()));
  }

  void websocket(Application& application, Application::Work& work,
                 server::WsOpenEvent&& event) override {
    const server::ExchangeId id = event.request->id;
    work.where = "the ASGI application";
    work.subject = id;  // it has no answer yet
    const py::dict scope = scope_of(websocket_, websocket_heads_, *event.request);
    work.environment = scope;
    set_item(scope.ptr(), scope_keys().subprotocols, subprotocols(event.request->request).ptr());
    const auto socket = std::make_shared<Socket>(application.shared_from_this(), id.connection);
    const auto reply = application.open_reply(id);
    application.open_socket(id, call_python(open_websocket_, app_, scope, socket, reply), socket);
  }

 private:
  // Whether the application's loop runs on this thread, and the application is ready.
  [[nodiscard]] bool begins_here() const {
    return !apart_ && stolen(PyObject_GetAttr(gateway_.ptr(), scope_keys().not_ready)).is_none();
  }

  // A body that stream_body delivers as a whole is in memory (see gather_body).
  static py::object body_of(const server::RequestBody& body) {
    return body.bytes.empty() ? py::reinterpret_borrow<py::object>(scope_keys().empty)
                              : bytes_of(body.bytes);
  }

  static py::list subprotocols(const http::RequestHead& head) {
    py::list result;
    const std::string all = head.joined(http::Field::kSecWebSocketProtocol);
    std::string_view rest = all;
    while (!rest.empty()) {
      std::string_view name = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(rest.size(), name.size() + 1));
      while (!name.empty() && (name.front() == ' ' || name.front() == '\t')) name.remove_prefix(1);
      while (!name.empty() && (name.back() == ' ' || name.back() == '\t')) name.remove_suffix(1);
      if (!name.empty()) result.append(latin1_of(name));
    }
    return result;
  }

  py::dict scope_of(const py::dict& prepared, RecentHeads& heads,
                    const server::Envelope& envelope) {
    const ScopeKeys& k = scope_keys();
    const py::object result = from_head(prepared, heads, envelope.request);
    PyObject* const scope = result.ptr();
    if (envelope.https) set_item(scope, k.scheme, &prepared == &websocket_ ? k.wss : k.https);
    set_item(scope, k.client, client_of(envelope).ptr());
    const py::object& shared = &prepared == &websocket_ ? websocket_extensions_ : http_extensions_;
    const py::object extensions = stolen(PyDict_Copy(shared.ptr()));
    if (envelope.tls != nullptr) set_item(extensions.ptr(), k.tls, tls_of(envelope).ptr());
    set_item(scope, k.extensions, extensions.ptr());
    if (!state_.is_none()) {
      // The state of the lifespan: each request gets its own dict with the same objects.
      set_item(scope, k.state, stolen(PyDict_Copy(state_.ptr())).ptr());
    }
    return py::reinterpret_borrow<py::dict>(result);
  }

  // A scope with all that is in the head.
  py::object from_head(const py::dict& prepared, RecentHeads& heads,
                       const http::RequestHead& head) const {
    const ScopeKeys& k = scope_keys();
    const RecentHeads::Found recent = heads.find(head);
    py::object result = stolen(PyDict_Copy(recent.made ? recent.made.ptr() : prepared.ptr()));
    PyObject* const scope = result.ptr();
    if (!recent.same_line) add_line(scope, head);
    if (recent.made) {  // applications change the list
      const py::object fields = find_item(scope, k.headers);
      set_item(scope, k.headers,
               stolen(PyList_GetSlice(fields.ptr(), 0, PyList_GET_SIZE(fields.ptr()))).ptr());
      return result;
    }
    if (head.minor_version == 0) set_item(scope, k.http_version, k.http_1_0);
    const py::object fields = headers_of(head);
    set_item(scope, k.headers, fields.ptr());
    if (recent.wanted) {
      const py::object kept = stolen(PyDict_Copy(scope));
      set_item(kept.ptr(), k.headers,
               stolen(PyList_GetSlice(fields.ptr(), 0, PyList_GET_SIZE(fields.ptr()))).ptr());
      heads.keep(head, kept);
    }
    return result;
  }

  void add_line(PyObject* scope, const http::RequestHead& head) const {
    const ScopeKeys& k = scope_keys();
    // A WebSocket's has none.
    if (PyDict_Contains(scope, k.method) == 1) {
      set_item(scope, k.method, method_of(head.view(head.method)).ptr());
    }
    const std::string_view raw = head.view(head.path);
    if (path_prefix_.empty()) {
      set_item(scope, k.raw_path, bytes_of(raw).ptr());
      set_item(scope, k.path, path_of(raw).ptr());
    } else {
      const std::string full = path_prefix_ + std::string(raw);
      set_item(scope, k.raw_path, bytes_of(full).ptr());
      set_item(scope, k.path, path_of(full).ptr());
    }
    set_item(scope, k.query_string,
             head.query.size == 0 ? k.empty : bytes_of(head.view(head.query)).ptr());
  }

  // Decoded as UTF-8; invalid bytes become the replacement character.
  static py::object path_of(std::string_view raw) {
    std::string decoded;
    if (raw.find('%') != std::string_view::npos) {
      decoded = decoded_path(raw);
      raw = decoded;
    }
    return stolen(PyUnicode_DecodeUTF8(raw.data(), static_cast<Py_ssize_t>(raw.size()), "replace"));
  }

  static py::object headers_of(const http::RequestHead& head) {
    const py::object result = stolen(PyList_New(static_cast<Py_ssize_t>(head.fields.size())));
    Py_ssize_t index = 0;
    for (const http::HeaderField& field : head.fields) {
      PyObject* const pair = PyTuple_New(2);
      if (pair == nullptr) throw py::error_already_set();
      PyList_SET_ITEM(result.ptr(), index++, pair);
      PyObject* const known = names_of(field.id).bytes;
      PyTuple_SET_ITEM(
          pair, 0,
          known != nullptr ? Py_NewRef(known) : bytes_of(head.view(field.name)).release().ptr());
      PyTuple_SET_ITEM(pair, 1, bytes_of(head.view(field.value)).release().ptr());
    }
    return result;
  }

  // A copy, which the application may change.
  py::object tls_of(const server::Envelope& envelope) {
    PyObject* known = tls_.find(envelope.id.connection);
    if (known == nullptr) {
      const py::dict made = tls_extension(*envelope.tls);
      tls_.keep(envelope.id.connection, made);
      known = made.ptr();
    }
    return stolen(PyDict_Copy(known));
  }

  py::object client_of(const server::Envelope& envelope) {
    if (envelope.remote_address.empty()) return py::none();  // a Unix socket
    if (envelope.client_told) {
      return py::make_tuple(latin1_of(envelope.remote_address), envelope.remote_port);
    }
    if (PyObject* const known = clients_.find(envelope.id.connection)) {
      return py::reinterpret_borrow<py::object>(known);
    }
    const py::object made =
        py::make_tuple(latin1_of(envelope.remote_address), envelope.remote_port);
    clients_.keep(envelope.id.connection, made);
    return made;
  }

  const py::object app_;
  const py::object gateway_;         // the Python part: httpuv.asgi.gateway
  const bool apart_;                 // the coroutines run on a separate thread
  const py::object open_websocket_;  // (app, scope, socket, reply) -> listener, or None
  const py::object state_;           // a dict, or None: the lifespan has none
  const std::string path_prefix_;    // that a proxy in front has taken away
  py::dict http_;
  py::dict websocket_;
  const py::object http_extensions_;
  const py::object websocket_extensions_;
  RecentHeads http_heads_;
  RecentHeads websocket_heads_;
  Exchanges exchanges_;
  PerConnection clients_;
  PerConnection tls_;
};

}  // namespace

std::shared_ptr<Gateway> make_asgi(const py::dict& options) {
  return std::make_shared<AsgiGateway>(options);
}

}  // namespace httpuv::python
