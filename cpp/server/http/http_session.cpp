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

// The rest of a request that was answered early is read and dropped up to this size; beyond that it
// is cheaper for both sides to end the connection.
constexpr std::uint64_t kMaxDiscard = 256 * 1024;

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
    : context_(context), connection_(connection), parser_(&context.limits.request) {}

HttpSession::~HttpSession() = default;

void HttpSession::start() {
  connection_.stream().charge_to(context_.budget, Budget::kind_of(Held::kAnswers));
  due_ = context_.loop.now_ms() + context_.limits.header_timeout;
  connection_.set_deadline(due_);
  connection_.stream().start_reading();
}

// --- reading ------------------------------------------------------------------------------------

void HttpSession::on_data(std::string_view bytes) {
  if (state_ == State::kLingering) {
    due_ = std::min(context_.loop.now_ms() + linger_time(), linger_until_);
    connection_.set_deadline(due_);
    return;
  }
  if (state_ != State::kOpen || refused_) return;
  if (held_.empty()) {
    read(bytes);
  } else {
    held_.append(bytes);
    count_input();
    resume_reading();
  }
}

bool HttpSession::may_read() const {
  if (state_ != State::kOpen || refused_ || request_.held()) return false;
  if (upgrade_ == Upgrade::kWaiting || upgrade_ == Upgrade::kAsked) return false;
  if (request_.reading()) return !body_paused_ && (body_ == nullptr || !body_->full());
  if (body_ != nullptr) return false;  // the last request's body is still on its way to the disk
  return exchanges_.size() < context_.limits.max_pipelined && may_ask_more();
}

// The answers that wait and those that are likely to come are few: another request may be read.
bool HttpSession::may_ask_more() const {
  const std::uint64_t waiting = connection_.stream().queued() + answers_held_;
  if (pending_ == 0) return waiting < kMaxQueued;
  return waiting + (pending_ + 1) * context_.answer_size.expected() <= kMaxQueued;
}

void HttpSession::read(std::string_view input) {
  in_read_ = true;
  bool hungry = false;
  while (!hungry && may_read()) {
    if (parser_.idle() && !input.empty()) parser_.lend(context_.envelopes.take_head());
    switch (parser_.next(input)) {
      case http::ParseEvent::kNeedMore:
        hungry = true;
        break;
      case http::ParseEvent::kHead:
        on_head();
        break;
      case http::ParseEvent::kBody:
        on_body(parser_.body());
        break;
      case http::ParseEvent::kEnd:
        on_request_end();
        break;
      case http::ParseEvent::kError:
        refuse(parser_.error_status(), parser_.error_reason());
        break;
    }
  }
  in_read_ = false;
  if (state_ == State::kUpgraded) {
    connection_.become(std::move(upgraded_), input);
  } else if (state_ == State::kOpen && !refused_) {
    held_.assign(input);
    if (!held_.empty()) connection_.stream().stop_reading();
    count_input();
    if (state_ == State::kOpen && !refused_) update_deadline();
  }
}

// What was read and is not a request yet: input that has to wait, a head that is not complete.
void HttpSession::count_input() {
  const std::size_t bytes = held_.size() + parser_.held();
  if (bytes == input_.bytes()) return;
  if (bytes > input_.bytes() && !context_.budget.fits(bytes - input_.bytes()) &&
      parser_.held() > 0) {
    context_.counters.overloaded.add();
    return refuse(503, "the memory of the server is used up");
  }
  if (input_.bytes() == 0) input_ = context_.budget.charge(Held::kHeads);
  input_.resize(bytes);
}

void HttpSession::resume_reading() {
  if (in_read_ || !may_read() || connection_.closing()) return;
  if (!held_.empty() || request_.reading()) {
    const std::string input = std::exchange(held_, {});
    read(input);
  }
  if (state_ != State::kOpen || refused_ || !held_.empty()) return;
  if (eof_) {
    end_of_input();
  } else {
    connection_.stream().start_reading();
  }
}

bool HttpSession::present(std::uint32_t sequence) {
  if (exchanges_.find(sequence) == nullptr) return false;
  if (!connection_.stream().peer_gone()) return true;
  connection_.fail();
  return false;
}

HttpSession::Exchange* HttpSession::current() {
  return exchanges_.find(current_);
}

void HttpSession::on_head() {
  head_ = parser_.take_head();
  head_started_ = 0;
  request_.on(http::RequestEvent::kHead);
  streams_body_ = false;
  upgrade_ = Upgrade::kNone;
  context_.counters.requests.add();

  Exchange& exchange = exchanges_.open();
  observe(exchange, http::first_line(head_.bytes), 0);
  exchange.observed.https = connection_.stream().tls() != nullptr;
  exchange.observed.method = method_of(head_.view(head_.method));
  believe_proxy(exchange);
  if (RequestText* const text = exchange.observed.text.get()) {
    text->referer = head_.get(http::Field::kReferer);
    text->user_agent = head_.get(http::Field::kUserAgent);
    text->host = head_.get(http::Field::kHost);
    text->request_id = head_.get(http::Field::kXRequestId);
    text->trace_id = trace_id_of(head_.get(http::Field::kTraceparent));
  }
  current_ = exchange.sequence;
  exchange.minor_version = head_.minor_version;
  exchange.is_head = head_.is_head;
  exchange.keep_alive = head_.keep_alive;
  exchange.continue_pending = head_.expects_continue && head_.has_body();
  body_is_long_ = head_.chunked || (head_.content_length && *head_.content_length > kMaxDiscard);
  if (head_.has_body()) {
    body_ = std::make_unique<BodyCollector>(
        context_.loop, context_.budget, context_.spool_folder, context_.limits.body_memory_bytes,
        [this] { connection_.guarded([this] { on_body_progress(); }); });
  }
  route(exchange);
}

void HttpSession::on_body(std::string_view bytes) {
  if (request_.dropping()) return;
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
  } else if (!request_.reading() && body_->finished()) {
    request_complete();
  }
  resume_reading();
}

void HttpSession::on_request_end() {
  const bool dropped = request_.dropping();
  request_.on(http::RequestEvent::kEnd);
  if (dropped) {
    body_.reset();
    return;
  }
  if (streams_body_) {
    request_.on(http::RequestEvent::kStored);
    return pass_on({}, true);
  }
  if (body_ != nullptr) {
    body_->end();
    if (!body_->finished()) return;  // on_body_progress() goes on
  }
  request_complete();
}

void HttpSession::request_complete() {
  request_.on(http::RequestEvent::kStored);
  Exchange* exchange = current();
  if (exchange == nullptr || exchange->answer.given()) {
    body_.reset();
    return;
  }
  exchange->continue_pending = false;
  if (upgrade_ == Upgrade::kWanted) return upgrade_to_websocket(*exchange);
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
  to_application(*exchange, std::move(head_), std::move(body), false);
}

// For the log and the metrics.
void HttpSession::tell_refused(int status, std::string_view reason) {
  context_.refusals.tell(context_, connection_, status, reason);
}

void HttpSession::refuse(int status, std::string_view reason) {
  refused_ = true;
  held_.clear();
  input_ = {};
  context_.counters.refused.add();
  tell_refused(status, reason);
  // The request being read gets the answer; without one (its head is what was broken) a new
  // exchange does, so that requests before it are answered first.
  const bool of_a_request = request_.reading() || body_ != nullptr;
  Exchange* exchange = of_a_request ? current() : &exchanges_.open();
  if (!of_a_request) {
    const std::int64_t since = head_started_ == 0 ? context_.loop.now_ms() : head_started_;
    observe(*exchange, parser_.read_line(), context_.loop.now_ms() - since);
  }
  request_.on(http::RequestEvent::kRefused);
  body_.reset();
  if (exchange != nullptr && exchange->answer.begun()) {
    connection_.reset();  // a part of the answer has left: the client must see that it is cut
  } else if (exchange != nullptr && !exchange->answer.given()) {
    release(*exchange, true);
    exchange->parked.reset();
    exchange->answer.on(http::AnswerEvent::kWithdraw);
    exchange->keep_alive = false;
    answer_plain(*exchange, status);
  } else if (exchanges_.empty()) {
    finish(true);
  } else {
    exchanges_.back().keep_alive = false;
  }
}

// --- ending -------------------------------------------------------------------------------------

void HttpSession::finish(bool linger) {
  if (state_ != State::kOpen) return;
  abandon_all();
  held_.clear();
  input_ = {};
  state_ = linger && !eof_ ? State::kLingering : State::kFinishing;
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
  if (state_ == State::kFinishing || eof_) {
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
  if (state_ != State::kOpen || !exchanges_.empty() || request_.reading() || !parser_.idle())
    return;
  // It idles. Deadlines are looked at after reading: a request that has come already is answered.
  const std::int64_t now = context_.loop.now_ms();
  if (!exchanges_.used()) {
    due_ = std::min(due_, now + kFirstByte);
  } else {
    const bool lately = now - (due_ - context_.limits.idle_timeout) < kLately;
    due_ = lately ? std::min(due_, now + kLately) : now;
  }
  connection_.set_deadline(due_);
}

std::optional<std::int64_t> HttpSession::idle_since() const {
  const bool idle = state_ == State::kOpen && exchanges_.empty() && body_ == nullptr &&
                    !request_.reading() && !refused_ && !eof_ && held_.empty() && parser_.idle() &&
                    !connection_.stream().busy();
  if (!idle) return {};
  if (exchanges_.used()) return due_ - context_.limits.idle_timeout;
  // One that was just accepted: its first request may be on its way.
  const std::int64_t since = due_ - context_.limits.header_timeout;
  if (context_.loop.now_ms() - since < kFirstRequestMs) return {};
  return since;
}

ConnectionState HttpSession::state() const {
  if (connection_.stream().busy()) return ConnectionState::kWriting;
  if (state_ != State::kOpen) return ConnectionState::kClosing;
  if (request_.reading() || !parser_.idle()) return ConnectionState::kReading;
  return exchanges_.empty() ? ConnectionState::kIdle : ConnectionState::kWaiting;
}

void HttpSession::on_eof() {
  eof_ = true;
  if (state_ != State::kOpen) return end_if_written();
  if (may_read() && held_.empty()) end_of_input();
  if (state_ == State::kOpen) update_deadline();
}

// Everything that came before the FIN has been read.
void HttpSession::end_of_input() {
  if (request_.reading()) return refuse(400, "the client ended in the middle of it");
  if (exchanges_.empty()) finish(false);
}

void HttpSession::on_drained() {
  if (state_ != State::kOpen) return end_if_written();
  if (!exchanges_.empty() && exchanges_.front().answer.streamed())
    drained_stream(exchanges_.front());
  update_deadline();
  resume_reading();
}

void HttpSession::on_gone() {
  asked_.reset();
  abandon_all();
  refused_ = true;
}

void HttpSession::abandon_all() {
  exchanges_.each([this](Exchange& exchange) {
    context_.guarded([&] {
      release(exchange, true);
      tell_observers(exchange);
    });
  });
  exchanges_.clear();
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
  } else if (request_.reading() && may_read()) {
    due_ = now + limits.body_timeout;
  } else if (!request_.reading() && !parser_.idle()) {
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
  if (state_ != State::kOpen) return connection_.close();
  if (!stream.reading() && stream.peer_gone()) return connection_.close();
  if (asked_ != nullptr) return give_up_websocket();
  const bool body_due = request_.reading() && may_read();
  const bool head_due = !request_.reading() && !parser_.idle() && !refused_;
  if (body_due || head_due) {
    context_.counters.timed_out.add();
    refuse(408, body_due ? "its body did not come in time" : "its head did not come in time");
  } else if (exchanges_.empty() && body_ == nullptr && !request_.reading()) {
    connection_.close();
  } else {
    due_ = now + waiting_time();  // the application's turn: no hurry
    connection_.set_deadline(due_);
  }
}

}  // namespace httpuv::server
