#include "python/socket/received.h"

#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include "python/runtime/objects.h"
#include "python/socket/socket.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

bool is_ascii(std::string_view bytes) {
  std::uint64_t seen = 0;
  std::size_t i = 0;
  for (std::uint64_t word = 0; i + sizeof word <= bytes.size(); i += sizeof word) {
    std::memcpy(&word, bytes.data() + i, sizeof word);
    seen |= word;
  }
  for (; i < bytes.size(); ++i) seen |= static_cast<unsigned char>(bytes[i]);
  return (seen & 0x8080808080808080u) == 0;
}

py::object str_of(std::string_view utf8) {
  return stolen(PyUnicode_DecodeUTF8(utf8.data(), static_cast<Py_ssize_t>(utf8.size()), nullptr));
}

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
  message.each([&](std::string_view piece) { ascii = ascii && is_ascii(piece); });
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
