// One accepted connection: the stream, its deadline, and the protocol that is spoken on it.
//
// Lives on the loop thread, owned by the server's slot map, erased only when libuv has closed the
// handle. Everyone else knows its ConnectionId. A stream error ends it; nothing is thrown.
#pragma once

#include <memory>
#include <string_view>

#include "net/stream.h"
#include "net/timer_wheel.h"
#include "server/context.h"
#include "server/http_session.h"
#include "server/websocket_session.h"

namespace httpuv::server {

class Connection final : public net::StreamHandler, public net::DeadlineOwner {
 public:
  Connection(Context& context, ConnectionId id);

  // Takes what was accepted and starts to read; 0 or a libuv error.
  int open(net::Accepted&& accepted);

  [[nodiscard]] ConnectionId id() const { return id_; }
  [[nodiscard]] net::Stream& stream() { return stream_; }
  [[nodiscard]] HttpSession& http() { return http_; }
  [[nodiscard]] bool closing() const { return closing_ || broken_; }

  void set_deadline(std::int64_t at_ms) { deadline_.set(context_.loop.timers(), at_ms); }

  [[nodiscard]] WebSocketSession* websocket() { return websocket_.get(); }  // after upgrade()

  // From now on WebSocket is spoken here. `rest` came behind the request.
  void upgrade(websocket::Session&& session, std::string_view rest);

  // Writes, or keeps what the socket does not take. An error closes the connection, but not before
  // the turn ends: who writes is in the middle of something, and must find it as it was.
  void write(std::string_view bytes);
  void write(std::string_view head, std::string&& body);
  void write_shared(std::string_view head, std::string_view body,
                    const std::shared_ptr<const void>& owner);
  void send_file(std::string_view head, net::FileRef file, std::uint64_t offset,
                 std::uint64_t length);

  // The server is stopping: ends it as soon as what is under way is done.
  void drain();
  // Ends it at once; what has not been written is lost.
  void close();
  // Ends it when the turn does: something failed in the middle of an exchange.
  void fail() { check(-1); }
  // Ends it at once and tells the peer so (RST): the answer was cut.
  void reset();

  void on_data(std::string_view bytes) override;
  void on_eof() override;
  void on_error(int error) override;
  void on_drained() override;
  void on_closed() override;
  void on_deadline(net::Deadline& deadline) override;

 private:
  void check(int error);
  bool start_closing();

  Context& context_;
  const ConnectionId id_;
  bool closing_ = false;
  bool broken_ = false;  // a write failed: closes when the turn ends
  net::Stream stream_;
  net::Deadline deadline_;
  HttpSession http_;
  std::unique_ptr<WebSocketSession> websocket_;
};

}  // namespace httpuv::server
