#include "python/convert/response.h"

#include <string>
#include <string_view>

#include "base/text/ascii.h"
#include "python/convert/file.h"
#include "python/convert/recent/recent_fields.h"
#include "python/runtime/lending.h"
#include "python/runtime/objects.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

struct AnswerKeys {
  PyObject* status = PyUnicode_InternFromString("status");
  PyObject* headers = PyUnicode_InternFromString("headers");
  PyObject* body = PyUnicode_InternFromString("body");
};

const AnswerKeys& answer_keys() {
  static const AnswerKeys* const kKeys = new AnswerKeys;
  return *kKeys;
}

[[noreturn]] void fail(PyObject* type, const std::string& what) {
  PyErr_SetString(type, what.c_str());
  throw py::error_already_set();
}

std::string_view utf8(PyObject* text) {
  if (PyUnicode_IS_COMPACT_ASCII(text)) {
    return {static_cast<const char*>(PyUnicode_DATA(text)),
            static_cast<std::size_t>(PyUnicode_GET_LENGTH(text))};
  }
  Py_ssize_t size = 0;
  const char* const data = PyUnicode_AsUTF8AndSize(text, &size);
  if (data == nullptr) throw py::error_already_set();
  return {data, static_cast<std::size_t>(size)};
}

// By the GIL.
RecentFields& recent_fields() {
  static auto* const kRecent = new RecentFields;
  return *kRecent;
}

// Adds a name and its value, which nearly always are ASCII, or bytes. False: they are not.
bool collect(Fields& fields, PyObject* name, PyObject* value) {
  if (!Py_IS_TYPE(name, Py_TYPE(value))) return false;
  for (PyObject* const part : {name, value}) {
    std::string_view text;
    if (PyBytes_CheckExact(part)) {
      text = {PyBytes_AS_STRING(part), static_cast<std::size_t>(PyBytes_GET_SIZE(part))};
    } else if (PyUnicode_CheckExact(part) && PyUnicode_IS_COMPACT_ASCII(part)) {
      text = utf8(part);
    } else {
      return false;
    }
    if (!fields.add(text)) return false;
  }
  return true;
}

bool collect(Fields& fields, PyObject* pairs) {
  if (!PyList_CheckExact(pairs)) return false;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(pairs); ++i) {
    PyObject* const pair = PyList_GET_ITEM(pairs, i);
    if (!PyTuple_CheckExact(pair) || PyTuple_GET_SIZE(pair) != 2) return false;
    if (!collect(fields, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1))) return false;
  }
  return true;
}

void set_checked_status(http::ResponseHead& head, long status) {
  // The server itself sends 1xx: 100 on behalf of the application, 101 through another interface.
  if (status < 200 || status > 999) {
    fail(PyExc_ValueError, "status must be from 200 to 999, not " + std::to_string(status));
  }
  head.status = static_cast<int>(status);
}

[[noreturn]] void refuse_header(http::HeaderError error, PyObject* name, PyObject* value) {
  const std::string shown = static_cast<std::string>(py::str(name));
  const std::string given = static_cast<std::string>(py::repr(value));
  if (error == http::HeaderError::kBadName) {
    fail(PyExc_ValueError, "not a header name: " + static_cast<std::string>(py::repr(name)));
  }
  if (error == http::HeaderError::kBadValue) {
    fail(PyExc_ValueError, "header " + shown + " has a control character in its value: " + given);
  }
  fail(PyExc_ValueError,
       "header " + shown + " would contradict the framing, which is the server's: " + given);
}

void add_header(http::ResponseHead& head, PyObject* name, PyObject* value) {
  // Latin-1, as the fields of a request are read.
  std::string encoded;
  std::string_view bytes;
  if (PyUnicode_IS_ASCII(value)) {
    bytes = utf8(value);
  } else {
    const py::bytes latin1 = py::reinterpret_steal<py::bytes>(PyUnicode_AsLatin1String(value));
    if (!latin1) {
      PyErr_Clear();
      fail(PyExc_ValueError,
           "header " + static_cast<std::string>(py::str(name)) +
               " must be of Latin-1 characters: " + static_cast<std::string>(py::repr(value)));
    }
    encoded = static_cast<std::string>(latin1);
    bytes = encoded;
  }
  const http::HeaderError error = head.add(utf8(name), bytes);
  if (error != http::HeaderError::kNone) refuse_header(error, name, value);
}

// Of a str or bytes.
void set_bytes(server::Envelope& envelope, PyObject* body, std::string_view bytes) {
  if (auto lent = lend(body, bytes)) {
    envelope.answer = *std::move(lent);
    return;
  }
  // Into the memory of an answer before this one, if there is any.
  if (auto* own = std::get_if<std::string>(&envelope.answer)) {
    own->assign(bytes);
  } else {
    envelope.answer = std::string(bytes);
  }
}

void set_bytes(server::Envelope& envelope, PyObject* body) {
  char* data = nullptr;
  Py_ssize_t size = 0;
  if (PyBytes_AsStringAndSize(body, &data, &size) != 0) throw py::error_already_set();
  set_bytes(envelope, body, {data, static_cast<std::size_t>(size)});
}

// The values of the three keys; null: it is not there.
struct Parts {
  py::object status;
  py::object headers;
  py::object body;
};

Parts parts_of(PyObject* result) {
  const AnswerKeys& keys = answer_keys();
  Parts parts;
  // Literals of a program are the same objects as these keys: to see that costs less than to look
  // each of them up.
  PyObject* key = nullptr;
  PyObject* value = nullptr;
  for (Py_ssize_t position = 0; PyDict_Next(result, &position, &key, &value) != 0;) {
    py::object* const part = key == keys.status    ? &parts.status
                             : key == keys.headers ? &parts.headers
                             : key == keys.body    ? &parts.body
                                                   : nullptr;
    if (part == nullptr) {
      return {find_item(result, keys.status), find_item(result, keys.headers),
              find_item(result, keys.body)};
    }
    *part = py::reinterpret_borrow<py::object>(value);
  }
  return parts;
}

// The shape nearly every answer has. False when it is another; then `envelope` may be half filled.
bool convert_plain(PyObject* result, server::Envelope& envelope) {
  if (!PyDict_CheckExact(result)) return false;
  const Parts parts = parts_of(result);
  PyObject* const status = parts.status.ptr();
  PyObject* const headers = parts.headers.ptr();
  PyObject* const body = parts.body.ptr();
  if (status == nullptr || !PyLong_CheckExact(status)) return false;
  // Another key is most likely misspelt; the Python layer logs that.
  const Py_ssize_t known = 1 + (headers != nullptr ? 1 : 0) + (body != nullptr ? 1 : 0);
  if (PyDict_GET_SIZE(result) != known) return false;

  if (headers != nullptr && headers != Py_None) {
    if (!PyDict_CheckExact(headers)) return false;
    PyObject* name = nullptr;
    PyObject* value = nullptr;
    Py_ssize_t position = 0;
    Fields fields;
    bool usual = true;
    while (PyDict_Next(headers, &position, &name, &value) != 0) {
      if (!PyUnicode_CheckExact(name) || !PyUnicode_CheckExact(value)) return false;
      usual = usual && collect(fields, name, value);
    }
    if (!usual || !recent_fields().add(envelope.head, fields)) {
      envelope.head.clear();
      for (position = 0; PyDict_Next(headers, &position, &name, &value) != 0;) {
        add_header(envelope.head, name, value);  // of those that are wrong it says why
      }
    }
  }
  if (body == nullptr || body == Py_None) {
  } else if (PyUnicode_CheckExact(body)) {
    set_bytes(envelope, body, utf8(body));
  } else if (PyBytes_CheckExact(body)) {
    set_bytes(envelope, body);
  } else {
    return false;
  }
  const long code = PyLong_AsLong(status);
  if (code == -1 && PyErr_Occurred() != nullptr) throw py::error_already_set();
  set_checked_status(envelope.head, code);
  return true;
}

void add_pair(http::ResponseHead& head, PyObject* name, PyObject* value, bool without_framing,
              PyObject* item) {
  if (PyUnicode_Check(name) && PyUnicode_Check(value)) {
    if (without_framing && base::iequals(utf8(name), "transfer-encoding")) return;
    add_header(head, name, value);
  } else if (PyBytes_Check(name) && PyBytes_Check(value)) {
    const std::string_view field(PyBytes_AS_STRING(name),
                                 static_cast<std::size_t>(PyBytes_GET_SIZE(name)));
    const std::string_view content(PyBytes_AS_STRING(value),
                                   static_cast<std::size_t>(PyBytes_GET_SIZE(value)));
    if (without_framing && base::iequals(field, "transfer-encoding")) return;
    const http::HeaderError error = head.add(field, content);
    if (error != http::HeaderError::kNone) refuse_header(error, name, value);
  } else {
    fail(PyExc_TypeError, "names and values of headers must both be str, or both bytes: " +
                              static_cast<std::string>(py::repr(item)));
  }
}

void add_item(http::ResponseHead& head, const py::object& item, bool without_framing) {
  if (PyTuple_CheckExact(item.ptr()) && PyTuple_GET_SIZE(item.ptr()) == 2) {  // nearly always
    return add_pair(head, PyTuple_GET_ITEM(item.ptr(), 0), PyTuple_GET_ITEM(item.ptr(), 1),
                    without_framing, item.ptr());
  }
  const auto pair = py::reinterpret_steal<py::object>(
      PySequence_Fast(item.ptr(), "headers must hold (name, value) pairs"));
  if (!pair) throw py::error_already_set();
  if (PySequence_Fast_GET_SIZE(pair.ptr()) != 2) {
    fail(PyExc_ValueError,
         "headers must hold (name, value) pairs, not " + static_cast<std::string>(py::repr(item)));
  }
  add_pair(head, PySequence_Fast_GET_ITEM(pair.ptr(), 0), PySequence_Fast_GET_ITEM(pair.ptr(), 1),
           without_framing, item.ptr());
}

}  // namespace

void add_headers(http::ResponseHead& head, PyObject* pairs, bool without_framing) {
  if (PyList_CheckExact(pairs)) {  // nearly always
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(pairs); ++i) {
      const auto item = py::reinterpret_borrow<py::object>(PyList_GET_ITEM(pairs, i));
      add_item(head, item, without_framing);
    }
    return;
  }
  const auto iterator = py::reinterpret_steal<py::object>(PyObject_GetIter(pairs));
  if (!iterator) throw py::error_already_set();
  while (PyObject* const next = PyIter_Next(iterator.ptr())) {
    add_item(head, py::reinterpret_steal<py::object>(next), without_framing);
  }
  if (PyErr_Occurred() != nullptr) throw py::error_already_set();
}

void set_headers(http::ResponseHead& head, PyObject* pairs) {
  Fields fields;
  if (collect(fields, pairs) && recent_fields().add(head, fields)) return;
  head.clear();
  add_headers(head, pairs, true);  // of those that are wrong it says why
}

void set_status(http::ResponseHead& head, PyObject* status) {
  const long code = PyLong_AsLong(status);
  if (code == -1 && PyErr_Occurred() != nullptr) throw py::error_already_set();
  set_checked_status(head, code);
}

void set_body(server::Envelope& envelope, PyObject* bytes) {
  set_bytes(envelope, bytes);
}

bool from_plain(py::handle result, server::Envelope& envelope) {
  if (convert_plain(result.ptr(), envelope)) return true;
  envelope.head.clear();
  envelope.answer = std::monostate();
  return false;
}

void from_normal(const py::object& normal, server::Envelope& envelope) {
  long status = 0;
  PyObject* headers = nullptr;
  PyObject* body = nullptr;
  if (PyArg_ParseTuple(normal.ptr(), "lOO", &status, &headers, &body) == 0) {
    throw py::error_already_set();
  }
  set_checked_status(envelope.head, status);
  add_headers(envelope.head, headers, false);
  if (body == Py_None) return;
  if (py::isinstance<File>(body)) {
    envelope.answer = py::handle(body).cast<File&>().take(envelope.head);
  } else {
    set_bytes(envelope, body);
  }
}

}  // namespace httpuv::python
