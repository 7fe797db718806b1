// Reads the requests of a connection: input goes through the wire, heads to their responders, and
// bodies to a BodyCollector, or piece by piece to the application. Reading stops while the answers
// that wait are many, while the application is behind with a body, or the disk is.
//
// Loop thread only; a part of HttpSession. What is broken or does not fit is refused there.
// More than 25 members and methods, because bodies have two ways, and each may have to wait.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/charge.h"
#include "server/http/exchange/exchange.h"
#include "server/worker/body_collector.h"

namespace httpuv::server {

class HttpSession;

class RequestReader {
 public:
  explicit RequestReader(HttpSession& http);

  // Input, while the wire parses it.
  void take(std::string_view bytes);
  // Continues reading if nothing holds it up any more.
  void resume();
  [[nodiscard]] bool may_read() const;
  [[nodiscard]] bool reading() const { return in_read_; }
  // Drops the body that is being read, and the charge for input that waits.
  void drop();

  // Before a body is read: whether there is room for it, and for one more request. False: it was
  // refused.
  bool admit_body(Exchange& exchange);
  // The application gets the body of the request piece by piece.
  void stream_body(Exchange& exchange);
  [[nodiscard]] bool streams_body(const Exchange& exchange) const;
  // It has used so many bytes of it.
  void consumed(std::uint32_t sequence, std::size_t bytes);
  // The exchange is answered: the rest of its request is dropped.
  void not_wanted(Exchange& exchange);
  [[nodiscard]] bool collects_body() const { return body_ != nullptr; }
  void send_continue_if_due();

 private:
  void read(std::string_view input);
  void count_input();
  [[nodiscard]] bool may_ask_more() const;
  void on_head();
  void on_body(std::string_view bytes);
  void on_body_progress();
  void on_end();
  void complete();
  void pass_on(std::string_view bytes, bool last);

  HttpSession& http_;
  std::unique_ptr<BodyCollector> body_;  // null: the request has none, or it is streamed
  bool streams_body_ = false;            // the application gets its body piece by piece
  bool body_paused_ = false;             // and is behind with it
  bool in_read_ = false;                 // guards against re-entering read()
  base::Charge input_;  // for what the wire holds: input that waits, a part of a head
};

}  // namespace httpuv::server
