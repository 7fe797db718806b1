#include "python/convert/buffer.h"

#include <string_view>

namespace py = pybind11;

namespace httpuv::python {

namespace {

constexpr std::size_t kSmall = 64;

// Whether a format (PEP 3118) has an object (O), a pointer (P, &) or a function (X) in it. Names of
// fields, between colons, are skipped.
bool has_pointers(std::string_view format) {
  bool in_name = false;
  for (const char c : format) {
    if (c == ':') {
      in_name = !in_name;
    } else if (!in_name && (c == 'O' || c == 'P' || c == '&' || c == 'X')) {
      return true;
    }
  }
  return false;
}

struct View {
  Py_buffer buffer;

  explicit View(py::handle object) {
    if (PyObject_GetBuffer(object.ptr(), &buffer, PyBUF_FULL_RO) != 0) {
      throw py::error_already_set();
    }
  }
  ~View() { PyBuffer_Release(&buffer); }
  View(const View&) = delete;
  View& operator=(const View&) = delete;
};

}  // namespace

void copy_buffer(py::handle object, const char* what, std::string& out) {
  const std::string type = Py_TYPE(object.ptr())->tp_name;
  if (PyObject_CheckBuffer(object.ptr()) == 0) {
    throw py::type_error(std::string(what) + " must be str or bytes-like, not " + type);
  }
  View view(object);
  if (view.buffer.format != nullptr && has_pointers(view.buffer.format)) {
    throw py::type_error(std::string(what) + " must be bytes, not references to objects: this " +
                         type + " has the format '" + view.buffer.format + "'");
  }
  const auto size = static_cast<std::size_t>(view.buffer.len);
  // A reused buffer that is much larger than the bytes is not kept: the waiting data would take
  // more memory than is counted.
  if (out.capacity() / 2 > size + kSmall) out = std::string();
  if (PyBuffer_IsContiguous(&view.buffer, 'C') != 0) {
    out.assign(static_cast<const char*>(view.buffer.buf), size);
    return;
  }
  out.resize(size);
  if (PyBuffer_ToContiguous(out.data(), &view.buffer, view.buffer.len, 'C') != 0) {
    throw py::error_already_set();
  }
}

py::bytes to_bytes(py::handle object, const char* what) {
  std::string bytes;
  copy_buffer(object, what, bytes);
  return py::bytes(bytes);
}

}  // namespace httpuv::python
