#include "server/message/message.h"

namespace httpuv::server {

namespace {

// The memory that a command owns beside itself. More than 25 methods, because each command has its
// line here.
struct Owned {
  std::size_t operator()(const Respond& c) const {
    return cost_of(c.envelope->request) + c.envelope->head.fields().size() +
           bytes_of(c.envelope->answer).size();
  }
  std::size_t operator()(const StreamHead& c) const {
    return c.head.fields().size() + (c.filler != nullptr ? c.filler->bytes.size() : 0);
  }
  std::size_t operator()(const StreamData& c) const { return c.bytes.size(); }
  std::size_t operator()(const StreamEnd& c) const { return c.trailers.size(); }
  std::size_t operator()(const Inform& c) const { return c.head.fields().size(); }
  std::size_t operator()(const WsAccept& c) const { return c.head.fields().size(); }
  std::size_t operator()(const WsSend& c) const { return bytes_of(c.data).size(); }
  std::size_t operator()(const WsPing& c) const { return c.payload.size(); }
  std::size_t operator()(const WsClose& c) const { return c.reason.size(); }
  std::size_t operator()(const WsSubscribe& c) const { return c.topic.size(); }
  std::size_t operator()(const Publish& c) const { return c.topic.size() + c.message->cost(); }
  std::size_t operator()(const Feed& c) const {
    std::size_t sum = sizeof(FeedRequest) + c.request->last_event_id.size();
    for (const std::string& each : c.request->topics) sum += sizeof(each) + each.size();
    return sum;
  }
  std::size_t operator()(const TopicLoad& c) const {
    std::size_t sum = c.topic.size() + c.position.epoch.size();
    for (const SharedPublication& each : c.messages) sum += each->cost();
    return sum;
  }
  std::size_t operator()(const TopicRelease& c) const { return c.topic.size(); }
  std::size_t operator()(const QueryTopic& c) const { return c.topic.size(); }
  std::size_t operator()(const QueryTopics&) const { return 0; }
  std::size_t operator()(const QuerySubscriptions&) const { return 0; }
  std::size_t operator()(const WsOverflow& c) const { return c.topic.size(); }
  std::size_t operator()(const Continue&) const { return 0; }
  std::size_t operator()(const BodyConsumed&) const { return 0; }
  std::size_t operator()(const StreamFile&) const { return 0; }
  std::size_t operator()(const StreamRoom&) const { return 0; }
  std::size_t operator()(const Cut&) const { return 0; }
  std::size_t operator()(const WsConsumed&) const { return 0; }
  std::size_t operator()(const WsAcknowledge&) const { return 0; }
  std::size_t operator()(const WsConclude&) const { return 0; }
  std::size_t operator()(const WsQueued&) const { return 0; }
  std::size_t operator()(const Adopt&) const { return sizeof(net::Accepted); }
  std::size_t operator()(const LetIn&) const { return 0; }
  std::size_t operator()(const FindIdle&) const { return 0; }
  std::size_t operator()(const CloseIdle&) const { return 0; }
  std::size_t operator()(const IsPresent&) const { return 0; }
  std::size_t operator()(const SetRoutes&) const { return 0; }
  std::size_t operator()(const TakeGauges&) const { return 0; }
  std::size_t operator()(const SetRouting&) const { return 0; }
  std::size_t operator()(const HandOver&) const { return 0; }
  std::size_t operator()(const TakeBack&) const { return 0; }
  std::size_t operator()(const Stop&) const { return 0; }
};

}  // namespace

std::size_t cost_of(const Command& command) {
  return sizeof(Command) + std::visit(Owned{}, command);
}

void Envelope::clear() {
  request.clear();
  if (body.length != 0) body = RequestBody();
  https = false;
  client_told = false;
  tls.reset();
  headers_only = false;
  resumed = false;
  mount = 0;
  head.clear();
  if (auto* bytes = std::get_if<std::string>(&answer)) {
    bytes->clear();
  } else {
    answer = std::monostate();
  }
}

ConnectionId connection_of(const Event& event) {
  return std::visit(
      [](const auto& each) {
        if constexpr (requires { each.envelope; }) {
          return each.envelope->id.connection;
        } else if constexpr (requires { each.request; }) {
          return each.request->id.connection;
        } else if constexpr (requires { each.id.connection; }) {
          return each.id.connection;
        } else {
          return each.id;
        }
      },
      event);
}

}  // namespace httpuv::server
