// Cached Python objects of common names for requests of every interface: header fields, methods.
//
// With the GIL held. The constants live as long as the process. Python's errors are thrown as
// error_already_set.
#pragma once

#include <pybind11/pybind11.h>

#include <string>
#include <string_view>

#include "http/message/request.h"

namespace httpuv::python {

struct FieldNames {
  PyObject* bytes = nullptr;     // b"user-agent": ASGI
  PyObject* text = nullptr;      // "user-agent": Rook
  PyObject* variable = nullptr;  // "HTTP_USER_AGENT": Rook and WSGI
};

// Null names for Field::kOther.
const FieldNames& names_of(http::Field field);

// "x-forwarded-for" -> "HTTP_X_FORWARDED_FOR"; CONTENT_TYPE and CONTENT_LENGTH as CGI has them (RFC
// 3875 section 4.1).
std::string variable_name(std::string_view field);

pybind11::object method_of(std::string_view method);

// A field that was sent twice, as one value (RFC 9110 section 5.3; Cookie as RFC 9113 section 8.2.3
// joins it).
pybind11::object joined(http::Field field, const pybind11::object& earlier,
                        const pybind11::object& value);

// The number of raw bytes that make the first `decoded` bytes of a decoded path.
std::size_t raw_size(std::string_view raw, std::size_t decoded);
// The decoded path; unchanged if its percent signs are invalid.
std::string decoded_path(std::string_view raw);

}  // namespace httpuv::python
