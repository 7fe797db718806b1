// Python objects that requests of every interface have in common, made once: names of header
// fields, methods, versions; and small helpers around the C API.
//
// With the GIL held. The constants live as long as the process. Python's errors are thrown as
// error_already_set.
#pragma once

#include <pybind11/pybind11.h>

#include <array>
#include <string>
#include <string_view>

#include "http/request.h"
#include "server/message.h"

namespace httpuv::python {

struct FieldNames {
  PyObject* bytes = nullptr;     // b"user-agent": ASGI
  PyObject* variable = nullptr;  // "HTTP_USER_AGENT": WSGI
};

// Null names for Field::kOther.
const FieldNames& names_of(http::Field field);

// "x-forwarded-for" -> "HTTP_X_FORWARDED_FOR"; CONTENT_TYPE and CONTENT_LENGTH as CGI has them (RFC
// 3875 section 4.1).
std::string variable_name(std::string_view field);

pybind11::object stolen(PyObject* object);  // throws where it is null
pybind11::object bytes_of(std::string_view bytes);
pybind11::object latin1_of(std::string_view bytes);
pybind11::object method_of(std::string_view method);
void set_item(PyObject* dict, PyObject* key, PyObject* value);

// How many bytes of a path as sent make the first `decoded` bytes of it decoded.
std::size_t raw_size(std::string_view raw, std::size_t decoded);
// A path as sent, decoded; as it is where its percent signs make no sense.
std::string decoded_path(std::string_view raw);

// What belongs to a connection and is made once for it: kept for as many as there are places.
class PerConnection {
 public:
  // The object of that connection, or null.
  PyObject* find(const server::ConnectionId& id) const {
    const Entry& entry = entries_[id.slot % kPlaces];
    return entry.id == id ? entry.object.ptr() : nullptr;
  }
  void keep(const server::ConnectionId& id, const pybind11::object& object) {
    entries_[id.slot % kPlaces] = {id, object};
  }

 private:
  static constexpr std::size_t kPlaces = 256;
  struct Entry {
    server::ConnectionId id{UINT32_MAX, UINT32_MAX};
    pybind11::object object;
  };
  std::array<Entry, kPlaces> entries_;
};

}  // namespace httpuv::python
