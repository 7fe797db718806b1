// Many clients and a server that do anything at any time. What is checked is what must hold all the
// same: every session ends with exactly one closed callback, what a well-behaved client receives is
// a prefix of what was sent, no descriptor is lost, and (by the sanitizers) no memory either.
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <random>
#include <thread>

#include "../uninterrupted.h"
#include "harness.h"

namespace httpuv::net {
namespace {

using test::Client;
using test::count_descriptors;
using test::pattern;
using test::TempFile;

constexpr std::size_t kContent = 700'000;

// The server's side of one connection. Sends pieces of one endless repetition of the content, so
// that the client knows what must come whatever way it was sent.
class Actor final : public StreamHandler, public DeadlineOwner {
 public:
  Actor(std::uint32_t seed, const std::string& content, const TempFile& file,
        std::atomic<int>& alive)
      : random_(seed), content_(content), file_(file), alive_(alive) {
    ++alive_;
  }
  ~Actor() override { --alive_; }

  Stream stream;

 private:
  void on_data(std::string_view) override { act(); }
  void on_eof() override { finish(); }
  void on_error(int) noexcept override { end(); }
  void on_drained() override { act(); }
  void on_deadline(Deadline&) noexcept override {
    if (finished_) return end();
    stream.start_reading();
    act();
  }
  void on_closed() noexcept override { delete this; }

  void act() {
    switch (random_() % 12) {
      case 0:
        stream.stop_reading();
        if (!finished_)
          deadline_.set(stream.loop().timers(), stream.loop().now_ms() + random_() % 3);
        break;
      case 1:
        if (random_() % 8 == 0) end();
        break;
      case 2:
        if (random_() % 8 == 0) stream.shutdown();
        break;
      case 3:
        stream.loop().set_use_sendfile(random_() % 2 == 0);
        break;
      case 4:
        file_.evict();
        break;
      default:
        send();
        if (random_() % 3 == 0) send();
    }
  }

  void send() {
    if (stream.queued() > 1'000'000) return;
    const std::size_t most = kContent - position_;
    const std::size_t size =
        std::min<std::size_t>(random_() % 3 == 0 ? random_() % 200'000 : random_() % 500, most);
    const std::string piece = content_.substr(position_, size);
    int error = 0;
    switch (random_() % 4) {
      case 0:
        error = stream.write(std::string_view(piece).substr(0, size / 2),
                             std::string_view(piece).substr(size / 2));
        break;
      case 1:
        error = stream.write_owned({}, std::string(piece));
        break;
      case 2: {
        const auto owner = std::make_shared<const std::string>(piece);
        error = stream.write_shared({}, *owner, owner);
        break;
      }
      default:
        error = stream.send_file({}, file_.ref(), position_, size);
    }
    if (error == 0) {
      position_ = (position_ + size) % kContent;
    } else if (!stream.closing()) {
      end();
    }
  }

  void finish() {
    finished_ = true;
    send();
    if (stream.closing()) return;
    stream.shutdown();
    if (!stream.busy() || random_() % 2 == 0) end();
    if (!stream.closing()) deadline_.set(stream.loop().timers(), stream.loop().now_ms() + 200);
  }

  void end() {
    if (random_() % 2 == 0) {
      stream.close();
    } else {
      stream.reset();
    }
  }

  std::mt19937 random_;
  const std::string& content_;
  const TempFile& file_;
  std::atomic<int>& alive_;
  std::size_t position_ = 0;
  bool finished_ = false;
  Deadline deadline_{this};
};

// One connection from the client's side: true if everything received was in order.
bool visit(int port, std::mt19937& random, const std::string& content) {
  Client client(port, AF_INET, random() % 2 == 0 ? 32 * 1024 : 0);
  timeval patience{0, 20'000};
  setsockopt(client.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  std::size_t position = 0;
  std::string buffer(100'000, '\0');
  for (std::uint32_t step = random() % 30; step > 0; --step) {
    if (httpuv::test::send_some(client.fd(), buffer.data(), random() % 2000) < 0) break;
    const ssize_t got =
        httpuv::test::receive_some(client.fd(), buffer.data(), 1 + random() % buffer.size());
    if (got == 0) break;
    for (ssize_t i = 0; i < got; ++i) {
      if (buffer[static_cast<std::size_t>(i)] != content[position]) return false;
      position = (position + 1) % kContent;
    }
  }
  switch (random() % 3) {
    case 0:
      client.reset();
      break;
    case 1:
      ::shutdown(client.fd(), SHUT_WR);
      httpuv::test::receive_some(client.fd(), buffer.data(), buffer.size());
      break;
    default:
      break;
  }
  return true;
}

TEST_CASE("anything at any time") {
  const std::string content = pattern(kContent, 5);
  const TempFile file(content);
  { const test::LoopHarness first; }
  const std::size_t descriptors = count_descriptors();
  std::atomic<int> alive = 0;
  std::atomic<int> wrong = 0;
  {
    test::LoopHarness harness;
    std::uint32_t next_seed = 1;
    const test::ListenerHarness listener(harness, [&](Accepted&& accepted) {
      auto* actor = new Actor(next_seed++, content, file, alive);
      if (actor->stream.open(std::move(accepted), actor) == 0) actor->stream.start_reading();
    });
    std::vector<std::thread> clients;
    for (std::uint32_t seed = 1; seed <= 6; ++seed) {
      clients.emplace_back([&, seed] {
        std::mt19937 random(seed);
        for (int i = 0; i < 40; ++i) {
          if (!visit(listener.port(), random, content)) ++wrong;
        }
      });
    }
    for (std::thread& client : clients) client.join();
    // The harness ends now; run() returns only when the last connection has gone by itself.
  }
  CHECK(wrong == 0);
  CHECK(alive == 0);
  // A read that was abandoned may still be under way; it closes its file when it is done.
  const auto limit = std::chrono::steady_clock::now() + test::kPatience;
  while (count_descriptors() != descriptors && std::chrono::steady_clock::now() < limit) {
    std::this_thread::yield();
  }
  CHECK(count_descriptors() == descriptors);
}

}  // namespace
}  // namespace httpuv::net
