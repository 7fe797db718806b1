// Answers with bodies in pieces: their framing, parking them until their turn, and the
// acknowledgements for the application.
#include <utility>

#include "http/chunked.h"
#include "http/content_coding.h"
#include "server/connection/connection.h"
#include "server/http/http_session.h"
#include "server/http/parked.h"

namespace httpuv::server {

namespace {

// Longer pieces are sent from where they are, instead of being gathered with others.
constexpr std::size_t kGatherPiece = 16 * 1024;

}  // namespace

// The exchange, if its answer is a stream.
Exchange* HttpSession::streamed(std::uint32_t sequence) {
  Exchange* const exchange = wire_.exchanges().find(sequence);
  if (exchange == nullptr || exchange->parked == nullptr || !exchange->parked->stream) {
    return nullptr;
  }
  return exchange;
}

// The same, if the application has not ended it.
Exchange* HttpSession::streaming(std::uint32_t sequence) {
  Exchange* const exchange = streamed(sequence);
  return exchange == nullptr || exchange->parked->stream->ended ? nullptr : exchange;
}

void HttpSession::stream_head(StreamHead&& command) {
  const std::uint32_t sequence = command.id.sequence;
  Exchange* const exchange = wire_.exchanges().find(sequence);
  if (exchange == nullptr || exchange->answer.state() != http::AnswerState::kAsked) return;
  websocket_decided(*exchange);
  if (command.as_is) exchange->negotiated = false;
  exchange->observed.by = AnsweredBy::kApplication;
  // It may still want the body that it is streamed.
  if (!streams_body_ || !wire_.is_current(*exchange)) not_wanted(*exchange);
  exchange->answer.on(http::AnswerEvent::kStream);
  exchange->parked = std::make_unique<Parked>();
  exchange->parked->stream = Streamed{};
  exchange->parked->stream->head = std::move(command.head);
  exchange->parked->stream->length = command.length;
  exchange->parked->stream->charge = context_.budget.charge(Held::kAnswers, 0, &answers_held_);
  if (command.filler) {
    exchange->parked->stream->silence =
        std::make_unique<Silence>(*this, sequence, std::move(*command.filler));
  }
  if (wire_.exchanges().is_front(*exchange)) start_stream(*exchange);
}

void HttpSession::start_stream(Exchange& exchange) {
  Streamed& stream = *exchange.parked->stream;
  exchange.answer.on(http::AnswerEvent::kBegin);
  const bool coded =
      exchange.minor_version >= 1 && negotiates(exchange, stream.head, stream.length);
  if (coded) http::mark_coded(stream.head, "gzip");
  const http::Content content = http::content_of(
      stream.head, exchange.asked_by(), coded ? std::optional<std::uint64_t>() : stream.length);
  stream.bodiless = !content.sent;
  stream.framing = content.framing;
  if (coded && content.sent) stream.coder = std::make_shared<Coder>();
  if (content.framing == http::Framing::kUntilClose) exchange.keep_alive = false;
  exchange.keep_alive = wire_.keeps_alive(exchange, stream.head.close || context_.draining);
  http::write_response_head(context_.outbox.open(connection_), stream.head, content.framing,
                            content.length, exchange.keep_alive, exchange.minor_version,
                            context_.clock.text());
  note_answer(exchange, stream.head.status, 0);
  if (stream.silence != nullptr && !stream.bodiless) stream.silence->broken(context_.loop);
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
  if (stream.ended && !stream.coding()) return end_stream(exchange);
  if (stream.feed != nullptr) begin_feed(exchange);
}

// More than Content-Length: the excess would look like the next answer.
bool HttpSession::exceeds(const Streamed& stream) {
  return stream.length && !stream.bodiless && stream.total > *stream.length;
}

void HttpSession::write_piece(Exchange& exchange, std::string&& bytes) {
  Streamed& stream = *exchange.parked->stream;
  stream.total += bytes.size();
  if (exceeds(stream)) return connection_.fail();
  if (stream.silence != nullptr) stream.silence->broken(context_.loop);
  const bool large = bytes.size() > kGatherPiece && !stream.bodiless && stream.coder == nullptr;
  if (!large) return send_piece(exchange, bytes);
  // From where it is, in one write with what is before it.
  exchange.observed.bytes += bytes.size();
  const bool chunked = stream.framing == http::Framing::kChunked;
  if (chunked) {
    char prefix[http::kMaxChunkPrefix];
    context_.outbox.open(connection_).append(prefix, http::chunk_prefix(prefix, bytes.size()));
  }
  const std::string_view before = context_.outbox.claim(connection_);
  connection_.write(before, std::move(bytes));
  context_.outbox.done();
  if (chunked) context_.outbox.open(connection_).append(http::kChunkEnd);
}

// Nothing was sent for a while: the filler is, unless the client has not even read what was.
void HttpSession::fill(std::uint32_t sequence) {
  Exchange* const exchange = streaming(sequence);
  if (exchange == nullptr || connection_.closing()) return;
  Silence& silence = *exchange->parked->stream->silence;
  if (!silence.over(context_.loop)) return;
  silence.broken(context_.loop);
  if (!connection_.stream().busy()) send_piece(*exchange, silence.filler());
}

void HttpSession::send_piece(Exchange& exchange, std::string_view bytes) {
  Streamed& stream = *exchange.parked->stream;
  if (stream.bodiless || bytes.empty()) return;
  if (stream.coder == nullptr) return write_framed(exchange, bytes);
  stream.uncoded.append(bytes);
  code_piece(exchange);
  stream.count();
}

void HttpSession::write_framed(Exchange& exchange, std::string_view bytes) {
  exchange.observed.bytes += bytes.size();
  std::string& out = context_.outbox.open(connection_);
  if (exchange.parked->stream->framing == http::Framing::kChunked) {
    http::append_chunk(out, bytes);
  } else {
    out.append(bytes);
  }
}

void HttpSession::stream_data(std::uint32_t sequence, std::string&& bytes, bool wanted) {
  Exchange* const exchange = streaming(sequence);
  if (exchange == nullptr) return;
  Streamed& stream = *exchange->parked->stream;
  if (!wire_.exchanges().is_front(*exchange)) {
    if (context_.budget.full()) return exhausted(*exchange);
    if (stream.early.empty() || !std::holds_alternative<std::string>(stream.early.back())) {
      stream.early.emplace_back(std::string());
    }
    std::get<std::string>(stream.early.back()).append(bytes);
    stream.early_bytes += bytes.size();
    stream.early_acknowledge |= wanted;
    stream.count();
    return;
  }
  if (connection_.stream().busy() && context_.budget.full()) return exhausted(*exchange);
  write_piece(*exchange, std::move(bytes));
  if (wanted) acknowledge(*exchange);
}

void HttpSession::stream_file(std::uint32_t sequence, FileBody&& file) {
  Exchange* const exchange = streaming(sequence);
  if (exchange == nullptr) return;
  if (wire_.exchanges().is_front(*exchange)) return write_file(*exchange, std::move(file));
  exchange->parked->stream->early.emplace_back(std::move(file));
}

void HttpSession::write_file(Exchange& exchange, FileBody&& file) {
  Streamed& stream = *exchange.parked->stream;
  stream.total += file.length;
  if (exceeds(stream)) return connection_.fail();
  if (stream.bodiless || file.length == 0) return;
  exchange.observed.bytes += file.length;
  const bool chunked = stream.framing == http::Framing::kChunked;
  if (chunked) {
    char prefix[http::kMaxChunkPrefix];
    context_.outbox.open(connection_).append(prefix, http::chunk_prefix(prefix, file.length));
  }
  context_.outbox.flush(connection_);
  connection_.send_file({}, net::FileRef::adopt(file.file.release(), file.device), file.offset,
                        file.length);
  if (chunked) context_.outbox.open(connection_).append(http::kChunkEnd);
}

// A thread of the application waits for the client.
void HttpSession::stream_room(std::uint32_t sequence, base::Promised<bool>&& answer) {
  Exchange* const exchange = streaming(sequence);
  if (exchange == nullptr || connection_.closing()) return answer.set_value(false);
  exchange->parked->stream->rooms.add(std::move(answer));
  if (wire_.exchanges().is_front(*exchange)) give_room(*exchange);
}

void HttpSession::give_room(Exchange& exchange) {
  Streamed& stream = *exchange.parked->stream;
  if (stream.coding()) return;  // piece_coded() comes back
  context_.outbox.flush(connection_);
  if (!connection_.stream().busy()) stream.rooms.answer(!connection_.closing());
}

// Informational answers belong in front of the one that counts (RFC 9110 section 15.2).
void HttpSession::inform(std::uint32_t sequence, const http::ResponseHead& head) {
  Exchange* const exchange = wire_.exchanges().find(sequence);
  if (exchange == nullptr || exchange->answer.state() != http::AnswerState::kAsked) return;
  if (!wire_.exchanges().is_front(*exchange) || exchange->minor_version == 0) return;
  http::write_response_head(context_.outbox.open(connection_), head, http::Framing::kNoBody, 0,
                            true, exchange->minor_version, {});
}

// Memory is used up, and this client is one of those that do not keep up.
void HttpSession::exhausted(Exchange& exchange) {
  context_.counters.overloaded.add();
  release(exchange, true);
  connection_.reset();
}

// Tells the application that the kernel has everything so far, now or when it has.
void HttpSession::acknowledge(Exchange& exchange) {
  Streamed& stream = *exchange.parked->stream;
  stream.acknowledged = stream.total;
  if (stream.coding()) return;  // piece_coded() comes back
  context_.outbox.flush(connection_);
  if (!connection_.closing() && !connection_.stream().busy()) {
    context_.events.emplace_back(StreamTakenEvent{{connection_.id(), exchange.sequence},
                                                  std::exchange(stream.acknowledged, 0)});
  }
}

void HttpSession::drained_stream(Exchange& exchange) {
  Streamed& stream = *exchange.parked->stream;
  give_room(exchange);
  if (stream.feed != nullptr && stream.feed->feed != nullptr) stream.feed->feed->drained();
  if (stream.acknowledged == 0 || stream.coding()) return;
  context_.events.emplace_back(StreamTakenEvent{{connection_.id(), exchange.sequence},
                                                std::exchange(stream.acknowledged, 0)});
}

void HttpSession::stream_end(std::uint32_t sequence, std::string&& trailers) {
  Exchange* const exchange = streaming(sequence);
  if (exchange == nullptr) return;
  Streamed& stream = *exchange->parked->stream;
  stream.ended = true;
  stream.trailers = std::move(trailers);
  if (wire_.exchanges().is_front(*exchange) && !stream.coding()) {
    end_stream(*exchange);
    next_answers();
  }
}

void HttpSession::end_stream(Exchange& exchange) {
  Streamed& stream = *exchange.parked->stream;
  release(exchange, false);
  not_wanted(exchange);
  if (!stream.bodiless) {
    if (stream.length && stream.total != *stream.length) {
      return connection_.reset();  // not what was promised: the client must see that
    }
    if (stream.coder != nullptr) {
      std::string last;
      if (!stream.coder->gzip.code({}, coding::GzipStream::Until::kEnd, last)) {
        return connection_.reset();
      }
      write_framed(exchange, last);
    }
    if (stream.framing == http::Framing::kChunked) {
      std::string& out = context_.outbox.open(connection_);
      if (stream.trailers.empty()) {
        out.append(http::kLastChunk);
      } else {
        out.append("0\r\n").append(stream.trailers).append(http::kChunkEnd);
      }
    }
  }
  close_exchange(exchange.keep_alive);
}

void HttpSession::cut(std::uint32_t sequence) {
  Exchange* const exchange = wire_.exchanges().find(sequence);
  if (exchange == nullptr || !exchange->answer.with_application()) return;
  websocket_decided(*exchange);
  if (!exchange->answer.streamed() || !wire_.exchanges().is_front(*exchange)) {
    // Nothing of it has left yet: the client can still be told.
    release(*exchange, false);
    exchange->parked.reset();
    not_wanted(*exchange);
    return answer_plain(*exchange, 500);
  }
  release(*exchange, false);
  context_.outbox.flush(connection_);
  connection_.reset();
}

}  // namespace httpuv::server
