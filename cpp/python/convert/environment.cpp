#include "python/convert/environment.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "python/convert/items.h"
#include "python/runtime/gil.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

// Longer values are not kept for the next request.
constexpr std::size_t kMaxKept = 1024;

py::object checked(PyObject* object) {
  if (object == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(object);
}

PyObject* interned(const char* name) {
  return PyUnicode_InternFromString(name);
}

void set(PyObject* dict, PyObject* key, PyObject* value) {
  if (PyDict_SetItem(dict, key, value) != 0) throw py::error_already_set();
}

// "x-forwarded-for" -> "HTTP_X_FORWARDED_FOR"; the two that CGI names otherwise (RFC 3875 4.1).
std::string environment_name(std::string_view field) {
  std::string name = field == "content-type" || field == "content-length" ? "" : "HTTP_";
  for (const char c : field) {
    name += c == '-' ? '_' : (c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
  }
  return name;
}

// The keys and texts that every process needs once. Never freed: interpreter exit does that.
struct Constants {
  PyObject* request_method = interned("REQUEST_METHOD");
  PyObject* path_info = interned("PATH_INFO");
  PyObject* query_string = interned("QUERY_STRING");
  PyObject* request_uri = interned("REQUEST_URI");
  PyObject* server_protocol = interned("SERVER_PROTOCOL");
  PyObject* remote_addr = interned("REMOTE_ADDR");
  PyObject* remote_port = interned("REMOTE_PORT");
  PyObject* headers = interned("HEADERS");
  PyObject* input = interned("rook.input");
  PyObject* empty = interned("");
  PyObject* http_1_0 = interned("HTTP/1.0");
  PyObject* http_1_1 = interned("HTTP/1.1");
  PyObject* get = interned("GET");
  PyObject* post = interned("POST");
  PyObject* head = interned("HEAD");
  struct Names {
    PyObject* lower = nullptr;
    PyObject* environment = nullptr;
  };
  std::array<Names, static_cast<std::size_t>(http::Field::kCount)> fields;

  Constants() {
    for (std::size_t i = 1; i < fields.size(); ++i) {
      const std::string_view name = http::field_name(static_cast<http::Field>(i));
      fields[i].lower = interned(std::string(name).c_str());
      fields[i].environment = interned(environment_name(name).c_str());
    }
  }
};

const Constants& constants() {
  static const Constants* const kConstants = new Constants;
  return *kConstants;
}

PyObject* g_input_class = nullptr;

py::object method_text(std::string_view method) {
  const Constants& c = constants();
  if (method == "GET") return py::reinterpret_borrow<py::object>(c.get);
  if (method == "POST") return py::reinterpret_borrow<py::object>(c.post);
  if (method == "HEAD") return py::reinterpret_borrow<py::object>(c.head);
  return latin1(method);
}

}  // namespace

py::object make_input(server::RequestBody&& body) {
  if (body.file.get() >= 0) {
    // The file keeps it: the disk is free again when the application closes the file or drops it.
    auto charge = std::make_unique<base::SharedCharge>(std::move(body.on_disk));
    const py::capsule held(charge.get(),
                           [](void* held) { delete static_cast<base::SharedCharge*>(held); });
    static_cast<void>(charge.release());
    return call_python(g_input_class, body.file.release(), body.length, held);
  }
  if (body.bytes.empty()) {
    // Most requests: an instance without the call of its __init__, which the class allows for.
    auto* const type = reinterpret_cast<PyTypeObject*>(g_input_class);
    return checked(type->tp_alloc(type, 0));
  }
  return call_python(g_input_class, py::bytes(body.bytes));
}

py::object latin1(std::string_view bytes) {
  return checked(
      PyUnicode_DecodeLatin1(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), nullptr));
}

void register_input(py::object input_class) {
  Py_XDECREF(std::exchange(g_input_class, input_class.release().ptr()));
}

Environment::Environment(const py::dict& given) {
  const Constants& c = constants();
  // The keys that every request sets stand in the template already: setting them in a copy only
  // replaces values, and the order of the dict is the same for all.
  for (PyObject* key : {c.request_method, c.path_info, c.query_string, c.request_uri,
                        c.server_protocol, c.remote_addr, c.remote_port, c.headers, c.input}) {
    set(template_.ptr(), key, Py_None);
  }
  for (const char* name : {"SERVER_NAME", "SERVER_PORT"}) template_[name] = "";
  for (const auto& [key, value] : given) set(template_.ptr(), key.ptr(), value.ptr());
  // A copy of a dict has its capacity: room for the fields of a usual request saves each request
  // the growing. Entries that come and go are what makes it grow.
  constexpr int kRoom = 5;
  for (int i = 0; i < kRoom; ++i) template_[py::int_(i)] = py::none();
  for (int i = 0; i < kRoom; ++i) PyDict_DelItem(template_.ptr(), py::int_(i).ptr());
}

void Environment::set_constant(const char* key, py::object value) {
  template_[key] = value;
}

// What is kept from one request to the next, for one thread at a time: no lock can be waited for
// here, because what Python does in between may be anything.
class Environment::Kept {
 public:
  explicit Kept(Environment& environment)
      : environment_(environment), mine_(!environment.keeping_.test_and_set()) {}
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;
  ~Kept() {
    if (mine_) environment_.keeping_.clear();
  }

  py::object value(http::Field field, std::string_view value) {
    if (field == http::Field::kOther) return latin1(value);
    return keep(environment_.last_values_[static_cast<std::size_t>(field)], value);
  }
  py::object address(std::string_view address) { return keep(environment_.last_address_, address); }

 private:
  py::object keep(LastValue& last, std::string_view value) const {
    if (!mine_ || value.size() > kMaxKept) return latin1(value);
    if (!last.text || last.bytes != value) {
      last.text = latin1(value);
      last.bytes = value;
    }
    return last.text;
  }

  Environment& environment_;
  const bool mine_;
};

void Environment::add_fields(PyObject* environment, const http::RequestHead& head, Kept& kept) {
  const Constants& c = constants();
  const py::object headers = checked(PyDict_New());
  for (const http::HeaderField& field : head.fields) {
    const std::string_view name = head.view(field.name);
    py::object key;
    py::object variable;
    if (field.id != http::Field::kOther) {
      const Constants::Names& names = c.fields[static_cast<std::size_t>(field.id)];
      key = py::reinterpret_borrow<py::object>(names.lower);
      variable = py::reinterpret_borrow<py::object>(names.environment);
    } else {
      key = latin1(name);
      // "x_y" would pass for "x-y" there, which a proxy in front may have vouched for.
      if (name.find('_') == std::string_view::npos) variable = latin1(environment_name(name));
    }
    py::object value = kept.value(field.id, head.view(field.value));
    if (const py::object earlier = find_item(headers.ptr(), key.ptr())) {
      // RFC 9110 section 5.3; Cookie as RFC 9113 section 8.2.3 joins it.
      const char* format = field.id == http::Field::kCookie ? "%U; %U" : "%U, %U";
      value = checked(PyUnicode_FromFormat(format, earlier.ptr(), value.ptr()));
    }
    set(headers.ptr(), key.ptr(), value.ptr());
    if (variable) set(environment, variable.ptr(), value.ptr());
  }
  set(environment, c.headers, headers.ptr());
}

py::dict Environment::build(server::Envelope& envelope) {
  const Constants& c = constants();
  Kept kept(*this);
  const http::RequestHead& head = envelope.request;
  const py::object result = checked(PyDict_Copy(template_.ptr()));
  PyObject* const environment = result.ptr();

  set(environment, c.request_method, method_text(head.view(head.method)).ptr());
  const std::string_view target = head.view(head.target);
  const std::string_view path = head.view(head.path);
  const py::object target_text = latin1(target);
  set(environment, c.request_uri, target_text.ptr());
  set(environment, c.path_info, path == target ? target_text.ptr() : latin1(path).ptr());
  set(environment, c.query_string,
      head.query.size == 0 ? c.empty : latin1(head.view(head.query)).ptr());
  set(environment, c.server_protocol, head.minor_version == 0 ? c.http_1_0 : c.http_1_1);
  set(environment, c.remote_addr, kept.address(envelope.remote_address).ptr());
  char port[8];
  const int digits = std::snprintf(port, sizeof port, "%d", envelope.remote_port);
  set(environment, c.remote_port,
      envelope.remote_port == 0 ? c.empty : latin1({port, static_cast<std::size_t>(digits)}).ptr());
  add_fields(environment, head, kept);
  set(environment, c.input, make_input(std::move(envelope.body)).ptr());
  return py::reinterpret_borrow<py::dict>(result);
}

void Environment::set_body(py::dict& environment, server::RequestBody&& body) {
  set(environment.ptr(), constants().input, make_input(std::move(body)).ptr());
}

}  // namespace httpuv::python
