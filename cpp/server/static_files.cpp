#include "server/static_files.h"

#include <forward_list>
#include <string>
#include <utility>

#include "http/response.h"
#include "server/connection.h"

namespace httpuv::server {

namespace {

// Up to here a body in memory is copied behind its head, and gathered with other answers; a longer
// one is sent from where it is, so that a slow reader holds no copy of it.
constexpr std::size_t kCopy = 8 * 1024;

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
      case http::Field::kAcceptEncoding:
        return &query.accept_encoding;
      default:
        return nullptr;
    }
  }
};

}  // namespace

StaticFiles::StaticFiles(Context& context) : context_(context), service_(*this, *this) {}

void StaticFiles::set_routes(std::shared_ptr<const files::RouteTable> routes) {
  service_.set_routes(std::move(routes));
}

void StaticFiles::resolve(const ExchangeId& id, const files::Match& match) {
  service_.resolve(token_of(id), match);
}

void StaticFiles::resolve(const ExchangeId& id, std::string_view raw_path) {
  service_.resolve(token_of(id), raw_path);
}

void StaticFiles::submit(std::function<void()> job, std::function<void()> done) {
  context_.loop.work(std::move(job), std::move(done));
}

void StaticFiles::on_resolved(const files::Token& token, const files::Resolution& resolution) {
  const ConnectionId id{static_cast<std::uint32_t>(token.connection),
                        static_cast<std::uint32_t>(token.connection >> 32)};
  if (Connection* connection = context_.connections.find(id)) {
    connection->http().resolved(token.exchange, resolution);
  }
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
  const auto write_head = [&](std::string& out) {
    http::write_response_head(out, head_, framing, answer.content_length, mode.keep_alive,
                              mode.minor_version, context_.clock.text());
  };
  const bool by_itself = answer.body == files::BodyKind::kFile ||
                         (answer.body == files::BodyKind::kMemory && answer.memory.size() > kCopy);
  if (mode.head_only || !by_itself) {
    write_head(context_.outbox.open(connection));
  } else {
    context_.outbox.flush(connection);
    scratch_.clear();
    write_head(scratch_);
  }
  if (mode.head_only || answer.body == files::BodyKind::kNone) return {answer.status, 0};

  // The cut of a connection is how a client learns that the file was changed under its answer.
  const auto file = [&] {
    return net::FileRef(
        answer.source->fd.get(), std::shared_ptr<const void>(answer.keep, answer.source),
        [](const void* entry) { return static_cast<const files::FileEntry*>(entry)->unchanged(); });
  };
  switch (answer.body) {
    case files::BodyKind::kNone:
      break;
    case files::BodyKind::kMemory:
      if (by_itself) {
        connection.write_shared(scratch_, answer.memory, answer.keep);
      } else {
        context_.outbox.open(connection).append(answer.memory);
      }
      break;
    case files::BodyKind::kText:
      context_.outbox.open(connection).append(answer.text);
      break;
    case files::BodyKind::kFile:
      connection.send_file(scratch_, file(), answer.offset, answer.length);
      break;
    case files::BodyKind::kMultipart:
      context_.outbox.flush(connection);
      for (const files::Part& part : answer.parts) {
        connection.send_file(part.preamble, file(), part.offset, part.length);
      }
      connection.write(answer.text);
      break;
  }
  return {answer.status, answer.content_length};
}

}  // namespace httpuv::server
