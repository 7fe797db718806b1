// One line of the access log before it is one: a request and what became of it. Plain owned data,
// made on the loop thread and moved to the application.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace httpuv::server {

// Counts for one among the records that the application has not been told, as long as it lives.
class UntoldRecord {
 public:
  UntoldRecord() = default;
  explicit UntoldRecord(std::shared_ptr<std::atomic<std::size_t>> count)
      : count_(std::move(count)) {
    count_->fetch_add(1, std::memory_order_relaxed);
  }
  UntoldRecord(UntoldRecord&&) = default;
  UntoldRecord& operator=(UntoldRecord&&) = default;
  ~UntoldRecord() {
    if (count_ != nullptr) count_->fetch_sub(1, std::memory_order_relaxed);
  }

 private:
  std::shared_ptr<std::atomic<std::size_t>> count_;
};

struct AccessRecord {
  using Clock = std::chrono::system_clock;

  std::string remote_address;
  int remote_port = 0;
  std::string method;  // "": the head could not be read
  std::string target;  // as sent
  int minor_version = 1;
  std::string referer;
  std::string user_agent;
  int status = 0;           // 0: the connection ended before an answer
  std::uint64_t bytes = 0;  // of the body, handed to the system or still waiting for it
  Clock::time_point begun;
  Clock::time_point ended;
  std::size_t skipped = 0;  // records before this one that nobody was told
  UntoldRecord untold;
};

}  // namespace httpuv::server
