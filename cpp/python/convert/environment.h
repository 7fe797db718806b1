// Builds the Rook environment of a request: the dict that `call` gets.
//
// With the GIL held; several threads may build at once. One for each application: it keeps the
// constant entries, and the strings that request after request has in common, so that most of a
// dict costs no new object. Python's own errors (MemoryError) are thrown as error_already_set.
#pragma once

#include <pybind11/pybind11.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "python/convert/recent/recent_heads.h"
#include "python/convert/recent/returned_dicts.h"
#include "server/message/message.h"

namespace httpuv::python {

class Environment {
 public:
  // `constants`: entries that every environment starts with.
  explicit Environment(const pybind11::dict& constants);

  void set_constant(const char* key, pybind11::object value);
  // Calls f(const pybind11::object&) for each object that refers to constants.
  template <class F>
  void each_held(F&& f) const {
    f(template_);
    heads_.each(f);
    returned_.each(f);
  }
  // The same objects, which this holds no more.
  auto take_held() {
    return std::tuple(std::exchange(template_, pybind11::dict()), std::exchange(heads_, {}),
                      returned_.take_all());
  }

  // The dict for a request; takes its body.
  pybind11::dict build(server::Envelope& envelope);
  // The callback is over: if `environment` was not changed, and nothing else refers to it, it
  // serves another request.
  void give_back(pybind11::object&& environment);

  // Puts the body of a request whose head was announced earlier into its environment.
  static void set_body(pybind11::dict& environment, server::RequestBody&& body);

 private:
  struct LastValue {
    std::string bytes;
    pybind11::object text;
  };

  struct LastTls {
    std::shared_ptr<const server::TlsInfo> info;
    pybind11::object variables;
  };

  class Kept;

  ReturnedDicts::Loan from_head(const http::RequestHead& head, const RecentHeads::Found& recent,
                                Kept& kept);
  static void add_line(PyObject* environment, const http::RequestHead& head);
  static void add_fields(PyObject* environment, PyObject* headers, const http::RequestHead& head,
                         Kept& kept);

  pybind11::dict template_;
  RecentHeads heads_;
  ReturnedDicts returned_;
  std::atomic_flag keeping_;  // a thread uses these; other threads go without
  std::array<LastValue, static_cast<std::size_t>(http::Field::kCount)> last_values_;
  LastValue last_address_;
  LastTls last_tls_;
};

// The object that `rook.input` and `wsgi.input` are; takes the body.
pybind11::object make_input(server::RequestBody&& body);

// Registers the class of `rook.input`: called with bytes, or with a descriptor and a length.
// Without a body an instance is made without a call.
void register_input(pybind11::object input_class);
// Whether a body that make_input() has made is empty, unused, and referred to by one dict only.
bool is_unused_input(PyObject* input);

// Registers the class of HEADERS, one derived from dict; without it that is a dict.
void register_headers(pybind11::object headers_class);

}  // namespace httpuv::python
