// Dicts of requests that come back: one that the application has neither changed nor kept serves
// the next request with the same fields, which then costs no copy and no deletion.
//
// What: a dict is lent with what it refers to, and given back after the callback. Python numbers
//   every state of every dict (PEP 509, until Python 3.13), so one number tells that nothing was
//   changed, and the reference counts tell that nothing was kept. Where there are no such numbers
//   no dict comes back.
// Thread: any, with the GIL held. One loan is remembered: a callback that runs others inside, or
//   beside others, costs its dict, nothing else.
// Owner: what builds dicts. A place is one of RecentHeads: all its dicts have the same fields.
// Failure: none.
#pragma once

#include <pybind11/pybind11.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "python/convert/recent/recent_heads.h"

namespace httpuv::python {

class ReturnedDicts {
 public:
  // What of a dict belongs to a single request. The pointers are borrowed from the dict.
  struct Facts {
    bool same_line = false;       // the line is that of the head that is kept
    int port = -1;                // REMOTE_PORT
    PyObject* address = nullptr;  // REMOTE_ADDR
    PyObject* headers = nullptr;  // a dict in it; null: there is none
    PyObject* input = nullptr;    // null: not set yet
    PyObject* hints = nullptr;    // wsgi.early_hints; null: there is none
  };
  struct Loan : Facts {
    pybind11::object dict;  // null: none has come back
  };

  // One that has come back to the place.
  Loan take(std::size_t place) {
    Loan& spare = spares_[place];
    return spare.dict ? std::move(spare) : Loan();
  }

  // `loan` is about to be given to the application, complete.
  void lend(std::size_t place, const Loan& loan) {
    state_ = state_of(loan.dict.ptr());
    if (state_ == 0) return;
    place_ = place;
    // A reference of our own would look as if the application kept it: the number is enough.
    lent_ = loan;
    if (loan.headers == nullptr) return;
    headers_state_ = state_of(loan.headers);
    headers_type_ = Py_TYPE(loan.headers);
  }

  // The callback is over, and `dict` may be the one that was lent: then it is taken.
  // `unused(input)`: only the dict refers to it, and it is as it was made.
  template <class Unused>
  void give_back(pybind11::object&& dict, const Unused& unused) {
    if (state_ == 0 || Py_REFCNT(dict.ptr()) != 1 || state_of(dict.ptr()) != state_) return;
    state_ = 0;
    if (lent_.headers != nullptr &&
        (Py_REFCNT(lent_.headers) != 1 || Py_TYPE(lent_.headers) != headers_type_ ||
         state_of(lent_.headers) != headers_state_)) {
      return;
    }
    if (!unused(lent_.input)) return;  // it would keep a body, perhaps in a file
    Loan& spare = spares_[place_];
    static_cast<Facts&>(spare) = lent_;
    const pybind11::object before = std::exchange(spare.dict, std::move(dict));
    // The end of that one may run Python code.
  }

  // Another head is kept at the place from now on; at all places.
  void forget(std::size_t place) {
    state_ = 0;
    const Loan before = take(place);
  }
  // The same objects, which this holds no more.
  std::array<Loan, RecentHeads::kPlaces> take_all() {
    state_ = 0;
    return std::exchange(spares_, {});
  }

  // Calls f(const pybind11::object&) for each object that is kept.
  template <class F>
  void each(F&& f) const {
    for (const Loan& each : spares_) {
      if (each.dict) f(each.dict);
    }
  }

 private:
  // A number that no other state of any dict has; 0: this Python does not tell.
  static std::uint64_t state_of([[maybe_unused]] PyObject* dict) {
#if PY_VERSION_HEX < 0x030E0000 && !defined(Py_GIL_DISABLED)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    return PyDict_Check(dict) ? reinterpret_cast<PyDictObject*>(dict)->ma_version_tag : 0;
#pragma GCC diagnostic pop
#else
    return 0;
#endif
  }

  std::array<Loan, RecentHeads::kPlaces> spares_;
  Facts lent_;
  std::size_t place_ = 0;
  std::uint64_t state_ = 0;  // of the dict that is lent; 0: none
  std::uint64_t headers_state_ = 0;
  const PyTypeObject* headers_type_ = nullptr;
};

}  // namespace httpuv::python
