// Where Metrics are: in memory of this process, or in a file that the workers of one command share.
//
// What: maps places for Metrics. A shared file has a place for each worker; a worker that takes the
//   place of one that has ended goes on counting there.
// Thread: any; made before the server starts.
// Owner: the server, or the command that looks after workers. The mapping ends with it.
// Failure: open() answers errno.
#pragma once

#include <cstddef>
#include <memory>

#include "server/observe/metrics.h"

namespace httpuv::server {

class MetricsMemory {
 public:
  // How many loops of workers a file has room for, those included that are being replaced.
  static constexpr std::size_t kPlaces = 2048;

  // So many places that no other process sees. Throws std::bad_alloc.
  explicit MetricsMemory(std::size_t count = 1);
  // The places in a file, of which `count` from `first` on are this process's; they are taken over,
  // gauges at zero. Null and *error, an errno. The descriptor stays the caller's.
  static std::unique_ptr<MetricsMemory> open(int fd, std::size_t first, std::size_t count,
                                             int* error);
  // The same without a separate place, for the process that looks after the workers.
  static std::unique_ptr<MetricsMemory> watch(int fd, int* error);
  ~MetricsMemory();
  MetricsMemory(const MetricsMemory&) = delete;
  MetricsMemory& operator=(const MetricsMemory&) = delete;

  // One of this process's places, for each of its loops.
  [[nodiscard]] Metrics& own(std::size_t index = 0) const { return at(first_ + index); }
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] Metrics& at(std::size_t place) const;
  // Places that were ever in use, of the lowest numbers.
  [[nodiscard]] std::size_t used() const;
  [[nodiscard]] bool shared() const { return shared_; }
  // In a forked child: what it counts from now on is seen nowhere else.
  void forget();
  // Gives a place back: what it counted stays.
  void leave(std::size_t place);

 private:
  struct Header;
  MetricsMemory(void* base, std::size_t bytes, std::size_t first, std::size_t count)
      : base_(base), bytes_(bytes), first_(first), count_(count), shared_(true) {}
  static std::unique_ptr<MetricsMemory> map(int fd, std::size_t first, std::size_t count,
                                            int* error);
  void take();

  void* base_;
  std::size_t bytes_;
  std::size_t first_ = 0;
  std::size_t count_ = 1;
  bool shared_ = false;
};

}  // namespace httpuv::server
