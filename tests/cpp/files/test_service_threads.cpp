#include <doctest/doctest.h>

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "files/cache/service.h"
#include "temp_tree.h"

using namespace httpuv::files;

namespace {

// A real pool of threads; `done` runs where poll() is called.
class ThreadedWorld : public Executor, public Sink {
 public:
  ThreadedWorld() : service(*this, *this, limits()) {
    for (int i = 0; i < 3; ++i) threads_.emplace_back([this] { work(); });
  }
  ~ThreadedWorld() override {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  void read(std::uint64_t, std::function<void()> job, Done done) override {
    const std::lock_guard lock(mutex_);
    jobs_.emplace_back(std::move(job), std::move(done));
    wake_.notify_one();
  }
  void compute(std::function<bool()> slice, Done done) override {
    read(
        0,
        [slice = std::move(slice)] {
          while (slice()) {
          }
        },
        std::move(done));
  }
  void on_resolved(const Token& token, const Resolution& resolution) override {
    ++answered;
    if (resolution.kind != ResolutionKind::kFile) return;
    const std::string& content = resolution.entry->content;
    // Whole states of the file only, and never one that is older than the request.
    consistent = consistent && !content.empty() &&
                 content == std::string(content.size(), content.front()) &&
                 content.size() >= token.exchange;
  }

  // Waits for what the pool has done.
  void poll() {
    std::vector<Done> done;
    {
      std::unique_lock lock(mutex_);
      finished_.wait(lock, [this] { return !done_.empty(); });
      done.swap(done_);
    }
    for (const auto& each : done) each(true);
    service.end_turn();
  }

  int answered = 0;
  bool consistent = true;

 private:
  static CacheLimits limits() {
    CacheLimits limits;
    limits.in_core_ms = 0;  // everything on the pool
    return limits;
  }

  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return closing_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      auto [job, done] = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
      lock.lock();
      done_.push_back(std::move(done));
      finished_.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, finished_;
  std::deque<std::pair<std::function<void()>, Done>> jobs_;
  std::vector<Done> done_;
  std::vector<std::thread> threads_;
  bool closing_ = false;

 public:
  FileService service;
};

}  // namespace

TEST_CASE("several threads search while files change") {
  TempTree tree;
  Route route;
  route.local_path = tree.root();
  for (int i = 0; i < 8; ++i) tree.write("f" + std::to_string(i) + ".txt", "aaaa");
  ThreadedWorld world;
  const auto routes = std::vector<Route>{route};
  world.service.set_routes(std::make_shared<const RouteTable>(routes, nullptr));
  int asked = 0;
  std::uint32_t size = 4;
  for (int round = 0; round < 300; ++round) {
    for (int i = 0; i < 8; ++i) {
      const std::string path = "/f" + std::to_string(i) + ".txt";
      world.service.resolve(Token{1, i == 3 ? size : 0}, world.service.classify(path));
      ++asked;
    }
    world.service.resolve(Token{1, 0}, world.service.classify("/none/" + std::to_string(round)));
    ++asked;
    world.service.end_turn();
    size = 4 + static_cast<std::uint32_t>(round % 50);
    tree.replace("f3.txt", std::string(size + 50, static_cast<char>('a' + round % 26)));
    if (round % 7 == 0) {
      world.service.set_routes(std::make_shared<const RouteTable>(routes, nullptr));
    }
    if (!world.service.idle()) world.poll();
  }
  while (!world.service.idle()) world.poll();
  CHECK(world.answered == asked);
  CHECK(world.consistent);
}
