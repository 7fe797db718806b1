// Requests that a static path answers.
//
// Loop thread only; made where it is needed. What the path leaves to the application goes there.
#pragma once

#include <cstdint>

#include "files/answer/respond.h"
#include "files/routes/route_table.h"
#include "server/http/exchange/exchange.h"
#include "server/message/envelope.h"

namespace httpuv::server {

class HttpSession;

class StaticResponder {
 public:
  explicit StaticResponder(HttpSession& http) : http_(http) {}

  // False: the route leaves the request being read to the application.
  bool take(Exchange& exchange, const files::Match& match);
  // The body has come that the application may still want.
  void resolve_with_body(Exchange& exchange, RequestBody&& body);
  void resolved(std::uint32_t sequence, const files::Resolution& resolution);
  // Says whether the connection is kept.
  bool write(Exchange& exchange, const files::Resolution& resolution);

 private:
  void refuse(Exchange& exchange, files::Answer&& answer);

  HttpSession& http_;
};

}  // namespace httpuv::server
