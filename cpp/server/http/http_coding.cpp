// Answers of the application that the server codes: gzip for clients that accept it, if it is
// likely to pay and the application has not coded the content itself. Long bodies are coded in a
// lane of the connection, and the answer waits meanwhile.
#include <array>
#include <memory>
#include <utility>

#include "base/ascii.h"
#include "coding/accept_encoding.h"
#include "coding/compressible.h"
#include "http/content_coding.h"
#include "server/connection/connection.h"
#include "server/http/http_session.h"
#include "server/http/parked.h"

namespace httpuv::server {

namespace {

// Shorter bodies go as they are: what is saved is less than a packet.
constexpr std::uint64_t kMinLength = 1024;

// Up to here a piece of a stream is coded at once (a tenth of a millisecond or less).
constexpr std::size_t kCodeHere = 8 * 1024;

// A stream of events stays open for hours: a window for each would cost more than it saves.
bool is_event_stream(std::string_view type) {
  return base::iequals(base::trim_ows(type.substr(0, type.find(';'))), "text/event-stream");
}

}  // namespace

// While the head of the request is here.
void HttpSession::negotiate(Exchange& exchange, const http::RequestHead& head) const {
  exchange.negotiated = context_.settings.gzip;
  if (!exchange.negotiated || !head.has(http::Field::kAcceptEncoding)) return;
  std::array<bool, coding::kCodings> there{};
  there[static_cast<std::size_t>(coding::Coding::kGzip)] = true;
  exchange.accepts_gzip =
      coding::choose_coding(head.joined(http::Field::kAcceptEncoding), there).has_value();
}

// Whether the body of this answer is coded. Adds Vary to its head if the decision depends on the
// request. `length`: of the body, if it is known.
bool HttpSession::negotiates(const Exchange& exchange, http::ResponseHead& head,
                             std::optional<std::uint64_t> length) const {
  if ((length && *length < kMinLength) || !exchange.negotiated || !http::may_be_coded(head)) {
    return false;
  }
  const std::string_view type = head.content_type();
  if (!coding::worth_compressing(type) || is_event_stream(type)) return false;
  http::vary_by_coding(head);
  return exchange.accepts_gzip;
}

// --- whole bodies -------------------------------------------------------------------------------

void HttpSession::code_on_pool(Exchange& exchange, http::ResponseHead&& head, std::string&& body) {
  if (exchange.parked == nullptr) exchange.parked = std::make_unique<Parked>();
  exchange.parked->head = std::move(head);
  exchange.answer.on(http::AnswerEvent::kCode);
  struct Job {
    explicit Job(std::string&& body) : plain(std::move(body)), gzip(plain) {}
    std::string plain;
    coding::GzipBody gzip;
  };
  // Coded and plain are there together for a moment. The charge is not the job's, which another
  // thread may destroy.
  auto charge =
      std::make_shared<base::Charge>(context_.budget.charge(Held::kAnswers, 2 * body.size()));
  exchange.parked->charge = context_.budget.charge(Held::kAnswers, 0, &answers_held_);
  auto job = std::make_shared<Job>(std::move(body));
  context_.loop.compute(
      lane_of(connection_.id()), [job] { return job->gzip.code(); },
      [&context = context_, id = connection_.id(), sequence = exchange.sequence, job,
       charge](bool ran) {
        with_http(context, id, [&](HttpSession& session) {
          session.coded(sequence, std::move(job->plain), ran ? job->gzip.take() : std::nullopt);
        });
      });
}

void HttpSession::coded(std::uint32_t sequence, std::string&& plain,
                        std::optional<std::string>&& coded) {
  Exchange* const exchange = wire_.exchanges().find(sequence);
  if (exchange == nullptr || !exchange->answer.coding()) return;
  Parked& parked = *exchange->parked;
  exchange->answer.on(http::AnswerEvent::kCoded);
  if (coded && coded->size() < plain.size()) {
    http::mark_coded(*parked.head, "gzip");
    parked.body = std::move(*coded);
  } else {
    parked.body = std::move(plain);
  }
  parked.charge.resize(std::get<std::string>(parked.body).size());
  if (wire_.exchanges().is_front(*exchange)) next_answers();
}

// --- bodies in pieces ---------------------------------------------------------------------------

// Codes what has gathered, so that the client can read every byte of it (a flush).
void HttpSession::code_piece(Exchange& exchange) {
  Streamed& stream = *exchange.parked->stream;
  if (stream.coder->busy || stream.uncoded.empty()) return;
  if (stream.uncoded.size() > kCodeHere) return code_piece_on_pool(exchange);
  std::string out;
  if (!stream.coder->gzip.code(stream.uncoded, coding::GzipStream::Until::kFlushed, out)) {
    return connection_.fail();
  }
  stream.uncoded.clear();
  write_framed(exchange, out);
}

void HttpSession::code_piece_on_pool(Exchange& exchange) {
  Streamed& stream = *exchange.parked->stream;
  stream.coder->busy = true;
  stream.coder->plain.clear();
  stream.coder->plain.swap(stream.uncoded);
  stream.coder->coded.clear();
  stream.coder->slices.emplace(stream.coder->plain, coding::GzipStream::Until::kFlushed);
  auto charge = std::make_shared<base::Charge>(
      context_.budget.charge(Held::kAnswers, 2 * stream.coder->plain.size()));
  context_.loop.compute(
      lane_of(connection_.id()),
      [job = stream.coder] { return job->slices->code(job->gzip, job->coded); },
      [&context = context_, id = connection_.id(), sequence = exchange.sequence,
       coder = stream.coder, charge](bool ran) {
        coder->busy = false;
        coder->failed = !ran || coder->slices->failed();
        *charge = {};
        with_http(context, id, [&](HttpSession& session) { session.piece_coded(sequence, coder); });
      });
}

void HttpSession::piece_coded(std::uint32_t sequence, const std::shared_ptr<Coder>& coder) {
  Exchange* const exchange = streamed(sequence);
  if (exchange == nullptr) return;
  if (coder->failed) return connection_.fail();
  Streamed& stream = *exchange->parked->stream;
  write_framed(*exchange, coder->coded);
  code_piece(*exchange);
  stream.count();
  if (connection_.closing() || stream.coding()) return;
  if (stream.acknowledged != 0) acknowledge(*exchange);
  give_room(*exchange);
  if (connection_.closing() || !stream.ended) return;
  end_stream(*exchange);
  next_answers();
}

}  // namespace httpuv::server
