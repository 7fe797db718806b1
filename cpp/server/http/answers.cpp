#include "server/http/answers.h"

#include <memory>
#include <utility>

#include "coding/gzip.h"
#include "http/message/content_coding.h"
#include "server/connection/connection.h"
#include "server/connection/file_sending.h"
#include "server/http/exchange/answer_coding.h"
#include "server/http/exchange/observing.h"
#include "server/http/exchange/parked.h"
#include "server/http/http_session.h"
#include "server/http/responders/static_responder.h"
#include "server/http/responders/stream_responder.h"

namespace httpuv::server {

namespace {

// Up to this size a body is copied after its head, and both are sent in one write.
constexpr std::size_t kCopyBody = 64 * 1024;

std::uint64_t body_length(const ResponseBody& body) {
  if (const auto* file = std::get_if<FileBody>(&body)) return file->length;
  if (const auto* file = std::get_if<FileAnswer>(&body)) return (*file)->content_length;
  return bytes_of(body).size();
}

// One's own bytes, for what changes them or needs them on another thread.
std::string take_bytes(ResponseBody&& body) {
  if (auto* const own = std::get_if<std::string>(&body)) return std::move(*own);
  return std::string(bytes_of(body));
}

}  // namespace

void Answers::plain(Exchange& exchange, int status, std::string_view text) {
  http::PlainResponse plain = http::plain_response(status, text);
  if (status == 503) plain.head.add("Retry-After", "1");
  give(exchange, std::move(plain.head), std::move(plain.body));
}

void Answers::early(Exchange& exchange, int status, std::string_view text) {
  http_.wire().incoming().on(http::RequestEvent::kDrop);
  plain(exchange, status, text);
}

base::Charge Answers::charge(std::uint64_t bytes) {
  return http_.context().budget.charge(Held::kAnswers, bytes, &held_);
}

void Answers::give(Exchange& exchange, http::ResponseHead&& head, ResponseBody&& body) {
  const std::size_t in_memory = bytes_of(body).size();
  if (in_memory > 0 && is_coded(exchange, head, in_memory)) {
    return code(exchange, std::move(head), take_bytes(std::move(body)));
  }
  exchange.answer.on(http::AnswerEvent::kGive);
  if (http_.wire().exchanges().is_front(exchange)) {
    const bool keep = write(exchange, head, std::move(body));
    close_front(keep);
    return next();
  }
  auto& waiting = park<ParkedAnswer>(exchange);
  waiting.charge = charge(head.fields().size() + in_memory);
  waiting.head = std::move(head);
  waiting.body = std::move(body);
}

// Says whether the connection is kept.
bool Answers::write(Exchange& exchange, const http::ResponseHead& head, ResponseBody&& body) {
  Context& context = http_.context();
  Connection& connection = http_.connection();
  const bool keep = http_.wire().keeps_alive(exchange, head.close || context.draining);
  const std::uint64_t length = body_length(body);
  const http::Content content = http::content_of(head, exchange.asked_by(), length);

  note_answer(exchange, head.status, content.sent ? length : 0);
  const auto write_head = [&](std::string& out) {
    http::write_response_head(out, head, content.framing, content.length, keep,
                              exchange.minor_version, context.clock.text());
  };
  auto* const bytes = std::get_if<std::string>(&body);
  const auto* const borrowed = std::get_if<base::Borrowed>(&body);
  auto* const file = std::get_if<FileBody>(&body);
  auto* const prepared = std::get_if<FileAnswer>(&body);
  const bool large = bytes != nullptr && bytes->size() > kCopyBody;
  const bool at_once = file == nullptr && prepared == nullptr && borrowed == nullptr && !large;
  if (!content.sent || at_once) {
    std::string& out = context.outbox.open(connection);
    write_head(out);
    if (content.sent && bytes != nullptr) out.append(*bytes);
    return keep;
  }
  // Head and body in one call, so that they share a segment.
  std::string own_head;
  write_head(own_head);
  if (prepared != nullptr) {
    send_answer(context, connection, own_head, **prepared);
    return keep;
  }
  context.outbox.flush(connection);
  if (connection.closing()) return keep;
  if (borrowed != nullptr) {
    connection.write_borrowed(own_head, *borrowed);
  } else if (large) {
    connection.write(own_head, std::move(*bytes));
  } else {
    connection.send_file(own_head, net::FileRef::adopt(file->file.release(), file->device),
                         file->offset, file->length);
  }
  return keep;
}

void Answers::close_front(bool keep_alive) {
  end_observing(http_.context(), http_.connection(), http_.wire().exchanges().front());
  const http::After after = http_.wire().close_front(keep_alive);
  if (after == http::After::kGoOn) return;
  http_.finish(after == http::After::kLinger || http_.context().draining);
}

void Answers::next() {
  Wire& wire = http_.wire();
  for (http::Turn turn = wire.turn(); turn != http::Turn::kNone; turn = wire.turn()) {
    Exchange& exchange = wire.exchanges().front();
    if (turn == http::Turn::kStream) {
      StreamResponder(http_).begin(exchange);  // if it is complete already, its exchange is closed
      if (http_.connection().closing()) return;
      continue;
    }
    const auto* const file = parked<ParkedStatic>(exchange);
    auto* const answer = parked<ParkedAnswer>(exchange);
    const bool keep = file != nullptr ? StaticResponder(http_).write(exchange, *file->resolution)
                                      : write(exchange, answer->head, std::move(answer->body));
    close_front(keep);
  }
  if (!wire.answers() || http_.connection().closing()) return;
  if (wire.upgrade_due() && !http_.upgrade().waits()) {
    return http_.upgrade().begin(wire.exchanges().front());
  }
  if (http_.requests().reading()) return;
  http_.requests().send_continue_if_due();
  if (wire.used_up()) return http_.finish(false);
  http_.deadlines().update();
  // The last answer has said that the connection stays: a request may be on its way.
  if (http_.context().draining) http_.drain();
  http_.requests().resume();
}

// --- coding -------------------------------------------------------------------------------------

// In a lane of the connection; the answer waits meanwhile.
void Answers::code(Exchange& exchange, http::ResponseHead&& head, std::string&& body) {
  Context& context = http_.context();
  auto& waiting = park<ParkedAnswer>(exchange);
  waiting.head = std::move(head);
  exchange.answer.on(http::AnswerEvent::kCode);
  struct Job {
    explicit Job(std::string&& body) : plain(std::move(body)), gzip(plain) {}
    std::string plain;
    coding::GzipBody gzip;
  };
  // Coded and plain are there together for a moment. The charge is not the job's, which another
  // thread may destroy.
  auto working =
      std::make_shared<base::Charge>(context.budget.charge(Held::kAnswers, 2 * body.size()));
  waiting.charge = charge();
  auto job = std::make_shared<Job>(std::move(body));
  const ConnectionId id = http_.connection().id();
  context.loop.compute(
      lane_of(id), [job] { return job->gzip.code(); },
      [&context, id, sequence = exchange.sequence, job, working](bool ran) {
        with_http(context, id, [&](HttpSession& session) {
          session.answers().coded(sequence, std::move(job->plain),
                                  ran ? job->gzip.take() : std::nullopt);
        });
      });
}

void Answers::coded(std::uint32_t sequence, std::string&& plain,
                    std::optional<std::string>&& coded) {
  Exchange* const exchange = http_.wire().exchanges().find(sequence);
  if (exchange == nullptr || !exchange->answer.coding()) return;
  auto& waiting = *parked<ParkedAnswer>(*exchange);
  exchange->answer.on(http::AnswerEvent::kCoded);
  if (coded && coded->size() < plain.size()) {
    http::mark_coded(waiting.head, "gzip");
    waiting.body = std::move(*coded);
  } else {
    waiting.body = std::move(plain);
  }
  waiting.charge.resize(std::get<std::string>(waiting.body).size());
  if (http_.wire().exchanges().is_front(*exchange)) next();
}

}  // namespace httpuv::server
