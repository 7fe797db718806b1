// Gives complete answers to the connection, each in its turn: an answer that is made early waits
// here, what an answer holds is counted, and a body that pays is compressed in a lane first.
//
// Loop thread only; a part of HttpSession. A write that fails ends the connection later, see
// Connection.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/charge.h"
#include "http/message/response.h"
#include "server/http/exchange/exchange.h"
#include "server/message/envelope.h"

namespace httpuv::server {

class HttpSession;

class Answers {
 public:
  explicit Answers(HttpSession& http) : http_(http) {}

  void give(Exchange& exchange, http::ResponseHead&& head, ResponseBody&& body);
  // A short text of the server's own; empty: the reason phrase.
  void plain(Exchange& exchange, int status, std::string_view text = {});
  // The same, and the body of the request, if any, is not wanted.
  void early(Exchange& exchange, int status, std::string_view text = {});

  // The answer at the front was written: its exchange is over.
  void close_front(bool keep_alive);
  // Sends the answers that have their turn, then continues reading. Call it after each
  // close_front() that a command or a completion has led to.
  void next();

  // Bytes of answers that wait for their turn.
  [[nodiscard]] std::uint64_t held() const { return held_; }
  // A charge for one.
  [[nodiscard]] base::Charge charge(std::uint64_t bytes = 0);

 private:
  bool write(Exchange& exchange, const http::ResponseHead& head, ResponseBody&& body);
  void code(Exchange& exchange, http::ResponseHead&& head, std::string&& body);
  void coded(std::uint32_t sequence, std::string&& plain, std::optional<std::string>&& coded);

  HttpSession& http_;
  std::uint64_t held_ = 0;
};

}  // namespace httpuv::server
