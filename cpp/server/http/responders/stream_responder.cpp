#include "server/http/responders/stream_responder.h"

#include <utility>

#include "base/spare_strings.h"
#include "http/message/chunked.h"
#include "http/message/content_coding.h"
#include "server/connection/connection.h"
#include "server/http/exchange/answer_coding.h"
#include "server/http/exchange/observing.h"
#include "server/http/exchange/parked.h"
#include "server/http/http_session.h"

namespace httpuv::server {

namespace {

// Longer pieces are sent from where they are, instead of being gathered with others.
constexpr std::size_t kGatherPiece = 16 * 1024;

// Up to here a piece of a stream is coded at once (a tenth of a millisecond or less).
constexpr std::size_t kCodeHere = 8 * 1024;

// More than Content-Length: the excess would look like the next answer.
bool exceeds(const Streamed& stream) {
  return stream.length && !stream.bodiless && stream.total > *stream.length;
}

// The topic of a broker that has to be asked for first, if there is one.
Topic* waits_for(Topics& topics, FeedRequest& request) {
  for (const std::string& each : request.topics) {
    Topic& topic = topics.open(each);
    if (!topic.loaded()) return &topic;
  }
  if (request.asked) return nullptr;
  const auto known = parse_positions(request.last_event_id, request.topics.size());
  if (!known || known->size() != request.topics.size()) return nullptr;
  for (std::size_t i = 0; i < known->size(); ++i) {
    Topic& topic = topics.open(request.topics[i]);
    if (!topic.is_behind((*known)[i])) continue;
    request.asked = true;
    return &topic;
  }
  return nullptr;
}

Streamed& stream_of(Exchange& exchange) {
  return *parked<Streamed>(exchange);
}

// Begins a chunk; its bytes are written from where they are. False: the stream has no chunks.
bool begin_chunk(HttpSession& http, const Streamed& stream, std::uint64_t size) {
  if (stream.framing != http::Framing::kChunked) return false;
  char prefix[http::kMaxChunkPrefix];
  http.context().outbox.open(http.connection()).append(prefix, http::chunk_prefix(prefix, size));
  return true;
}

// The kernel has taken what the application has asked about.
void tell_taken(HttpSession& http, Exchange& exchange) {
  http.context().events.emplace_back(
      StreamTakenEvent{{http.connection().id(), exchange.sequence},
                       std::exchange(stream_of(exchange).acknowledged, 0)});
}

}  // namespace

// The exchange, if its answer is a stream.
Exchange* StreamResponder::find(std::uint32_t sequence) {
  Exchange* const exchange = http_.wire().exchanges().find(sequence);
  return exchange != nullptr && parked<Streamed>(*exchange) != nullptr ? exchange : nullptr;
}

bool StreamResponder::is_turn(const Exchange& exchange) {
  return http_.wire().exchanges().is_front(exchange);
}

std::string& StreamResponder::out() {
  return http_.context().outbox.open(http_.connection());
}

// --- commands -----------------------------------------------------------------------------------

void StreamResponder::head(StreamHead&& command) {
  const std::uint32_t sequence = command.id.sequence;
  Exchange* const exchange = http_.wire().exchanges().find(sequence);
  if (exchange == nullptr || exchange->answer.state() != http::AnswerState::kAsked) return;
  http_.upgrade().decided(*exchange);
  if (command.as_is) exchange->negotiated = false;
  exchange->observed.by = AnsweredBy::kApplication;
  // It may still want the body that it is streamed.
  if (!http_.requests().streams_body(*exchange)) http_.requests().not_wanted(*exchange);
  exchange->answer.on(http::AnswerEvent::kStream);
  auto& stream = park<Streamed>(*exchange);
  stream.head = std::move(command.head);
  stream.length = command.length;
  stream.charge = http_.answers().charge();
  if (command.filler) {
    stream.silence = std::make_unique<Silence>(http_, sequence, std::move(*command.filler));
  }
  if (is_turn(*exchange)) begin(*exchange);
}

void StreamResponder::data(std::uint32_t sequence, std::string&& bytes, bool wanted) {
  Exchange* const exchange = find(sequence);
  if (exchange == nullptr || stream_of(*exchange).ended) return;
  const Budget& budget = http_.context().budget;
  if (!is_turn(*exchange)) {
    if (budget.full()) return exhausted(*exchange);
    return stream_of(*exchange).keep(bytes, wanted);
  }
  if (http_.connection().stream().busy() && budget.full()) return exhausted(*exchange);
  write_piece(*exchange, std::move(bytes));
  if (wanted) acknowledge(*exchange);
}

void StreamResponder::file(std::uint32_t sequence, FileBody&& file) {
  Exchange* const exchange = find(sequence);
  if (exchange == nullptr || stream_of(*exchange).ended) return;
  if (is_turn(*exchange)) return write_file(*exchange, std::move(file));
  stream_of(*exchange).early.emplace_back(std::move(file));
}

// A thread of the application waits for the client.
void StreamResponder::room(std::uint32_t sequence, base::Promised<bool>&& answer) {
  Exchange* const exchange = find(sequence);
  const bool over = exchange == nullptr || stream_of(*exchange).ended;
  if (over || http_.connection().closing()) return answer.set_value(false);
  stream_of(*exchange).rooms.add(std::move(answer));
  if (is_turn(*exchange)) give_room(*exchange);
}

void StreamResponder::end(std::uint32_t sequence, std::string&& trailers) {
  Exchange* const exchange = find(sequence);
  if (exchange == nullptr || stream_of(*exchange).ended) return;
  Streamed& stream = stream_of(*exchange);
  stream.ended = true;
  stream.trailers = std::move(trailers);
  if (!is_turn(*exchange) || stream.coding()) return;
  finish(*exchange);
  http_.answers().next();
}

// --- its turn -----------------------------------------------------------------------------------

void StreamResponder::begin(Exchange& exchange) {
  Context& context = http_.context();
  Streamed& stream = stream_of(exchange);
  exchange.answer.on(http::AnswerEvent::kBegin);
  const bool coded = exchange.minor_version >= 1 && is_coded(exchange, stream.head, stream.length);
  if (coded) http::mark_coded(stream.head, "gzip");
  const http::Content content = http::content_of(
      stream.head, exchange.asked_by(), coded ? std::optional<std::uint64_t>() : stream.length);
  stream.bodiless = !content.sent;
  stream.framing = content.framing;
  if (coded && content.sent) stream.coder = std::make_shared<Coder>();
  if (content.framing == http::Framing::kUntilClose) exchange.keep_alive = false;
  exchange.keep_alive = http_.wire().keeps_alive(exchange, stream.head.close || context.draining);
  http::write_response_head(out(), stream.head, content.framing, content.length,
                            exchange.keep_alive, exchange.minor_version, context.clock.text());
  note_answer(exchange, stream.head.status, 0);
  if (stream.silence != nullptr && !stream.bodiless) stream.silence->broken(context.loop);
  for (auto& piece : std::exchange(stream.early, {})) {
    if (auto* const bytes = std::get_if<std::string>(&piece)) {
      write_piece(exchange, std::move(*bytes));
    } else {
      write_file(exchange, std::move(std::get<FileBody>(piece)));
    }
  }
  stream.early_bytes = 0;
  stream.count();
  if (stream.early_acknowledge) acknowledge(exchange);
  give_room(exchange);
  if (stream.ended && !stream.coding()) return finish(exchange);
  if (stream.feed != nullptr) begin_feed(exchange);
}

void StreamResponder::write_piece(Exchange& exchange, std::string&& bytes) {
  Connection& connection = http_.connection();
  Streamed& stream = stream_of(exchange);
  stream.total += bytes.size();
  if (exceeds(stream)) return connection.fail();
  if (stream.silence != nullptr) stream.silence->broken(http_.context().loop);
  const bool large = bytes.size() > kGatherPiece && !stream.bodiless && stream.coder == nullptr;
  if (!large) return send_piece(exchange, bytes);
  // From where it is, in one write with what is before it.
  exchange.observed.bytes += bytes.size();
  const bool chunked = begin_chunk(http_, stream, bytes.size());
  // In the same write as its end, where there is room for that: see SpareStrings.
  const bool whole = chunked && bytes.capacity() - bytes.size() >= http::kChunkEnd.size();
  if (whole) bytes.append(http::kChunkEnd);
  Outbox& outbox = http_.context().outbox;
  const std::string_view before = outbox.claim(connection);
  connection.write(before, std::move(bytes));
  outbox.done();
  base::spare_strings().give(std::move(bytes));  // it is still here if the socket took all
  if (chunked && !whole) out().append(http::kChunkEnd);
}

void StreamResponder::write_file(Exchange& exchange, FileBody&& file) {
  Connection& connection = http_.connection();
  Streamed& stream = stream_of(exchange);
  stream.total += file.length;
  if (exceeds(stream)) return connection.fail();
  if (stream.bodiless || file.length == 0) return;
  exchange.observed.bytes += file.length;
  const bool chunked = begin_chunk(http_, stream, file.length);
  http_.context().outbox.flush(connection);
  connection.send_file({}, net::FileRef::adopt(file.file.release(), file.device), file.offset,
                       file.length);
  if (chunked) out().append(http::kChunkEnd);
}

// The filler is sent, unless the client has not even read what was sent before.
void StreamResponder::fill(std::uint32_t sequence) {
  Exchange* const exchange = find(sequence);
  if (exchange == nullptr || stream_of(*exchange).ended || http_.connection().closing()) return;
  Silence& silence = *stream_of(*exchange).silence;
  if (!silence.over(http_.context().loop)) return;
  silence.broken(http_.context().loop);
  if (!http_.connection().stream().busy()) send_piece(*exchange, silence.filler());
}

void StreamResponder::send_piece(Exchange& exchange, std::string_view bytes) {
  Streamed& stream = stream_of(exchange);
  if (stream.bodiless || bytes.empty()) return;
  if (stream.coder == nullptr) return write_framed(exchange, bytes);
  stream.uncoded.append(bytes);
  code(exchange);
  stream.count();
}

void StreamResponder::write_framed(Exchange& exchange, std::string_view bytes) {
  exchange.observed.bytes += bytes.size();
  if (stream_of(exchange).framing == http::Framing::kChunked) {
    http::append_chunk(out(), bytes);
  } else {
    out().append(bytes);
  }
}

void StreamResponder::finish(Exchange& exchange) {
  Streamed& stream = stream_of(exchange);
  Connection& connection = http_.connection();
  http_.application().release(exchange, false);
  http_.requests().not_wanted(exchange);
  if (!stream.bodiless) {
    if (stream.length && stream.total != *stream.length) {
      return connection.reset();  // not what was promised: the client must see that
    }
    if (stream.coder != nullptr) {
      std::string last;
      if (!stream.coder->gzip.code({}, coding::GzipStream::Until::kEnd, last)) {
        return connection.reset();
      }
      write_framed(exchange, last);
    }
    if (stream.framing == http::Framing::kChunked) {
      if (stream.trailers.empty()) {
        out().append(http::kLastChunk);
      } else {
        out().append("0\r\n").append(stream.trailers).append(http::kChunkEnd);
      }
    }
  }
  http_.answers().close_front(exchange.keep_alive);
}

// --- what the client has taken ------------------------------------------------------------------

void StreamResponder::give_room(Exchange& exchange) {
  Streamed& stream = stream_of(exchange);
  // Without one that asks, nothing is written yet: the head and the first pieces leave together.
  if (stream.rooms.empty() || stream.coding()) return;  // coded() comes back
  http_.context().outbox.flush(http_.connection());
  if (!http_.connection().stream().busy()) stream.rooms.answer(!http_.connection().closing());
}

// Memory is used up, and this client is one of those that do not keep up.
void StreamResponder::exhausted(Exchange& exchange) {
  http_.context().counters.overloaded.add();
  http_.application().release(exchange, true);
  http_.connection().reset();
}

// Tells the application that the kernel has everything so far, now or when it has.
void StreamResponder::acknowledge(Exchange& exchange) {
  Connection& connection = http_.connection();
  Streamed& stream = stream_of(exchange);
  stream.acknowledged = stream.total;
  if (stream.coding()) return;  // coded() comes back
  http_.context().outbox.flush(connection);
  if (!connection.closing() && !connection.stream().busy()) tell_taken(http_, exchange);
}

void StreamResponder::drained(Exchange& exchange) {
  Streamed& stream = stream_of(exchange);
  give_room(exchange);
  if (stream.feed != nullptr) stream.feed->drained();
  if (stream.acknowledged != 0 && !stream.coding()) tell_taken(http_, exchange);
}

// --- coding -------------------------------------------------------------------------------------

// Codes what has gathered, so that the client can read every byte of it (a flush).
void StreamResponder::code(Exchange& exchange) {
  Streamed& stream = stream_of(exchange);
  if (stream.coder->busy || stream.uncoded.empty()) return;
  if (stream.uncoded.size() > kCodeHere) return code_in_lane(exchange);
  std::string coded;
  if (!stream.coder->gzip.code(stream.uncoded, coding::GzipStream::Until::kFlushed, coded)) {
    return http_.connection().fail();
  }
  stream.uncoded.clear();
  write_framed(exchange, coded);
}

void StreamResponder::code_in_lane(Exchange& exchange) {
  Context& context = http_.context();
  const std::shared_ptr<Coder>& coder = stream_of(exchange).coder;
  coder->busy = true;
  coder->plain.clear();
  coder->plain.swap(stream_of(exchange).uncoded);
  coder->coded.clear();
  coder->slices.emplace(coder->plain, coding::GzipStream::Until::kFlushed);
  auto charge = std::make_shared<base::Charge>(
      context.budget.charge(Held::kAnswers, 2 * coder->plain.size()));
  const ConnectionId id = http_.connection().id();
  context.loop.compute(
      lane_of(id), [coder] { return coder->slices->code(coder->gzip, coder->coded); },
      [&context, id, sequence = exchange.sequence, coder, charge](bool ran) {
        coder->busy = false;
        coder->failed = !ran || coder->slices->failed();
        *charge = {};
        with_http(context, id,
                  [&](HttpSession& session) { StreamResponder(session).coded(sequence, coder); });
      });
}

void StreamResponder::coded(std::uint32_t sequence, const std::shared_ptr<Coder>& coder) {
  Exchange* const exchange = find(sequence);
  if (exchange == nullptr) return;
  if (coder->failed) return http_.connection().fail();
  Streamed& stream = stream_of(*exchange);
  write_framed(*exchange, coder->coded);
  code(*exchange);
  stream.count();
  if (http_.connection().closing() || stream.coding()) return;
  if (stream.acknowledged != 0) acknowledge(*exchange);
  give_room(*exchange);
  if (http_.connection().closing() || !stream.ended) return;
  finish(*exchange);
  http_.answers().next();
}

// --- topics -------------------------------------------------------------------------------------

void StreamResponder::feed(Feed&& command) {
  Exchange* const exchange = find(command.id.sequence);
  if (exchange == nullptr || stream_of(*exchange).ended || stream_of(*exchange).length) return;
  Context& context = http_.context();
  if (context.settings.topics.brokered) {
    if (Topic* const topic = waits_for(context.topics, *command.request)) {
      return context.topics.park(*topic, std::move(command), context.connections);
    }
  }
  Streamed& stream = stream_of(*exchange);
  if (stream.feed != nullptr) return;
  http_.application().uncount();  // it does not make the rest
  stream.feed = std::make_unique<FeedPart>(http_, command.id.sequence, std::move(command.request));
  if (is_turn(*exchange)) begin_feed(*exchange);
}

void StreamResponder::begin_feed(Exchange& exchange) {
  if (!stream_of(exchange).bodiless) stream_of(exchange).feed->begin(*http_.context().event_groups);
}

void StreamResponder::fed(std::uint32_t sequence, const std::shared_ptr<const EventText>& text) {
  Exchange* const exchange = find(sequence);
  if (exchange == nullptr || stream_of(*exchange).ended || http_.connection().closing()) return;
  Context& context = http_.context();
  Streamed& stream = stream_of(*exchange);
  stream.total += text->plain().size();
  if (stream.silence != nullptr) stream.silence->broken(context.loop);
  if (stream.coder != nullptr) return send_piece(*exchange, text->plain());
  exchange->observed.bytes += text->plain().size();
  context.outbox.flush(http_.connection());
  const bool chunked = stream.framing == http::Framing::kChunked;
  http_.connection().write_shared({}, chunked ? text->chunk() : text->plain(), text);
}

}  // namespace httpuv::server
