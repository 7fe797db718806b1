#include "python/convert/environment.h"

#include <structmember.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "python/convert/certificate.h"
#include "python/convert/names.h"
#include "python/runtime/gil.h"
#include "python/runtime/objects.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

// Longer values are not kept for the next request.
constexpr std::size_t kMaxKept = 1024;

// The keys and texts that a process needs once. They are never freed.
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
  PyObject* url_scheme = interned("rook.url_scheme");
  PyObject* https = interned("https");
  PyObject* empty = interned("");
  PyObject* http_1_0 = interned("HTTP/1.0");
  PyObject* http_1_1 = interned("HTTP/1.1");
};

const Constants& constants() {
  static const Constants* const kConstants = new Constants;
  return *kConstants;
}

// The class of bodies, and an instance for the next request without one: it is there again when the
// application has neither kept nor used it.
class Inputs {
 public:
  void set_class(py::object type) {
    spare_ = py::object();
    type_ = std::move(type);
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      const py::object slot = type_.attr(kSlots[i]);
      if (!Py_IS_TYPE(slot.ptr(), &PyMemberDescr_Type)) throw py::type_error("no slot of Input");
      slots_[i] = reinterpret_cast<PyMemberDescrObject*>(slot.ptr())->d_member->offset;
    }
  }
  [[nodiscard]] const py::object& type() const { return type_; }
  // Without the call of its __init__(), which the class allows for.
  py::object empty() {
    if (!spare_ || !untouched(spare_.ptr(), 1)) {
      auto* const type = reinterpret_cast<PyTypeObject*>(type_.ptr());
      spare_ = stolen(type->tp_alloc(type, 0));
    }
    return spare_;
  }
  // Whether nothing but one dict refers to it, and it has no body.
  [[nodiscard]] bool unused(PyObject* input) const {
    return input != nullptr && Py_TYPE(input) == reinterpret_cast<PyTypeObject*>(type_.ptr()) &&
           untouched(input, input == spare_.ptr() ? 2 : 1);
  }

 private:
  static constexpr std::array kSlots{"_body", "_file"};

  [[nodiscard]] bool untouched(PyObject* input, Py_ssize_t references) const {
    const auto is_unset = [input](Py_ssize_t slot) {
      return *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(input) + slot) == nullptr;
    };
    return Py_REFCNT(input) == references && std::all_of(slots_.begin(), slots_.end(), is_unset);
  }

  py::object type_;
  py::object spare_;
  std::array<Py_ssize_t, kSlots.size()> slots_{};
};

// By the GIL; never destroyed.
Inputs& inputs() {
  static auto* const kInputs = new Inputs;
  return *kInputs;
}

PyObject* g_headers_class = nullptr;

// An empty instance of the class of HEADERS, a dict; its constructor is not called.
py::object make_headers() {
  if (g_headers_class == nullptr) return stolen(PyDict_New());
  auto* const type = reinterpret_cast<PyTypeObject*>(g_headers_class);
  static PyObject* const kNoArguments = PyTuple_New(0);
  return stolen(type->tp_new(type, kNoArguments, nullptr));
}

// Ports of peers as text; "" for 0, a peer without one. The connections of a moment have few.
class Ports {
 public:
  py::object text_of(int port) {
    if (port == 0) return py::reinterpret_borrow<py::object>(constants().empty);
    Entry& entry = entries_[static_cast<std::size_t>(port) % kPlaces];
    if (entry.port != port) {
      std::array<char, 8> digits;
      char* const end = std::to_chars(digits.data(), digits.data() + digits.size(), port).ptr;
      entry.text = latin1_of({digits.data(), static_cast<std::size_t>(end - digits.data())});
      entry.port = port;
    }
    return entry.text;
  }

 private:
  static constexpr std::size_t kPlaces = 256;
  struct Entry {
    int port = 0;
    py::object text;
  };
  std::array<Entry, kPlaces> entries_;
};

// By the GIL; never destroyed.
Ports& ports() {
  static auto* const kPorts = new Ports;
  return *kPorts;
}

}  // namespace

py::object make_input(server::RequestBody&& body) {
  if (body.file.get() >= 0) {
    // The file keeps it: the disk is free again when the application closes the file or drops it.
    auto charge = std::make_unique<base::SharedCharge>(std::move(body.on_disk));
    const py::capsule held(charge.get(),
                           [](void* held) { delete static_cast<base::SharedCharge*>(held); });
    static_cast<void>(charge.release());
    return call_python(inputs().type(), body.file.release(), body.length, held);
  }
  if (body.bytes.empty()) return inputs().empty();  // most requests
  return call_python(inputs().type(), py::bytes(body.bytes));
}

bool is_unused_input(PyObject* input) {
  return inputs().unused(input);
}

void register_input(py::object input_class) {
  inputs().set_class(std::move(input_class));
}

void register_headers(py::object headers_class) {
  Py_XDECREF(std::exchange(g_headers_class, headers_class.release().ptr()));
}

Environment::Environment(const py::dict& given) {
  const Constants& c = constants();
  // The keys that every request sets stand in the template already: setting them in a copy only
  // replaces values, and the order of the dict is the same for all.
  for (PyObject* key : {c.request_method, c.path_info, c.query_string, c.request_uri,
                        c.server_protocol, c.remote_addr, c.remote_port, c.headers, c.input}) {
    set_item(template_.ptr(), key, Py_None);
  }
  for (const char* name : {"SERVER_NAME", "SERVER_PORT"}) template_[name] = "";
  for (const auto& [key, value] : given) set_item(template_.ptr(), key.ptr(), value.ptr());
  // A copy of a dict has its capacity: room for the fields of a usual request saves each request
  // the growing. Entries that come and go are what makes it grow.
  constexpr int kRoom = 5;
  for (int i = 0; i < kRoom; ++i) template_[py::int_(i)] = py::none();
  for (int i = 0; i < kRoom; ++i) PyDict_DelItem(template_.ptr(), py::int_(i).ptr());
}

void Environment::set_constant(const char* key, py::object value) {
  template_[key] = value;
  const auto heads = std::exchange(heads_, {});
  const auto returned = returned_.take_all();
}

// Cached objects, for one thread at a time. No thread may wait for a lock here, because Python may
// run arbitrary code in between.
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
    if (field == http::Field::kOther) return latin1_of(value);
    return keep(environment_.last_values_[static_cast<std::size_t>(field)], value);
  }
  // The variables of the session; requests of one connection follow each other often.
  py::object tls(const std::shared_ptr<const server::TlsInfo>& info) {
    if (!mine_) return tls_variables(*info);
    LastTls& last = environment_.last_tls_;
    if (last.info != info) last = {info, tls_variables(*info)};
    return last.variables;
  }
  py::object address(std::string_view address) { return keep(environment_.last_address_, address); }

 private:
  py::object keep(LastValue& last, std::string_view value) const {
    if (!mine_ || value.size() > kMaxKept) return latin1_of(value);
    if (!last.text || last.bytes != value) {
      last.text = latin1_of(value);
      last.bytes = value;
    }
    return last.text;
  }

  Environment& environment_;
  const bool mine_;
};

void Environment::add_fields(PyObject* environment, PyObject* headers,
                             const http::RequestHead& head, Kept& kept) {
  for (const http::HeaderField& field : head.fields) {
    const std::string_view name = head.view(field.name);
    py::object key;
    py::object variable;
    if (field.id != http::Field::kOther) {
      const FieldNames& names = names_of(field.id);
      key = py::reinterpret_borrow<py::object>(names.text);
      variable = py::reinterpret_borrow<py::object>(names.variable);
    } else {
      key = latin1_of(name);
      // "x_y" would look like "x-y" there, and a proxy in front may check only "x-y".
      if (name.find('_') == std::string_view::npos) variable = latin1_of(variable_name(name));
    }
    py::object value = kept.value(field.id, head.view(field.value));
    if (const py::object earlier = find_item(headers, key.ptr())) {
      value = joined(field.id, earlier, value);
    }
    set_item(headers, key.ptr(), value.ptr());
    if (variable) set_item(environment, variable.ptr(), value.ptr());
  }
}

// An environment with all that is in the head.
ReturnedDicts::Loan Environment::from_head(const http::RequestHead& head,
                                           const RecentHeads::Found& recent, Kept& kept) {
  const Constants& c = constants();
  ReturnedDicts::Loan loan;
  if (recent.made) loan = returned_.take(recent.place);
  const bool has_line = recent.same_line && (!loan.dict || loan.same_line);
  loan.same_line = recent.same_line;
  if (loan.dict) {
    if (!has_line) add_line(loan.dict.ptr(), head);
    return loan;
  }
  loan.dict = stolen(PyDict_Copy(recent.made ? recent.made.ptr() : template_.ptr()));
  PyObject* const environment = loan.dict.ptr();
  if (!has_line) add_line(environment, head);
  const py::object headers = make_headers();
  loan.headers = headers.ptr();
  if (recent.made) {
    const py::object plain = find_item(environment, c.headers);
    if (PyDict_Update(headers.ptr(), plain.ptr()) != 0) throw py::error_already_set();
  } else {
    set_item(environment, c.server_protocol, head.minor_version == 0 ? c.http_1_0 : c.http_1_1);
    add_fields(environment, headers.ptr(), head, kept);
    if (recent.wanted) {
      const py::object own = stolen(PyDict_Copy(environment));
      set_item(own.ptr(), c.headers, stolen(PyDict_Copy(headers.ptr())).ptr());
      heads_.keep(head, own);
      returned_.forget(recent.place);
    }
  }
  set_item(environment, c.headers, headers.ptr());
  return loan;
}

void Environment::add_line(PyObject* environment, const http::RequestHead& head) {
  const Constants& c = constants();
  set_item(environment, c.request_method, method_of(head.view(head.method)).ptr());
  const std::string_view target = head.view(head.target);
  const std::string_view path = head.view(head.path);
  const py::object target_text = latin1_of(target);
  set_item(environment, c.request_uri, target_text.ptr());
  set_item(environment, c.path_info, path == target ? target_text.ptr() : latin1_of(path).ptr());
  set_item(environment, c.query_string,
           head.query.size == 0 ? c.empty : latin1_of(head.view(head.query)).ptr());
}

py::dict Environment::build(server::Envelope& envelope) {
  const Constants& c = constants();
  Kept kept(*this);
  const RecentHeads::Found recent = heads_.find(envelope.request);
  ReturnedDicts::Loan loan = from_head(envelope.request, recent, kept);
  PyObject* const environment = loan.dict.ptr();
  const py::object address = kept.address(envelope.remote_address);
  if (std::exchange(loan.address, address.ptr()) != address.ptr()) {
    set_item(environment, c.remote_addr, address.ptr());
  }
  if (std::exchange(loan.port, envelope.remote_port) != envelope.remote_port) {
    set_item(environment, c.remote_port, ports().text_of(envelope.remote_port).ptr());
  }
  const bool plain = !envelope.https && envelope.tls == nullptr;
  if (envelope.https) set_item(environment, c.url_scheme, c.https);
  if (envelope.tls != nullptr && PyDict_Update(environment, kept.tls(envelope.tls).ptr()) != 0) {
    throw py::error_already_set();
  }
  if (loan.input == nullptr || envelope.body.length != 0 || !envelope.body.bytes.empty()) {
    const py::object input = make_input(std::move(envelope.body));
    loan.input = input.ptr();
    set_item(environment, c.input, input.ptr());
  }
  if (recent.made && plain) returned_.lend(recent.place, loan);
  return py::reinterpret_borrow<py::dict>(loan.dict);
}

void Environment::give_back(py::object&& environment) {
  returned_.give_back(std::move(environment), is_unused_input);
}

void Environment::set_body(py::dict& environment, server::RequestBody&& body) {
  set_item(environment.ptr(), constants().input, make_input(std::move(body)).ptr());
}

}  // namespace httpuv::python
