// Finds the file of a request without blocking the loop thread: a cached file is checked with one
// stat per turn, everything else happens on other threads.
//
// Loop thread only; owned by the server. Requests are classified and resolved while the loop reads;
// end_turn() then checks each distinct path once, however many requests asked for it, after the
// last of them was read: a file that was replaced before a request was sent is never served from
// before. Every resolve() is answered by exactly one Sink::on_resolved(), in end_turn() or when the
// pool is done. The service and its sink must live until the executor has called or
// destroyed every `done` it was given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "files/answer/resolution.h"
#include "files/cache/cache_limits.h"
#include "files/pages/listing_view.h"
#include "files/routes/route_table.h"

namespace httpuv::files {

// Names a request to its owner; the service only hands it back.
struct Token {
  std::uint64_t connection = 0;
  std::uint32_t exchange = 0;
};

// Runs a job on another thread, then `done` on the loop thread, never inside the call. `ran` is
// false when the job ran out of memory. Where the loop ends first, `done` is destroyed on the loop
// thread without being called, and the job may still run: it must own all that it touches.
class Executor {
 public:
  using Done = std::function<void(bool ran)>;
  virtual ~Executor() = default;
  // May wait for the disk `device` (st_dev; 0 if it is not known).
  virtual void read(std::uint64_t device, std::function<void()> job, Done done) = 0;
  // Computes. True: there is more to do, after others had their turn.
  virtual void compute(std::function<bool()> slice, Done done) = 0;
};

class Sink {
 public:
  virtual ~Sink() = default;
  // May call resolve() again, but neither end_turn() nor set_routes().
  virtual void on_resolved(const Token& token, const Resolution& resolution) = 0;
};

struct ServiceCounters {
  std::uint64_t hits = 0;         // requests answered from the cache
  std::uint64_t absent_hits = 0;  // requests for what is known not to exist
  std::uint64_t checks = 0;       // stats on the loop thread
  std::uint64_t pool_checks = 0;  // entries checked on the pool
  std::uint64_t opens = 0;        // resolved on the pool
  std::uint64_t evictions = 0;
  std::size_t entries = 0;
  std::size_t absent = 0;
  std::size_t bytes = 0;
  std::size_t descriptors = 0;
};

class OpenFileCache;

class FileService {
 public:
  FileService(Executor& executor, Sink& sink, const CacheLimits& limits = {});
  ~FileService();
  FileService(const FileService&) = delete;
  FileService& operator=(const FileService&) = delete;

  // Holds for what is classified from now on; nothing is cached any more.
  void set_routes(std::shared_ptr<const RouteTable> routes);
  [[nodiscard]] const RouteTable& routes() const;

  // The match is valid until the next call of classify(), resolve() or set_routes().
  [[nodiscard]] Match classify(std::string_view raw_path) const;

  // `match` is of kind kRoute and the last that classify() returned, with its path still there.
  // `view`: how a listing is wanted, where the path turns out to be one.
  void resolve(const Token& token, const Match& match, const ListingView& view = {});

  // The same for a path that was classified a while ago: where it is no longer static the answer is
  // kFallthrough.
  void resolve(const Token& token, std::string_view raw_path, const ListingView& view = {});

  // At the end of each turn of the loop; costs nothing when nothing was resolved.
  void end_turn();

  // Nothing is under way on the pool, and no request waits.
  [[nodiscard]] bool idle() const;
  [[nodiscard]] ServiceCounters counters() const;

 private:
  void answer_unrouted();

  std::unique_ptr<OpenFileCache> cache_;
  Sink& sink_;
  std::shared_ptr<const RouteTable> routes_;
  std::vector<Token> unrouted_;
  mutable std::string scratch_;
};

}  // namespace httpuv::files
