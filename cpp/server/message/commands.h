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

// The application has seen the head of a request, and wants the rest of it.
struct Continue {
  ExchangeId id;
};

// The application is done with so many bytes of a body: more may be read for it.
struct BodyConsumed {
  ExchangeId id;
  std::size_t bytes = 0;
};

struct SetRoutes {
  std::shared_ptr<const files::RouteTable> routes;
  base::Promised<void> done;
};

// What is sent on a stream that has been silent for a time, so that no proxy in between takes
// the connection for dead.
struct Filler {
  std::string bytes;
  std::int64_t after_ms = 0;
};

// An answer in pieces: its head, pieces of the body, its end. Without a length
// it is chunked, or for HTTP/1.0 ends with the connection. A filler goes with no length only.
struct StreamHead {
  ExchangeId id;
  http::ResponseHead head;
  std::optional<std::uint64_t> length;
  std::unique_ptr<Filler> filler = {};  // seldom there
  bool as_is = false;                   // the server must not code it
};
struct StreamData {
  ExchangeId id;
  std::string bytes;
  bool acknowledge = false;  // a StreamTakenEvent is wanted when the kernel has taken all of it
};
// The same from a file. Only in a stream that is sent as it is.
struct StreamFile {
  ExchangeId id;
  FileBody file;
};
struct StreamEnd {
  ExchangeId id;
  std::string trailers = {};  // "Name: value\r\n" lines, checked; sent where the body is chunked
};

// A thread waits until the kernel has all of a stream so far (true), or it is over (false).
struct StreamRoom {
  ExchangeId id;
  base::Promised<bool> answer;
};

// An informational answer, such as 103 (Early Hints), before the one that counts. Left out where
// it is not the exchange's turn, or the client speaks HTTP/1.0.
struct Inform {
  ExchangeId id;
  http::ResponseHead head;
};

// Opens the WebSocket that a WsOpenEvent with `waiting` has asked about.
struct WsAccept {
  ExchangeId id;
  std::optional<std::string> protocol;  // none: the one that was agreed on
  http::ResponseHead head;              // further fields for the handshake's answer
};

// The answer cannot be completed: the connection is cut, so that the client sees that it was.
struct Cut {
  ExchangeId id;
};

struct WsSend {
  ConnectionId id;
  bool text = false;
  bool compress = true;
  std::string data;
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

// The application is done with so many bytes of messages: more may be read for it.
struct WsConsumed {
  ConnectionId id;
  std::size_t bytes = 0;
};

// Where a subscriber begins, and whether it has missed nothing since the position that it named.
struct Joined {
  Position position;
  bool recovered = false;
};

// Before what is published from now on, the subscriber gets what came behind a position, if the
// topic's history has all of that.
struct WsSubscribe {
  ConnectionId id;
  std::string topic;
  bool wanted = true;    // false: unsubscribe
  bool history = false;  // all that the history has, without a position
  std::optional<Position> since{};
  bool asked = false;  // the broker has told since where the topic stands
  TopicHold hold{};
  std::optional<base::Promised<std::optional<Joined>>> answer{};  // nothing: it is closed
};

// One message to every subscriber of a topic.
struct Publish {
  [[nodiscard]] base::HashedName name() const { return {topic, hash}; }

  std::string topic;
  SharedPublication message;
  std::uint32_t hash = base::HashedName::hash_of(topic);
};

// A streamed answer gets server-sent events of topics from now on, until it is ended.
struct FeedRequest {
  std::vector<std::string> topics;  // at least one
  std::string last_event_id;        // "": the client is new
  bool history = false;             // a new client first gets what the histories have
  std::int64_t retry_ms = -1;       // negative: not told
  bool asked = false;               // as of WsSubscribe
  std::vector<TopicHold> holds{};   // of the topics, in their order; or none
};
struct Feed {
  ExchangeId id;
  std::unique_ptr<FeedRequest> request;
};

// Where a topic of a broker stands, and its last messages up to there.
struct TopicLoad {
  std::string topic;
  Position position;
  std::vector<SharedPublication> messages;
};

// What a broker's topics want.
struct TopicNeeds {
  std::vector<std::string> unloaded;  // a TopicLoad is waited for
  std::vector<std::string> behind;    // the same; the topic is loaded, a client is ahead of it
  std::vector<std::string> unused;    // a TopicRelease may come
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

// More was published to a topic than the loop could take, by a thread that must not wait: the
// policy for peers that do not read applies to its subscribers.
struct WsOverflow {
  std::string topic;
};

// A WsTakenEvent is wanted as soon as nothing waits in user memory.
struct WsAcknowledge {
  ConnectionId id;
};

// The application has answered all that came before the peer's last word.
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

// Among the workers of a server that has all the connections that it may have (see team.h).
struct LetIn {};      // to the acceptor: it goes on
struct FindIdle {};   // LetIn is wanted where a connection is idle
struct CloseIdle {};  // the one that has been idle longest makes room

// Has what the metrics tell of now be looked at.
struct TakeGauges {
  base::Promised<void> done;
};

// The sockets that another server listens on from now on. None: this one does not listen any more.
struct HandedOver {
  int error = 0;  // 0 or a libuv error
  std::vector<net::ListenSocket> sockets;
};

// Give duplicates of the listening sockets to another server, and take no connection from now on.
struct HandOver {
  base::Promised<HandedOver> done;
};

// The other server did not start: take connections again.
struct TakeBack {};

// What the application can do has changed; exchanges under way go on with what they began with.
struct SetRouting {
  Routing routing;
  base::Promised<void> done;
};

// Ends the server: no new connection, idle ones close, the others may finish for `grace_ms`.
struct Stop {
  std::int64_t grace_ms = 0;
};

using Command = std::variant<Respond, Continue, BodyConsumed, StreamHead, StreamData, StreamFile,
                             StreamEnd, StreamRoom, Inform, Cut, WsAccept, WsSend, WsConsumed,
                             WsPing, WsClose, WsSubscribe, Publish, Feed, TopicLoad, TopicRelease,
                             QueryTopic, QueryTopics, QuerySubscriptions, WsOverflow, WsAcknowledge,
                             WsConclude, WsQueued, IsPresent, SetRoutes, SetRouting, HandOver,
                             TakeBack, Adopt, LetIn, FindIdle, CloseIdle, TakeGauges, Stop>;

// What a command counts for while it waits: itself, and the memory that it owns. There is no
// command without such a count.
std::size_t cost_of(const Command& command);

}  // namespace httpuv::server
