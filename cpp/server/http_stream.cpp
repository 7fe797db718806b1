// Answers whose bodies come in pieces: how they are framed, parked until it is their turn, and how
// the application learns that the client keeps up.
#include <utility>

#include "http/chunked.h"
#include "http/content_coding.h"
#include "server/connection.h"
#include "server/http_session.h"
#include "server/parked.h"

namespace httpuv::server {

// The exchange, if its answer is a stream.
HttpSession::Exchange* HttpSession::streamed(std::uint32_t sequence) {
  Exchange* const exchange = exchanges_.find(sequence);
  if (exchange == nullptr || exchange->parked == nullptr || !exchange->parked->stream) {
    return nullptr;
  }
  return exchange;
}

// The same, if the application has not ended it.
HttpSession::Exchange* HttpSession::streaming(std::uint32_t sequence) {
  Exchange* const exchange = streamed(sequence);
  return exchange == nullptr || exchange->parked->stream->ended ? nullptr : exchange;
}

void HttpSession::stream_head(std::uint32_t sequence, http::ResponseHead&& head,
                              std::optional<std::uint64_t> length,
                              std::unique_ptr<Filler>&& filler) {
  Exchange* const exchange = exchanges_.find(sequence);
  if (exchange == nullptr || !exchange->with_application || exchange->streaming) return;
  // It may still want the body that it is streamed.
  if (!streams_body_ || sequence != current_) not_wanted(*exchange);
  exchange->streaming = true;
  exchange->parked = std::make_unique<Parked>();
  exchange->parked->stream = Streamed{};
  exchange->parked->stream->head = std::move(head);
  exchange->parked->stream->length = length;
  if (filler) {
    exchange->parked->stream->silence =
        std::make_unique<Silence>(*this, sequence, std::move(*filler));
  }
  if (exchanges_.is_front(*exchange)) start_stream(*exchange);
}

void HttpSession::start_stream(Exchange& exchange) {
  Streamed& stream = *exchange.parked->stream;
  stream.started = true;
  stream.bodiless = exchange.is_head || http::body_forbidden(stream.head.status);
  if (exchange.minor_version >= 1 && negotiates(exchange, stream.head, stream.length)) {
    http::mark_coded(stream.head, "gzip");
    stream.framing = http::Framing::kChunked;
    if (!stream.bodiless) stream.coder = std::make_shared<Coder>();
  } else if (http::body_forbidden(stream.head.status)) {
    stream.framing = http::Framing::kNoBody;
  } else if (stream.length) {
    stream.framing = http::Framing::kLength;
  } else if (exchange.minor_version >= 1) {
    stream.framing = http::Framing::kChunked;
  } else {
    stream.framing = http::Framing::kUntilClose;
    exchange.keep_alive = false;
  }
  exchange.keep_alive = keeps_alive(exchange, stream.head.close);
  http::write_response_head(context_.outbox.open(connection_), stream.head, stream.framing,
                            stream.length.value_or(0), exchange.keep_alive, exchange.minor_version,
                            context_.clock.text());
  if (trail_ != nullptr) trail_->answered(stream.head.status, 0);
  if (stream.silence != nullptr && !stream.bodiless) stream.silence->broken(context_.loop);
  if (!stream.early.empty()) write_piece(exchange, std::exchange(stream.early, {}));
  if (stream.early_acknowledge) acknowledge(exchange);
  if (stream.ended && !stream.coding()) end_stream(exchange);
}

void HttpSession::write_piece(Exchange& exchange, std::string_view bytes) {
  Streamed& stream = *exchange.parked->stream;
  stream.total += bytes.size();
  if (stream.silence != nullptr) stream.silence->broken(context_.loop);
  send_piece(exchange, bytes);
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
}

void HttpSession::write_framed(Exchange& exchange, std::string_view bytes) {
  if (trail_ != nullptr) trail_->sent(bytes.size());
  std::string& out = context_.outbox.open(connection_);
  if (exchange.parked->stream->framing == http::Framing::kChunked) {
    http::append_chunk(out, bytes);
  } else {
    out.append(bytes);
  }
}

void HttpSession::stream_data(std::uint32_t sequence, std::string_view bytes, bool wanted) {
  Exchange* const exchange = streaming(sequence);
  if (exchange == nullptr) return;
  Streamed& stream = *exchange->parked->stream;
  if (!exchanges_.is_front(*exchange)) {
    stream.early.append(bytes);
    stream.early_acknowledge |= wanted;
    return;
  }
  write_piece(*exchange, bytes);
  if (wanted) acknowledge(*exchange);
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
  if (stream.acknowledged == 0 || stream.coding()) return;
  context_.events.emplace_back(StreamTakenEvent{{connection_.id(), exchange.sequence},
                                                std::exchange(stream.acknowledged, 0)});
}

void HttpSession::stream_end(std::uint32_t sequence) {
  Exchange* const exchange = streaming(sequence);
  if (exchange == nullptr) return;
  Streamed& stream = *exchange->parked->stream;
  stream.ended = true;
  if (exchanges_.is_front(*exchange) && !stream.coding()) {
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
      if (!stream.coder->gzip.code({}, files::GzipStream::Until::kEnd, last)) {
        return connection_.reset();
      }
      write_framed(exchange, last);
    }
    if (stream.framing == http::Framing::kChunked) {
      context_.outbox.open(connection_).append(http::kLastChunk);
    }
  }
  close_exchange(exchange.keep_alive);
}

void HttpSession::cut(std::uint32_t sequence) {
  Exchange* const exchange = exchanges_.find(sequence);
  if (exchange == nullptr || !exchange->with_application) return;
  if (!exchange->streaming || !exchanges_.is_front(*exchange)) {
    // Nothing of it has left yet: the client can still be told.
    exchange->streaming = false;
    exchange->parked.reset();
    release(*exchange, false);
    not_wanted(*exchange);
    return answer_plain(*exchange, 500);
  }
  release(*exchange, false);
  context_.outbox.flush(connection_);
  connection_.reset();
}

}  // namespace httpuv::server
