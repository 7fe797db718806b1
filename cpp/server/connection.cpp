#include "server/connection.h"

#include <utility>

namespace httpuv::server {

Connection::Connection(Context& context, ConnectionId id)
    : context_(context), id_(id), deadline_(this), http_(context, *this) {}

int Connection::open(net::Accepted&& accepted) {
  if (const int error = stream_.open(std::move(accepted), this); error != 0) return error;
  http_.start();
  return 0;
}

void Connection::upgrade(websocket::Session&& session, std::string_view rest) {
  websocket_ = std::make_unique<WebSocketSession>(context_, *this, std::move(session));
  websocket_->start();
  if (!rest.empty()) websocket_->on_data(rest);
  if (stream_.ended() && !closing_) websocket_->on_eof();
}

void Connection::check(int error) {
  if (error == 0 || closing()) return;
  broken_ = true;
  context_.broken.push_back(id_);
}

void Connection::write(std::string_view head, std::string&& body) {
  if (!closing()) check(stream_.write_owned(head, std::move(body)));
}

void Connection::write_shared(std::string_view head, std::string_view body,
                              const std::shared_ptr<const void>& owner) {
  if (!closing()) check(stream_.write_shared(head, body, owner));
}

void Connection::send_file(std::string_view head, net::FileRef file, std::uint64_t offset,
                           std::uint64_t length) {
  if (!closing()) check(stream_.send_file(head, std::move(file), offset, length));
}

void Connection::write(std::string_view bytes) {
  if (!closing()) check(stream_.write(bytes));
}

bool Connection::start_closing() {
  if (closing_) return false;
  closing_ = true;
  deadline_.clear();
  context_.outbox.forget(*this);
  if (websocket_ != nullptr) {
    websocket_->on_gone();
  } else {
    http_.on_gone();
  }
  return true;
}

void Connection::drain() {
  if (closing()) return;
  if (websocket_ != nullptr) return websocket_->drain();
  http_.drain();
}

void Connection::close() {
  if (start_closing()) stream_.close();
}

void Connection::reset() {
  if (start_closing()) stream_.reset();
}

void Connection::on_data(std::string_view bytes) {
  if (closing()) return;
  if (websocket_ != nullptr) return websocket_->on_data(bytes);
  http_.on_data(bytes);
}

void Connection::on_eof() {
  if (closing()) return;
  if (websocket_ != nullptr) return websocket_->on_eof();
  http_.on_eof();
}

void Connection::on_error(int) {
  close();
}

void Connection::on_drained() {
  if (closing()) return;
  if (websocket_ != nullptr) return websocket_->on_drained();
  http_.on_drained();
}

void Connection::on_closed() {
  context_.counters.connections.subtract(1);
  Context& context = context_;
  context.outbox.forget(*this);   // if something was still said to it while it closed
  context.connections.take(id_);  // destroys this
  context.on_connection_closed();
}

void Connection::on_deadline(net::Deadline&) {
  if (closing()) return;
  if (websocket_ != nullptr) return websocket_->on_deadline();
  http_.on_deadline();
}

}  // namespace httpuv::server
