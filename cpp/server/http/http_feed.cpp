// Answers that are fed by topics: server-sent events that the loop sends by itself.
#include <algorithm>
#include <utility>

#include "server/connection/connection.h"
#include "server/http/http_session.h"
#include "server/http/parked.h"

namespace httpuv::server {

namespace {

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

}  // namespace

FeedPart::~FeedPart() = default;

void HttpSession::feed(Feed&& command) {
  Exchange* const exchange = streaming(command.id.sequence);
  if (exchange == nullptr || exchange->parked->stream->length) return;
  if (context_.settings.topics.brokered) {
    if (Topic* const topic = waits_for(context_.topics, *command.request)) {
      return context_.topics.park(*topic, std::move(command), context_.connections);
    }
  }
  Streamed& stream = *exchange->parked->stream;
  if (stream.feed != nullptr) return;
  // The application does not make the rest, so the exchange does not count as its work any more.
  --pending_;
  context_.counters.in_flight.subtract(1);
  stream.feed = std::make_unique<FeedPart>(*this, command.id.sequence, std::move(command.request));
  if (wire_.exchanges().is_front(*exchange)) begin_feed(*exchange);
}

void HttpSession::begin_feed(Exchange& exchange) {
  FeedPart& part = *exchange.parked->stream->feed;
  const std::unique_ptr<FeedRequest> request = std::move(part.request);
  if (exchange.parked->stream->bodiless || request == nullptr) return;
  part.feed = context_.event_groups->start(*request, part);
}

bool HttpSession::is_fed(const Exchange& exchange) {
  return exchange.parked != nullptr && exchange.parked->stream &&
         exchange.parked->stream->feed != nullptr;
}

void FeedPart::write(const std::shared_ptr<const EventText>& text) {
  Exchange* const exchange = session.streaming(sequence);
  if (exchange == nullptr || session.connection_.closing()) return;
  Streamed& stream = *exchange->parked->stream;
  stream.total += text->plain().size();
  if (stream.silence != nullptr) stream.silence->broken(session.context_.loop);
  if (stream.coder != nullptr) return session.send_piece(*exchange, text->plain());
  exchange->observed.bytes += text->plain().size();
  session.context_.outbox.flush(session.connection_);
  const bool chunked = stream.framing == http::Framing::kChunked;
  session.connection_.write_shared({}, chunked ? text->chunk() : text->plain(), text);
}

std::size_t FeedPart::queued() const {
  return session.connection_.stream().queued();
}

bool FeedPart::closing() const {
  return session.connection_.closing();
}

void FeedPart::cut() {
  session.connection_.fail();
}

}  // namespace httpuv::server
