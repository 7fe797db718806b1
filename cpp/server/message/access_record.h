// Records of the access log: requests and their results. Plain owned data, made on the loop thread
// and moved to the application, all of one turn at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace httpuv::server {

struct AccessRecord {
  std::string remote_address;
  int remote_port = 0;
  std::string request;  // its first line, as far as it could be parsed
  std::string referer;
  std::string user_agent;
  std::string request_id;
  std::string trace_id;
  int status = 0;           // 0: the connection ended before an answer
  std::uint64_t bytes = 0;  // of the body, handed to the system or still waiting for it
  std::chrono::steady_clock::time_point begun;
  std::chrono::steady_clock::duration took{};
  std::chrono::system_clock::time_point ended;
};

// The records that wait for the application. Their size is bounded; further records are only
// counted. Any thread.
struct AccessBacklog {
  static constexpr std::size_t kMost = std::size_t{8} * 1024 * 1024;

  std::atomic<std::size_t> bytes{0};    // of the records that wait
  std::atomic<std::size_t> skipped{0};  // records that were only counted
};

// The records of one turn. They count for the backlog until they are destroyed.
class AccessBatch {
 public:
  explicit AccessBatch(std::shared_ptr<AccessBacklog> backlog) : backlog_(std::move(backlog)) {}
  AccessBatch(AccessBatch&& other) noexcept
      : records_(std::move(other.records_)),
        backlog_(std::move(other.backlog_)),
        bytes_(std::exchange(other.bytes_, 0)) {}
  AccessBatch& operator=(AccessBatch&& other) noexcept {
    std::swap(records_, other.records_);
    std::swap(backlog_, other.backlog_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~AccessBatch() {
    if (bytes_ > 0) backlog_->bytes.fetch_sub(bytes_, std::memory_order_relaxed);
  }

  // False: it is skipped, because too much waits already.
  bool add(AccessRecord&& record) {
    const std::size_t bytes = sizeof record + record.remote_address.size() + record.request.size() +
                              record.referer.size() + record.user_agent.size() +
                              record.request_id.size() + record.trace_id.size();
    if (backlog_->bytes.load(std::memory_order_relaxed) + bytes > AccessBacklog::kMost) {
      backlog_->skipped.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    backlog_->bytes.fetch_add(bytes, std::memory_order_relaxed);
    bytes_ += bytes;
    records_.push_back(std::move(record));
    return true;
  }

  // An empty batch of the same backlog.
  [[nodiscard]] AccessBatch next() const { return AccessBatch(backlog_); }
  [[nodiscard]] const std::vector<AccessRecord>& records() const { return records_; }
  [[nodiscard]] const std::shared_ptr<AccessBacklog>& backlog() const { return backlog_; }

 private:
  std::vector<AccessRecord> records_;
  std::shared_ptr<AccessBacklog> backlog_;
  std::size_t bytes_ = 0;
};

}  // namespace httpuv::server
