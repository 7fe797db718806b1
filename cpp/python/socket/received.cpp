#include "python/socket/received.h"

#include <cstring>
#include <string_view>
#include <utility>

#include "base/text/utf8.h"
#include "python/runtime/objects.h"
#include "python/socket/socket.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

void copy(const websocket::Message& message, char* to) {
  message.each([&](std::string_view piece) {
    std::memcpy(to, piece.data(), piece.size());
    to += piece.size();
  });
}

py::object bytes_in_pieces(const websocket::Message& message) {
  py::object made =
      stolen(PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(message.size())));
  copy(message, PyBytes_AS_STRING(made.ptr()));
  return made;
}

py::object str_in_pieces(const websocket::Message& message) {
  bool ascii = true;
  message.each([&](std::string_view piece) { ascii = ascii && base::is_ascii(piece); });
  if (!ascii) return str_of(message.joined());
  py::object made = stolen(PyUnicode_New(static_cast<Py_ssize_t>(message.size()), 127));
  copy(message, static_cast<char*>(PyUnicode_DATA(made.ptr())));
  return made;
}

}  // namespace

py::object received(websocket::Message&& message, bool text) {
  py::object made;
  if (const auto whole = message.whole()) {
    made = text ? str_of(*whole) : bytes_of(*whole);
  } else {
    made = text ? str_in_pieces(message) : bytes_in_pieces(message);
  }
  if (std::string head = message.take_head(); !head.empty()) keep_memory(std::move(head));
  if (message.size() > 0) message = {};  // the blocks are used again at once
  return made;
}

}  // namespace httpuv::python
