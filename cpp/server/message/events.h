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

}  // namespace httpuv::server
