// What the application tells the loop thread: answers, pieces of streams, WebSocket messages,
// subscriptions, and what concerns the whole server.
//
// Plain owned data, moved from one thread to the other. What a command counts for while it waits is
// in cost_of().
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/borrowed.h"
#include "base/promised.h"
#include "base/text/name_table.h"
#include "files/routes/route_table.h"
#include "http/message/response.h"
#include "net/listen/accepted.h"
#include "net/listen/bind.h"
#include "server/message/connection_id.h"
#include "server/message/door.h"
#include "server/message/envelope.h"
#include "server/message/publication.h"
#include "server/message/routing.h"
#include "server/message/topic/event_text.h"
#include "server/message/topic/sequencer.h"

namespace httpuv::server {

// Answers the exchange that the envelope names.
struct Respond {
  EnvelopePtr envelope;
};

// The application has seen the head of a request and asks for its body.
struct Continue {
  ExchangeId id;
};

// The application has used so many bytes of a body. The server may read as many again.
struct BodyConsumed {
  ExchangeId id;
  std::size_t bytes = 0;
};

struct SetRoutes {
  std::shared_ptr<const files::RouteTable> routes;
  base::Promised<void> done;
};

// Bytes that are sent on a stream after a time of silence, so that no proxy closes the connection
// as idle.
struct Filler {
  std::string bytes;
  std::int64_t after_ms = 0;
};

// An answer in pieces: its head, pieces of the body, its end. Without a length the body is
// chunked; for HTTP/1.0 it ends with the connection. A filler is possible only without a length.
struct StreamHead {
  ExchangeId id;
  http::ResponseHead head;
  std::optional<std::uint64_t> length;
  std::unique_ptr<Filler> filler = {};  // null: none, as usual
  bool as_is = false;                   // the server must not compress it
};
struct StreamData {
  ExchangeId id;
  std::string bytes;
  bool acknowledge = false;  // request a StreamTakenEvent when the kernel has taken all of it
};
// A piece from a file. Only in a stream that the server does not compress.
struct StreamFile {
  ExchangeId id;
  FileBody file;
};
struct StreamEnd {
  ExchangeId id;
  std::string trailers = {};  // "Name: value\r\n" lines, checked; sent where the body is chunked
};

// Answered with true when the kernel has taken all of a stream so far, and with false when the
// stream has ended. A thread waits for the answer.
struct StreamRoom {
  ExchangeId id;
  base::Promised<bool> answer;
};

// An informational answer, such as 103 (Early Hints), before the final one. It is dropped if it is
// not the exchange's turn, or if the client uses HTTP/1.0.
struct Inform {
  ExchangeId id;
  http::ResponseHead head;
};

// Accepts the handshake of a WsOpenEvent with `waiting`.
struct WsAccept {
  ExchangeId id;
  std::optional<std::string> protocol;  // none: the negotiated one
  http::ResponseHead head;              // further fields for the handshake's answer
};

// The answer cannot be completed. The connection is cut, so that the client notices.
struct Cut {
  ExchangeId id;
};

using WsData = std::variant<std::string, base::Borrowed>;
inline std::string_view bytes_of(const WsData& data) {
  const auto* const own = std::get_if<std::string>(&data);
  return own != nullptr ? std::string_view(*own) : std::get<base::Borrowed>(data).bytes;
}

struct WsSend {
  ConnectionId id;
  bool text = false;
  bool compress = true;
  WsData data;
};

struct WsPing {
  ConnectionId id;
  std::string payload;
};

struct WsClose {
  ConnectionId id;
  std::uint16_t code = 1000;
  std::string reason;
};

// The application has used so many bytes of messages. The server may read as many again.
struct WsConsumed {
  ConnectionId id;
  std::size_t bytes = 0;
};

// The position at which a subscriber begins, and whether it gets every message since the position
// that it named.
struct Joined {
  Position position;
  bool recovered = false;
};

// Subscribes or unsubscribes a socket. The subscriber first gets the messages after `since`, if the
// topic's history has all of them, and then each new message.
struct WsSubscribe {
  ConnectionId id;
  std::string topic;
  bool wanted = true;    // false: unsubscribe
  bool history = false;  // without `since`: send all messages of the history
  std::optional<Position> since{};
  bool asked = false;  // the broker has sent the topic's position meanwhile
  TopicHold hold{};
  std::optional<base::Promised<std::optional<Joined>>> answer{};  // none: the socket is closed
};

// One message to every subscriber of a topic.
struct Publish {
  [[nodiscard]] base::HashedName name() const { return {topic, hash}; }

  std::string topic;
  SharedPublication message;
  std::uint32_t hash = base::HashedName::hash_of(topic);
};

// Lets topics feed a streamed answer with server-sent events until it ends.
struct FeedRequest {
  std::vector<std::string> topics;  // at least one
  std::string last_event_id;        // "": the client is new
  bool history = false;             // send a new client the messages of the histories first
  std::int64_t retry_ms = -1;       // negative: not sent
  bool asked = false;               // as in WsSubscribe
  std::vector<TopicHold> holds{};   // one for each topic in the same order, or none
};
struct Feed {
  ExchangeId id;
  std::unique_ptr<FeedRequest> request;
};

// The position of a broker's topic, and the last messages before that position.
struct TopicLoad {
  std::string topic;
  Position position;
  std::vector<SharedPublication> messages;
};

// The topics for which a loop needs something from the broker.
struct TopicNeeds {
  std::vector<std::string> unloaded;  // they need a TopicLoad
  std::vector<std::string> behind;    // the same, because a client is ahead of the topic
  std::vector<std::string> unused;    // they may get a TopicRelease
};
struct QueryTopics {
  base::Promised<TopicNeeds> answer;
};
// Forgets a topic, unless it has subscribers.
struct TopicRelease {
  std::string topic;
  base::Promised<bool> answer{true};
};

struct TopicStats {
  bool known = false;
  Position position;
  std::uint64_t subscribers = 0;
  std::uint64_t messages = 0;  // in its history
  std::uint64_t bytes = 0;     // of those
  std::uint64_t dropped = 0;   // not sent to a subscriber that was behind
};
struct QueryTopic {
  std::string topic;
  base::Promised<TopicStats> answer;
};
// The topics of a socket.
struct QuerySubscriptions {
  ConnectionId id;
  base::Promised<std::vector<std::string>> answer;
};

// A thread that must not wait has published more to a topic than the loop could take. The policy
// for slow peers applies to the topic's subscribers.
struct WsOverflow {
  std::string topic;
};

// Requests a WsTakenEvent when the kernel has taken everything that was sent.
struct WsAcknowledge {
  ConnectionId id;
};

// The application has handled everything before a WsLastEvent.
struct WsConclude {
  ConnectionId id;
};

// Whether an exchange's client still waits for its answer.
struct IsPresent {
  ExchangeId id;
  base::Promised<bool> answer;
};

// How many bytes of a socket wait in user memory.
struct WsQueued {
  ConnectionId id;
  base::Promised<std::size_t> answer;
};

// A connection that another worker of the server has accepted.
struct Adopt {
  std::unique_ptr<net::Accepted> connection;
  Door door;
};

// Commands between the workers of a server that has max_connections connections (see team.h).
struct LetIn {};      // the acceptor accepts again
struct FindIdle {};   // send LetIn if a connection is idle
struct CloseIdle {};  // close the connection that has been idle longest

// Updates the gauges.
struct TakeGauges {
  base::Promised<void> done;
};

// The listening sockets for another server. None: this server does not listen any more.
struct HandedOver {
  int error = 0;  // 0 or a libuv error
  std::vector<net::ListenSocket> sockets;
};

// Give duplicates of the listening sockets to another server, and stop accepting.
struct HandOver {
  base::Promised<HandedOver> done;
};

// The other server did not start: accept again.
struct TakeBack {};

// The application was replaced. Exchanges under way keep the old application.
struct SetRouting {
  Routing routing;
  base::Promised<void> done;
};

// Ends the server: it stops accepting and closes idle connections. Other connections have
// `grace_ms` to finish.
struct Stop {
  std::int64_t grace_ms = 0;
};

using Command = std::variant<Respond, Continue, BodyConsumed, StreamHead, StreamData, StreamFile,
                             StreamEnd, StreamRoom, Inform, Cut, WsAccept, WsSend, WsConsumed,
                             WsPing, WsClose, WsSubscribe, Publish, Feed, TopicLoad, TopicRelease,
                             QueryTopic, QueryTopics, QuerySubscriptions, WsOverflow, WsAcknowledge,
                             WsConclude, WsQueued, IsPresent, SetRoutes, SetRouting, HandOver,
                             TakeBack, Adopt, LetIn, FindIdle, CloseIdle, TakeGauges, Stop>;

// The bytes that are charged for a command while it waits: its own size and the memory that it
// owns. Each command has a cost.
std::size_t cost_of(const Command& command);

}  // namespace httpuv::server
