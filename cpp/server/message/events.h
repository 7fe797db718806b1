// What the loop thread tells the application: requests, pieces of bodies, WebSocket messages, what
// became of answers.
//
// Plain owned data, moved from one thread to the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/charge.h"
#include "server/message/access_record.h"
#include "server/message/connection_id.h"
#include "server/message/envelope.h"
#include "server/message/topic/sequencer.h"
#include "websocket/message.h"

namespace httpuv::server {

// A request to answer.
struct RequestEvent {
  EnvelopePtr envelope;
};

// The next bytes of the body of a request, in order. The application has the head already
// (Abilities::stream_body).
struct BodyEvent {
  ExchangeId id;
  std::string bytes;
  bool last = false;  // the body is complete
};

// The exchange will never be completed: its client left before Respond. The event carries the
// charges of the exchange's earlier events, which may wait before it in the queue.
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

// A WebSocket is open. With `waiting` its handshake waits for a WsAccept, or for an ordinary answer
// to the exchange. `request` is the handshake; the connection of its id is the socket's id.
struct WsOpenEvent {
  EnvelopePtr request;
  std::string protocol;  // the negotiated subprotocol, or ""
  bool waiting = false;
};

// The bytes that are charged for an unused message in addition to its own bytes, so that many small
// messages count.
constexpr std::size_t kWsMessageCost = 64;

// The session has the charges for messages, until the WsCloseEvent takes them.
struct WsMessageEvent {
  ConnectionId id;
  bool text = false;
  websocket::Message data;  // UTF-8 when text
};

// What is charged for it, and what WsConsumed gives back.
inline std::size_t cost_of(const WsMessageEvent& event) {
  return event.data.held() + kWsMessageCost;
}

struct WsPongEvent {
  ConnectionId id;
  std::string payload;
};

// The kernel has taken everything that was sent, after a time in which it had not.
struct WsDrainEvent {
  ConnectionId id;
};

// All messages of the application were taken by the kernel or dropped; `total` is their bytes.
struct WsTakenEvent {
  ConnectionId id;
  std::uint64_t total = 0;
};

// A message was not sent because the peer does not read: its queue is full.
struct WsDroppedEvent {
  ConnectionId id;
  std::size_t count = 1;
  base::SharedCharge charge{};  // for the event itself, because there may be one for each message
};

// A socket may have missed messages of a topic. The topic continues at `position`.
struct WsResetEvent {
  ConnectionId id;
  std::string topic;
  Position position;
};

// The peer has sent Close, or has broken the protocol, and everything before was delivered. The
// application sends a WsConclude when it has handled that.
struct WsLastEvent {
  ConnectionId id;
};

// The server closes a socket by itself: nothing more is sent on it. A WsCloseEvent follows.
struct WsClosingEvent {
  ConnectionId id;
  std::uint16_t code = 1001;
  std::string reason;
};

// The last event of a socket. 1005: the peer's Close had no code; 1006: the peer sent no Close.
struct WsCloseEvent {
  ConnectionId id;
  std::uint16_t code = 1006;
  std::string reason;
  bool clean = false;
  base::SharedCharge messages{};  // for messages that the application has not used
  base::SharedCharge head{};      // for the request that opened it
};

// Records for the access log. The application does not answer this event.
struct LogEvent {
  AccessBatch batch;
  ConnectionId id{UINT32_MAX, UINT32_MAX};  // no connection
};

// A message for the operator, which is logged unchanged.
enum class NoticeLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };
struct NoticeEvent {
  NoticeLevel level = NoticeLevel::kWarning;
  std::string text;
  ConnectionId id{UINT32_MAX, UINT32_MAX};  // no connection
};

using Event =
    std::variant<RequestEvent, BodyEvent, AbandonedEvent, StreamTakenEvent, WsOpenEvent,
                 WsMessageEvent, WsPongEvent, WsDrainEvent, WsTakenEvent, WsDroppedEvent,
                 WsClosingEvent, WsLastEvent, WsCloseEvent, WsResetEvent, NoticeEvent, LogEvent>;

// Whether the loop expects a reaction of the application. It does not for records of the log.
inline bool is_awaited(const Event& event) {
  return !std::holds_alternative<LogEvent>(event);
}

// Whether the event counts as waiting for Python in the metrics.
inline bool waits(const Event& event) {
  return is_awaited(event) && !std::holds_alternative<NoticeEvent>(event);
}

// The connection that an event is about.
ConnectionId connection_of(const Event& event);

// Takes the events of a server. Called on the loop thread once a turn, with all events of the turn;
// must not block. Leaves the vector empty.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void deliver(std::vector<Event>& events) = 0;
  // Takes records for the access log. They do not count for idle().
  virtual void log(AccessBatch&& batch) = 0;
  // Whether all delivered events were handled. Any thread.
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

}  // namespace httpuv::server
