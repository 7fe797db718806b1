// Lends the bytes of immutable Python objects to the loops, which send large ones without a copy.
//
// What: a loop releases an object without the GIL, so that only puts the object on a list. What is
//   there is freed by the next thread that lends an object, by a thread of the queue when it begins
//   and before it waits (one that drives a loop comes back for that), and when a server ends.
// Thread: lend() and free_returned() with the GIL held. any_returned(), and the release of what was
//   lent, on any thread; neither waits.
// Owner: of the references that are on the list. Failure: std::bad_alloc.
#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>
#include <optional>
#include <string_view>

#include "base/borrowed.h"
#include "base/spare_strings.h"

namespace httpuv::python {

// Shorter bytes are copied into memory that is used again. If they were lent, Python would free
// many of them one behind the other, and the system would take the memory back each time.
constexpr std::size_t kLendFrom = base::SpareStrings::kSize + 1;

base::Borrowed lend_always(pybind11::handle object, std::string_view bytes);

// `bytes` are those of the object, a str or bytes. None if they are short, or if the class of the
// object is a derived one: to free it could run code.
inline std::optional<base::Borrowed> lend(pybind11::handle object, std::string_view bytes) {
  if (bytes.size() < kLendFrom) return {};
  if (PyBytes_CheckExact(object.ptr()) == 0 && PyUnicode_CheckExact(object.ptr()) == 0) return {};
  return lend_always(object, bytes);
}

[[nodiscard]] bool any_returned();
void free_returned();

}  // namespace httpuv::python
