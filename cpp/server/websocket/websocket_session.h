// WebSocket on one connection, after the handshake: frames in and events out, messages in and
// frames out, pings, the closing handshake, and a bound on everything that waits.
//
//   open --> closing (our Close is sent) --> finishing (both were, or the peer broke the protocol)
//     \                                         ^     FIN, then wait for the peer's, then close
//      \--> concluding (the peer said its last) -
//           until the application has answered what came before that, and our Close follows
//
// Loop thread only; owned by its Connection. The application is notified of the end exactly once.
// All queues are bounded: messages that the peer does not read (ws_max_queue and the overflow
// policy; only its last ping is answered), and messages that the application does not take
// (ws_max_unread; then the socket is not read, and the pong deadline does not apply).
// More than 25 members and methods, because it is a Protocol, a subscriber of topics and a task of
// a turn, with a function for each command, each event of the peer and each way of ending.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/connection/context.h"
#include "server/connection/protocol.h"
#include "server/message/commands.h"
#include "server/topics/latest.h"
#include "server/topics/topics.h"
#include "websocket/session.h"

namespace httpuv::server {

class Connection;

class WebSocketSession final : public Protocol, private net::TurnTask {
 public:
  // `head` is for the request, which the application keeps as long as the socket.
  WebSocketSession(Context& context, Connection& connection, websocket::Session&& session,
                   base::Charge&& head);
  ~WebSocketSession() override;

  void start() override;
  std::span<char> read_into() override;
  void on_data(std::string_view bytes) override;
  void on_eof() override;
  void on_drained() override;
  void on_deadline() override;
  void on_gone() override;

  // The application's commands.
  void send(bool text, bool compress, WsData&& data);
  void ping(std::string_view payload);
  void close(std::uint16_t code, std::string_view reason);
  void consumed(std::size_t bytes);
  void acknowledge();
  void conclude();
  void subscribe(WsSubscribe&& command);
  [[nodiscard]] std::vector<std::string> subscriptions() const {
    return Topics::names(subscriptions_);
  }
  void overflow();  // applies the policy for slow peers to a message
  [[nodiscard]] std::size_t queued() const;

  // Sends messages, at least one, to the subscribers of their topic: each gets them in one write.
  static void publish(Context& context, Topic& topic,
                      const std::vector<SharedPublication>& messages);
  // Tells the application, for each subscriber, that the topic does not go on where it stood.
  static void reset_topic(Context& context, const Topic& topic);

  void drain() override;
  [[nodiscard]] bool says_goodbye() const override { return true; }
  [[nodiscard]] ConnectionState state() const override { return ConnectionState::kWebSocket; }
  WebSocketSession* websocket() override { return this; }

 public:
  [[nodiscard]] Connection& connection() { return connection_; }

 private:
  struct Together;  // messages that are published together, as bytes
  using SharedBytes = std::shared_ptr<const Together>;
  // What waits behind one that is not ready: messages, and at the end perhaps the Close.
  struct Backlog;

  // `block`: the whole spare string that the input stands in; null if it stands elsewhere.
  void read(std::string_view input, std::string* block = nullptr);
  void take(std::string_view input, std::string* block);
  void count_partial();
  [[nodiscard]] std::size_t most_unread() const;
  void message_received();
  void answer_ping();
  void pong_received();
  void last_word();
  void pause(std::string_view rest);
  void wait_turn(std::string_view rest);
  void run_turn() noexcept override;
  void heard();
  void end(std::uint16_t code, std::string_view reason, bool clean);
  void finish();
  void fin_if_written();
  void close_unasked(std::uint16_t code, std::string_view reason);
  void start_closing(std::uint16_t code, std::string_view reason);
  [[nodiscard]] bool may_send() const;
  void enqueue(const SharedOutgoing& message);
  void flush_ready();
  void write(const SharedOutgoing& message);
  bool make_room(std::size_t bytes);
  bool make_room(std::size_t bytes, Overflow policy, Topic* topic);
  void wait_with_latest(Topic& topic, const std::vector<SharedPublication>& messages);
  void send_latest();
  void leave_all();
  std::optional<Joined> replay(const Topic& topic, const WsSubscribe& command);
  void report_if_taken();
  void send_published(Topic& topic, const std::vector<SharedPublication>& all,
                      const SharedBytes& together);
  void overflow(Overflow policy, Topic* topic);
  void tell_dropped();
  static SharedBytes joined(Context& context, const std::vector<SharedPublication>& all,
                            std::size_t most);
  static void compress_large(Context& context, const SharedPublication& message,
                             const std::vector<WebSocketSession*>& subscribers);
  static void prepare(Context& context, std::uint64_t lane, const SharedOutgoing& message,
                      std::vector<int> windows);
  void set_deadline();

  Context& context_;
  Connection& connection_;
  websocket::Session session_;
  base::Charge head_;
  base::Charge in_;       // for messages that the application has not used
  base::Charge partial_;  // for a message that is not complete, and input that waits
  Subscriptions subscriptions_{*this};
  std::unique_ptr<Latest> latest_;
  std::unique_ptr<Backlog> backlog_;
  std::unique_ptr<std::string> late_pong_;  // to be sent when the peer reads again
  std::string held_;             // input that waits: for the application, or for the next turn
  std::size_t unread_ = 0;       // bytes of messages that the application has and has not used
  std::uint64_t sent_ = 0;       // bytes of all messages that the application has sent
  std::int64_t last_heard_ = 0;  // time of the last byte from the peer
  std::int64_t ping_sent_ = 0;
  std::int64_t last_progress_ = 0;  // nothing to write, or some of it taken
  std::uint64_t written_before_ = 0;
  bool ended_ = false;        // the application was told
  bool concluding_ = false;   // the peer has sent Close, we have not
  bool finishing_ = false;    // no more frames in both directions
  bool paused_ = false;       // the application is behind: nothing is read
  bool pinging_ = false;      // a ping waits for a sign of life
  bool tell_pongs_ = false;   // the application also sends pings
  bool acknowledge_ = false;  // the application has requested a WsTakenEvent
  bool behind_ = false;       // the application was told that a topic's messages are dropped
};

}  // namespace httpuv::server
