#include "application.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <cerrno>

#include "../uninterrupted.h"

namespace httpuv::server {

using httpuv::test::receive_some;
using httpuv::test::send_some;

void TestSink::deliver(std::vector<Event>& events) {
  {
    const std::lock_guard lock(mutex_);
    for (Event& event : events) events_.push_back(std::move(event));
  }
  events.clear();
  arrived_.notify_one();
}

void TestSink::log(AccessBatch&& batch) {
  {
    const std::lock_guard lock(mutex_);
    events_.emplace_back(LogEvent{std::move(batch)});
  }
  arrived_.notify_one();
}

bool TestSink::idle() const {
  const std::lock_guard lock(mutex_);
  return events_.empty();
}

std::optional<Event> TestSink::next() {
  std::unique_lock lock(mutex_);
  arrived_.wait(lock, [this] { return closed_ || !events_.empty(); });
  if (events_.empty()) return {};
  std::optional<Event> event(std::move(events_.front()));
  events_.pop_front();
  return event;
}

void TestSink::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  arrived_.notify_one();
}

TestServer::TestServer(Handler handle, Settings settings, std::shared_ptr<net::Lanes> lanes) {
  auto sink = std::make_unique<TestSink>();
  sink_ = sink.get();
  server_ = std::make_unique<Server>(std::move(settings), std::move(sink));
  Bound bound;
  REQUIRE(server_->listen_tcp("127.0.0.1", 0, &bound, nullptr) == 0);
  REQUIRE(server_->start(std::move(lanes)) == 0);
  port_ = bound.port;
  thread_ = std::thread([this, handle = std::move(handle)] {
    // An event is destroyed before the next is waited for: it may hold a charge.
    while (auto event = sink_->next()) handle(*server_, std::move(*event));
  });
}

TestServer::~TestServer() {
  server_->stop(0);
  sink_->close();
  thread_.join();
}

void respond(Server& server, EnvelopePtr&& envelope, int status, std::string body) {
  envelope->head.status = status;
  envelope->answer = std::move(body);
  server.post(Respond{std::move(envelope)});
}

void echo(Server& server, Event&& event) {
  auto* request = std::get_if<RequestEvent>(&event);
  if (request == nullptr) return;
  EnvelopePtr envelope = std::move(request->envelope);
  const http::RequestHead& head = envelope->request;
  std::string body(head.view(head.method));
  body.append(" ").append(head.view(head.target)).append(" ").append(envelope->body.bytes);
  respond(server, std::move(envelope), 200, std::move(body));
}

TestClient::TestClient(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(httpuv::test::connected(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address));
  const timeval patience{20, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

TestClient::~TestClient() {
  if (fd_ >= 0) ::close(fd_);
}

void TestClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send_some(fd_, bytes.data(), bytes.size());
    if (n <= 0) return;  // the server has closed: what it said is still to be read
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

std::size_t TestClient::send_while_taken(std::string_view bytes, int patience_ms) {
  std::size_t taken = 0;
  while (taken < bytes.size()) {
    pollfd writable{fd_, POLLOUT, 0};
    if (::poll(&writable, 1, patience_ms) == 0) break;
    const ssize_t n =
        ::send(fd_, bytes.data() + taken, bytes.size() - taken, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) taken += static_cast<std::size_t>(n);
    if (n < 0 && errno != EAGAIN && errno != EINTR) break;
  }
  return taken;
}

void TestClient::half_close() {
  ::shutdown(fd_, SHUT_WR);
}

void TestClient::vanish() {
  const linger now{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  ::close(fd_);
  fd_ = -1;
}

std::string TestClient::read_until(std::string_view text) {
  char chunk[65536];
  while (buffer_.find(text) == std::string::npos) {
    const ssize_t n = receive_some(fd_, chunk, sizeof chunk);
    if (n <= 0) break;
    buffer_.append(chunk, static_cast<std::size_t>(n));
  }
  const std::size_t found = buffer_.find(text);
  const std::size_t end = found == std::string::npos ? buffer_.size() : found + text.size();
  std::string result = buffer_.substr(0, end);
  buffer_.erase(0, end);
  return result;
}

std::string TestClient::read_all() {
  char chunk[65536];
  for (ssize_t n = 0; (n = receive_some(fd_, chunk, sizeof chunk)) > 0;) {
    buffer_.append(chunk, static_cast<std::size_t>(n));
  }
  return std::exchange(buffer_, {});
}

std::string TestClient::read_exactly(std::size_t size) {
  char chunk[65536];
  while (buffer_.size() < size) {
    const ssize_t n = receive_some(fd_, chunk, sizeof chunk);
    if (n <= 0) break;
    buffer_.append(chunk, static_cast<std::size_t>(n));
  }
  std::string result = buffer_.substr(0, size);
  buffer_.erase(0, size);
  return result;
}

}  // namespace httpuv::server
