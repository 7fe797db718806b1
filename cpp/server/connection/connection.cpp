#include "server/connection/connection.h"

#include <new>
#include <utility>

namespace httpuv::server {

Connection::Connection(Context& context, ConnectionId id, std::unique_ptr<net::Transport> transport,
                       Door door, ProtocolMaker first)
    : context_(context),
      id_(id),
      door_(door),
      transport_(std::move(transport)),
      deadline_(this),
      protocol_(first(context, *this)) {}

Connection::~Connection() {
  remove();
}

void Connection::start() {
  context_.reserve.refill();
  protocol_->start();
}

void Connection::become(std::unique_ptr<Protocol> next, std::string_view rest) {
  context_.replaced.emplace_back();  // if there is no memory for this, nothing has changed
  context_.replaced.back() = std::exchange(protocol_, std::move(next));
  protocol_->start();
  if (!rest.empty()) protocol_->on_data(rest);
  if (transport_->ended() && !closing_) protocol_->on_eof();
}

void Connection::check(int error) noexcept {
  if (error == 0 || closing()) return;
  broken_ = true;
  context_.broken.append(*this);
}

void Connection::reset_all(net::ListLink& broken) {
  while (!broken.empty()) static_cast<Connection&>(*broken.next).reset();
}

template <class Write>
void Connection::attempt(const Write& write) noexcept {
  guarded([&] {
    if (!closing()) check(write());
  });
}

void Connection::write(std::string_view head, std::string&& body) noexcept {
  attempt([&] { return transport_->write_owned(head, std::move(body)); });
}

void Connection::write_shared(std::string_view head, std::string_view body,
                              const std::shared_ptr<const void>& owner) noexcept {
  attempt([&] { return transport_->write_shared(head, body, owner); });
}

void Connection::write_borrowed(std::string_view head, const base::Borrowed& body) noexcept {
  attempt(
      [&] { return transport_->write_shared(head, body.bytes, body.owner, body.bytes.size()); });
}

void Connection::send_file(std::string_view head, net::FileRef file, std::uint64_t offset,
                           std::uint64_t length) noexcept {
  attempt([&] { return transport_->send_file(head, std::move(file), offset, length); });
}

void Connection::write(std::string_view bytes) noexcept {
  attempt([&] { return transport_->write(bytes); });
}

bool Connection::start_closing() noexcept {
  remove();
  if (closing_) return false;
  closing_ = true;
  deadline_.clear();
  context_.outbox.forget(*this);
  guarded([this] { protocol_->on_gone(); });
  return true;
}

void Connection::drain() noexcept {
  if (closing()) return;
  guarded([this] { protocol_->drain(); });
}

void Connection::close() noexcept {
  if (start_closing()) transport_->close();
}

void Connection::reset() noexcept {
  if (start_closing()) transport_->reset();
}

void Connection::without_memory() noexcept {
  context_.without_memory();
  gave_up_ = true;
  fail();
}

std::span<char> Connection::read_into() noexcept {
  std::span<char> place;
  if (!closing()) guarded([&] { place = protocol_->read_into(); });
  return place;
}

void Connection::on_data(std::string_view bytes) noexcept {
  context_.metrics.bytes_in.add(bytes.size());
  if (closing()) return;
  guarded([&] { protocol_->on_data(bytes); });
}

void Connection::on_eof() noexcept {
  if (closing()) return;
  guarded([this] { protocol_->on_eof(); });
}

void Connection::on_error(int) noexcept {
  close();
}

void Connection::on_drained() noexcept {
  if (closing()) return;
  guarded([this] { protocol_->on_drained(); });
}

void Connection::on_closed() noexcept {
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

void Connection::on_deadline(net::Deadline&) noexcept {
  if (closing()) return;
  guarded([this] { protocol_->on_deadline(); });
}

HttpSession* http_of(const Context& context, const ConnectionId& id) {
  Connection* const connection = context.connections.find(id);
  if (connection == nullptr || connection->gave_up()) return nullptr;
  return connection->protocol().http();
}

WebSocketSession* websocket_of(const Context& context, const ConnectionId& id) {
  Connection* const connection = context.connections.find(id);
  if (connection == nullptr || connection->gave_up()) return nullptr;
  return connection->protocol().websocket();
}

}  // namespace httpuv::server
