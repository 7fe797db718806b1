#include "server/connection.h"

#include <utility>

#include "server/http_session.h"
#include "server/proxy_session.h"

namespace httpuv::server {

Connection::Connection(Context& context, ConnectionId id, std::unique_ptr<net::Transport> transport,
                       Door door)
    : context_(context),
      id_(id),
      door_(door),
      transport_(std::move(transport)),
      deadline_(this),
      protocol_(door.proxy
                    ? std::unique_ptr<Protocol>(std::make_unique<ProxySession>(context, *this))
                    : std::make_unique<HttpSession>(context, *this)) {}

Connection::~Connection() = default;

void Connection::start() {
  protocol_->start();
}

void Connection::become(std::unique_ptr<Protocol> next, std::string_view rest) {
  context_.replaced.push_back(std::exchange(protocol_, std::move(next)));
  protocol_->start();
  if (!rest.empty()) protocol_->on_data(rest);
  if (transport_->ended() && !closing_) protocol_->on_eof();
}

void Connection::check(int error) {
  if (error == 0 || closing()) return;
  broken_ = true;
  context_.broken.push_back(id_);
}

void Connection::write(std::string_view head, std::string&& body) {
  if (!closing()) check(transport_->write_owned(head, std::move(body)));
}

void Connection::write_shared(std::string_view head, std::string_view body,
                              const std::shared_ptr<const void>& owner) {
  if (!closing()) check(transport_->write_shared(head, body, owner));
}

void Connection::send_file(std::string_view head, net::FileRef file, std::uint64_t offset,
                           std::uint64_t length) {
  if (!closing()) check(transport_->send_file(head, std::move(file), offset, length));
}

void Connection::write(std::string_view bytes) {
  if (!closing()) check(transport_->write(bytes));
}

bool Connection::start_closing() {
  if (closing_) return false;
  closing_ = true;
  deadline_.clear();
  context_.outbox.forget(*this);
  protocol_->on_gone();
  return true;
}

void Connection::drain() {
  if (closing()) return;
  protocol_->drain();
}

void Connection::close() {
  if (start_closing()) transport_->close();
}

void Connection::reset() {
  if (start_closing()) transport_->reset();
}

void Connection::on_data(std::string_view bytes) {
  context_.metrics.bytes_in.add(bytes.size());
  if (closing()) return;
  protocol_->on_data(bytes);
}

void Connection::on_eof() {
  if (closing()) return;
  protocol_->on_eof();
}

void Connection::on_error(int) {
  close();
}

void Connection::on_drained() {
  if (closing()) return;
  protocol_->on_drained();
}

void Connection::on_closed() {
  context_.sent.closed += transport_->bytes_written();
  if (door_.admin) {
    --context_.admin_connections;
  } else {
    context_.counters.connections.subtract(1);
  }
  Context& context = context_;
  context.outbox.forget(*this);   // if something was still said to it while it closed
  context.connections.take(id_);  // destroys this
  context.on_connection_closed();
}

void Connection::on_deadline(net::Deadline&) {
  if (closing()) return;
  protocol_->on_deadline();
}

HttpSession* http_of(const Context& context, const ConnectionId& id) {
  Connection* const connection = context.connections.find(id);
  return connection != nullptr ? connection->protocol().http() : nullptr;
}

WebSocketSession* websocket_of(const Context& context, const ConnectionId& id) {
  Connection* const connection = context.connections.find(id);
  return connection != nullptr ? connection->protocol().websocket() : nullptr;
}

}  // namespace httpuv::server
