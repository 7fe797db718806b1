// The environ of WSGI (PEP 3333), made straight from the parsed head.
//
// What: one template of a server, the heads and the environs of requests before, and what belongs
//   to a connection. An environ that the application has neither changed nor kept comes back.
// Thread: any, with the GIL held. Owner: the gateway.
// Failure: throws what Python raises.
#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>
#include <string>

#include "python/convert/recent/recent_heads.h"
#include "python/convert/recent/returned_dicts.h"
#include "python/gateway/per_connection.h"
#include "server/message/message.h"

namespace httpuv::python {

class WsgiEnvirons {
 public:
  // An environ, and whether it may serve another request with the fields of that place.
  struct Built {
    ReturnedDicts::Loan loan;
    bool returns;
    std::size_t place;
  };

  // `options`: environ, root_path and prefix.
  explicit WsgiEnvirons(const pybind11::dict& options);

  void listening(const std::string& host, int port);

  // The environ of a request, without wsgi.early_hints; takes its body.
  Built build(server::Envelope& envelope);
  static void set_hints(ReturnedDicts::Loan& loan, PyObject* hints);
  // Given to the application from now on.
  pybind11::object lend(Built&& built);
  // The application is done with it.
  void give_back(pybind11::object&& environ);

 private:
  ReturnedDicts::Loan from_head(const http::RequestHead& head, const RecentHeads::Found& recent);
  void add_line(PyObject* environ, const http::RequestHead& head) const;
  void add_peer(ReturnedDicts::Loan& loan, const server::Envelope& envelope);

  const std::string prefix_;
  pybind11::dict template_;
  PerConnection peers_;
  pybind11::object last_address_;
  std::string last_address_text_;
  RecentHeads heads_;
  ReturnedDicts returned_;
};

}  // namespace httpuv::python
