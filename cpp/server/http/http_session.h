// HTTP/1.1 on one connection: feeds the parser, routes each request, keeps the order of the
// answers, and decides when the connection is idle, must wait or has to end.
//
// What of that needs neither socket nor clock is its http::Wire. The states of the connection are
// in http/wire_state.h, those of an exchange in http/exchange_state.h.
//
// Loop thread only; the protocol with which a Connection begins. A broken request is answered with
// its status code and ends the connection; a broken transport just ends it.
//
// It has more members than a class should have: answers, streams, uploads and the upgrade work on
// one queue of exchanges and on the one request that is being read. Each part has a file of its own
// (http_routing, http_answers, http_coding, http_stream, http_upload, http_upgrade).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "files/answer/respond.h"
#include "http/content.h"
#include "http/request.h"
#include "server/connection/context.h"
#include "server/connection/protocol.h"
#include "server/http/exchange.h"
#include "server/message/message.h"
#include "server/observe/observer.h"
#include "server/worker/body_collector.h"
#include "websocket/handshake.h"
#include "websocket/session.h"

namespace httpuv::server {

class Connection;
class FeedPart;
class Silence;
struct Asked;
struct Coder;
struct Streamed;

class HttpSession final : public Protocol {
 public:
  HttpSession(Context& context, Connection& connection);
  ~HttpSession() override;

  void start() override;
  void on_data(std::string_view bytes) override;
  void on_eof() override;
  void on_drained() override;
  void on_deadline() override;
  void on_gone() override;

  // The application's commands.
  void respond(std::uint32_t sequence, http::ResponseHead&& head, ResponseBody&& body);
  void resume_request(std::uint32_t sequence);
  void body_consumed(std::uint32_t sequence, std::size_t bytes);
  void stream_head(StreamHead&& command);
  void stream_data(std::uint32_t sequence, std::string&& bytes, bool acknowledge);
  void stream_file(std::uint32_t sequence, FileBody&& file);
  void stream_end(std::uint32_t sequence, std::string&& trailers);
  void stream_room(std::uint32_t sequence, base::Promised<bool>&& answer);
  void feed(Feed&& command);
  void inform(std::uint32_t sequence, const http::ResponseHead& head);
  void cut(std::uint32_t sequence);
  void accept_websocket(WsAccept&& command);
  [[nodiscard]] bool present(std::uint32_t sequence);

  // The routes' outcome.
  void resolved(std::uint32_t sequence, const files::Resolution& resolution);

  // A request that has begun to arrive, or arrives at once, is answered; then the connection ends.
  // A connection that was never used has a moment for its first byte.
  void drain() override;
  [[nodiscard]] ConnectionState state() const override;
  HttpSession* http() override { return this; }

  // Since when the connection is idle, in the loop's milliseconds; nothing while it is not.
  [[nodiscard]] std::optional<std::int64_t> idle_since() const override;

 private:
  friend class FeedPart;
  friend class Silence;

  // Reading.
  void read(std::string_view input);
  [[nodiscard]] bool may_read() const;
  void resume_reading();
  void on_head();
  void on_body(std::string_view bytes);
  void on_body_progress();
  void on_request_end();
  void request_complete();
  void pass_on(std::string_view bytes, bool last);
  void not_wanted(Exchange& exchange);
  void refuse(int status, std::string_view reason);
  [[nodiscard]] bool may_ask_more() const;
  void count_input();
  void tell_refused(int status, std::string_view reason);

  // Deciding.
  void route(Exchange& exchange);
  void believe_proxy(Exchange& exchange);
  const net::Peer& client_of(const Exchange& exchange);
  bool route_builtin(Exchange& exchange);
  bool route_static(Exchange& exchange, const files::Match& match);
  void to_application(Exchange& exchange, http::RequestHead&& head, RequestBody&& body,
                      bool headers_only);
  void hand_over(Exchange& exchange);
  // False: there is no room for the body; the refusal was sent.
  bool admit_body(Exchange& exchange);
  void overloaded(Exchange& exchange, int status);
  void release(Exchange& exchange, bool abandon);
  void send_continue_if_due();
  [[nodiscard]] const Abilities& abilities_of(const Exchange& exchange) const {
    return context_.routing.abilities_of(exchange.mount);
  }
  [[nodiscard]] bool wants_websocket(const Exchange& exchange) const;
  void upgrade_to_websocket(Exchange& exchange);
  void ask_about_websocket(Exchange& exchange, websocket::Handshake&& handshake);
  void open_websocket(const websocket::Handshake& handshake, std::string_view fields);
  void websocket_decided(const Exchange& exchange);
  void give_up_websocket();

  // Answering.
  void answer(Exchange& exchange, http::ResponseHead&& head, ResponseBody&& body);
  void answer_plain(Exchange& exchange, int status, std::string_view text = {});
  // The body of the request, if any, is not wanted.
  void answer_early(Exchange& exchange, int status, std::string_view text = {});
  void answer_allow(Exchange& exchange, int status);
  void answer_static_early(Exchange& exchange, files::Answer&& answer);
  void observe(Exchange& exchange, std::string_view first_line, std::int64_t waited_ms);
  void tell_observers(Exchange& exchange);
  static void note_answer(Exchange& exchange, int status, std::uint64_t bytes);
  // Both say whether the connection is kept.
  bool write_answer(Exchange& exchange, const http::ResponseHead& head, ResponseBody&& body);
  bool write_static(Exchange& exchange, const files::Resolution& resolution);
  void close_exchange(bool keep_alive);
  void abandon_all();
  void next_answers();

  // Coding what the application answers with (http_coding.cpp).
  void negotiate(Exchange& exchange, const http::RequestHead& head) const;
  bool negotiates(const Exchange& exchange, http::ResponseHead& head,
                  std::optional<std::uint64_t> length) const;
  void code_on_pool(Exchange& exchange, http::ResponseHead&& head, std::string&& body);
  void coded(std::uint32_t sequence, std::string&& plain, std::optional<std::string>&& coded);
  void code_piece(Exchange& exchange);
  void code_piece_on_pool(Exchange& exchange);
  void piece_coded(std::uint32_t sequence, const std::shared_ptr<Coder>& coder);

  // Streaming: the answer at the front whose body is still being made.
  void begin_feed(Exchange& exchange);
  static bool is_fed(const Exchange& exchange);
  Exchange* streamed(std::uint32_t sequence);
  Exchange* streaming(std::uint32_t sequence);
  void start_stream(Exchange& exchange);
  static bool exceeds(const Streamed& stream);
  void write_piece(Exchange& exchange, std::string&& bytes);
  void fill(std::uint32_t sequence);
  void send_piece(Exchange& exchange, std::string_view bytes);
  void write_file(Exchange& exchange, FileBody&& file);
  void give_room(Exchange& exchange);
  void exhausted(Exchange& exchange);
  void write_framed(Exchange& exchange, std::string_view bytes);
  void acknowledge(Exchange& exchange);
  void drained_stream(Exchange& exchange);
  void end_stream(Exchange& exchange);

  // Ending.
  void finish(bool linger);
  void end_if_written();
  [[nodiscard]] std::int64_t linger_time() const;
  void end_of_input();

  // Deadlines.
  void update_deadline();
  [[nodiscard]] std::int64_t waiting_time() const;

  Context& context_;
  Connection& connection_;
  Wire wire_;
  std::uint64_t answers_held_ = 0;  // bytes of answers that wait for their turn
  std::size_t pending_ = 0;         // exchanges that the application has
  // The request being read, from its head to its end.
  std::unique_ptr<BodyCollector> body_;
  bool wants_upgrade_ = false;  // it was routed to a WebSocket
  bool streams_body_ = false;   // the application gets its body piece by piece
  bool body_paused_ = false;    // and is behind with it

  bool in_read_ = false;                // guards against re-entering read()
  std::unique_ptr<Protocol> upgraded_;  // until read() hands the rest of its input over
  std::unique_ptr<Asked> asked_;        // a handshake that waits for the application
  base::Charge input_;  // for what the wire holds: input that waits, a part of a head

  std::int64_t due_ = 0;           // when the present wait is too long
  std::int64_t head_started_ = 0;  // first byte of a head that is not complete; 0: none
  std::int64_t linger_until_ = 0;
  // The peer's progress when the deadline was set, or that nothing waited for it then.
  static constexpr std::uint64_t kNothingToWrite = UINT64_MAX;
  std::uint64_t written_before_ = kNothingToWrite;
};

}  // namespace httpuv::server
