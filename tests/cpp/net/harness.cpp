#include "harness.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>

#include "../uninterrupted.h"
#include "net/file/file_slice.h"

namespace httpuv::net::test {

using httpuv::test::connected;
using httpuv::test::receive_some;
using httpuv::test::send_some;

std::shared_ptr<Lanes> lanes() {
  static const std::shared_ptr<Lanes> shared = [] {
    int error = 0;
    std::shared_ptr<Lanes> started = Lanes::start(&error);
    REQUIRE(error == 0);
    return started;
  }();
  return shared;
}

LoopHarness::LoopHarness() {
  int error = 0;
  loop_ = Loop::create(&error, lanes());
  REQUIRE(error == 0);
  loop_->on_wake = [this] { run_tasks(); };
  REQUIRE(thread_.start([this] { loop_->run(); }) == 0);
}

LoopHarness::~LoopHarness() {
  post([this] { loop_->finish(); });
  thread_.join();
}

void LoopHarness::post(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  loop_->wake();
}

void LoopHarness::call(std::function<void()> task) {
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
  post([&] {
    task();
    const std::lock_guard lock(mutex);
    done = true;
    changed.notify_one();
  });
  std::unique_lock lock(mutex);
  REQUIRE(changed.wait_for(lock, kPatience, [&] { return done; }));
}

void LoopHarness::run_tasks() {
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(tasks_);
  }
  for (const auto& task : tasks) task();
}

std::string Session::received() const {
  const std::lock_guard lock(mutex_);
  return received_;
}

std::string Session::events() const {
  const std::lock_guard lock(mutex_);
  return events_;
}

int Session::error() const {
  const std::lock_guard lock(mutex_);
  return error_;
}

bool Session::saw(char event) const {
  const std::lock_guard lock(mutex_);
  return events_.find(event) != std::string::npos;
}

void Session::wait_for_event(char event) const {
  std::unique_lock lock(mutex_);
  REQUIRE_MESSAGE(
      changed_.wait_for(lock, kPatience, [&] { return events_.find(event) != std::string::npos; }),
      "waited for " << event << ", saw " << events_);
}

void Session::record(char event) {
  const std::lock_guard lock(mutex_);
  events_ += event;
  changed_.notify_all();
}

void Session::on_data(std::string_view data) {
  {
    const std::lock_guard lock(mutex_);
    received_ += data;
    changed_.notify_all();
  }
  if (data_hook) data_hook(*this, data);
}

void Session::on_eof() {
  record('E');
  if (eof_hook) eof_hook(*this);
}

void Session::on_error(int error) noexcept {
  {
    const std::lock_guard lock(mutex_);
    error_ = error;
  }
  record('X');
  if (error_hook) error_hook(*this);
}

void Session::on_drained() {
  record('D');
  if (drained_hook) drained_hook(*this);
}

void Session::on_closed() noexcept {
  if (closed_hook) closed_hook(*this);
  record('C');  // last: a test that waits for it may destroy the session
}

ServerHarness::ServerHarness(std::function<void(Session&)> prepare, const char* host)
    : prepare_(std::move(prepare)) {
  std::vector<ListenSocket> sockets;
  REQUIRE(bind_tcp(host, 0, &sockets) == 0);
  REQUIRE(sockets.size() == 1);
  open(std::move(sockets.front()));
}

ServerHarness::ServerHarness(ListenSocket&& socket, std::function<void(Session&)> prepare)
    : prepare_(std::move(prepare)) {
  open(std::move(socket));
}

void ServerHarness::open(ListenSocket&& socket) {
  port_ = socket.port();
  harness_.call([&] {
    int error = 0;
    listener_ = Listener::open(
        loop(), std::move(socket),
        [this](Accepted&& accepted) {
          auto session = std::make_unique<Session>();
          if (prepare_) prepare_(*session);
          const bool opened = session->stream.open(std::move(accepted), session.get()) == 0;
          if (opened) session->stream.start_reading();
          const std::lock_guard lock(mutex_);
          sessions_.push_back(std::move(session));
          changed_.notify_all();
        },
        &error);
    CHECK(error == 0);
  });
}

ServerHarness::~ServerHarness() {
  harness_.call([this] {
    listener_.reset();
    for (const auto& session : sessions_) session->stream.close();
  });
  for (const auto& session : sessions_) session->wait_for_event('C');
}

Session& ServerHarness::session(std::size_t count) {
  std::unique_lock lock(mutex_);
  REQUIRE(changed_.wait_for(lock, kPatience, [&] { return sessions_.size() >= count; }));
  return *sessions_[count - 1];
}

ListenerHarness::ListenerHarness(LoopHarness& harness, std::function<void(Accepted&&)> accept)
    : harness_(harness) {
  harness.call([&] {
    std::vector<ListenSocket> sockets;
    REQUIRE(bind_tcp("127.0.0.1", 0, &sockets) == 0);
    int error = 0;
    listener_ =
        Listener::open(harness.loop(), std::move(sockets.front()), std::move(accept), &error);
    REQUIRE(error == 0);
  });
}

ListenerHarness::~ListenerHarness() {
  harness_.call([this] { listener_.reset(); });
}

Client::Client(int fd) : fd_(fd) {
  set_patience();
}

Client::Client(const ServerHarness& server) : Client(server.port(), AF_INET) {}

Client::Client(int port, int family, int receive_buffer) : fd_(::socket(family, SOCK_STREAM, 0)) {
  REQUIRE(fd_ >= 0);
  set_patience();
  if (receive_buffer > 0) {
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
  }
  sockaddr_storage address{};
  socklen_t length = 0;
  if (family == AF_INET) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&address);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<std::uint16_t>(port));
    v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    length = sizeof(*v4);
  } else {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&address);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(static_cast<std::uint16_t>(port));
    v6->sin6_addr = in6addr_loopback;
    length = sizeof(*v6);
  }
  REQUIRE(connected(fd_, reinterpret_cast<sockaddr*>(&address), length));
}

Client::Client(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
  REQUIRE(fd_ >= 0);
  set_patience();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(path.size() < sizeof(address.sun_path));
  std::memcpy(address.sun_path, path.c_str(), path.size());
  REQUIRE(connected(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)));
}

Client::~Client() {
  close();
}

void Client::set_patience() const {
  timeval limit{};
  limit.tv_sec = kPatience.count();
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

void Client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = send_some(fd_, bytes.data(), bytes.size());
    REQUIRE(count > 0);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

std::string Client::receive(std::size_t count) {
  std::string bytes(count, '\0');
  std::size_t have = 0;
  while (have < count) {
    const ssize_t got = receive_some(fd_, bytes.data() + have, count - have);
    const int error = errno;
    REQUIRE_MESSAGE(got >= 0, "recv: " << std::string(std::strerror(error)) << " after " << have);
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

std::string Client::receive_all() {
  std::string all;
  for (;;) {
    const std::string some = receive(64 * 1024);
    all += some;
    if (some.size() < 64 * 1024) return all;
  }
}

std::string Client::receive_end() {
  std::string bytes;
  char buffer[4096];
  for (;;) {
    const ssize_t got = receive_some(fd_, buffer, sizeof(buffer));
    if (got == 0) return bytes;
    if (got < 0) return errno == ECONNRESET ? "RST" : std::strerror(errno);
    bytes.append(buffer, static_cast<std::size_t>(got));
  }
}

void Client::shut_down() {
  CHECK(::shutdown(fd_, SHUT_WR) == 0);
}

void Client::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void Client::reset() {
  const linger now{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  close();
}

int Client::local_port() const {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  REQUIRE(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  SocketAddress named;
  named.storage = address;
  named.length = length;
  return named.port();
}

Pair::~Pair() {
  harness_.call([&] { session.stream.close(); });
  session.wait_for_event('C');
}

int Pair::open() {
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
  harness_.call([&] {
    CHECK(session.stream.open(Accepted::adopt(harness_.loop(), fds[0]), &session) == 0);
    session.stream.start_reading();
  });
  return fds[1];
}

void echo(Session& session) {
  session.data_hook = [](Session& self, std::string_view data) {
    CHECK(self.stream.write(data) == 0);
  };
}

void shrink(Stream& stream, int size) {
  setsockopt(stream.fd(), SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

std::string pattern(std::size_t size, std::uint32_t seed) {
  std::minstd_rand random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random() >> 8);
  return bytes;
}

TempFile::TempFile(std::string_view content) {
  std::string name = std::filesystem::temp_directory_path() / "httpuv-net-XXXXXX";
  fd_ = mkstemp(name.data());
  REQUIRE(fd_ >= 0);
  unlink(name.c_str());
  while (!content.empty()) {
    const ssize_t count = ::write(fd_, content.data(), content.size());
    REQUIRE(count > 0);
    content.remove_prefix(static_cast<std::size_t>(count));
  }
}

TempFile::~TempFile() {
  ::close(fd_);
}

FileRef TempFile::ref() const {
  return FileRef::adopt(dup(fd_), 0);
}

bool TempFile::evict() const {
  fsync(fd_);
  posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED);
  return !is_resident(fd_, 0, 1);
}

TempDir::TempDir() {
  std::string name = std::filesystem::temp_directory_path() / "httpuv-net-XXXXXX";
  REQUIRE(mkdtemp(name.data()) != nullptr);
  path_ = name;
}

TempDir::~TempDir() {
  std::filesystem::remove_all(path_);
}

std::size_t count_descriptors() {
  std::size_t count = 0;
  for (int fd = 0; fd < 4096; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) ++count;
  }
  return count;
}

}  // namespace httpuv::net::test
