#include "server/http/http_deadlines.h"

#include <algorithm>

#include "server/connection/connection.h"
#include "server/http/http_session.h"

namespace httpuv::server {

namespace {

// A lingering connection that keeps sending is cut after this many milliseconds.
constexpr std::int64_t kMaxLinger = 30'000;

// How often, in milliseconds, a connection that is not read from is asked whether it was reset.
constexpr std::int64_t kPeerCheck = 500;

// A new connection is not idle before this many milliseconds without a byte of a request.
constexpr std::int64_t kFirstRequestMs = 1000;

// A connection lingers so many milliseconds while the server stops.
constexpr std::int64_t kFarewell = 500;

// How long a server that stops waits for the first byte of a connection that it has accepted, in
// milliseconds: the client may have been told that it is connected a moment ago.
constexpr std::int64_t kFirstByte = 3'000;

// A connection with a request within so many milliseconds has as many for one more, and the answer
// says that the connection ends: a client that asks all the time has sent that request already.
constexpr std::int64_t kLately = 1'000;

}  // namespace

void HttpDeadlines::set(std::int64_t at_ms) {
  due_ = at_ms;
  http_.connection().set_deadline(due_);
}

void HttpDeadlines::start() {
  set(http_.context().loop.now_ms() + http_.context().limits.header_timeout);
}

void HttpDeadlines::update() {
  const std::int64_t now = http_.context().loop.now_ms();
  const Limits& limits = http_.context().limits;
  const http::Incoming& incoming = http_.wire().incoming();
  written_before_ = kNothingToWrite;
  if (http_.connection().stream().busy()) {
    written_before_ = http_.connection().stream().bytes_written();
    set(now + limits.write_timeout);
  } else if (http_.upgrade().waits()) {
    set(http_.upgrade().due());
  } else if (incoming.side().reading() && http_.requests().may_read()) {
    set(now + limits.body_timeout);
  } else if (incoming.in_head()) {
    if (head_started_ == 0) head_started_ = now;
    set(head_started_ + limits.header_timeout);
  } else {
    set(now + waiting_time());
  }
}

std::int64_t HttpDeadlines::since_head() const {
  return head_started_ == 0 ? 0 : http_.context().loop.now_ms() - head_started_;
}

// Until the next look at a connection on which the application, or nothing, is due. One that is not
// read from does not tell by itself that its peer has reset it.
std::int64_t HttpDeadlines::waiting_time() const {
  const std::int64_t idle = http_.context().limits.idle_timeout;
  return http_.connection().stream().reading() ? idle : std::min(idle, kPeerCheck);
}

// A server that stops does not wait long for clients that have all their answers.
std::int64_t HttpDeadlines::linger_time() const {
  const std::int64_t usual = http_.context().limits.linger_timeout;
  return http_.context().draining ? std::min(kFarewell, usual) : usual;
}

void HttpDeadlines::finish() {
  const std::int64_t now = http_.context().loop.now_ms();
  const net::Transport& stream = http_.connection().stream();
  linger_until_ = now + kMaxLinger;
  written_before_ = stream.bytes_written();
  set(now + (stream.busy() ? http_.context().limits.write_timeout : linger_time()));
}

void HttpDeadlines::linger() {
  set(http_.context().loop.now_ms() + linger_time());
}

void HttpDeadlines::lingers_on() {
  set(std::min(http_.context().loop.now_ms() + linger_time(), linger_until_));
}

void HttpDeadlines::drain() {
  const std::int64_t now = http_.context().loop.now_ms();
  if (!http_.wire().exchanges().used()) return set(std::min(due_, now + kFirstByte));
  const bool lately = now - (due_ - http_.context().limits.idle_timeout) < kLately;
  set(lately ? std::min(due_, now + kLately) : now);
}

std::optional<std::int64_t> HttpDeadlines::idle_since() const {
  const Limits& limits = http_.context().limits;
  if (http_.wire().exchanges().used()) return due_ - limits.idle_timeout;
  const std::int64_t since = due_ - limits.header_timeout;
  if (http_.context().loop.now_ms() - since < kFirstRequestMs) return {};
  return since;
}

void HttpDeadlines::expired() {
  const std::int64_t now = http_.context().loop.now_ms();
  if (now < due_) return set(due_);
  net::Transport& stream = http_.connection().stream();
  if (stream.busy()) {
    if (stream.bytes_written() == written_before_) {
      http_.context().counters.timed_out.add();
      return http_.connection().reset();
    }
    written_before_ = stream.bytes_written();
    return set(now + http_.context().limits.write_timeout);
  }
  written_before_ = kNothingToWrite;
  Wire& wire = http_.wire();
  if (!wire.answers()) return http_.connection().close();
  if (!stream.reading() && stream.peer_gone()) return http_.connection().close();
  if (http_.upgrade().waits()) return http_.upgrade().give_up();
  const bool body_due = wire.incoming().side().reading() && http_.requests().may_read();
  const bool head_due = wire.parses() && wire.incoming().in_head();
  if (body_due || head_due) {
    http_.context().counters.timed_out.add();
    http_.refuse(408, body_due ? "its body did not come in time" : "its head did not come in time");
  } else if (wire.exchanges().empty() && wire.incoming().state() == http::RequestState::kNone) {
    http_.connection().close();
  } else {
    set(now + waiting_time());  // the application's turn: no hurry
  }
}

}  // namespace httpuv::server
