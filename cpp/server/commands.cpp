#include "server/commands.h"

#include <new>
#include <utility>
#include <variant>

#include "server/connection/connection.h"
#include "server/http/http_session.h"
#include "server/http/responders/stream_responder.h"
#include "server/websocket/websocket_session.h"

namespace httpuv::server {

namespace {

// Carries commands out. More than 25 methods, because there is one for each command.
struct Carrier {
  Context& context;
  Publications& publications;
  mutable ConnectionId serving{};  // the connection of the command

  [[nodiscard]] HttpSession* http(const ExchangeId& id) const {
    serving = id.connection;
    return http_of(context, id.connection);
  }
  [[nodiscard]] WebSocketSession* websocket(const ConnectionId& id) const {
    serving = id;
    return websocket_of(context, id);
  }

  void operator()(Respond&& c) const {
    Envelope& envelope = *c.envelope;
    if (auto* session = http(envelope.id)) {
      session->application().respond(envelope.id.sequence, std::move(envelope.head),
                                     std::move(envelope.answer));
    }
    context.envelopes.give(std::move(c.envelope));
  }
  void operator()(Continue&& c) const {
    if (auto* session = http(c.id)) session->application().go_on(c.id.sequence);
  }
  void operator()(BodyConsumed&& c) const {
    if (auto* session = http(c.id)) session->requests().consumed(c.id.sequence, c.bytes);
  }
  void operator()(StreamHead&& c) const {
    if (auto* session = http(c.id)) {
      StreamResponder(*session).head(std::move(c));
    }
  }
  void operator()(StreamData&& c) const {
    if (auto* session = http(c.id)) {
      StreamResponder(*session).data(c.id.sequence, std::move(c.bytes), c.acknowledge);
    }
  }
  void operator()(StreamEnd&& c) const {
    if (auto* session = http(c.id))
      StreamResponder(*session).end(c.id.sequence, std::move(c.trailers));
  }
  void operator()(StreamFile&& c) const {
    if (auto* session = http(c.id))
      StreamResponder(*session).file(c.id.sequence, std::move(c.file));
  }
  void operator()(StreamRoom&& c) const {
    auto* const session = http(c.id);
    if (session == nullptr) return c.answer.set_value(false);
    StreamResponder(*session).room(c.id.sequence, std::move(c.answer));
  }
  void operator()(Inform&& c) const {
    if (auto* session = http(c.id)) session->application().inform(c.id.sequence, c.head);
  }
  void operator()(WsAccept&& c) const {
    if (auto* session = http(c.id)) session->upgrade().accept(std::move(c));
  }
  void operator()(Cut&& c) const {
    if (auto* session = http(c.id)) session->application().cut(c.id.sequence);
  }
  void operator()(WsSend&& c) const {
    if (auto* session = websocket(c.id)) session->send(c.text, c.compress, std::move(c.data));
  }
  void operator()(WsConsumed&& c) const {
    if (auto* session = websocket(c.id)) session->consumed(c.bytes);
  }
  void operator()(WsAcknowledge&& c) const {
    if (auto* session = websocket(c.id)) session->acknowledge();
  }
  void operator()(WsConclude&& c) const {
    if (auto* session = websocket(c.id)) session->conclude();
  }
  void operator()(WsPing&& c) const {
    if (auto* session = websocket(c.id)) session->ping(c.payload);
  }
  void operator()(WsClose&& c) const {
    if (auto* session = websocket(c.id)) session->close(c.code, c.reason);
  }
  void operator()(WsSubscribe&& c) const {
    if (auto* session = websocket(c.id)) return session->subscribe(std::move(c));
    if (c.answer) c.answer->set_value({});
  }
  void operator()(Publish&& c) const { publications.add(std::move(c)); }
  void operator()(Feed&& c) const {
    if (auto* session = http(c.id)) StreamResponder(*session).feed(std::move(c));
  }
  void operator()(TopicLoad&& c) const {
    for (Command& each : publications.load(std::move(c))) {
      std::visit(*this, std::move(each));
    }
  }
  void operator()(TopicRelease&& c) const { c.answer.set_value(context.topics.release(c.topic)); }
  void operator()(QueryTopic&& c) const { c.answer.set_value(context.topics.stats(c.topic)); }
  void operator()(QueryTopics&& c) const { c.answer.set_value(context.topics.needs()); }
  void operator()(QuerySubscriptions&& c) const {
    auto* const session = websocket(c.id);
    c.answer.set_value(session != nullptr ? session->subscriptions() : std::vector<std::string>());
  }
  void operator()(WsOverflow&& c) const {
    const Topic* const topic = context.topics.find(c.topic);
    if (topic == nullptr) return;
    for (WebSocketSession* each : Topics::sessions(*topic)) {
      each->connection().guarded([each] { each->overflow(); });
    }
  }
  void operator()(WsQueued&& c) const {
    const auto* const session = websocket(c.id);
    c.answer.set_value(session != nullptr ? session->queued() : 0);
  }
  void operator()(IsPresent&& c) const {
    auto* const session = http(c.id);
    c.answer.set_value(session != nullptr && session->application().present(c.id.sequence));
  }
  void operator()(SetRoutes&&) const {}  // this and those that follow: the server's own
  void operator()(Adopt&&) const {}
  void operator()(LetIn&&) const {}
  void operator()(FindIdle&&) const {}
  void operator()(CloseIdle&&) const {}
  void operator()(TakeGauges&&) const {}
  void operator()(SetRouting&&) const {}
  void operator()(HandOver&&) const {}
  void operator()(TakeBack&&) const {}
  void operator()(Stop&&) const {}
};

}  // namespace

void carry_out(Context& context, Publications& publications, Command&& command) noexcept {
  const Carrier carrier{context, publications};
  try {
    std::visit(carrier, std::move(command));
  } catch (const std::bad_alloc&) {
    Connection* const connection = context.connections.find(carrier.serving);
    if (connection != nullptr) return connection->without_memory();
    context.without_memory();
  }
}

}  // namespace httpuv::server
