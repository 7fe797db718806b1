// Answers of the application with bodies in pieces: their framing, keeping them until their turn,
// compressing them, and the acknowledgements for the application. Topics may make the pieces
// instead: see FeedPart.
//
// Loop thread only; made where it is needed: what a stream has is in its exchange (streamed.h).
// Commands for a stream that is over do nothing. A stream that breaks its promise of a length, or
// cannot be coded, ends its connection.
// More than 25 methods, because it has one for each command, and one for each way a piece leaves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/promised.h"
#include "server/http/exchange/exchange.h"
#include "server/message/commands.h"

namespace httpuv::server {

class HttpSession;
struct Coder;

class StreamResponder {
 public:
  explicit StreamResponder(HttpSession& http) : http_(http) {}

  // Commands of the application.
  void head(StreamHead&& command);
  void data(std::uint32_t sequence, std::string&& bytes, bool acknowledge);
  void file(std::uint32_t sequence, FileBody&& file);
  void end(std::uint32_t sequence, std::string&& trailers);
  void room(std::uint32_t sequence, base::Promised<bool>&& answer);
  void feed(Feed&& command);

  // It is the stream's turn.
  void begin(Exchange& exchange);
  // The kernel has taken everything.
  void drained(Exchange& exchange);
  // Nothing was sent for a while.
  void fill(std::uint32_t sequence);
  // A piece that topics make.
  void fed(std::uint32_t sequence, const std::shared_ptr<const EventText>& text);

 private:
  [[nodiscard]] Exchange* find(std::uint32_t sequence);
  [[nodiscard]] bool is_turn(const Exchange& exchange);
  std::string& out();
  void write_piece(Exchange& exchange, std::string&& bytes);
  void write_file(Exchange& exchange, FileBody&& file);
  void send_piece(Exchange& exchange, std::string_view bytes);
  void write_framed(Exchange& exchange, std::string_view bytes);
  void code(Exchange& exchange);
  void code_in_lane(Exchange& exchange);
  void coded(std::uint32_t sequence, const std::shared_ptr<Coder>& coder);
  void begin_feed(Exchange& exchange);
  void give_room(Exchange& exchange);
  void acknowledge(Exchange& exchange);
  void exhausted(Exchange& exchange);
  void finish(Exchange& exchange);

  HttpSession& http_;
};

}  // namespace httpuv::server
