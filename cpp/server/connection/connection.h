// One accepted connection: the transport, its deadline, and the protocol that is spoken on it.
//
// Loop thread only. The server's slot map owns it and erases it only when the transport has
// reported its end. Other code has its ConnectionId. A transport error ends it, and so does an
// allocation that fails, whatever it was for: see guarded(). Nothing is thrown.
// More than 25 members and methods, because it passes on the calls of Transport and those of
// Protocol.
#pragma once

#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "base/list_link.h"
#include "net/loop/reactor.h"
#include "net/loop/timer_wheel.h"
#include "net/stream/transport.h"
#include "server/connection/context.h"
#include "server/connection/protocol.h"

namespace httpuv::server {

class Connection;

using ProtocolMaker = std::unique_ptr<Protocol> (*)(Context&, Connection&);
template <class P>
std::unique_ptr<Protocol> make_protocol(Context& context, Connection& connection) {
  return std::make_unique<P>(context, connection);
}

class Connection final : public net::StreamHandler,
                         public net::DeadlineOwner,
                         private net::ListLink {
 public:
  // `first`: makes the protocol with which it begins.
  Connection(Context& context, ConnectionId id, std::unique_ptr<net::Transport> transport,
             Door door, ProtocolMaker first);
  ~Connection() override;

  // The transport is open.
  void start();

  [[nodiscard]] ConnectionId id() const { return id_; }
  [[nodiscard]] const Door& door() const { return door_; }
  [[nodiscard]] net::Transport& stream() { return *transport_; }
  // The peer; with the PROXY protocol the client that the proxy names.
  [[nodiscard]] const net::Peer& peer() { return peer_ != nullptr ? *peer_ : transport_->peer(); }
  void set_peer(net::Peer peer) { peer_ = std::make_unique<net::Peer>(std::move(peer)); }
  [[nodiscard]] Protocol& protocol() { return *protocol_; }
  [[nodiscard]] bool closing() const { return closing_ || broken_; }

  void set_deadline(std::int64_t at_ms) { deadline_.set(context_.loop.timers(), at_ms); }

  [[nodiscard]] ConnectionState state() const {
    return closing() ? ConnectionState::kClosing : protocol_->state();
  }

  // Replaces the protocol by `next`. `rest` is the input after the request for it.
  void become(std::unique_ptr<Protocol> next, std::string_view rest);

  // See Protocol.
  [[nodiscard]] std::optional<std::int64_t> idle_since() const {
    if (closing()) return {};
    return protocol_->idle_since();
  }

  // Writes, or keeps what the transport does not take. An error resets the connection when the turn
  // ends, not earlier, because the caller still uses its state.
  void write(std::string_view bytes) noexcept;
  void write(std::string_view head, std::string&& body) noexcept;
  void write_shared(std::string_view head, std::string_view body,
                    const std::shared_ptr<const void>& owner) noexcept;
  void write_borrowed(std::string_view head, const base::Borrowed& body) noexcept;
  void send_file(std::string_view head, net::FileRef file, std::uint64_t offset,
                 std::uint64_t length) noexcept;

  // The server is stopping: ends it when all work under way is done.
  void drain() noexcept;
  // Ends it at once; unwritten data is lost.
  void close() noexcept;
  // Resets it when the turn ends: an exchange failed, and the peer must not mistake the received
  // part for the whole answer.
  void fail() noexcept { check(-1); }
  // Ends it at once with RST: the answer was cut.
  void reset() noexcept;

  // Does something for this connection. Without memory the connection is reset when the turn ends
  // (what calls may be in the middle of it), and takes no further command: the application is told
  // as of a client that went away.
  template <class Call>
  void guarded(const Call& call) noexcept {
    try {
      call();
    } catch (const std::bad_alloc&) {
      without_memory();
    }
  }
  void without_memory() noexcept;
  // What was under way stands where it stopped, so nothing but the end can come.
  [[nodiscard]] bool gave_up() const { return gave_up_; }

  // Resets those of the list, which fail() has made.
  static void reset_all(net::ListLink& broken);

  std::span<char> read_into() noexcept override;
  void on_data(std::string_view bytes) noexcept override;
  void on_eof() noexcept override;
  void on_error(int error) noexcept override;
  void on_drained() noexcept override;
  void on_closed() noexcept override;
  void on_deadline(net::Deadline& deadline) noexcept override;

 private:
  template <class Write>
  void attempt(const Write& write) noexcept;
  void check(int error) noexcept;
  bool start_closing() noexcept;

  Context& context_;
  const ConnectionId id_;
  const Door door_;
  bool closing_ = false;
  bool broken_ = false;   // something failed: reset when the turn ends
  bool gave_up_ = false;  // there was no memory
  const std::unique_ptr<net::Transport> transport_;
  std::unique_ptr<net::Peer> peer_;
  net::Deadline deadline_;
  std::unique_ptr<Protocol> protocol_;
};

// The protocol object of a connection for commands; null if it has gone or has another protocol.
HttpSession* http_of(const Context& context, const ConnectionId& id);
WebSocketSession* websocket_of(const Context& context, const ConnectionId& id);

// Does something for it, as Connection::guarded() does.
template <class Call>
void with_http(const Context& context, const ConnectionId& id, const Call& call) noexcept {
  if (HttpSession* const session = http_of(context, id)) {
    context.connections.find(id)->guarded([&] { call(*session); });
  }
}
template <class Call>
void with_websocket(const Context& context, const ConnectionId& id, const Call& call) noexcept {
  if (WebSocketSession* const session = websocket_of(context, id)) {
    context.connections.find(id)->guarded([&] { call(*session); });
  }
}

}  // namespace httpuv::server
