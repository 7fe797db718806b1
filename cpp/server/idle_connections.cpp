#include "server/idle_connections.h"

#include <algorithm>

#include "server/connection/connection.h"

namespace httpuv::server {

namespace {

// So many are kept of one look at all connections.
constexpr std::size_t kMostClosed = 256;

}  // namespace

bool IdleConnections::any() {
  return oldest() != nullptr;
}

bool IdleConnections::close_oldest() {
  Connection* const connection = oldest();
  if (connection == nullptr) return false;
  found_.pop_back();
  context_.counters.evicted.add();
  connection->close();
  return true;
}

Connection* IdleConnections::oldest() {
  if (Connection* const connection = next_candidate()) return connection;
  look();
  return next_candidate();
}

// The oldest of those found that is still idle, and has not had a request since.
Connection* IdleConnections::next_candidate() {
  while (!found_.empty()) {
    Connection* const connection = context_.connections.find(found_.back().id);
    if (connection != nullptr && connection->idle_since() == found_.back().since) return connection;
    found_.pop_back();
  }
  return nullptr;
}

void IdleConnections::look() {
  found_.clear();
  context_.connections.each([this](Connection& connection) {
    if (const auto since = connection.idle_since()) found_.push_back({*since, connection.id()});
  });
  const std::size_t kept = std::min(found_.size(), kMostClosed);
  const auto older = [](const Candidate& a, const Candidate& b) { return a.since < b.since; };
  const auto end = found_.begin() + static_cast<std::ptrdiff_t>(kept);
  std::partial_sort(found_.begin(), end, found_.end(), older);
  found_.erase(end, found_.end());
  std::reverse(found_.begin(), found_.end());
}

}  // namespace httpuv::server
