// Collects one request body: in memory up to a limit, beyond it in an unlinked temporary file,
// which a disk's thread writes. So a large or slow upload costs neither memory nor loop time.
//
// Loop thread only; owned by the HTTP session. A job may outlive it, and the loop: it owns what it
// touches. Fails once, with an errno, and stays failed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/charge.h"
#include "net/loop/reactor.h"
#include "server/message/envelope.h"
#include "server/worker/budget.h"

namespace httpuv::server {

// Where files for bodies are made, and the device (st_dev) of that place; 0: not known.
struct SpoolFolder {
  std::string path;
  std::uint64_t device = 0;
};

class BodyCollector {
 public:
  // `progress` is called on the loop thread after each job: full(), finished() or error() may have
  // changed. `folder` and the budget outlive the collector and the loop's jobs.
  BodyCollector(net::Reactor& loop, Budget& budget, const SpoolFolder& folder,
                std::size_t memory_bytes, std::function<void()> progress);
  ~BodyCollector();
  BodyCollector(const BodyCollector&) = delete;
  BodyCollector& operator=(const BodyCollector&) = delete;

  // Whether so many more bytes may be held; called before append(). `announced`: the whole length,
  // if the head has it.
  [[nodiscard]] Budget::Room room_for(std::uint64_t bytes,
                                      std::optional<std::uint64_t> announced = {}) const;
  void append(std::string_view bytes);
  void end();

  // Too much waits for the disk: read no more from the socket until progress.
  [[nodiscard]] bool full() const;
  // The whole body is stored.
  [[nodiscard]] bool finished() const;
  [[nodiscard]] int error() const;
  // The body. `memory` becomes the charge for the part of it that is in memory.
  [[nodiscard]] RequestBody take(base::Charge& memory);

 private:
  struct Spool;
  struct Writing;
  static void write_some(const std::shared_ptr<Spool>& spool);

  std::shared_ptr<Spool> spool_;  // shared with what follows a job, on this thread only
};

}  // namespace httpuv::server
