#include "python/gateway/wsgi_environs.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "python/convert/certificate.h"
#include "python/convert/environment.h"
#include "python/convert/names.h"
#include "python/runtime/objects.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

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
  PyObject* empty = interned("");
  PyObject* http_1_0 = interned("HTTP/1.0");
  PyObject* http_1_1 = interned("HTTP/1.1");
};

const EnvironKeys& environ_keys() {
  static const EnvironKeys* const kKeys = new EnvironKeys;
  return *kKeys;
}

void add_field(PyObject* environ, const http::RequestHead& head, const http::HeaderField& field) {
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

}  // namespace

WsgiEnvirons::WsgiEnvirons(const py::dict& options)
    : prefix_(options["prefix"].cast<std::string>()),
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

void WsgiEnvirons::listening(const std::string& host, int port) {
  template_["SERVER_NAME"] = py::str(port < 0 ? "localhost" : host);
  template_["SERVER_PORT"] = py::str(port < 0 ? "80" : std::to_string(port));
  heads_ = {};
  const auto returned = returned_.take_all();
}

WsgiEnvirons::Built WsgiEnvirons::build(server::Envelope& envelope) {
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
ReturnedDicts::Loan WsgiEnvirons::from_head(const http::RequestHead& head,
                                            const RecentHeads::Found& recent) {
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

void WsgiEnvirons::add_line(PyObject* environ, const http::RequestHead& head) const {
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
    set_item(environ, k.path_info,
             latin1_of(std::string_view(path).substr(std::min(prefix_.size(), path.size()))).ptr());
  }
  set_item(environ, k.query_string,
           head.query.size == 0 ? k.empty : latin1_of(head.view(head.query)).ptr());
}

void WsgiEnvirons::add_peer(ReturnedDicts::Loan& loan, const server::Envelope& envelope) {
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

void WsgiEnvirons::set_hints(ReturnedDicts::Loan& loan, PyObject* hints) {
  if (std::exchange(loan.hints, hints) != hints) {
    set_item(loan.dict.ptr(), environ_keys().hints, hints);
  }
}

py::object WsgiEnvirons::lend(Built&& built) {
  if (built.returns) returned_.lend(built.place, built.loan);
  return std::move(built.loan.dict);
}

void WsgiEnvirons::give_back(py::object&& environ) {
  returned_.give_back(std::move(environ), is_unused_input);
}

}  // namespace httpuv::python
