// What crosses between the loop thread and the application: events out, commands in. Plain owned
// data, moved from one thread to the other; nothing here is shared.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/charge.h"
#include "base/descriptor.h"
#include "base/promised.h"
#include "files/answer/respond.h"
#include "files/routes/route_table.h"
#include "http/request.h"
#include "http/response.h"
#include "net/listen/accepted.h"
#include "net/listen/bind.h"
#include "server/message/access_record.h"
#include "server/message/connection_id.h"
#include "server/message/door.h"
#include "server/message/event_text.h"
#include "server/message/publication.h"
#include "server/message/routing.h"
#include "server/message/sequencer.h"
#include "server/message/tls.h"

namespace httpuv::server {

// The body of a request: in memory, or past Limits::body_memory_bytes in an unlinked file whose
// offset is at its start.
struct RequestBody {
  std::string bytes;
  base::Descriptor file;
  std::uint64_t length = 0;
  base::SharedCharge on_disk{};  // for the file: given back when it is closed
};

// The body of an answer: in memory, `length` bytes of a file from `offset`, or what a static path
// would answer with a file: its fields are in the head of the answer already.
struct FileBody {
  base::Descriptor file;
  std::uint64_t length = 0;
  std::uint64_t offset = 0;
  std::uint64_t device = 0;  // its st_dev
};
using FileAnswer = std::unique_ptr<files::Answer>;
using ResponseBody = std::variant<std::monostate, std::string, FileBody, FileAnswer>;

// --- events: loop thread -> application ---------------------------------------------------------

// A request on its way to the application, and its answer on the way back: one object for both, so
// that its memory goes round between the threads instead of being allocated on one and freed on the
// other for every request.
struct Envelope {
  ExchangeId id;

  http::RequestHead request;
  RequestBody body;
  std::string remote_address;
  int remote_port = 0;
  bool https = false;        // as the client sees it
  bool client_told = false;  // a proxy has named the client: others of the connection differ
  std::shared_ptr<const TlsInfo> tls;  // null where the connection has none
  bool headers_only = false;  // the head has come, the body has not: answer, or say Continue
  bool resumed = false;       // the application has had the head, which is not here again
  std::uint16_t mount = 0;    // which application is asked: see Settings::mounts

  http::ResponseHead head;
  ResponseBody answer;

  void clear();  // as new, but with the memory it has
};
using EnvelopePtr = std::unique_ptr<Envelope>;

// What a request that the application has counts for, beside its body; many short ones count, too.
inline std::uint64_t cost_of(const http::RequestHead& head) {
  return sizeof(Envelope) + head.bytes.size() + head.fields.size() * sizeof(http::HeaderField);
}

// A request to answer.
struct RequestEvent {
  EnvelopePtr envelope;
};

// What has come of the body of a request whose head the application has (Abilities::stream_body),
// in order.
struct BodyEvent {
  ExchangeId id;
  std::string bytes;
  bool last = false;  // the body is complete
};

// The exchange will never be completed: its client went away, or broke off, before Respond. It
// carries the charges of what the application was handed before, which may wait in front of it.
struct AbandonedEvent {
  ExchangeId id;
  base::SharedCharge head{};
  base::SharedCharge body{};
};

// The kernel has taken so many bytes of a streamed body, framing not counted (see StreamData).
struct StreamTakenEvent {
  ExchangeId id;
  std::uint64_t total = 0;
};

// A WebSocket is open, or `waiting`: then its handshake waits for a WsAccept, or for an ordinary
// answer to the exchange instead. `request` asked for it; its id's connection is the socket's name
// from now on.
struct WsOpenEvent {
  EnvelopePtr request;
  std::string protocol;  // the subprotocol agreed on, or ""
  bool waiting = false;
};

// What a message that the application has not consumed counts for beyond its bytes, so that many
// small ones count, too.
constexpr std::size_t kWsMessageCost = 64;

// The charges for messages are the session's, until the WsCloseEvent that comes behind them.
struct WsMessageEvent {
  ConnectionId id;
  bool text = false;
  std::string data;  // UTF-8 when text
};

struct WsPongEvent {
  ConnectionId id;
  std::string payload;
};

// Everything that was sent has gone to the kernel, after it had not for a while.
struct WsDrainEvent {
  ConnectionId id;
};

// All messages that the application sent, so many bytes in all, were taken by the kernel or
// dropped.
struct WsTakenEvent {
  ConnectionId id;
  std::uint64_t total = 0;
};

// A message was not sent because the peer does not read: its queue is full.
struct WsDroppedEvent {
  ConnectionId id;
  std::size_t count = 1;
  base::SharedCharge charge{};  // of the event itself: there may be one for each message
};

// A topic of a socket does not go on where it stood: messages may be missing.
struct WsResetEvent {
  ConnectionId id;
  std::string topic;
  Position position;
};

// The peer has said its last word, Close or nonsense, and everything before it was delivered: as
// soon as that is handled, a WsConclude is expected.
struct WsLastEvent {
  ConnectionId id;
};

// The server closes a socket by itself: nothing more is sent on it. A WsCloseEvent follows.
struct WsClosingEvent {
  ConnectionId id;
  std::uint16_t code = 1001;
  std::string reason;
};

// The last event of a socket. 1005: the peer's Close had no code; 1006: there was none.
struct WsCloseEvent {
  ConnectionId id;
  std::uint16_t code = 1006;
  std::string reason;
  bool clean = false;
  base::SharedCharge messages{};  // for those that the application has not used
  base::SharedCharge head{};      // for the request that opened it
};

// Requests that are over, where an access log is kept. Nothing is answered to it.
struct LogEvent {
  AccessBatch batch;
  ConnectionId id{UINT32_MAX, UINT32_MAX};  // no connection's
};

// Something that the operator should know; it goes to the log as it is.
enum class NoticeLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };
struct NoticeEvent {
  NoticeLevel level = NoticeLevel::kWarning;
  std::string text;
  ConnectionId id{UINT32_MAX, UINT32_MAX};  // of no connection
};

using Event =
    std::variant<RequestEvent, BodyEvent, AbandonedEvent, StreamTakenEvent, WsOpenEvent,
                 WsMessageEvent, WsPongEvent, WsDrainEvent, WsTakenEvent, WsDroppedEvent,
                 WsClosingEvent, WsLastEvent, WsCloseEvent, WsResetEvent, NoticeEvent, LogEvent>;

// Whether the loop waits for what the application does with an event; for what is logged it does
// not.
inline bool is_awaited(const Event& event) {
  return !std::holds_alternative<LogEvent>(event);
}

// Whether it waits for Python's time in a way that an operator wants to know of.
inline bool waits(const Event& event) {
  return is_awaited(event) && !std::holds_alternative<NoticeEvent>(event);
}

// The connection that an event is about.
ConnectionId connection_of(const Event& event);

// Where a server's events go. Called on the loop thread, once a turn, with all that the turn made;
// must not block. The vector is left empty.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void deliver(std::vector<Event>& events) = 0;
  // The same for what is only to be logged: it does not keep the application from being idle().
  virtual void log(AccessBatch&& batch) = 0;
  // Whether all that was delivered has been handled. Any thread.
  [[nodiscard]] virtual bool idle() const = 0;
  // How often the application's threads have waited for the interpreter, and how long in all.
  struct Waits {
    std::uint64_t count = 0;
    std::uint64_t nanoseconds = 0;
  };
  [[nodiscard]] virtual Waits interpreter_waits() const { return {}; }
  // Whether a thread runs callbacks, or waits for them. Any thread.
  [[nodiscard]] virtual bool attended() const = 0;
};

// --- commands: application -> loop thread -------------------------------------------------------

// Answers the exchange that the envelope names.
struct Respond {
  EnvelopePtr envelope;
};

// The application lets a request whose head it has seen go on.
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

// An answer whose body is still being made: its head, pieces of the body, its end. Without a length
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
  std::string topic;
  SharedPublication message;
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
