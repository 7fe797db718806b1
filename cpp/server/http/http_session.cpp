// Reading and ending. http_routing.cpp decides what answers a request, answers are written in
// http_answers.cpp.
#include "server/http/http_session.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "server/connection/connection.h"
#include "server/http/parked.h"
#include "server/http/static_files.h"

namespace httpuv::server {

namespace {

// Bytes of answers that wait in user memory for a slow peer; beyond that no request is read.
constexpr std::size_t kMaxQueued = 256 * 1024;

// A lingering connection that keeps sending is cut after this many milliseconds.
constexpr std::int64_t kMaxLinger = 30'000;

// How often, in milliseconds, a connection that is not read from is asked whether it was reset.
constexpr std::int64_t kPeerCheck = 500;

// A new connection is not idle before this many milliseconds without a byte of a request.
constexpr std::int64_t kFirstRequestMs = 1000;

// How many it lingers while the server stops.
constexpr std::int64_t kFarewell = 500;

// How long a server that stops waits for the first byte of a connection that it has accepted, in
// milliseconds: the client may have been told that it is connected a moment ago.
constexpr std::int64_t kFirstByte = 3'000;

// One that has asked within so many milliseconds has as many for one more request, whose answer
// says that the connection ends: a client that asks all the time has it under way already.
constexpr std::int64_t kLately = 1'000;

}  // namespace

HttpSession::HttpSession(Context& context, Connection& connection)
    : context_(context),
      connection_(connection),
      wire_(&context.limits.request, context.limits.max_pipelined) {}

HttpSession::~HttpSession() = default;

void HttpSession::start() {
  connection_.stream().charge_to(context_.budget, Budget::kind_of(Held::kAnswers));
  due_ = context_.loop.now_ms() + context_.limits.header_timeout;
  connection_.set_deadline(due_);
  connection_.stream().start_reading();
}

// --- reading ------------------------------------------------------------------------------------

void HttpSession::on_data(std::string_view bytes) {
  if (wire_.state() == http::WireState::kLingering) {
    due_ = std::min(context_.loop.now_ms() + linger_time(), linger_until_);
    connection_.set_deadline(due_);
    return;
  }
  if (!wire_.parses()) return;
  if (wire_.incoming().kept().empty()) {
    read(bytes);
  } else {
    wire_.incoming().kept().append(bytes);
    count_input();
    resume_reading();
  }
}

bool HttpSession::may_read() const {
  switch (wire_.reads()) {
    case http::Next::kBody:
      return !body_paused_ && (body_ == nullptr || !body_->full());
    case http::Next::kRequest:
      return may_ask_more();
    case http::Next::kNothing:
      break;
  }
  return false;
}

// The answers that wait and those that are likely to come are few: another request may be read.
bool HttpSession::may_ask_more() const {
  const std::uint64_t waiting = connection_.stream().queued() + answers_held_;
  if (pending_ == 0) return waiting < kMaxQueued;
  return waiting + (pending_ + 1) * context_.answer_size.expected() <= kMaxQueued;
}

void HttpSession::read(std::string_view input) {
  in_read_ = true;
  http::Incoming& incoming = wire_.incoming();
  bool hungry = false;
  while (!hungry && may_read()) {
    if (incoming.idle() && !input.empty()) incoming.lend(context_.envelopes.take_head());
    switch (wire_.next(input)) {
      case http::WireEvent::kNeedMore:
        hungry = true;
        break;
      case http::WireEvent::kHead:
        on_head();
        break;
      case http::WireEvent::kBody:
        on_body(incoming.body());
        break;
      case http::WireEvent::kEnd:
        on_request_end();
        break;
      case http::WireEvent::kDropped:
        body_.reset();
        break;
      case http::WireEvent::kError:
        refuse(incoming.error_status(), incoming.error_reason());
        break;
    }
  }
  in_read_ = false;
  if (wire_.state() == http::WireState::kUpgraded) {
    connection_.become(std::move(upgraded_), input);
  } else if (wire_.parses()) {
    incoming.kept().assign(input);
    if (!input.empty()) connection_.stream().stop_reading();
    count_input();
    if (wire_.parses()) update_deadline();
  }
}

// What was read and is not a request yet: input that has to wait, a head that is not complete.
void HttpSession::count_input() {
  const std::size_t bytes = wire_.incoming().held();
  if (bytes == input_.bytes()) return;
  if (bytes > input_.bytes() && !context_.budget.fits(bytes - input_.bytes()) &&
      wire_.incoming().holds_head()) {
    context_.counters.overloaded.add();
    return refuse(503, "the memory of the server is used up");
  }
  if (input_.bytes() == 0) input_ = context_.budget.charge(Held::kHeads);
  input_.resize(bytes);
}

void HttpSession::resume_reading() {
  if (in_read_ || !may_read() || connection_.closing()) return;
  if (!wire_.incoming().kept().empty() || wire_.incoming().side().reading()) {
    const std::string input = std::exchange(wire_.incoming().kept(), {});
    read(input);
  }
  if (!wire_.parses() || !wire_.incoming().kept().empty()) return;
  if (wire_.half_closed()) {
    end_of_input();
  } else {
    connection_.stream().start_reading();
  }
}

bool HttpSession::present(std::uint32_t sequence) {
  if (wire_.exchanges().find(sequence) == nullptr) return false;
  if (!connection_.stream().peer_gone()) return true;
  connection_.fail();
  return false;
}

void HttpSession::on_head() {
  http::RequestHead& head = wire_.incoming().head();
  Exchange& exchange = *wire_.current();
  head_started_ = 0;
  streams_body_ = false;
  wants_upgrade_ = false;
  context_.counters.requests.add();

  observe(exchange, http::first_line(head.bytes), 0);
  exchange.observed.https = connection_.stream().tls() != nullptr;
  exchange.observed.method = method_of(head.view(head.method));
  believe_proxy(exchange);
  if (RequestText* const text = exchange.observed.text.get()) {
    text->referer = head.get(http::Field::kReferer);
    text->user_agent = head.get(http::Field::kUserAgent);
    text->host = head.get(http::Field::kHost);
    text->request_id = head.get(http::Field::kXRequestId);
    text->trace_id = trace_id_of(head.get(http::Field::kTraceparent));
  }
  if (head.has_body()) {
    body_ = std::make_unique<BodyCollector>(
        context_.loop, context_.budget, context_.spool_folder, context_.limits.body_memory_bytes,
        [this] { connection_.guarded([this] { on_body_progress(); }); });
  }
  route(exchange);
}

void HttpSession::on_body(std::string_view bytes) {
  if (streams_body_) return pass_on(bytes, false);
  if (body_ == nullptr) return;
  // A body of unknown length has grown, or others have come meanwhile.
  const Budget::Room room = body_->room_for(bytes.size());
  if (room == Budget::Room::kNow) return body_->append(bytes);
  context_.counters.overloaded.add();
  refuse(room == Budget::Room::kNever ? 413 : 503,
         "its body does not fit into what the server may hold");
}

void HttpSession::on_body_progress() {
  context_.spool.done(body_->error(), context_);
  if (body_->error() != 0) {
    refuse(SpoolFaults::status(body_->error()), "its body cannot be kept");
  } else if (wire_.incoming().state() == http::RequestState::kStoring && body_->finished()) {
    request_complete();
  }
  resume_reading();
}

void HttpSession::on_request_end() {
  if (streams_body_) {
    wire_.incoming().on(http::RequestEvent::kStored);
    return pass_on({}, true);
  }
  if (body_ != nullptr) {
    body_->end();
    if (!body_->finished()) return;  // on_body_progress() goes on
  }
  request_complete();
}

void HttpSession::request_complete() {
  Exchange* exchange = wire_.current();
  const bool answered = exchange == nullptr || exchange->answer.given();
  if (answered || wants_upgrade_) body_.reset();
  if (!answered && wants_upgrade_) {
    wire_.incoming().on(http::RequestEvent::kUpgrade);
    return upgrade_to_websocket(*exchange);
  }
  wire_.incoming().on(http::RequestEvent::kStored);
  if (answered) return;
  if (exchange->answer.resolving()) {  // static, with a body that the application may still want
    if (body_ != nullptr) {
      exchange->parked->request_body = std::exchange(body_, nullptr)->take(exchange->body);
    }
    const http::RequestHead& head = exchange->parked->request;
    context_.files->resolve({connection_.id(), exchange->sequence}, head);
    return;
  }
  RequestBody body;
  if (body_ != nullptr) body = std::exchange(body_, nullptr)->take(exchange->body);
  to_application(*exchange, std::move(wire_.incoming().head()), std::move(body), false);
}

// For the log and the metrics.
void HttpSession::tell_refused(int status, std::string_view reason) {
  context_.refusals.tell(context_, connection_, status, reason);
}

void HttpSession::refuse(int status, std::string_view reason) {
  context_.counters.refused.add();
  tell_refused(status, reason);
  input_ = {};
  body_.reset();
  const Wire::Refused refused = wire_.refuse();
  switch (refused.way) {
    case http::Refusing::kAnswer:
      break;
    case http::Refusing::kCut:
      return connection_.reset();
    case http::Refusing::kFinish:
      return finish(true);
    case http::Refusing::kNothing:
      return;
  }
  Exchange& exchange = *refused.exchange;
  if (refused.opened) {
    const std::int64_t now = context_.loop.now_ms();
    observe(exchange, wire_.incoming().read_line(), head_started_ == 0 ? 0 : now - head_started_);
  }
  release(exchange, true);
  exchange.parked.reset();
  exchange.answer.on(http::AnswerEvent::kWithdraw);
  answer_plain(exchange, status);
}

// --- ending -------------------------------------------------------------------------------------

void HttpSession::finish(bool linger) {
  if (!wire_.answers()) return;
  abandon_all();
  input_ = {};
  wire_.finish(linger);
  const std::int64_t now = context_.loop.now_ms();
  linger_until_ = now + kMaxLinger;
  written_before_ = connection_.stream().bytes_written();
  due_ = now + (connection_.stream().busy() ? context_.limits.write_timeout : linger_time());
  connection_.set_deadline(due_);
  end_if_written();
}

// A server that stops does not wait long for clients that have all their answers.
std::int64_t HttpSession::linger_time() const {
  const std::int64_t usual = context_.limits.linger_timeout;
  return context_.draining ? std::min(kFarewell, usual) : usual;
}

void HttpSession::end_if_written() {
  context_.outbox.flush(connection_);
  if (connection_.closing() || connection_.stream().busy()) return;
  if (wire_.state() != http::WireState::kLingering) {
    connection_.close();
  } else {
    connection_.stream().shutdown();
    connection_.stream().start_reading();
    due_ = context_.loop.now_ms() + linger_time();
    connection_.set_deadline(due_);
  }
}

void HttpSession::drain() {
  if (asked_ != nullptr) return give_up_websocket();
  if (!wire_.answers() || !wire_.exchanges().empty() || wire_.incoming().side().reading() ||
      !wire_.incoming().idle())
    return;
  // It idles. Deadlines are looked at after reading: a request that has come already is answered.
  const std::int64_t now = context_.loop.now_ms();
  if (!wire_.exchanges().used()) {
    due_ = std::min(due_, now + kFirstByte);
  } else {
    const bool lately = now - (due_ - context_.limits.idle_timeout) < kLately;
    due_ = lately ? std::min(due_, now + kLately) : now;
  }
  connection_.set_deadline(due_);
}

std::optional<std::int64_t> HttpSession::idle_since() const {
  if (!wire_.idle() || connection_.stream().busy()) return {};
  if (wire_.exchanges().used()) return due_ - context_.limits.idle_timeout;
  // One that was just accepted: its first request may be on its way.
  const std::int64_t since = due_ - context_.limits.header_timeout;
  if (context_.loop.now_ms() - since < kFirstRequestMs) return {};
  return since;
}

ConnectionState HttpSession::state() const {
  if (connection_.stream().busy()) return ConnectionState::kWriting;
  if (!wire_.answers()) return ConnectionState::kClosing;
  if (wire_.incoming().side().reading() || wire_.incoming().in_head())
    return ConnectionState::kReading;
  return wire_.exchanges().empty() ? ConnectionState::kIdle : ConnectionState::kWaiting;
}

void HttpSession::on_eof() {
  wire_.half_close();
  if (!wire_.answers()) return end_if_written();
  if (may_read() && wire_.incoming().kept().empty()) end_of_input();
  if (wire_.answers()) update_deadline();
}

// Everything that came before the FIN has been read.
void HttpSession::end_of_input() {
  if (wire_.incoming().side().reading()) return refuse(400, "the client ended in the middle of it");
  if (wire_.exchanges().empty()) finish(false);
}

void HttpSession::on_drained() {
  if (!wire_.answers()) return end_if_written();
  if (!wire_.exchanges().empty() && wire_.exchanges().front().answer.streamed())
    drained_stream(wire_.exchanges().front());
  update_deadline();
  resume_reading();
}

void HttpSession::on_gone() {
  asked_.reset();
  abandon_all();
  wire_.end();
}

void HttpSession::abandon_all() {
  wire_.exchanges().each([this](Exchange& exchange) {
    context_.guarded([&] {
      release(exchange, true);
      tell_observers(exchange);
    });
  });
  body_.reset();
}

// --- deadlines ----------------------------------------------------------------------------------

void HttpSession::update_deadline() {
  const std::int64_t now = context_.loop.now_ms();
  const Limits& limits = context_.limits;
  written_before_ = kNothingToWrite;
  if (connection_.stream().busy()) {
    written_before_ = connection_.stream().bytes_written();
    due_ = now + limits.write_timeout;
  } else if (asked_ != nullptr) {
    due_ = asked_->due;
  } else if (wire_.incoming().side().reading() && may_read()) {
    due_ = now + limits.body_timeout;
  } else if (wire_.incoming().in_head()) {
    if (head_started_ == 0) head_started_ = now;
    due_ = head_started_ + limits.header_timeout;
  } else {
    due_ = now + waiting_time();
  }
  connection_.set_deadline(due_);
}

// Until the next look at a connection on which the application, or nothing, is due. One that is not
// read from does not tell by itself that its peer has reset it.
std::int64_t HttpSession::waiting_time() const {
  const std::int64_t idle = context_.limits.idle_timeout;
  return connection_.stream().reading() ? idle : std::min(idle, kPeerCheck);
}

void HttpSession::on_deadline() {
  const std::int64_t now = context_.loop.now_ms();
  if (now < due_) return connection_.set_deadline(due_);
  net::Transport& stream = connection_.stream();
  if (stream.busy()) {
    if (stream.bytes_written() == written_before_) {
      context_.counters.timed_out.add();
      return connection_.reset();
    }
    written_before_ = stream.bytes_written();
    due_ = now + context_.limits.write_timeout;
    return connection_.set_deadline(due_);
  }
  written_before_ = kNothingToWrite;
  if (!wire_.answers()) return connection_.close();
  if (!stream.reading() && stream.peer_gone()) return connection_.close();
  if (asked_ != nullptr) return give_up_websocket();
  const bool body_due = wire_.incoming().side().reading() && may_read();
  const bool head_due = wire_.parses() && wire_.incoming().in_head();
  if (body_due || head_due) {
    context_.counters.timed_out.add();
    refuse(408, body_due ? "its body did not come in time" : "its head did not come in time");
  } else if (wire_.exchanges().empty() && wire_.incoming().state() == http::RequestState::kNone) {
    connection_.close();
  } else {
    due_ = now + waiting_time();  // the application's turn: no hurry
    connection_.set_deadline(due_);
  }
}

}  // namespace httpuv::server
