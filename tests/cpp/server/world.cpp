#include "world.h"

#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <stdexcept>

#include "base/spare_strings.h"
#include "files/routes/route_table.h"
#include "server/commands.h"
#include "server/connection/turn.h"
#include "server/http/http_session.h"
#include "server/proxy_session.h"
#include "server/websocket/websocket_session.h"

namespace httpuv::server::test {

// --- the loop -----------------------------------------------------------------------------------

void FakeReactor::work_on_disk(std::uint64_t, std::function<void()> job, Done done) {
  const auto once = [job = std::move(job)] {
    job();
    return false;
  };
  jobs_.push_back({once, std::move(done)});
}

void FakeReactor::compute(std::uint64_t, std::function<bool()> slice, Done done) {
  jobs_.push_back({std::move(slice), std::move(done)});
}

void FakeReactor::advance(std::int64_t ms) {
  now_ += ms;
  while (alarm_ && *alarm_ <= now_) {
    alarm_.reset();
    wheel_.advance(now_);
  }
}

bool FakeReactor::work_off() {
  if (jobs_.empty()) return false;
  const Job job = std::move(jobs_.front());
  jobs_.pop_front();
  while (job.job()) {
  }
  job.done(true);
  return true;
}

// --- the transport ------------------------------------------------------------------------------

int FakeTransport::write(std::string_view a, std::string_view b) {
  require(!peer_->closed, "a write to a connection that is closed");
  if (peer_->gone) peer_->failed = true;
  if (peer_->failed) return UV_EPIPE;
  require(!peer_->shut_down, "a write behind FIN");
  ++peer_->writes;
  peer_->waiting.append(a).append(b);
  move_on();
  return 0;
}

int FakeTransport::write_owned(std::string_view head, std::string&& body) {
  return write(head, body);
}

int FakeTransport::write_shared(std::string_view head, std::string_view body,
                                const std::shared_ptr<const void>&, std::size_t) {
  return write(head, body);
}

int FakeTransport::send_file(std::string_view head, net::FileRef file, std::uint64_t offset,
                             std::uint64_t length) {
  std::string content(static_cast<std::size_t>(length), '\0');
  const ssize_t count =
      ::pread(file.fd(), content.data(), content.size(), static_cast<off_t>(offset));
  if (count != static_cast<ssize_t>(length)) {
    peer_->failed = true;
    return UV_EOF;
  }
  return write(head, content);
}

void FakeTransport::move_on() {
  const std::size_t count = std::min(peer_->room, peer_->waiting.size());
  peer_->sent.append(peer_->waiting, 0, count);
  peer_->waiting.erase(0, count);
  if (peer_->room != SIZE_MAX) peer_->room -= count;
}

void FakeTransport::take(std::size_t bytes) {
  if (peer_->closed || peer_->gone) return;
  const bool was_busy = busy();
  if (peer_->room != SIZE_MAX) peer_->room = std::max(peer_->room + bytes, bytes);
  move_on();
  if (was_busy && !busy()) handler_->on_drained();
}

void FakeTransport::close() {
  if (peer_->closed) return;
  peer_->closed = true;
  reading_ = false;
  if (!peer_->waiting.empty()) peer_->was_reset = true;  // the rest is lost
}

void FakeTransport::reset() {
  if (peer_->closed) return;
  close();
  peer_->was_reset = true;
}

bool FakeTransport::deliver(std::size_t most) {
  if (!reading_ || peer_->closed) return false;
  if (peer_->gone) {
    reading_ = false;
    peer_->failed = true;
    handler_->on_error(UV_ECONNRESET);
    return true;
  }
  if (!peer_->inbox.empty()) {
    std::string own;
    std::span<char> place = handler_->read_into();
    if (place.empty()) {
      own.resize(std::min({most, peer_->inbox.size(), std::size_t{64} * 1024}));
      place = own;
    }
    const std::size_t size = peer_->inbox.copy(place.data(), std::min(most, place.size()));
    peer_->inbox.erase(0, size);
    handler_->on_data({place.data(), size});
    return true;
  }
  if (!peer_->fin || eof_) return false;
  reading_ = false;
  eof_ = true;
  handler_->on_eof();
  return true;
}

// --- the world ----------------------------------------------------------------------------------

World::World(Settings settings)
    : settings_(std::move(settings)),
      context_{reactor_, settings_, settings_.limits, metrics_, *budget_},
      files_(context_),
      publications_(context_),
      event_groups_(context_) {
  context_.observers.push_back(&meter_);
  context_.files = &files_;
  context_.gathered = &publications_;
  context_.event_groups = &event_groups_;
  context_.on_connection_closed = [] {};
  context_.clock.tick();
  context_.ws_options.max_message_bytes = settings_.limits.ws_max_message;
  id_ = context_.connections.reserve();
  auto transport = std::make_unique<FakeTransport>(peer_);
  transport_ = transport.get();
  auto connection = std::make_unique<Connection>(
      context_, id_, std::move(transport), Door{false, settings_.proxy_protocol},
      settings_.proxy_protocol ? make_protocol<ProxySession> : make_protocol<HttpSession>);
  Connection& opened = *connection;
  transport_->set_handler(&opened);
  context_.connections.put(id_, std::move(connection));
  counters_.connections.add();
  opened.start();
}

// Jobs that wait may refer to what is destroyed.
World::~World() {
  try {
    if (open()) close();
    while (reactor_.work_off()) turn();
  } catch (const std::logic_error&) {
    // It was reported where it happened, or the test has failed already.
  }
}

void World::turn() {
  reactor_.run_turns();
  files_.end_turn();
  publications_.send();
  write_out(context_);
  while (!context_.events.empty()) {
    std::vector<Event> events = std::exchange(context_.events, {});
    for (Event& event : events) hear(std::move(event));
  }
  if (peer_->closed && transport_ != nullptr) {
    FakeTransport& transport = *std::exchange(transport_, nullptr);
    transport.finish_closing();
    turn();
  }
}

// Until nothing happens by itself any more.
void World::settle() {
  turn();
  while (transport_ != nullptr && transport_->deliver(piece_)) turn();
  check();
}

void World::receive(std::string_view bytes, std::size_t piece) {
  piece_ = std::max<std::size_t>(piece, 1);
  if (!peer_->fin && !peer_->gone) peer_->inbox.append(bytes);
  settle();
}

void World::half_close() {
  peer_->fin = true;
  settle();
}

void World::vanish() {
  peer_->gone = true;
  peer_->inbox.clear();
  settle();
}

void World::set_room(std::size_t bytes) {
  peer_->room = bytes;
}

void World::take(std::size_t bytes) {
  if (transport_ != nullptr) transport_->take(bytes);
  settle();
}

void World::advance(std::int64_t ms) {
  reactor_.advance(ms);
  settle();
}

void World::work_off() {
  while (reactor_.work_off()) settle();
}

void World::command(Command&& command) {
  if (!std::holds_alternative<Publish>(command)) publications_.send();
  carry_out(context_, publications_, std::move(command));
  settle();
}

void World::drain() {
  context_.draining = true;
  context_.connections.each([](Connection& connection) { connection.drain(); });
  settle();
}

void World::close() {
  hard_ = true;
  context_.connections.each([](Connection& connection) { connection.close(); });
  settle();
  work_off();  // what a job holds counts until it has ended
  require(!open(), "a connection that does not close");
  require(counters_.in_flight.get() == 0, "requests are still counted as under way");
  require(budget_->memory() == 0, "bytes in memory are still charged");
  require(budget_->disk() == 0, "bytes on disk are still charged");
  require(counters_.connections.get() == 0, "connections are still counted as open");
  for (const Asked& each : asked_) {
    require(false, "the application was not told that its exchange is over: " + each.target);
  }
  require(!reader_.upgraded() || websocket_closed_, "the application was not told of a Close");
}

// --- the application ----------------------------------------------------------------------------

http::ResponseHead World::head_for(const Asked& request, int status) const {
  http::ResponseHead head;
  head.status = status;
  head.add("X-Sequence", std::to_string(request.id.sequence));
  if (request.is_head) head.add("X-Head", "1");
  return head;
}

void World::forget(ExchangeId id) {
  std::erase_if(asked_, [&](const Asked& each) { return each.id == id; });
}

void World::respond(Asked& request, int status, std::string body,
                    const std::vector<std::pair<std::string, std::string>>& fields) {
  Respond answer{std::make_unique<Envelope>()};
  answer.envelope->id = request.id;
  answer.envelope->head = head_for(request, status);
  for (const auto& [name, value] : fields) {
    require(answer.envelope->head.add(name, value) == http::HeaderError::kNone, "a bad field");
  }
  const bool no_content = http::content_forbidden(status) || request.is_head;
  expected_[request.id.sequence] = {no_content ? "" : body, true};
  answer.envelope->answer = std::move(body);
  forget(request.id);
  command(std::move(answer));
}

void World::start_stream(Asked& request, int status, std::optional<std::uint64_t> length) {
  expected_[request.id.sequence] = {};
  request.streaming = true;
  command(StreamHead{request.id, head_for(request, status), length});
}

void World::start_stream_with(Asked& request, int status, std::string_view piece) {
  expected_[request.id.sequence].body = piece;
  request.streaming = true;
  carry_out(context_, publications_, StreamHead{request.id, head_for(request, status), {}});
  command(StreamData{request.id, std::string(piece), true});
}

void World::stream(Asked& request, std::string_view bytes, bool acknowledge) {
  expected_[request.id.sequence].body.append(bytes);
  std::string piece;  // as Python's are made
  if (base::SpareStrings::serves(bytes.size())) piece = base::spare_strings().take();
  piece.assign(bytes);
  command(StreamData{request.id, std::move(piece), acknowledge});
}

void World::end_stream(Asked& request) {
  expected_[request.id.sequence].ended = true;
  const ExchangeId id = request.id;
  forget(id);
  command(StreamEnd{id});
}

void World::cut(Asked& request) {
  const ExchangeId id = request.id;
  expected_.erase(id.sequence);
  forget(id);
  command(Cut{id});
}

void World::go_on(Asked& request) {
  request.headers_only = false;
  request.waits = !request.in_pieces;
  const ExchangeId id = request.id;
  command(Continue{id});
}

void World::consume(Asked& request) {
  const std::size_t bytes = std::exchange(request.pieces, 0);
  command(BodyConsumed{request.id, bytes});
}

void World::accept(Asked& request) {
  const ExchangeId id = request.id;
  forget(id);
  websocket_open_ = true;
  command(WsAccept{id, {}, {}});
}

bool World::is_present(const Asked& request) {
  IsPresent question{request.id, {}};
  std::future<bool> answer = question.answer.get_future();
  command(std::move(question));
  return answer.get();
}

void World::consume_messages() {
  command(WsConsumed{id_, std::exchange(unread_, 0)});
}

void World::hear(Event&& event) {
  if (auto* request = std::get_if<RequestEvent>(&event)) {
    Envelope& envelope = *request->envelope;
    const http::RequestHead& head = envelope.request;
    const auto known = std::find_if(asked_.begin(), asked_.end(),
                                    [&](const Asked& each) { return each.id == envelope.id; });
    require((known != asked_.end()) == envelope.resumed, "asked twice about one request");
    Asked fresh;
    Asked& asked = envelope.resumed ? *known : fresh;
    asked.id = envelope.id;
    asked.headers_only = envelope.headers_only;
    asked.waits = false;
    asked.body = envelope.body.bytes;
    if (!envelope.resumed) {
      asked.is_head = head.is_head;
      asked.in_pieces = envelope.headers_only && settings_.abilities.stream_body &&
                        settings_.abilities.call && head.has_body();
      asked.method = head.view(head.method);
      asked.target = head.view(head.target);
      asked.client = envelope.remote_address;
      asked.https = envelope.https;
      asked.host = head.get(http::Field::kHost);
      told_.emplace_back("request");
      asked_.push_back(std::move(fresh));
    } else {
      told_.emplace_back("body");
    }
  } else if (auto* body = std::get_if<BodyEvent>(&event)) {
    for (Asked& each : asked_) {
      if (each.id != body->id) continue;
      require(!each.body_ended, "a piece of a body behind its end");
      each.body.append(body->bytes);
      each.pieces += body->bytes.size();
      each.body_ended = body->last;
    }
    told_.emplace_back("piece");
  } else if (auto* abandoned = std::get_if<AbandonedEvent>(&event)) {
    told_.emplace_back("abandoned");
    expected_.erase(abandoned->id.sequence);
    forget(abandoned->id);
  } else if (auto* taken = std::get_if<StreamTakenEvent>(&event)) {
    acknowledged_ = taken->total;
    told_.emplace_back("taken");
  } else if (auto* opened = std::get_if<WsOpenEvent>(&event)) {
    require(!websocket_open_ && !websocket_closed_, "a second WebSocket");
    told_.emplace_back("open");
    forget(opened->request->id);  // its head may have been announced
    if (opened->waiting) {
      Asked asked;
      asked.id = opened->request->id;
      asked.websocket = true;
      asked_.push_back(std::move(asked));
    } else {
      websocket_open_ = true;
    }
  } else if (auto* message = std::get_if<WsMessageEvent>(&event)) {
    require(websocket_open_ && !websocket_closed_, "a message of a socket that is not open");
    unread_ += cost_of(*message);
    told_.emplace_back("message");
  } else if (std::holds_alternative<WsCloseEvent>(event)) {
    require(websocket_open_, "a Close of a socket that was not open");
    require(!std::exchange(websocket_closed_, true), "a second Close");
    told_.emplace_back("close");
  } else if (std::holds_alternative<WsLastEvent>(event)) {
    told_.emplace_back("last");
    carry_out(context_, publications_, WsConclude{id_});
    write_out(context_);
  } else if (std::holds_alternative<NoticeEvent>(event)) {
    told_.emplace_back("notice");
  } else {
    told_.emplace_back("other");
  }
}

void World::check() {
  reader_.read(peer_->sent, peer_->ended() || peer_->gone);
  check_answers();
  if (peer_->clean() && !hard_) {
    for (const ReadAnswer& each : answers()) {
      require(each.complete, "an answer that is not complete, though the connection ended well");
    }
  }
}

void World::check_answers() {
  for (; checked_ < answers().size(); ++checked_) {
    const ReadAnswer& answer = answers()[checked_];
    const auto text = answer.field("x-sequence");
    if (!text) continue;
    const auto sequence = static_cast<std::uint32_t>(std::stoul(*text));
    require(!last_sequence_ || sequence > *last_sequence_, "answers out of order");
    last_sequence_ = sequence;
    const auto expected = expected_.find(sequence);
    if (expected == expected_.end()) {
      require(!answer.complete || answer.field("x-head") || !answer.field("transfer-encoding") ||
                  peer_->ended(),
              "a complete answer that was not given");
      continue;
    }
    if (answer.complete && !answer.field("x-head")) {
      if (answer.field("content-length") || answer.field("transfer-encoding")) {
        require(expected->second.ended || answer.field("content-length"),
                "an end that the application did not give");
        require(answer.body == expected->second.body, "another body than was given");
      } else {
        require(expected->second.body.starts_with(answer.body), "another body than was given");
      }
    }
    if (!answer.complete) {
      require(expected->second.body.starts_with(answer.body), "another body than was given");
    }
  }
}

}  // namespace httpuv::server::test
