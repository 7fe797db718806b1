// A cache of objects that are made once for a connection; it has a fixed number of places.
//
// With the GIL held. Owns the objects. Never fails.
#pragma once

#include <pybind11/pybind11.h>

#include <array>
#include <cstdint>

#include "server/message/message.h"

namespace httpuv::python {

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
