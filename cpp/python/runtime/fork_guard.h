// Stops the loop threads during a fork(), so that they hold no lock and open no descriptor.
//
// What: pthread_atfork(3), so that no Python runs between the moment in which the loops stand still
//   and the fork: a signal handler in there might stop a server, and wait for ever.
// Thread: any. Loops are held up only for as long as fork() takes.
// Ownership: a guard belongs to whatever owns the server, which outlives it.
// Failure: none. The child still has to call Server::forget().
#pragma once

#include <mutex>

namespace httpuv::server {
class Workers;
}

namespace httpuv::python {

class ForkGuard {
 public:
  explicit ForkGuard(server::Workers& server);
  ~ForkGuard();
  ForkGuard(const ForkGuard&) = delete;
  ForkGuard& operator=(const ForkGuard&) = delete;

  // No fork() begins while this is held. Nothing may wait for the GIL meanwhile.
  [[nodiscard]] static std::unique_lock<std::mutex> hold();

 private:
  server::Workers& server_;
};

}  // namespace httpuv::python
