#include "python/runtime/fork_guard.h"

#include <pthread.h>

#include <algorithm>
#include <vector>

#include "server/workers.h"

namespace httpuv::python {

namespace {

struct Guarded {
  std::mutex mutex;
  std::vector<server::Workers*> servers;  // by mutex
};

// Never destroyed: a process may fork until its very end.
Guarded& guarded_servers() {
  static auto* const kGuarded = new Guarded;
  return *kGuarded;
}

void before_fork() {
  Guarded& guarded = guarded_servers();
  guarded.mutex.lock();
  for (server::Workers* server : guarded.servers) server->before_fork();
}

void after_fork() {
  Guarded& guarded = guarded_servers();
  for (server::Workers* server : guarded.servers) server->after_fork();
  guarded.mutex.unlock();
}

}  // namespace

ForkGuard::ForkGuard(server::Workers& server) : server_(server) {
  static const int kRegistered = pthread_atfork(before_fork, after_fork, after_fork);
  static_cast<void>(kRegistered);
  const auto lock = hold();
  guarded_servers().servers.push_back(&server_);
}

ForkGuard::~ForkGuard() {
  const auto lock = hold();
  std::erase(guarded_servers().servers, &server_);
}

std::unique_lock<std::mutex> ForkGuard::hold() {
  return std::unique_lock(guarded_servers().mutex);
}

}  // namespace httpuv::python
