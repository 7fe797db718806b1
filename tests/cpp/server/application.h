// A server with an application in C++, and a raw client, for tests: what Python would do, on a
// thread of its own, so that the thread sanitizer sees both sides.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "../limits.h"
#include "server/server.h"

namespace httpuv::server {

// Collects events; run_one() hands the next to the test's function.
class TestSink final : public EventSink {
 public:
  void deliver(std::vector<Event>& events) override;
  void log(AccessBatch&& batch) override;
  [[nodiscard]] bool idle() const override;
  [[nodiscard]] bool attended() const override { return true; }

  // Waits for an event; nothing when `close()` was called and none is left.
  std::optional<Event> next();
  void close();

 private:
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Event> events_;
  bool closed_ = false;
};

// A running server whose events go to `handle`, on a thread.
class TestServer {
 public:
  using Handler = std::function<void(Server&, Event&&)>;
  explicit TestServer(Handler handle, Settings settings = Settings(usual_limits()),
                      std::shared_ptr<net::Lanes> lanes = nullptr);
  ~TestServer();

  Server& server() { return *server_; }
  int port() const { return port_; }
  void stop(int grace_ms = 0) { server_->stop(grace_ms); }

 private:
  TestSink* sink_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
  int port_ = 0;
};

// Answers every request with its method, target and body.
void echo(Server& server, Event&& event);
void respond(Server& server, EnvelopePtr&& envelope, int status, std::string body);

class TestClient {
 public:
  explicit TestClient(int port);
  ~TestClient();
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  void send(std::string_view bytes);
  // Until the server has taken nothing for this long; returns how many bytes it took.
  std::size_t send_while_taken(std::string_view bytes, int patience_ms);
  void half_close();
  void vanish();  // closes with RST
  // Reads until the text has come, or the end of the stream; what was read is returned and kept.
  std::string read_until(std::string_view text);
  std::string read_all();
  std::string read_exactly(std::size_t size);

 private:
  int fd_;
  std::string buffer_;
};

}  // namespace httpuv::server
