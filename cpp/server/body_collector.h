// Gathers one request body: in memory up to a limit, past it in an unlinked temporary file that
// a disk's thread writes, so that neither memory nor the loop pays for a large or slow upload.
//
// Loop thread only; owned by the HTTP session. A job may outlive it, and the loop: it owns what it
// touches. Fails once, with an errno, and stays failed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "net/loop/reactor.h"
#include "server/message.h"

namespace httpuv::server {

// Where files for bodies are made, and the device (st_dev) of that place; 0: not known.
struct SpoolFolder {
  std::string path;
  std::uint64_t device = 0;
};

class BodyCollector {
 public:
  // `progress` is called on the loop thread after each job: full(), finished() or error() may have
  // changed. `folder` outlives the collector.
  BodyCollector(net::Reactor& loop, const SpoolFolder& folder, std::size_t memory_bytes,
                std::function<void()> progress);
  ~BodyCollector();
  BodyCollector(const BodyCollector&) = delete;
  BodyCollector& operator=(const BodyCollector&) = delete;

  void append(std::string_view bytes);
  void end();

  // Too much waits for the disk: read no more from the socket until progress.
  [[nodiscard]] bool full() const;
  // Everything that came before end() is where it belongs.
  [[nodiscard]] bool finished() const;
  [[nodiscard]] int error() const;
  [[nodiscard]] RequestBody take();

 private:
  struct Spool;
  struct Writing;
  static void write_some(const std::shared_ptr<Spool>& spool);

  std::shared_ptr<Spool> spool_;  // shared with what follows a job, on this thread only
};

}  // namespace httpuv::server
