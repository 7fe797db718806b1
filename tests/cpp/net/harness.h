// A loop on its own thread, server-side sessions that record what happens to them, and blocking
// clients with a time limit, so that a test that goes wrong fails instead of hanging.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "net/lanes/lanes.h"
#include "net/listen/bind.h"
#include "net/listen/listener.h"
#include "net/loop/loop.h"
#include "net/loop/loop_thread.h"
#include "net/stream/stream.h"

namespace httpuv::net::test {

inline constexpr std::chrono::seconds kPatience{30};

// The threads that all loops of the tests share.
std::shared_ptr<Lanes> lanes();

// Runs functions on the loop thread. The destructor ends the loop and proves that it closed.
class LoopHarness {
 public:
  LoopHarness();
  ~LoopHarness();

  // Runs `task` on the loop thread and waits for its end.
  void call(std::function<void()> task);
  // The same without waiting.
  void post(std::function<void()> task);

  Loop& loop() { return *loop_; }

 private:
  void run_tasks();

  std::unique_ptr<Loop> loop_;
  LoopThread thread_;
  std::mutex mutex_;
  std::vector<std::function<void()>> tasks_;
};

// What a stream reports, as one letter each, besides the data: E(of) X(error) D(rained) C(losed).
// Hooks run on the loop thread, after the recording.
class Session final : public StreamHandler {
 public:
  std::function<void(Session&, std::string_view)> data_hook;
  std::function<void(Session&)> eof_hook, error_hook, drained_hook, closed_hook;
  Stream stream;

  // From any thread.
  std::string received() const;
  std::string events() const;
  int error() const;
  void wait_for_event(char event) const;
  bool saw(char event) const;

 private:
  void on_data(std::string_view data) override;
  void on_eof() override;
  void on_error(int error) noexcept override;
  void on_drained() override;
  void on_closed() noexcept override;
  void record(char event);

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::string received_;
  std::string events_;
  int error_ = 0;
};

// Listens on 127.0.0.1 (or what it is given), turns each connection into a Session.
class ServerHarness {
 public:
  explicit ServerHarness(std::function<void(Session&)> prepare = {},
                         const char* host = "127.0.0.1");
  explicit ServerHarness(ListenSocket&& socket, std::function<void(Session&)> prepare);
  ~ServerHarness();

  int port() const { return port_; }
  LoopHarness& harness() { return harness_; }
  Loop& loop() { return harness_.loop(); }
  void call(std::function<void()> task) { harness_.call(std::move(task)); }
  // Waits until there are that many, and returns the last.
  Session& session(std::size_t count = 1);
  Listener& listener() { return *listener_; }
  // On the loop thread.
  void stop_listening() { listener_.reset(); }

 private:
  void open(ListenSocket&& socket);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Session>> sessions_;
  std::function<void(Session&)> prepare_;
  LoopHarness harness_;
  std::unique_ptr<Listener> listener_;
  int port_ = 0;
};

// Listens on 127.0.0.1 for as long as it lives; `accept` runs on the loop thread.
class ListenerHarness {
 public:
  ListenerHarness(LoopHarness& harness, std::function<void(Accepted&&)> accept);
  ~ListenerHarness();

  int port() const { return listener_->socket().port(); }

 private:
  LoopHarness& harness_;
  std::unique_ptr<Listener> listener_;
};

// A blocking client.
class Client {
 public:
  explicit Client(int fd);                       // takes a connected socket
  explicit Client(const ServerHarness& server);  // not const: the accessor is
  explicit Client(int port, int family, int receive_buffer = 0);
  explicit Client(const std::string& path);  // of a Unix socket
  Client(Client&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Client();

  int fd() const { return fd_; }
  void send(std::string_view bytes);
  // Up to that many bytes; fewer only at the end of the stream.
  std::string receive(std::size_t count);
  std::string receive_all();
  // "" for FIN, "RST" for a reset, else the bytes that came.
  std::string receive_end();
  void shut_down();
  void close();
  void reset();
  int local_port() const;

 private:
  void set_patience() const;
  int fd_;
};

// A session on one end of a socket pair; the test holds the other.
class Pair {
 public:
  explicit Pair(LoopHarness& harness) : harness_(harness), client(open()) {}
  ~Pair();

 private:
  int open();
  LoopHarness& harness_;

 public:
  Session session;
  Client client;
};

// Has the session answer with what it gets.
void echo(Session& session);

inline constexpr std::size_t kMega = std::size_t{1024} * 1024;

// TCP stalls on buffers smaller than its segments, which are large on the loopback interface.
inline constexpr int kSmallBuffer = 64 * 1024;

// So that little fits into the socket.
void shrink(Stream& stream, int size = kSmallBuffer);

// Bytes that differ everywhere, so that a lost or repeated piece shows.
std::string pattern(std::size_t size, std::uint32_t seed = 1);

// A file with that content, unlinked already.
class TempFile {
 public:
  explicit TempFile(std::string_view content);
  ~TempFile();
  int fd() const { return fd_; }
  // With a separate descriptor, since a disk thread may read after the test has ended.
  FileRef ref() const;
  // Out of the page cache. False where the file system keeps everything in memory.
  bool evict() const;

 private:
  int fd_;
};

// A directory for socket files; removed with its content.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  std::string path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Open descriptors of this process.
std::size_t count_descriptors();

}  // namespace httpuv::net::test
