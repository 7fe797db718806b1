#include "server/http/routing/static_files.h"

#include <forward_list>
#include <string>
#include <utility>

#include "http/message/response.h"
#include "server/connection/connection.h"
#include "server/connection/file_sending.h"
#include "server/http/http_session.h"
#include "server/http/responders/static_responder.h"

namespace httpuv::server {

namespace {

files::Token token_of(const ExchangeId& id) {
  return {static_cast<std::uint64_t>(id.connection.generation) << 32 | id.connection.slot,
          id.sequence};
}

// The request as the file library reads it. Repeated fields are rare: `joined` keeps them.
struct RequestQuery {
  files::Query query;
  std::forward_list<std::string> joined;

  RequestQuery(const http::RequestHead& head, std::int64_t now) {
    query.head = head.is_head;
    query.has_query = head.has_query;
    query.query = head.view(head.query);
    query.now = now;
    for (const http::HeaderField& field : head.fields) {
      if (std::string_view* const value = slot(field.id)) {
        *value =
            value->empty() ? head.view(field.value) : joined.emplace_front(head.joined(field.id));
      }
    }
  }

  std::string_view* slot(http::Field id) {
    switch (id) {
      case http::Field::kRange:
        return &query.range;
      case http::Field::kIfRange:
        return &query.if_range;
      case http::Field::kIfMatch:
        return &query.if_match;
      case http::Field::kIfNoneMatch:
        return &query.if_none_match;
      case http::Field::kIfModifiedSince:
        return &query.if_modified_since;
      case http::Field::kIfUnmodifiedSince:
        return &query.if_unmodified_since;
      case http::Field::kAccept:
        return &query.accept;
      case http::Field::kAcceptEncoding:
        return &query.accept_encoding;
      default:
        return nullptr;
    }
  }
};

files::ListingView view_of(const http::RequestHead& head) {
  return files::listing_view(head.view(head.query), head.joined(http::Field::kAccept));
}

}  // namespace

StaticFiles::StaticFiles(Context& context) : context_(context), service_(*this, *this) {}

void StaticFiles::set_routes(std::shared_ptr<const files::RouteTable> routes) {
  service_.set_routes(std::move(routes));
}

void StaticFiles::resolve(const ExchangeId& id, const files::Match& match,
                          const http::RequestHead& head) {
  const bool may_list = match.directory && match.route->options.listing;
  service_.resolve(token_of(id), match, may_list ? view_of(head) : files::ListingView());
}

void StaticFiles::resolve(const ExchangeId& id, const http::RequestHead& head) {
  service_.resolve(token_of(id), head.view(head.path), view_of(head));
}

void StaticFiles::read(std::uint64_t device, std::function<void()> job, Done done) {
  context_.loop.work_on_disk(device, std::move(job), std::move(done));
}

void StaticFiles::compute(std::function<bool()> slice, Done done) {
  context_.loop.compute(kFilesLane, std::move(slice), std::move(done));
}

void StaticFiles::on_resolved(const files::Token& token, const files::Resolution& resolution) {
  const ConnectionId id{static_cast<std::uint32_t>(token.connection),
                        static_cast<std::uint32_t>(token.connection >> 32)};
  with_http(context_, id, [&](HttpSession& session) {
    StaticResponder(session).resolved(token.exchange, resolution);
  });
}

StaticFiles::Written StaticFiles::write(Connection& connection, const http::RequestHead& request,
                                        const files::Resolution& resolution,
                                        const AnswerMode& mode) {
  const RequestQuery query(request, context_.clock.seconds());
  const files::Answer answer = files::respond(resolution, query.query);
  head_.clear();
  head_.status = answer.status;
  head_.add_serialized(answer.fields);
  head_.add_serialized(answer.own_fields);
  const http::Framing framing =
      answer.send_content_length ? http::Framing::kLength : http::Framing::kNoBody;
  head_.has_date = answer.has_date;
  scratch_.clear();
  http::write_response_head(scratch_, head_, framing, answer.content_length, mode.keep_alive,
                            mode.minor_version, context_.clock.text());
  if (mode.head_only || answer.body == files::BodyKind::kNone) {
    context_.outbox.open(connection).append(scratch_);
    return {answer.status, 0};
  }
  send_answer(context_, connection, scratch_, answer);
  return {answer.status, answer.content_length};
}

}  // namespace httpuv::server
