// Estimates the length of the application's answers, so that a connection does not get more
// pipelined requests than it may have waiting answers.
//
// Loop thread only; one for each server. A long answer raises the estimate at once; it decays
// slowly, because the application may give such an answer again. Never fails.
#pragma once

#include <algorithm>
#include <cstdint>

namespace httpuv::server {

class AnswerSize {
 public:
  void note(std::uint64_t bytes) {
    expected_ = std::max(bytes, expected_ - expected_ / kForget);
    expected_ = std::max(expected_, kLeast);
  }

  [[nodiscard]] std::uint64_t expected() const { return expected_; }

 private:
  static constexpr std::uint64_t kForget = 64;
  // The least estimate: the next answer may be longer than all before it.
  static constexpr std::uint64_t kLeast = std::uint64_t{16} * 1024;

  std::uint64_t expected_ = std::uint64_t{64} * 1024;
};

}  // namespace httpuv::server
