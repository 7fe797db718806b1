// The answering half of HttpSession: framing of an answer, when it may be sent, and what follows
// it.
#include <utility>

#include "server/connection/connection.h"
#include "server/connection/file_sending.h"
#include "server/http/http_session.h"
#include "server/http/parked.h"
#include "server/http/static_files.h"

namespace httpuv::server {

namespace {

// Up to this size a body is copied after its head, and both are sent in one write.
constexpr std::size_t kCopyBody = 64 * 1024;

// Up to this size an answer is accepted when memory is used up: a 503 takes as much.
constexpr std::size_t kSmall = 1024;

std::uint64_t body_length(const ResponseBody& body) {
  if (const auto* bytes = std::get_if<std::string>(&body)) return bytes->size();
  if (const auto* file = std::get_if<FileBody>(&body)) return file->length;
  if (const auto* file = std::get_if<FileAnswer>(&body)) return (*file)->content_length;
  return 0;
}

}  // namespace

void HttpSession::respond(std::uint32_t sequence, http::ResponseHead&& head, ResponseBody&& body) {
  Exchange* exchange = wire_.exchanges().find(sequence);
  if (exchange == nullptr || !exchange->answer.with_application()) return;
  websocket_decided(*exchange);
  exchange->observed.by = AnsweredBy::kApplication;
  if (exchange->answer.streamed()) return cut(sequence);  // two heads: the client must not get both
  release(*exchange, false);
  not_wanted(*exchange);
  const auto* const bytes = std::get_if<std::string>(&body);
  context_.answer_size.note(bytes != nullptr ? bytes->size() : 0);
  if (bytes != nullptr && bytes->size() > kSmall && context_.budget.full()) {
    context_.counters.overloaded.add();
    return answer_plain(*exchange, 503);
  }
  answer(*exchange, std::move(head), std::move(body));
}

void HttpSession::answer_plain(Exchange& exchange, int status, std::string_view text) {
  http::PlainResponse plain = http::plain_response(status, text);
  if (status == 503) plain.head.add("Retry-After", "1");
  answer(exchange, std::move(plain.head), std::move(plain.body));
}

void HttpSession::answer_early(Exchange& exchange, int status, std::string_view text) {
  wire_.incoming().on(http::RequestEvent::kDrop);
  answer_plain(exchange, status, text);
}

// A refusal of the file library, whose few fields are already written out.
void HttpSession::answer_static_early(Exchange& exchange, files::Answer&& answer) {
  http::ResponseHead head;
  head.status = answer.status;
  head.add_serialized(answer.fields);
  head.add_serialized(answer.own_fields);
  exchange.observed.by = AnsweredBy::kStatic;
  wire_.incoming().on(http::RequestEvent::kDrop);
  this->answer(exchange, std::move(head),
               answer.body == files::BodyKind::kMemory ? std::string(answer.memory)
                                                       : std::move(answer.text));
}

void HttpSession::answer(Exchange& exchange, http::ResponseHead&& head, ResponseBody&& body) {
  auto* const bytes = std::get_if<std::string>(&body);
  if (bytes != nullptr && negotiates(exchange, head, bytes->size())) {
    return code_on_pool(exchange, std::move(head), std::move(*bytes));
  }
  exchange.answer.on(http::AnswerEvent::kGive);
  if (wire_.exchanges().is_front(exchange)) {
    const bool keep = write_answer(exchange, head, std::move(body));
    close_exchange(keep);
    next_answers();
  } else {
    if (exchange.parked == nullptr) exchange.parked = std::make_unique<Parked>();
    exchange.parked->charge = context_.budget.charge(
        Held::kAnswers, head.fields().size() + (bytes != nullptr ? bytes->size() : 0),
        &answers_held_);
    exchange.parked->head = std::move(head);
    exchange.parked->body = std::move(body);
  }
}

void HttpSession::resolved(std::uint32_t sequence, const files::Resolution& resolution) {
  Exchange* exchange = wire_.exchanges().find(sequence);
  if (exchange == nullptr || !exchange->answer.resolving()) return;
  if (resolution.kind == files::ResolutionKind::kFallthrough) {
    const std::unique_ptr<Parked> parked = std::move(exchange->parked);
    if (!abilities_of(*exchange).call) return answer_plain(*exchange, 404);
    return to_application(*exchange, std::move(parked->request), std::move(parked->request_body),
                          false);
  }
  context_.counters.static_files.add();
  exchange->observed.by = AnsweredBy::kStatic;
  exchange->answer.on(http::AnswerEvent::kGive);
  if (wire_.exchanges().is_front(*exchange)) {
    const bool keep = write_static(*exchange, resolution);
    close_exchange(keep);
    next_answers();
  } else {
    exchange->parked->resolution = resolution;
  }
}

// Its observers will be told of it when it is over.
void HttpSession::observe(Exchange& exchange, std::string_view first_line, std::int64_t waited_ms) {
  exchange.observed.begun = std::chrono::steady_clock::now() - std::chrono::milliseconds(waited_ms);
  if (!context_.observes_text) return;
  exchange.observed.text = std::make_unique<RequestText>();
  exchange.observed.text->line = first_line;
}

void HttpSession::note_answer(Exchange& exchange, int status, std::uint64_t bytes) {
  exchange.observed.status = status;
  exchange.observed.bytes += bytes;
}

void HttpSession::tell_observers(Exchange& exchange) {
  exchange.observed.took = std::chrono::steady_clock::now() - exchange.observed.begun;
  for (ExchangeObserver* const each : context_.observers) {
    each->exchange_ended(exchange.observed, client_of(exchange));
  }
}

bool HttpSession::write_answer(Exchange& exchange, const http::ResponseHead& head,
                               ResponseBody&& body) {
  const bool keep = wire_.keeps_alive(exchange, head.close || context_.draining);
  const std::uint64_t length = body_length(body);
  const http::Content content = http::content_of(head, exchange.asked_by(), length);

  note_answer(exchange, head.status, content.sent ? length : 0);
  const auto write_head = [&](std::string& out) {
    http::write_response_head(out, head, content.framing, content.length, keep,
                              exchange.minor_version, context_.clock.text());
  };
  auto* const bytes = std::get_if<std::string>(&body);
  auto* const file = std::get_if<FileBody>(&body);
  auto* const prepared = std::get_if<FileAnswer>(&body);
  const bool large = bytes != nullptr && bytes->size() > kCopyBody;
  if (!content.sent || (file == nullptr && prepared == nullptr && !large)) {
    std::string& out = context_.outbox.open(connection_);
    write_head(out);
    if (content.sent && bytes != nullptr) out.append(*bytes);
    return keep;
  }
  // Head and body in one call, so that they share a segment.
  std::string own_head;
  write_head(own_head);
  if (prepared != nullptr) {
    send_answer(context_, connection_, own_head, **prepared);
    return keep;
  }
  context_.outbox.flush(connection_);
  if (connection_.closing()) return keep;
  if (large) {
    connection_.write(own_head, std::move(*bytes));
  } else {
    connection_.send_file(own_head, net::FileRef::adopt(file->file.release(), file->device),
                          file->offset, file->length);
  }
  return keep;
}

bool HttpSession::write_static(Exchange& exchange, const files::Resolution& resolution) {
  const bool keep = wire_.keeps_alive(exchange, context_.draining);
  const StaticFiles::Written written =
      context_.files->write(connection_, exchange.parked->request, resolution,
                            {keep, exchange.is_head, exchange.minor_version});
  note_answer(exchange, written.status, written.bytes);
  context_.envelopes.give_head(std::move(exchange.parked->request));
  return keep;
}

void HttpSession::close_exchange(bool keep_alive) {
  tell_observers(wire_.exchanges().front());
  const http::After after = wire_.close_front(keep_alive);
  if (after != http::After::kGoOn) finish(after == http::After::kLinger || context_.draining);
}

void HttpSession::next_answers() {
  for (http::Turn turn = wire_.turn(); turn != http::Turn::kNone; turn = wire_.turn()) {
    Exchange& exchange = wire_.exchanges().front();
    if (turn == http::Turn::kStream) {
      start_stream(exchange);  // it may be complete already: then its exchange is closed
      if (connection_.closing()) return;
      continue;
    }
    Parked& parked = *exchange.parked;
    const bool keep = parked.resolution
                          ? write_static(exchange, *parked.resolution)
                          : write_answer(exchange, *parked.head, std::move(parked.body));
    close_exchange(keep);
  }
  if (!wire_.answers() || connection_.closing()) return;
  if (wire_.upgrade_due() && asked_ == nullptr) {
    return upgrade_to_websocket(wire_.exchanges().front());
  }
  if (in_read_) return;
  send_continue_if_due();
  if (wire_.used_up()) return finish(false);
  update_deadline();
  if (context_.draining) drain();  // it has said that it stays: a request may be on its way
  resume_reading();
}

}  // namespace httpuv::server
