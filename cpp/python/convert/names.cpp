#include "python/convert/names.h"

#include <algorithm>
#include <array>

#include "base/encode/percent.h"
#include "python/runtime/objects.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

struct ResponseNames {
  std::array<FieldNames, static_cast<std::size_t>(http::Field::kCount)> fields;
  PyObject* get = interned("GET");
  PyObject* post = interned("POST");
  PyObject* head = interned("HEAD");

  ResponseNames() {
    for (std::size_t i = 1; i < fields.size(); ++i) {
      const std::string_view name = http::field_name(static_cast<http::Field>(i));
      fields[i].bytes =
          PyBytes_FromStringAndSize(name.data(), static_cast<Py_ssize_t>(name.size()));
      fields[i].text = interned(std::string(name).c_str());
      fields[i].variable = interned(variable_name(name).c_str());
    }
  }
};

const ResponseNames& response_names() {
  static const ResponseNames* const kNames = new ResponseNames;
  return *kNames;
}

}  // namespace

const FieldNames& names_of(http::Field field) {
  return response_names().fields[static_cast<std::size_t>(field)];
}

std::string variable_name(std::string_view field) {
  std::string name = field == "content-type" || field == "content-length" ? "" : "HTTP_";
  for (const char c : field) {
    name += c == '-' ? '_' : (c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
  }
  return name;
}

py::object method_of(std::string_view method) {
  const ResponseNames& n = response_names();
  if (method == "GET") return py::reinterpret_borrow<py::object>(n.get);
  if (method == "POST") return py::reinterpret_borrow<py::object>(n.post);
  if (method == "HEAD") return py::reinterpret_borrow<py::object>(n.head);
  return latin1_of(method);
}

py::object joined(http::Field field, const py::object& earlier, const py::object& value) {
  const char* const format = field == http::Field::kCookie ? "%U; %U" : "%U, %U";
  return stolen(PyUnicode_FromFormat(format, earlier.ptr(), value.ptr()));
}

std::size_t raw_size(std::string_view raw, std::size_t decoded) {
  std::size_t size = 0;
  for (; decoded > 0 && size < raw.size(); --decoded) size += raw[size] == '%' ? 3 : 1;
  return std::min(size, raw.size());
}

std::string decoded_path(std::string_view raw) {
  return base::percent_decode(raw).value_or(std::string(raw));
}

}  // namespace httpuv::python
